// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

/// The codec with networks of one rate: each published kind, through targets, limits, cancelling and damage.
final class TransformCodingTests: XCTestCase {
    private var models: [(name: String, model: Model)] = []
    private let picture = TestPicture.scene(90, 70)

    override func setUpWithError() throws { models = try ZooModel.ofOneRate.map { ($0, try ZooModel.load($0)) } }

    // MARK: Round trips

    /// The decoder's pixels are those of the encoder's own reconstruction, in every size and colour.
    func testDecoderAgreesWithEncoder() throws {
        for (name, model) in models {
            for (width, height, channels) in [(64, 64, 3), (70, 45, 1), (17, 130, 3), (129, 66, 3)] {
                let comment = "\(name), \(width) x \(height) x \(channels)"
                let picture = TestPicture.scene(width, height, channels: channels)
                var options = EncodeOptions()
                options.target = .psnr(1)
                let trace = LatentTrace()
                let (file, summary) = try picture.withView { try encode($0, model: model, options: options, trace: trace) }
                let decoded = try TestPicture.decoded(file.withBytes([UInt8].init), model)
                let row = trace.pictureColumns * 3
                let expected = TestPicture(width, height, channels: channels) { x, y, channel in
                    let at = y * row + 3 * x
                    let sample = trace.picture[at + channel] * 255
                    let gray = (trace.picture[at] + trace.picture[at + 1] + trace.picture[at + 2]) * 85
                    return Int(min(max(channels == 3 ? sample : gray, 0), 255).rounded(.toNearestOrEven))
                }
                XCTAssertEqual(decoded, expected, comment)
                XCTAssertEqual(summary.psnr, decoded.psnr(picture), comment)
            }
        }
    }

    /// Pictures beyond the conformance vectors: several spans and many waves, and sizes down to one pixel.
    func testThreads() throws {
        for (name, model) in models {
            for picture in [TestPicture.landscape(600, 200), .noise(50, 150, channels: 1), .flat(1, 1, 77)] {
                let file = try picture.encoded(model, threads: 1).file
                let pixels = try TestPicture.decoded(file, model, threads: 1)
                for threads in [2, 3, 8] {
                    let comment = "\(name), \(picture.width) x \(picture.height), \(threads) threads"
                    XCTAssertEqual(try picture.encoded(model, threads: threads).file, file, comment)
                    XCTAssertEqual(try TestPicture.decoded(file, model, threads: threads), pixels, comment)
                }
            }
        }
    }

    /// A workspace that other pictures have used, and what memory held before, make no difference.
    func testMemoryBetweenCalls() throws {
        for (name, model) in models {
            let file = try picture.encoded(model).file
            let pixels = try TestPicture.decoded(file, model)
            _ = try TestPicture.noise(150, 40).encoded(model)
            XCTAssertEqual(try picture.encoded(model).file, file, name)
            XCTAssertEqual(try TestPicture.decoded(file, model), pixels, name)
            for byte: UInt8 in [0x3f, 0x7f, 0xff] {
                try withLitter(byte) {
                    let fresh = try ZooModel.load(name)
                    XCTAssertEqual(try picture.encoded(fresh).file, file, name)
                    XCTAssertEqual(try TestPicture.decoded(file, fresh), pixels, name)
                }
            }
        }
    }

    // MARK: Targets

    /// There is one file, whatever the quality; only the summary repeats it.
    func testQualityChangesNothing() throws {
        for (name, model) in models {
            XCTAssertFalse(model.hasVariableRate, name)
            let file = try picture.encoded(model, .quality(75)).file
            for quality in [0.0, 33.3, 100] { XCTAssertEqual(try picture.encoded(model, .quality(quality)).file, file, name) }
            XCTAssertEqual(try file.withUnsafeBytes { try readInfo($0).rateParameter }, 0)
        }
    }

    func testPSNRTargets() throws {
        for (name, model) in models {
            let file = try picture.encoded(model).file
            let reached = try TestPicture.decoded(file, model).psnr(picture)
            XCTAssertLessThan(reached, 90, name)
            for target in [1, reached - 0.01] {
                let (found, summary) = try picture.encoded(model, .psnr(target))
                XCTAssertEqual(found, file, name)
                XCTAssertEqual(summary.psnr, reached, name)
            }
            let error = assertThrows(.targetUnreachable, "cannot be reached", name) { try picture.encoded(model, .psnr(reached + 0.01)) }
            XCTAssertEqual(error?.nearest?.psnr, reached, name)
        }
    }

    func testSizeTargets() throws {
        for (name, model) in models {
            let file = try picture.encoded(model).file
            for target in [file.count, file.count + 1, picture.samples.count] { XCTAssertEqual(try picture.encoded(model, .size(target)).file, file, name) }
            let error = assertThrows(.targetUnreachable, "the smallest file of this picture takes \(file.count) bytes", name) {
                try picture.encoded(model, .size(file.count - 1))
            }
            XCTAssertEqual(error?.nearest?.size, file.count, name)
            // What fits without loss is stored.
            XCTAssertEqual(try TestPicture.decoded(picture.encoded(model, .size(picture.samples.count + 71)).file, model), picture, name)
        }
    }

    /// Levels of the rate: quality chooses one, targets search among them, and each decodes.
    func testVariableRate() throws {
        let model = try ZooModel.load("variable-rate")
        XCTAssertTrue(model.hasVariableRate)
        let coded = try [0.0, 20, 40, 60, 80, 100].map { try picture.encoded(model, .quality($0)).file }
        XCTAssertEqual(Set(coded).count, 6)
        XCTAssertEqual(coded.map(\.count), coded.map(\.count).sorted())
        let reached = try coded.map { try TestPicture.decoded($0, model).psnr(picture) }
        for (file, quality) in zip(coded, reached) {
            let (bySize, _) = try picture.encoded(model, .size(file.count))
            XCTAssertLessThanOrEqual(bySize.count, file.count)
            XCTAssertGreaterThan(bySize.count, file.count * 9 / 10)
            XCTAssertEqual(try TestPicture.decoded(bySize, model).psnr(picture), quality)
        }
        let smallest = coded[0].count
        let error = assertThrows(.targetUnreachable, "takes \(smallest) bytes") { try picture.encoded(model, .size(smallest - 1)) }
        XCTAssertEqual(error?.nearest?.size, smallest)
    }

    // MARK: Limits, cancelling, want of memory

    func testMemoryLimit() throws {
        for (name, model) in models {
            let file = try picture.encoded(model).file
            // The error states what is needed, and that suffices.
            try checkMemoryLimit(name) { limit in
                var options = EncodeOptions()
                options.limits.maxMemory = limit
                let found = try picture.encoded(model, options).file
                XCTAssertEqual(found, file, name)
            }
            try checkMemoryLimit(name) { limit in
                var options = DecodeOptions()
                options.limits.maxMemory = limit
                _ = try TestPicture.decoded(file, model, options)
            }
        }
    }

    private func checkMemoryLimit(_ name: String, _ body: (_ limit: Int) throws -> Void) throws {
        let error = try XCTUnwrap(assertThrows(.limitExceeded, "bytes of working memory", name) { try body(1000) })
        let needed = try XCTUnwrap(error.message.split(separator: " ").compactMap { Int($0) }.filter { $0 > 1000 }.first, error.message)
        assertThrows(.limitExceeded, "\(needed)", name) { try body(needed - 1) }
        XCTAssertNoThrow(try body(needed), name)
    }

    func testCancelling() throws {
        for (name, model) in models {
            for target in [RateTarget.quality(50), .psnr(1), .size(100_000)] {
                let file = try picture.encoded(model, target).file
                try forEachStep(name) { progress in
                    var options = EncodeOptions()
                    options.target = target
                    options.progress = progress
                    _ = try picture.encoded(model, options)
                }
                XCTAssertEqual(try picture.encoded(model, target).file, file, name)
            }
            let file = try picture.encoded(model).file
            try forEachStep(name) { progress in
                var options = DecodeOptions()
                options.progress = progress
                _ = try TestPicture.decoded(file, model, options)
            }
        }
    }

    private func forEachStep(_ name: String, _ body: (@escaping (Double) -> Bool) throws -> Void) throws {
        var seen: [Double] = []
        try body { seen.append($0); return true }
        XCTAssertTrue(seen.count > 2 && seen.last == 1 && zip(seen, seen.dropFirst()).allSatisfy { $0 <= $1 }, "\(name): \(seen)")
        for step in seen.indices {
            var count = 0
            let lost = withBalance {
                assertThrows(.cancelled, "cancelled", name) {
                    try body { _ in
                        count += 1
                        return count <= step
                    }
                }
            }
            XCTAssertEqual(lost, 0, "\(name), cancelled at step \(step)")
        }
    }

    func testEveryAllocationFailing() throws {
        let picture = TestPicture.scene(30, 20)
        for name in ["factorized", "scale", "mean-scale-autoregressive"] {
            let bytes = try ZooModel.bytes(name)
            let file = try picture.encoded(TinyModel.load(bytes)).file
            var failures = 0
            let (allocations, lost) = withEachAllocationFailing { index in
                do {
                    let model = try TinyModel.load(bytes)
                    _ = try picture.encoded(model, threads: 1)
                    _ = try TestPicture.decoded(file, model, threads: 1)
                } catch {
                    XCTAssertEqual((error as? CodecError)?.status, .outOfMemory, "\(name), allocation \(index): \(error)")
                    failures += 1
                }
            }
            XCTAssertEqual(lost, 0, name)
            XCTAssertEqual(failures, allocations, name)
        }
    }

    // MARK: Damage

    /// With the container's checksums made right, damage reaches the decoder: it must be noticed there.
    func testDamagedPayloads() throws {
        var numbers = Numbers(80)
        for (name, model) in models {
            let file = try picture.encoded(model).file
            let payload = try file.withUnsafeBytes { try readInfo($0).payloadSize }
            let start = file.count - 4 - payload
            for _ in 0 ..< 40 {
                var damaged = file
                damaged[start + Int.random(in: 0 ..< payload, using: &numbers)] ^= UInt8(1) << UInt8.random(in: 0 ... 7, using: &numbers)
                refused(damaged.repaired(), model, name)
            }
            for length in [0, 1, 4, 31, 32, 36, payload / 2, payload - 4, payload - 1] {
                var damaged = Array(file[..<(start + length)] + [0, 0, 0, 0])
                damaged.put(UInt32(length), start - 8)
                refused(damaged.repaired(), model, "\(name), \(length) bytes of payload")
            }
            for length in [0, 20, start, file.count - 1] {
                assertThrows(nil, "", "\(name), \(length) bytes of the file") { try TestPicture.decoded(Array(file[..<length]), model) }
            }
        }
    }

    private func refused(_ file: [UInt8], _ model: Model, _ comment: String) {
        do {
            _ = try TestPicture.decoded(file, model)
            XCTFail("damage is not noticed: \(comment)")
        } catch {
            let status = (error as? CodecError)?.status
            XCTAssertTrue(status == .badStream || status == .decoderMismatch, "\(comment): \(error)")
        }
    }

    // MARK: Models

    func testFilesNeedTheirModel() throws {
        for (name, model) in models {
            let file = try picture.encoded(model).file
            XCTAssertEqual(try file.withUnsafeBytes { try readInfo($0).modelID }, model.id, name)
            for (otherName, other) in models + [("tiny", try TinyModel.load())] where otherName != name {
                assertThrows(.modelNotFound, "needs model '\(model.id)'", "\(name) with \(otherName)") { try TestPicture.decoded(file, other) }
            }
            assertThrows(.modelNotFound, "needs model '\(model.id)'", name) { try TestPicture.decoded(file, nil) }
            // One weight of the same model changed.
            var changed = try ModelFile(ZooModel.bytes(name))
            changed.change(try XCTUnwrap(changed.tensors.first { $0.name.hasPrefix("g_s.") }).name) { $0.bytes[0] ^= 1 }
            assertThrows(.modelNotFound, "needs model '\(model.id)'", name) { try TestPicture.decoded(file, changed.load()) }
        }
    }

    func testDescription() throws {
        for (name, model) in models {
            XCTAssertEqual(model.architecture, "transform-coding")
            XCTAssertEqual(model.quantizer, name.hasPrefix("lattice") ? "lattice" : "scalar")
            let file = try ModelFile(ZooModel.bytes(name))
            let weights = file.tensors.filter { $0.type.hasPrefix("F") && !$0.name.hasPrefix("prior.") && !$0.name.hasPrefix("gaussian.") }
            XCTAssertGreaterThanOrEqual(model.parameterCount, weights.reduce(0) { $0 + $1.count }, name)
            XCTAssertLessThanOrEqual(model.parameterCount, file.tensors.reduce(0) { $0 + $1.count }, name)
            let work = model.macsPerPixel
            XCTAssertTrue(work.encode > 500 && work.decode > 500 && work.encode < 20_000 && work.decode < 20_000, "\(name): \(work)")
        }
    }
}
