// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

/// Progress, cancelling, and memory that is not there.
final class ProgressTests: XCTestCase {
    private let picture = TestPicture.scene(90, 75)
    private let targets = [RateTarget.quality(50), .size(2500), .psnr(19)]
    private var model: Model!

    override func setUpWithError() throws { model = try TinyModel.load() }

    func testProgress() throws {
        for target in targets + [.size(1 << 20)] {
            var seen: [Double] = []
            var options = EncodeOptions()
            options.target = target
            options.progress = { seen.append($0); return true }
            let file = try picture.encoded(model, options).file
            check(seen)
            XCTAssertEqual(file, try picture.encoded(model, target).file)

            var decodeOptions = DecodeOptions()
            var decoded: [Double] = []
            decodeOptions.progress = { decoded.append($0); return true }
            _ = try TestPicture.decoded(file, model, decodeOptions)
            check(decoded)
        }
        // A search that fails has not ended.
        var seen: [Double] = []
        var options = EncodeOptions()
        options.target = .size(80)
        options.progress = { seen.append($0); return true }
        assertThrows(.targetUnreachable) { try picture.encoded(model, options) }
        XCTAssertLessThan(try XCTUnwrap(seen.last), 1)
    }

    private func check(_ seen: [Double], line: UInt = #line) {
        XCTAssertFalse(seen.isEmpty, line: line)
        XCTAssertEqual(seen.last, 1, line: line)
        XCTAssertTrue(seen.allSatisfy { $0 >= 0 && $0 <= 1 }, line: line)
        XCTAssertTrue(zip(seen, seen.dropFirst()).allSatisfy { $0 <= $1 }, "\(seen)", line: line)
    }

    func testProgressIsCalledOnTheCallingThread() throws {
        let caller = pthread_self()
        var others = 0
        var options = EncodeOptions()
        options.threads = 3
        options.progress = { _ in others += pthread_equal(caller, pthread_self()) == 0 ? 1 : 0; return true }
        let file = try picture.encoded(model, options).file
        var decodeOptions = DecodeOptions()
        decodeOptions.threads = 3
        decodeOptions.progress = options.progress
        _ = try TestPicture.decoded(file, model, decodeOptions)
        XCTAssertEqual(others, 0)
    }

    /// At every step: the call ends as cancelled, nothing is lost, and the next call is as ever.
    func testCancelling() throws {
        for target in targets {
            let file = try picture.encoded(model, target).file
            let pixels = try TestPicture.decoded(file, model)
            try forEachStep { progress in
                var options = EncodeOptions()
                options.target = target
                options.threads = 2
                options.progress = progress
                _ = try picture.encoded(model, options)
            } afterwards: {
                XCTAssertEqual(try picture.encoded(model, target).file, file)
            }
            try forEachStep { progress in
                var options = DecodeOptions()
                options.progress = progress
                _ = try TestPicture.decoded(file, model, options)
            } afterwards: {
                XCTAssertEqual(try TestPicture.decoded(file, model), pixels)
            }
        }
    }

    private func forEachStep(_ body: (@escaping (Double) -> Bool) throws -> Void, afterwards: () throws -> Void) throws {
        var steps = 0
        try body { _ in steps += 1; return true }
        XCTAssertGreaterThan(steps, 2)
        for step in 0 ..< steps {
            var count = 0
            let lost = withBalance {
                assertThrows(.cancelled, "cancelled") {
                    try body { _ in
                        count += 1
                        return count <= step
                    }
                }
            }
            XCTAssertEqual(lost, 0, "cancelled at step \(step)")
            XCTAssertEqual(count, step + 1)
        }
        try afterwards()
    }

    // MARK: Out of memory

    /// Loading a model, encoding and decoding with a fresh one: every allocation may fail, nothing is lost, and nothing traps.
    func testEveryAllocationFailing() throws {
        let bytes = try TinyModel.bytes.get()
        for (target, threads) in [(RateTarget.quality(50), 1), (.size(2500), 1), (.psnr(19), 1), (.quality(50), 3)] {
            let file = try picture.encoded(model, target).file
            let pixels = try TestPicture.decoded(file, model)
            var failures = 0
            let (allocations, lost) = withEachAllocationFailing { index in
                do {
                    let model = try TinyModel.load(bytes)
                    let encoded = try picture.encoded(model, target, threads: threads).file
                    let decoded = try TestPicture.decoded(file, model, threads: threads)
                    XCTAssertTrue(encoded == file && decoded == pixels)
                } catch {
                    XCTAssertEqual((error as? CodecError)?.status, .outOfMemory, "allocation \(index): \(error)")
                    failures += 1
                }
            }
            XCTAssertEqual(lost, 0)
            XCTAssertGreaterThan(allocations, 20)
            // With one thread every allocation counts; a further thread that cannot start is done without.
            XCTAssertEqual(failures, threads == 1 ? allocations : allocations - 2 * (threads - 1))
        }
    }

    /// A model that has seen a failure goes on working.
    func testModelAfterFailures() throws {
        let file = try picture.encoded(model).file
        let pixels = try TestPicture.decoded(file, model)
        let fresh = try TinyModel.load()
        var failures = 0
        _ = withEachAllocationFailing { _ in
            do {
                let encoded = try picture.encoded(fresh).file
                let decoded = try TestPicture.decoded(file, fresh)
                XCTAssertTrue(encoded == file && decoded == pixels)
            } catch { failures += 1 }
        }
        XCTAssertGreaterThan(failures, 3)
        XCTAssertEqual(try picture.encoded(fresh).file, file)
        XCTAssertEqual(try TestPicture.decoded(file, fresh), pixels)
    }
}
