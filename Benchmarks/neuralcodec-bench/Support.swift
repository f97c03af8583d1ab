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
    let picture = try Picture(width: Int(header.width), height: Int(header.height), channels: Int(header.channels))
    guard ncpng_read(reader, picture.buffer.bytes.baseAddress, &message) else { throw CodecError(.badStream, "\(path): \(text())") }
    return picture
}

func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

/// A number with `digits` decimals.
func fixed(_ value: Double, _ digits: Int) -> String {
    var buffer = [CChar](repeating: 0, count: 64)
    _ = withVaList([Int32(digits), value]) { vsnprintf(&buffer, buffer.count, "%.*f", $0) }
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

func printRow(_ cells: [String]) { print(cells.map { String(repeating: " ", count: max(0, 12 - $0.count)) + $0 }.joined(separator: " ")) }
