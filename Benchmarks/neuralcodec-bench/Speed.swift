// SPDX-License-Identifier: Apache-2.0
import Glibc
import NeuralCodec

/// Megapixels a second of encode and decode at quality 50, by size and threads, and the share of each stage. The pictures are tiled to sizes
/// whose sides are multiples of 64.
func measureSpeed(modelPath: String, _ pictures: [Picture]) throws {
    let model = try Model.open(modelPath)
    print("\(Library.cpuInfo); medians of 3 or 5 calls, model loaded; MP/s (least-most; by processor time on one thread) and per cent of the call's time")
    var rows: [String] = []
    for (width, height) in [(768, 512), (1920, 1088), (4032, 3008), (6016, 4032)] {
        let picture = try mosaic(of: pictures, width: width, height: height)
        for threads in [1, 2] {
            let (encoding, file) = try measure(width * height, threads) { clock in
                var options = EncodeOptions()
                options.target = .quality(50)
                options.threads = threads
                options.clock = clock
                return try picture.withView { try encode($0, model: model, options: options).file }
            }
            let (decoding, _) = try measure(width * height, threads) { clock in
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

/// Speeds of the rounds, and the stages of all of them together.
private struct Timing {
    /// Ascending.
    let megapixelsPerSecond: [Double]
    let shares: [(stage: StageClock.Stage, share: Double)]

    private var least: String { fixed(megapixelsPerSecond.first!, 2) }
    private var most: String { fixed(megapixelsPerSecond.last!, 2) }

    var line: String { "\(fixed(median(megapixelsPerSecond), 2)) MP/s (\(least)-\(most))   " + shares.map { "\($0.stage.rawValue) \(fixed(100 * $0.share, 1))%" }.joined(separator: ", ") }

    var json: String {
        let stages = shares.map { "\"\($0.stage.rawValue)\":\(fixed($0.share, 4))" }.joined(separator: ",")
        return "{\"mp_per_s\":\(fixed(median(megapixelsPerSecond), 3)),\"least\":\(least),\"most\":\(most),\"shares\":{\(stages)}}"
    }
}

/// One call that does not count, then five, or three long ones, that do.
private func measure<Result>(_ pixels: Int, _ threads: Int, _ body: (StageClock) throws -> Result) throws -> (Timing, Result) {
    var result = try body(StageClock())
    let (stages, now) = (StageClock(), stopwatch(threads: threads))
    var speeds: [Double] = []
    for _ in 0 ..< (pixels < 10_000_000 ? 5 : 3) {
        stages.start()
        let start = now()
        result = try body(stages)
        speeds.append(Double(pixels) / 1e6 / (now() - start))
    }
    let total = stages.seconds.values.reduce(0, +)
    let shares = StageClock.Stage.allCases.compactMap { stage in stages.seconds[stage].map { (stage, $0 / total) } }
    return (Timing(megapixelsPerSecond: speeds.sorted(), shares: shares), result)
}
