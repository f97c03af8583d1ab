// SPDX-License-Identifier: Apache-2.0
import Glibc
import NeuralCodec

/// Megapixels a second of encode and decode at quality 50, by size and threads, and the share of each stage. The pictures are tiled to the sizes, so
/// that sides are multiples of 64 and the content stays photographic.
func measureSpeed(modelPath: String, _ pictures: [Picture]) throws {
    let model = try Model.open(modelPath)
    print("\(Library.cpuInfo); medians of \(rounds) calls, model loaded; MP/s and per cent of the call's time")
    var rows: [String] = []
    for (width, height) in [(768, 512), (1920, 1088), (4032, 3008), (6016, 4032)] {
        let picture = try mosaic(of: pictures, width: width, height: height)
        for threads in [1, 2] {
            let (encoding, file) = try measure(width * height) { clock in
                var options = EncodeOptions()
                options.target = .quality(50)
                options.threads = threads
                options.clock = clock
                return try picture.withView { try encode($0, model: model, options: options).file }
            }
            let (decoding, _) = try measure(width * height) { clock in
                var options = DecodeOptions()
                options.threads = threads
                options.clock = clock
                return try file.withBytes { try decode($0, model: model, options: options) }
            }
            let megapixels = Double(width * height) / 1e6
            print("\(fixed(megapixels, 1)) MP, \(threads) thread\(threads == 1 ? "" : "s")\n  encode \(encoding.line)\n  decode \(decoding.line)")
            rows.append("{\"megapixels\":\(fixed(megapixels, 3)),\"threads\":\(threads),\"encode\":\(encoding.json),\"decode\":\(decoding.json)}")
        }
    }
    print("[\(rows.joined(separator: ","))]")
}

private let rounds = 5

/// Median speed, and the stages of all rounds together.
private struct Timing {
    let megapixelsPerSecond: Double
    let shares: [(stage: StageClock.Stage, share: Double)]

    var line: String { fixed(megapixelsPerSecond, 2) + " MP/s   " + shares.map { "\($0.stage.rawValue) \(fixed(100 * $0.share, 1))%" }.joined(separator: ", ") }

    var json: String {
        let stages = shares.map { "\"\($0.stage.rawValue)\":\(fixed($0.share, 4))" }.joined(separator: ",")
        return "{\"mp_per_s\":\(fixed(megapixelsPerSecond, 3)),\"shares\":{\(stages)}}"
    }
}

/// One call that does not count, then `rounds` that do.
private func measure<Result>(_ pixels: Int, _ body: (StageClock) throws -> Result) throws -> (Timing, Result) {
    var result = try body(StageClock())
    let clock = StageClock()
    var times: [Double] = []
    for _ in 0 ..< rounds {
        clock.start()
        let start = seconds()
        result = try body(clock)
        times.append(seconds() - start)
    }
    let total = clock.seconds.values.reduce(0, +)
    let shares = StageClock.Stage.allCases.compactMap { stage in clock.seconds[stage].map { (stage, $0 / total) } }
    return (Timing(megapixelsPerSecond: Double(pixels) / 1e6 / median(times), shares: shares), result)
}

/// The pictures side by side and below each other, cut at width x height.
private func mosaic(of pictures: [Picture], width: Int, height: Int) throws -> Picture {
    let target = try Picture(width: width, height: height, channels: 3)
    var (y, index) = (0, 0)
    while y < height {
        var (x, rows) = (0, height - y)
        while x < width {
            let tile = pictures[index % pictures.count]
            guard tile.channels == 3 else { throw CodecError(.invalidArgument, "speed needs colour pictures") }
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
