// SPDX-License-Identifier: Apache-2.0
import CPlatform
import XCTest

@testable import NeuralCodec

/// A host that flushes denormals or rounds another way gets the same bytes and pixels, and keeps its settings.
final class FloatingPointTests: XCTestCase {
    #if arch(x86_64)
        /// Control registers: flush to zero and denormals are zero; round down, up, to zero; all of it, with exceptions noted.
        private let modes: [UInt64] = [0x9fc0, 0x3f80, 0x5f80, 0x7f80, 0xdfc0, 0xffff & ~0x1f]
        private let controlBits: UInt64 = 0xffc0
    #elseif arch(arm64)
        private let modes: [UInt64] = [1 << 24, 2 << 22, 1 << 22, 3 << 22, 1 << 24 | 1 << 22]
        private let controlBits: UInt64 = 0x7c0_0000
    #endif

    /// Runs `body` in another environment; returns its result and the environment it left.
    private func inMode<Result>(_ mode: UInt64, _ body: () -> Result) -> (result: Result, after: UInt64) {
        let before = ncp_fp_enter()
        ncp_fp_leave(mode)
        let result = body()
        let after = ncp_fp_enter()
        ncp_fp_leave(before)
        return (result, after)
    }

    /// Else the tests below would pass without meaning.
    func testModesMatter() {
        let denormal = Float(bitPattern: UInt32(CommandLine.arguments.count) | 1)
        let value = Float(CommandLine.arguments.count) + 0.1
        XCTAssertEqual(inMode(modes[0]) { Self.product(denormal, 2) }.result, 0)
        XCTAssertGreaterThan(Self.product(denormal, 2), 0)
        XCTAssertNotEqual(inMode(modes[1]) { Self.product(value, 0.1) }.result, inMode(modes[2]) { Self.product(value, 0.1) }.result)
    }

    @inline(never) private static func product(_ a: Float, _ b: Float) -> Float { a * b }

    func testHostModes() throws {
        let model = try TinyModel.load()
        for picture in [TestPicture.scene(80, 60), .noise(64, 70, channels: 1)] {
            for target in [RateTarget.quality(50), .psnr(10), .size(1800)] {
                guard let file = try? picture.encoded(model, target).file else { continue }
                let pixels = try TestPicture.decoded(file, model)
                for mode in modes {
                    for threads in [1, 3] {
                        let encoded = inMode(mode) { Result { try picture.encoded(model, target, threads: threads).file } }
                        XCTAssertEqual(try encoded.result.get(), file)
                        XCTAssertEqual(encoded.after & controlBits, mode & controlBits)
                        let decoded = inMode(mode) { Result { try TestPicture.decoded(file, model, threads: threads) } }
                        XCTAssertEqual(try decoded.result.get(), pixels)
                        XCTAssertEqual(decoded.after & controlBits, mode & controlBits)
                        // Errors put it back as well.
                        let failed = inMode(mode) { Result { try TestPicture.decoded(Array(file.dropLast(5)), model) } }
                        XCTAssertThrowsError(try failed.result.get())
                        XCTAssertEqual(failed.after & controlBits, mode & controlBits)
                    }
                }
            }
        }
    }

    func testModelsLoadTheSame() throws {
        let picture = TestPicture.scene(80, 60)
        let file = try picture.encoded(TinyModel.load()).file
        for mode in modes {
            let loaded = inMode(mode) { Result { try TinyModel.load() } }
            XCTAssertEqual(try picture.encoded(loaded.result.get()).file, file)
            XCTAssertEqual(loaded.after & controlBits, mode & controlBits)
        }
    }
}
