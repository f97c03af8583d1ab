// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

/// Target sizes, target PSNR, and limits.
final class TargetTests: XCTestCase {
    private var model: Model!

    override func setUpWithError() throws { model = try TinyModel.load() }

    // MARK: Size

    func testTargetSizes() throws {
        for picture in [TestPicture.scene(300, 260), .text(330, 200, channels: 1), .noise(256, 192)] {
            let smallest = try picture.encoded(model, .quality(0)).file.count
            let largest = try picture.encoded(model, .quality(100)).file.count
            XCTAssertLessThan(smallest, largest)
            for share in [0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 1] {
                let target = smallest + Int(share * Double(largest - smallest))
                let (file, summary) = try picture.encoded(model, .size(target))
                XCTAssertLessThanOrEqual(file.count, target)
                XCTAssertGreaterThanOrEqual(file.count, target * 97 / 100)
                XCTAssertEqual(summary.size, file.count)
                XCTAssertNil(summary.psnr)
                // The quality told leads to the same file.
                XCTAssertEqual(try picture.encoded(model, .quality(summary.quality)).file, file)
            }
            // More than the best quality needs, less than storing takes.
            let (file, summary) = try picture.encoded(model, .size(picture.samples.count + 70))
            XCTAssertEqual(file.count, largest)
            XCTAssertEqual(summary.quality, 100)
        }
    }

    func testRoomForEverythingStores() throws {
        let picture = TestPicture.noise(40, 30)
        for target in [picture.samples.count + 71, picture.samples.count + 72, .max] {
            let (file, summary) = try picture.encoded(model, .size(target))
            XCTAssertEqual(file.count, picture.samples.count + 71)
            XCTAssertEqual(try TestPicture.decoded(file, nil), picture)
            XCTAssertEqual(summary.quality, 100)
        }
    }

    func testUnreachableSize() throws {
        for picture in [TestPicture.scene(100, 100), .flat(1, 1, 9)] {
            let smallest = min(try picture.encoded(model, .quality(0)).file.count, picture.samples.count + 71)
            for target in [1, 70, smallest - 1] {
                let error = assertThrows(.targetUnreachable, "takes \(smallest) bytes") { try picture.encoded(model, .size(target)) }
                XCTAssertEqual(error?.nearest?.size, smallest)
                XCTAssertEqual(error?.nearest?.quality, 0)
            }
            XCTAssertEqual(try picture.encoded(model, .size(smallest)).file.count, smallest)
        }
    }

    // MARK: PSNR

    func testTargetPSNR() throws {
        for picture in [TestPicture.scene(200, 170), .scene(130, 150, channels: 1)] {
            let low = try TestPicture.decoded(picture.encoded(model, .quality(0)).file, model).psnr(picture)
            let high = try TestPicture.decoded(picture.encoded(model, .quality(100)).file, model).psnr(picture)
            XCTAssertLessThan(low, high)
            for share in [0.02, 0.3, 0.6, 0.9] {
                let target = low + share * (high - low)
                let (file, summary) = try picture.encoded(model, .psnr(target))
                let reached = try TestPicture.decoded(file, model).psnr(picture)
                XCTAssertGreaterThanOrEqual(reached, target)
                XCTAssertEqual(try XCTUnwrap(summary.psnr), reached, accuracy: 1e-9)
                XCTAssertEqual(summary.size, file.count)
                XCTAssertLessThan(reached, target + 0.05)
                // The quality told leads to the same file.
                XCTAssertEqual(try picture.encoded(model, .quality(summary.quality)).file, file)
            }
            // Less than the lowest quality gives: that quality.
            let (file, summary) = try picture.encoded(model, .psnr(low / 2))
            XCTAssertEqual(file, try picture.encoded(model, .quality(0)).file)
            XCTAssertEqual(try XCTUnwrap(summary.psnr), low, accuracy: 1e-9)
        }
    }

    func testUnreachablePSNR() throws {
        let picture = TestPicture.noise(128, 100)
        let best = try TestPicture.decoded(picture.encoded(model, .quality(100)).file, model).psnr(picture)
        let error = assertThrows(.targetUnreachable, "60.00 dB cannot be reached") { try picture.encoded(model, .psnr(60)) }
        XCTAssertEqual(try XCTUnwrap(error?.nearest?.psnr), best, accuracy: 0.3)
        XCTAssertGreaterThanOrEqual(try XCTUnwrap(error?.nearest?.psnr), best - 1e-9)
        XCTAssertEqual(error?.nearest?.quality, 100)
    }

    /// A picture whose pixels are smaller than their neural code is stored, which reaches any PSNR.
    func testTinyPictureReachesAnyPSNR() throws {
        let (file, summary) = try TestPicture.noise(4, 4).encoded(model, .psnr(200))
        XCTAssertEqual(try TestPicture.decoded(file, nil), .noise(4, 4))
        XCTAssertEqual(summary.psnr, .infinity)
    }

    func testPowerOfTen() {
        for x in stride(from: -30.0, through: 30, by: 0.37) { XCTAssertEqual(powerOfTen(x) / pow(10, x), 1, accuracy: 1e-13) }
        XCTAssertEqual(powerOfTen(0), 1)
        XCTAssertEqual(powerOfTen(3), 1000)
    }

    /// The search against every monotone step, and against costs with noise.
    func testRateSearch() throws {
        for edge in [0, 1, 2, 100, 32767, 32768, 65534, 65535] {
            var evaluations = 0
            let found = try RateSearch.highest(bound: 500, enough: 500, among: 0...65535) { rate in
                evaluations += 1
                return rate <= edge ? 400 : 600
            }
            XCTAssertEqual(found, edge)
            XCTAssertLessThan(evaluations, 40)
        }
        XCTAssertNil(try RateSearch.highest(bound: 500, enough: 500, among: 0...65535) { _ in 501 })
        XCTAssertEqual(try RateSearch.highest(bound: 500, enough: 500, among: 0...65535) { $0 }, 500)
        XCTAssertEqual(try RateSearch.highest(bound: .max, enough: .max, among: 0...65535) { $0 }, 65535)
        var numbers = Numbers(70)
        for _ in 0 ..< 200 {
            let bound = Int.random(in: 100 ... 70_000, using: &numbers)
            let noise = (0 ..< 65536).map { _ in Int.random(in: -40 ... 40, using: &numbers) }
            let cost = { (rate: Int) in max(0, rate + noise[rate]) }
            let found = try XCTUnwrap(RateSearch.highest(bound: bound, enough: bound - bound / 200, among: 0...65535) { cost($0) })
            XCTAssertLessThanOrEqual(cost(found), bound)
        }
    }

    // MARK: Limits

    func testPixelLimit() throws {
        let picture = TestPicture.scene(50, 40)
        let file = try picture.encoded(model).file
        for (limit, allowed) in [(1999, false), (2000, true), (1, false), (0, true)] {
            var encodeOptions = EncodeOptions(), decodeOptions = DecodeOptions()
            encodeOptions.limits.maxPixels = limit
            decodeOptions.limits.maxPixels = limit
            if allowed {
                XCTAssertEqual(try picture.encoded(model, encodeOptions).file, file)
                XCTAssertNoThrow(try TestPicture.decoded(file, model, decodeOptions))
            } else {
                assertThrows(.limitExceeded, "50 x 40 has 2000 pixels, and the limit is \(limit)") { try picture.encoded(model, encodeOptions) }
                assertThrows(.limitExceeded, "50 x 40 has 2000 pixels, and the limit is \(limit)") { try TestPicture.decoded(file, model, decodeOptions) }
            }
        }
    }

    /// The message names the bytes needed, which are enough, and one less is not; what is allocated stays within them, and the file.
    func testMemoryLimit() throws {
        let picture = TestPicture.scene(120, 90)
        let file = try picture.encoded(model).file
        func needed(_ error: CodecError?) throws -> Int {
            let words = try XCTUnwrap(error).message.split(separator: " ")
            return try XCTUnwrap(Int(words[words.firstIndex(of: "needs")! + 1]))
        }
        for target in [RateTarget.quality(50), .size(file.count), .psnr(19)] {
            var options = EncodeOptions()
            options.target = target
            options.threads = 1
            options.limits.maxMemory = 1
            let bytes = try needed(assertThrows(.limitExceeded, "and the limit is 1") { try picture.encoded(model, options) })
            options.limits.maxMemory = bytes - 1
            assertThrows(.limitExceeded, "needs \(bytes) bytes") { try picture.encoded(model, options) }
            options.limits.maxMemory = bytes
            let fresh = try TinyModel.load()
            var size = 0
            let peak = try withPeakAllocator { size = try picture.encoded(fresh, options).file.count }
            // A search keeps its best result while it tries another.
            XCTAssertLessThanOrEqual(peak, bytes + 4 * size + 8192)
            XCTAssertGreaterThanOrEqual(peak, bytes)
        }
        var options = DecodeOptions()
        options.threads = 1
        options.limits.maxMemory = 1
        let bytes = try needed(assertThrows(.limitExceeded) { try TestPicture.decoded(file, model, options) })
        options.limits.maxMemory = bytes - 1
        assertThrows(.limitExceeded, "needs \(bytes) bytes") { try TestPicture.decoded(file, model, options) }
        options.limits.maxMemory = bytes
        let fresh = try TinyModel.load()
        let peak = try withPeakAllocator { _ = try TestPicture.decoded(file, fresh, options) }
        XCTAssertLessThanOrEqual(peak, bytes + picture.samples.count + 8192)
        XCTAssertGreaterThanOrEqual(peak, bytes)
    }
}
