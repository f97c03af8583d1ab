// SPDX-License-Identifier: Apache-2.0
import NeuralCodec
import XCTest

/// The golden numbers come from an independent implementation: `python3 Tests/cli/reference_metrics.py`.
final class MetricsTests: XCTestCase {
    func testGoldenNumbers() throws {
        for golden in [
            (width: 161, height: 161, channels: 1, psnr: 31.795916445, msSSIM: 0.990172605),
            (width: 176, height: 208, channels: 3, psnr: 31.797382824, msSSIM: 0.991209912),
            (width: 203, height: 187, channels: 3, psnr: 31.797609240, msSSIM: 0.991609842),
        ] {
            // Rows with gaps, filled differently: they must not count.
            let a = Samples(width: golden.width, height: golden.height, channels: golden.channels, gap: 5, filler: 0, Samples.waves)
            let b = Samples(width: golden.width, height: golden.height, channels: golden.channels, gap: 9, filler: 255, Samples.disturbedWaves)
            try a.withView { a in
                try b.withView { b in
                    XCTAssertEqual(psnr(a, b), golden.psnr, accuracy: 1e-8)
                    XCTAssertEqual(try XCTUnwrap(msSSIM(a, b)), golden.msSSIM, accuracy: 1e-8)
                    XCTAssertEqual(try XCTUnwrap(msSSIM(b, a)), golden.msSSIM, accuracy: 1e-8)
                }
            }
        }
    }

    func testEqualPictures() throws {
        try Samples(width: 170, height: 161, channels: 3, Samples.waves).withView { view in
            XCTAssertEqual(psnr(view, view), .infinity)
            XCTAssertEqual(try XCTUnwrap(msSSIM(view, view)), 1, accuracy: 1e-12)
        }
    }

    /// Negative structure counts as none instead of becoming a power of a negative number.
    func testNegativePicture() throws {
        let a = Samples(width: 192, height: 161, channels: 1, Samples.waves)
        let b = Samples(width: 192, height: 161, channels: 1) { 255 - Samples.waves($0, $1, $2) }
        try a.withView { a in
            try b.withView { b in XCTAssertEqual(try XCTUnwrap(msSSIM(a, b)), 0) }
        }
    }

    func testLargestError() {
        let black = Samples(width: 300_000, height: 2, channels: 1) { _, _, _ in 0 }
        let white = Samples(width: 300_000, height: 2, channels: 1) { _, _, _ in 255 }
        black.withView { black in white.withView { white in XCTAssertEqual(psnr(black, white), 0) } }
    }

    func testSmallPicturesHaveNoMSSSIM() throws {
        try Samples(width: 160, height: 500, channels: 1, Samples.waves).withView { XCTAssertNil(try msSSIM($0, $0)) }
        try Samples(width: 500, height: 160, channels: 1, Samples.waves).withView { XCTAssertNil(try msSSIM($0, $0)) }
    }

    func testDifferentSizes() throws {
        let a = Samples(width: 176, height: 170, channels: 1, Samples.waves)
        let b = Samples(width: 170, height: 176, channels: 1, Samples.waves)
        try a.withView { a in
            try b.withView { b in
                XCTAssertTrue(psnr(a, b).isNaN)
                XCTAssertThrowsError(try msSSIM(a, b)) { XCTAssertEqual(($0 as? CodecError)?.status, .invalidArgument) }
            }
        }
    }
}

/// A picture made from a formula of row, column and channel.
private struct Samples {
    private let bytes: [UInt8]
    private let width, height, channels, stride: Int

    init(width: Int, height: Int, channels: Int, gap: Int = 0, filler: UInt8 = 0, _ sample: (Int, Int, Int) -> Int) {
        self.width = width
        self.height = height
        self.channels = channels
        stride = width * channels + gap
        var bytes = [UInt8](repeating: filler, count: stride * height)
        for y in 0..<height {
            for x in 0..<width {
                for c in 0..<channels { bytes[y * stride + x * channels + c] = UInt8(sample(y, x, c)) }
            }
        }
        self.bytes = bytes
    }

    func withView<Result>(_ body: (PictureView) throws -> Result) rethrows -> Result {
        try bytes.withUnsafeBytes {
            try body(PictureView(pixels: $0.baseAddress!, width: width, height: height, channels: channels, stride: stride))
        }
    }

    // golden_pair of reference_metrics.py

    static func waves(_ y: Int, _ x: Int, _ c: Int) -> Int {
        (x * x / 97 + 3 * y + x * y / 61 + 40 * c) % 256
    }

    static func disturbedWaves(_ y: Int, _ x: Int, _ c: Int) -> Int {
        min(max(waves(y, x, c) + (x * 7 + y * 13 + c * 5) % 23 - 11, 0), 255)
    }
}
