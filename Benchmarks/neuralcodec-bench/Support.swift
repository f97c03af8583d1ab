// SPDX-License-Identifier: Apache-2.0
import CPNG
import Glibc
import NeuralCodec

func fail(_ message: String) -> Never {
    let line = message + "\n"
    _ = line.withCString { write(2, $0, strlen($0)) }
    exit(1)
}

func readPNG(_ path: String) throws -> Picture {
    let file = try FileBytes.read(path, orElse: .invalidArgument, "picture")
    var message = [CChar](repeating: 0, count: Int(NCPNG_MESSAGE_SIZE))
    var header = ncpng_header()
    let text = { String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) }
    guard let reader = ncpng_open(file.bytes.baseAddress, file.count, &header, &message) else { throw CodecError(.badStream, "\(path): \(text())") }
    defer { ncpng_close(reader) }
    let picture = try Picture(width: Int(header.width), height: Int(header.height), channels: Int(header.channels), bitDepth: Int(header.bit_depth))
    guard ncpng_read(reader, picture.buffer.bytes.baseAddress, &message) else { throw CodecError(.badStream, "\(path): \(text())") }
    return picture
}

func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// Of this thread: the turns of other processes do not count.
func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// What a call on so many threads is timed with: its own time where it has one thread, whatever else the machine does; else wall-clock time.
func stopwatch(threads: Int) -> () -> Double { { threads == 1 ? processorSeconds() : seconds() } }

func writeFile<Element>(_ path: String, _ elements: [Element]) throws {
    let file = fopen(path, "wb")
    let written = elements.withUnsafeBytes { bytes in file.map { fwrite(bytes.baseAddress, 1, bytes.count, $0) == bytes.count } ?? false }
    guard file.map({ fclose($0) == 0 }) ?? false, written else { throw CodecError(.invalidArgument, "cannot write '\(path)'") }
}

/// Pictures side by side and below each other, cut at width x height: content stays photographic at any size.
func mosaic(of pictures: [Picture], width: Int, height: Int) throws -> Picture {
    let target = try Picture(width: width, height: height, channels: 3)
    var (y, index) = (0, 0)
    while y < height {
        var (x, rows) = (0, height - y)
        while x < width {
            let tile = pictures[index % pictures.count]
            guard tile.channels == 3 else { throw CodecError(.invalidArgument, "colour pictures are needed") }
            rows = min(rows, tile.height)
            let columns = min(tile.width, width - x)
            for row in 0 ..< min(tile.height, height - y) {
                memcpy(target.buffer.bytes.baseAddress! + ((y + row) * width + x) * 3, tile.buffer.bytes.baseAddress! + row * tile.width * 3, columns * 3)
            }
            x += columns
            index += 1
        }
        y += rows
    }
    return target
}

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

/// A number with `digits` decimals.
func fixed(_ value: Double, _ digits: Int) -> String {
    var buffer = [CChar](repeating: 0, count: 64)
    _ = withVaList([Int32(digits), value]) { vsnprintf(&buffer, buffer.count, "%.*f", $0) }
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

func printRow(_ cells: [String]) { print(cells.map { String(repeating: " ", count: max(0, 12 - $0.count)) + $0 }.joined(separator: " ")) }
