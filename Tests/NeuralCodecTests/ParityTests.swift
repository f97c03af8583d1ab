// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

/// The library against PyTorch: Tests/goldens/README.md says what the golden file holds.
final class ParityTests: XCTestCase {
    private var golden: ModelFile!
    private var model: Model!

    override func setUpWithError() throws {
        golden = try ModelFile(testBytes("goldens/tiny_golden.safetensors"))
        model = try TinyModel.load()
    }

    func testGoldensBelongToTheModel() { XCTAssertEqual(golden.metadata["model_hash"], hexadecimal(model.hash)) }

    func testRateZero() throws { try check(0) }
    func testRateOne() throws { try check(1) }

    private func check(_ index: Int) throws {
        let rate = Int(golden["rates"].values(Int32.self)[index])
        let (trace, file) = try encoded(rate)
        let prefix = "rate\(index)."
        XCTAssertEqual([trace.rows * 16, trace.columns * 16], golden["padded_size"].values(Int32.self).map(Int.init))
        XCTAssertEqual([trace.rows, trace.columns, trace.channels], golden["y0"].shape)
        near(trace.latents, golden["y0"].values(Float.self), "latents")
        XCTAssertEqual(trace.hyperSymbols, golden["z_symbols"].values(Int32.self))
        near(trace.means, golden[prefix + "means"].values(Float.self), "means")
        // PyTorch's are clamped to the scales that tables exist for.
        let (least, most) = (Float(log(0.11)), Float(log(512.0)))
        near(trace.scales.map { min(max($0, least), most) }, golden[prefix + "log_scales"].values(Float.self), "log-scales")
        XCTAssertEqual(trace.symbols, golden[prefix + "y_symbols"].values(Int32.self))
        XCTAssertGreaterThan(Set(trace.symbols).count, 10)  // or little was compared

        let pixels = try TestPicture.decoded(file, model).samples
        let wanted = golden[prefix + "decoded"].bytes
        XCTAssertEqual(pixels.count, wanted.count)
        let differences = zip(pixels, wanted).map { abs(Int($0) - Int($1)) }
        XCTAssertLessThanOrEqual(differences.max()!, 1)
        XCTAssertLessThan(differences.filter { $0 != 0 }.count, pixels.count / 500)
    }

    /// The payload is as long as PyTorch's probabilities say, within 1 % and the four states.
    func testBits() throws {
        for index in 0 ..< 2 {
            let file = try encoded(Int(golden["rates"].values(Int32.self)[index])).file
            let payload = try file.withUnsafeBytes { try readInfo($0).payloadSize }
            let estimate = Double(golden["rate\(index).bits"].values(Float.self).reduce(0, +)) / 8
            XCTAssertLessThanOrEqual(Double(payload), estimate * 1.01 + 40)
            XCTAssertGreaterThanOrEqual(Double(payload), estimate * 0.99)
        }
    }

    private func encoded(_ rate: Int) throws -> (trace: LatentTrace, file: [UInt8]) {
        let scale = QualityScale(map: model.network.qualityMap)
        XCTAssertEqual(scale.rate(scale.quality(rate)), rate)
        var options = EncodeOptions()
        options.target = .quality(scale.quality(rate))
        options.threads = 1
        let trace = LatentTrace()
        let picture = golden["picture"]
        let file = try picture.bytes.withUnsafeBytes { samples in
            let view = PictureView(pixels: samples.baseAddress!, width: picture.shape[1], height: picture.shape[0], channels: 3, stride: picture.shape[1] * 3)
            return try encode(view, model: model, options: options, trace: trace).file.withBytes([UInt8].init)
        }
        XCTAssertEqual(try file.withUnsafeBytes { try readInfo($0).rateParameter }, rate)
        return (trace, file)
    }

    private func near(_ values: [Float], _ wanted: [Float], _ name: String, line: UInt = #line) {
        XCTAssertEqual(values.count, wanted.count, line: line)
        let worst = zip(values, wanted).map { abs($0 - $1) / max(1, abs($1)) }.max() ?? .infinity
        XCTAssertLessThan(worst, 1e-4, name, line: line)
    }
}
