// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

/// nc_analyze from Swift: definitions, rates against files, determinism, errors.
final class LatentAnalysisTests: XCTestCase {
    /// Every kind of network that has a hyperprior.
    private static let names = ZooModel.names.filter { !$0.hasPrefix("factorized") }

    private var models: [(name: String, model: Model)] = []
    private let picture = TestPicture.scene(130, 75)

    override func setUpWithError() throws {
        models = try [("tiny", TinyModel.load())] + Self.names.map { ($0, try ZooModel.load($0)) }
    }

    private func analysis(
        _ picture: TestPicture, _ model: Model, quality: Double = 75, window: Int = 5, threads: Int = 2, _ change: (inout AnalysisOptions) -> Void = { _ in }
    ) throws -> LatentAnalysis {
        var options = AnalysisOptions()
        (options.quality, options.window, options.threads) = (quality, window, threads)
        change(&options)
        return try picture.withView { try analyze($0, model: model, options: options) }
    }

    private func values(_ analysis: LatentAnalysis, _ plane: LatentAnalysis.Plane) -> [Float] { analysis.withPlane(plane) { Array($0) } }

    // MARK: Definitions

    func testPlanes() throws {
        for (name, model) in models {
            for quality in [20.0, 90] {
                let comment = "\(name) at \(quality)"
                let found = try analysis(picture, model, quality: quality)
                let padding = model.network.padding
                XCTAssertEqual([found.columns, found.rows], [130, 75].map { ($0 + padding - 1) / padding * padding / 16 }, comment)
                let (latents, means, scales) = (values(found, .latent), values(found, .mean), values(found, .scale))
                let (normalized, quantized) = (values(found, .normalized), values(found, .quantized))
                XCTAssertEqual(latents.count, found.channels * found.rows * found.columns, comment)
                for i in latents.indices {
                    XCTAssertGreaterThanOrEqual(scales[i], 0.11, comment)
                    XCTAssertEqual(normalized[i], (latents[i] - means[i]) / scales[i], comment)
                }
                // The covering radius: of integers, and of E8 whose cells have a volume of about 1. Coordinates of the point closest in a skewed basis may be further away.
                let reach: Float = name == "lattice-e8" ? 1.5 : 0.5
                let errors = zip(normalized, quantized).enumerated().map { ($1.0 - $1.1).magnitude * scales[$0] }
                if name != "lattice-basis" { XCTAssertLessThanOrEqual(errors.max()!, reach * 1.001, comment) }
                XCTAssertLessThan(errors.reduce(0, +) / Float(errors.count), 0.5, comment)
                XCTAssertGreaterThan(Set(quantized).count, 10, comment)
            }
        }
    }

    /// The planes are what the encoder traces, channel by channel.
    func testPlanesAreThoseOfTheEncoder() throws {
        for (name, model) in models {
            let trace = LatentTrace()
            let found = try analysis(picture, model)
            _ = try picture.withView { try encode($0, model: model, options: EncodeOptions(), trace: trace) }
            XCTAssertEqual([trace.rows, trace.columns, trace.channels], [found.rows, found.columns, found.channels], name)
            let (positions, scales, quantized, means) = (found.rows * found.columns, values(found, .scale), values(found, .quantized), values(found, .mean))
            let step: Float = name == "lattice-e8" ? quantized.indices.compactMap { quantized[$0] == 0 ? nil : (quantized[$0] * scales[$0]).magnitude }.min()! : 1
            let (symbols, traced) = (trace.symbols, trace.means)
            for position in 0 ..< positions {
                for channel in 0 ..< found.channels {
                    let (from, to) = (position * found.channels + channel, channel * positions + position)
                    XCTAssertEqual(quantized[to] * scales[to], Float(symbols[from]) * step, accuracy: 1e-4 * Float(symbols[from].magnitude), name)
                    if name != "variable-rate" { XCTAssertEqual(means[to], traced[from], name) }
                }
            }
        }
    }

    func testCorrelation() throws {
        for (name, model) in models where ["tiny", "mean-scale", "lattice-e8"].contains(name) {
            for window in [3, 7, 31] {
                let found = try analysis(picture, model, window: window)
                for (plane, map) in [(LatentAnalysis.Plane.normalized, found.correlation), (.quantized, found.quantizedCorrelation)] {
                    let v = values(found, plane)
                    XCTAssertEqual(map.window, window)
                    var sum = 0.0
                    for (index, value) in map.values.enumerated() {
                        let (down, right) = (index / window - window / 2, index % window - window / 2)
                        let expected = mean(v, found, down, right)
                        XCTAssertEqual(value, expected, accuracy: 1e-9 * max(1, expected.magnitude), "\(name), \(down), \(right)")
                        if (down, right) != (0, 0) { sum += expected.magnitude }
                    }
                    XCTAssertEqual(map.average, sum / Double(window * window - 1), accuracy: 1e-9, name)
                    XCTAssertGreaterThan(map.average, 0)
                }
            }
        }
    }

    /// Of v(p) v(p + d), over the positions whose neighbour is there; 0 without any.
    private func mean(_ v: [Float], _ found: LatentAnalysis, _ down: Int, _ right: Int) -> Double {
        var (sum, count) = (0.0, 0)
        for channel in 0 ..< found.channels {
            for row in 0 ..< found.rows where (0 ..< found.rows).contains(row + down) {
                for column in 0 ..< found.columns where (0 ..< found.columns).contains(column + right) {
                    let here = (channel * found.rows + row) * found.columns + column
                    sum += Double(v[here]) * Double(v[here + down * found.columns + right])
                    count += 1
                }
            }
        }
        return count == 0 ? 0 : sum / Double(count)
    }

    // MARK: Rates

    func testBitsAreThoseOfTheFile() throws {
        for (name, model) in models + [("default", try Model.embedded())] {
            for (picture, quality) in [(TestPicture.landscape(300, 170), 75.0), (.noise(140, 90), 30)] {
                let comment = "\(name) at \(quality)"
                let found = try analysis(picture, model, quality: quality)
                let info = try picture.encoded(model, .quality(quality)).file.withUnsafeBytes { try readInfo($0) }
                guard !info.stored else { continue }  // noise costs some of these models more than storing it
                XCTAssertEqual(found.rate, info.rateParameter, comment)
                let pixels = Double(picture.width * picture.height)
                let bits = (found.latentBits + found.hyperlatentBits) * pixels
                // Four states of 64 bits begin with 31, and end in whole words.
                XCTAssertEqual(bits, 8 * Double(info.payloadSize), accuracy: 256 + 2e-3 * bits, comment)
                XCTAssertEqual(found.channelBits.reduce(0, +), found.latentBits, accuracy: 1e-9 * found.latentBits, comment)
                XCTAssertGreaterThan(found.hyperlatentBits, 0, comment)
                let plane = values(found, .bits), positions = found.rows * found.columns
                XCTAssertGreaterThanOrEqual(plane.min()!, 0, comment)
                for channel in 0 ..< found.channels {
                    let sum = plane[channel * positions ..< (channel + 1) * positions].reduce(0.0) { $0 + Double($1) }
                    XCTAssertEqual(found.channelBits[channel], sum / pixels, accuracy: 1e-9, comment)
                }
                let order = found.channelsByRate
                XCTAssertEqual(order.sorted(), Array(0 ..< found.channels), comment)
                XCTAssertTrue(zip(order, order.dropFirst()).allSatisfy { found.channelBits[$0] >= found.channelBits[$1] }, comment)
            }
        }
    }

    /// Escaped values count with all their bits, as the coder writes them.
    func testBitsOfEscapes() throws {
        let tables = try CodingTables(offsets: [-1], frequencies: [[1 << 14, 1 << 15, 1 << 13, 1 << 13]], name: "test")
        for (value, bits) in [(-1, 2.0), (0, 1), (1, 3), (2, 3 + 6), (-2, 3 + 6), (3, 3 + 7), (5, 3 + 8), (-1 << 20, 3 + 6 + 19)] as [(Int32, Double)] {
            XCTAssertEqual(tables.bits(of: value, 0), bits, "\(value)")
            var recorder = try StepRecorder(capacity: StepRecorder.stepsOfValue)
            _ = recorder.value(value, tables, 0, lane: 0)
            XCTAssertEqual(recorder.bits(), bits, "\(value)")
        }
    }

    /// There is always an analysis, also where a file stores the colours; alpha is no part of it.
    func testSmallPicturesAndAlpha() throws {
        let model = try TinyModel.load()
        let gray = TestPicture.flat(1, 1, 50, channels: 1)
        XCTAssertTrue(try gray.encoded(model).file.withUnsafeBytes { try readInfo($0).stored })
        let found = try analysis(gray, model)
        XCTAssertEqual([found.rows, found.columns], [4, 4])
        let opaque = TestPicture.scene(40, 30, channels: 3)
        let transparent = TestPicture(40, 30, channels: 4) { x, y, channel in channel == 3 ? x : Int(opaque.samples[(y * 40 + x) * 3 + channel]) }
        XCTAssertEqual(values(try analysis(opaque, model), .latent), values(try analysis(transparent, model), .latent))
    }

    // MARK: Determinism

    func testThreadsAndPaths() throws {
        for (name, model) in models {
            let expected = try analysis(picture, model, threads: 1)
            for path in availablePaths {
                try withPath(path) {
                    for threads in path == "portable" ? [3] : [1, 3, 8] {
                        let comment = "\(name) on \(path), \(threads) threads"
                        let found = try analysis(picture, model, threads: threads)
                        for plane in LatentAnalysis.Plane.allCases {
                            XCTAssertEqual(values(found, plane).map(\.bitPattern), values(expected, plane).map(\.bitPattern), "\(plane), \(comment)")
                        }
                        XCTAssertEqual(found.correlation.values, expected.correlation.values, comment)
                        XCTAssertEqual(found.quantizedCorrelation.values, expected.quantizedCorrelation.values, comment)
                        XCTAssertEqual(found.channelBits, expected.channelBits, comment)
                        XCTAssertEqual(found.hyperlatentBits, expected.hyperlatentBits, comment)
                    }
                }
            }
        }
    }

    // MARK: Errors

    func testErrors() throws {
        let model = try TinyModel.load()
        for window in [-1, 0, 1, 2, 4, 32, 33, Int.max] { assertThrows(.invalidArgument, "window of \(window)") { try analysis(picture, model, window: window) } }
        for quality in [-1, 100.1, .nan, .infinity] { assertThrows(.invalidArgument, "quality") { try analysis(picture, model, quality: quality) } }
        assertThrows(.invalidArgument, "threads") { try analysis(picture, model, threads: 1025) }
        for name in ["factorized", "factorized-relu"] {
            let model = try ZooModel.load(name)
            assertThrows(.unsupported, "'\(model.id)' cannot be analysed", name) { try analysis(picture, model) }
        }
        assertThrows(.limitExceeded, "pixels") { try analysis(picture, model) { $0.limits.maxPixels = 130 * 75 - 1 } }
        assertThrows(.limitExceeded, "bytes of working memory") { try analysis(picture, model) { $0.limits.maxMemory = 1 << 16 } }
    }

    func testProgress() throws {
        for (name, model) in models {
            var reported: [Double] = []
            _ = try analysis(picture, model, window: 9) { $0.progress = { reported.append($0); return true } }
            XCTAssertEqual(reported, reported.sorted(), name)
            XCTAssertEqual(reported.last!, 1, accuracy: 1e-9, name)
            for stop in reported.indices {
                var calls = 0
                assertThrows(.cancelled, "cancelled", name) {
                    try analysis(picture, model, window: 9) { $0.progress = { _ in calls += 1; return calls <= stop } }
                }
                XCTAssertEqual(calls, stop + 1, name)
            }
        }
    }
}
