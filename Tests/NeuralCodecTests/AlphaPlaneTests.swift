// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

/// The ALPH chunk: its codings, and what is wrong with damaged ones.
final class AlphaPlaneTests: XCTestCase {
    private var model: Model!

    override func setUpWithError() throws { model = try TinyModel.load() }

    // MARK: Codings

    func testCodings() throws {
        for depth in [8, 16] {
            let peak = 1 << depth - 1
            let cases: [(coding: UInt8, most: Int, sample: (Int, Int) -> Int)] = [
                (2, 1 + depth / 8, { _, _ in peak }), (2, 1 + depth / 8, { _, _ in 3 }),
                (1, 400, { x, y in x > y ? peak : 0 }),  // flat areas
                (1, 1500 * depth / 8, { x, y in (x * x + y * y) * peak / 9000 }),  // slopes, which filters make flat
                (0, 1 + 60 * 50 * depth / 8, { x, y in TestPicture.hash(x, y, 3) << (depth - 8) | TestPicture.hash(x, y, 4) >> (16 - depth) }),
            ]
            for (index, item) in cases.enumerated() {
                for channels in [2, 4] {
                    let picture = TestPicture(60, 50, channels: channels, bitDepth: depth) { x, y, c in c == channels - 1 ? item.sample(x, y) : x + y }
                    let coded = try AlphaPlane.encode(picture.view()).withBytes([UInt8].init)
                    XCTAssertEqual(coded[0], item.coding, "case \(index) of \(depth) bits")
                    XCTAssertLessThanOrEqual(coded.count, item.most, "case \(index) of \(depth) bits")
                    XCTAssertEqual(try TestPicture.decoded(picture.encoded(model).file, model).alpha, picture.alpha)
                }
            }
        }
    }

    /// One differing sample anywhere makes a channel that is not constant.
    func testAlmostConstant() throws {
        for depth in [8, 16] {
            for (x, y) in [(0, 0), (39, 0), (0, 29), (39, 29), (17, 11)] {
                for difference in [1, 1 << (depth - 1)] {
                    let picture = TestPicture(40, 30, channels: 2, bitDepth: depth) { column, row, c in c == 1 && (column, row) == (x, y) ? difference : 0 }
                    XCTAssertEqual(try TestPicture.decoded(picture.encoded(model).file, model).alpha, picture.alpha)
                }
            }
        }
    }

    func testSinglePixelsAndLines() throws {
        for format in PixelFormat.all where format.hasAlpha {
            for (width, height) in [(1, 1), (2, 1), (1, 2), (300, 1), (1, 300), (7, 3)] {
                let picture = TestPicture.static(width, height, format)
                XCTAssertEqual(try TestPicture.decoded(picture.encoded(model).file, model).alpha, picture.alpha, "\(width) x \(height), \(format)")
            }
        }
    }

    // MARK: Damage

    func testChunkRules() throws {
        let file = try TestPicture.sight(40, 30, PixelFormat(channels: 4, bitDepth: 8)).encoded(model).file
        let parts = try Parts(file)
        assertThrows(.badStream, "alpha channel is missing") { try TestPicture.decoded(parts.head + parts.tile, model) }
        assertThrows(.unsupported, "'ALPH'") { try TestPicture.decoded(parts.head + parts.alpha + parts.alpha + parts.tile, model) }
        assertThrows(.unsupported, "'ALPH'") { try TestPicture.decoded(parts.head + parts.tile + parts.alpha, model) }
        // In a file without alpha.
        let opaque = try Parts(TestPicture.scene(40, 30).encoded(model).file)
        assertThrows(.unsupported, "'ALPH'") { try TestPicture.decoded(opaque.head + parts.alpha + opaque.tile, model) }
        XCTAssertNoThrow(try TestPicture.decoded(parts.head + parts.alpha + parts.tile, model))
    }

    func testDamagedPayloads() throws {
        for depth in [8, 16] {
            let bytes = depth / 8
            let file = try TestPicture.sight(40, 30, PixelFormat(channels: 4, bitDepth: depth)).encoded(model).file
            func decode(_ payload: [UInt8]) throws -> TestPicture { try TestPicture.decoded(Parts(file).with(alpha: payload), model) }
            let intact = try Parts(file).payload
            XCTAssertEqual(intact[0], 1)
            XCTAssertNoThrow(try decode(intact))

            assertThrows(.badStream, "it is empty") { try decode([]) }
            for coding: UInt8 in [3, 255] { assertThrows(.unsupported, "coding \(coding)") { try decode([coding] + intact.dropFirst()) } }
            for size in [0, 40 * 30 * bytes - 1, 40 * 30 * bytes + 1] { assertThrows(.badStream, "does not fit 40 x 30") { try decode([0] + Array(repeating: 9, count: size)) } }
            XCTAssertEqual(try decode([0] + Array(repeating: 9, count: 40 * 30 * bytes)).alpha, Array(repeating: depth == 8 ? 9 : 0x0909, count: 40 * 30))
            for size in [0, bytes + 1, 100] { assertThrows(.badStream, "instead of one sample") { try decode([2] + Array(repeating: 9, count: size)) } }

            // The zlib stream: cut, with more behind it, and any byte changed, which gives an error or, as its checksum is of the scanlines, the same ones.
            for count in 1 ..< intact.count { assertThrows(.badStream, "scanlines do not fit") { try decode(Array(intact.prefix(count))) } }
            assertThrows(.badStream, "scanlines do not fit") { try decode(intact + [0]) }
            for index in 1 ..< intact.count {
                var changed = intact
                changed[index] ^= 1 << (index % 8)
                do {
                    let alpha = try decode(changed).alpha
                    XCTAssertEqual(alpha, try decode(intact).alpha, "byte \(index)")
                } catch let error as CodecError { XCTAssertTrue(error.status == .badStream && error.message.contains("scanlines do not fit"), error.message) }
            }
        }
    }

    /// Valid streams of other contents: made of stored blocks, which need no compressor.
    func testForeignStreams() throws {
        let file = try TestPicture.sight(5, 4, PixelFormat(channels: 2, bitDepth: 8)).encoded(model).file
        func decode(_ lines: [UInt8]) throws -> TestPicture { try TestPicture.decoded(Parts(file).with(alpha: [1] + zlibStream(lines)), model) }
        // Each filter, of all bytes 1: the predictions of PNG.
        let line: (UInt8) -> [UInt8] = { [$0, 1, 1, 1, 1, 1] }
        XCTAssertEqual(try decode(line(0) + line(0) + line(0) + line(0)).alpha, Array(repeating: 1, count: 20))
        XCTAssertEqual(try decode(line(1) + line(2) + line(3) + line(4)).alpha, [1, 2, 3, 4, 5, 2, 3, 4, 5, 6, 2, 3, 4, 5, 6, 3, 4, 5, 6, 7])
        for filter: UInt8 in [5, 255] { assertThrows(.badStream, "scanlines") { try decode(line(0) + line(filter) + line(0) + line(0)) } }
        for count in [0, 5, 23, 25, 30] { assertThrows(.badStream, "scanlines") { try decode(Array(repeating: 0, count: count)) } }
    }

    /// A small chunk that inflates to far more than the picture needs no more memory than an honest one.
    func testBombs() throws {
        let format = PixelFormat(channels: 4, bitDepth: 8)
        let large = try AlphaPlane.encode(TestPicture(4000, 3000, channels: 2) { x, y, c in c == 1 && x == 0 ? y & 1 : 0 }.view()).withBytes([UInt8].init)
        XCTAssertLessThan(large.count, 40000)
        let picture = TestPicture.sight(40, 30, format)
        let file = try Parts(picture.encoded(model, .size(.max)).file).with(alpha: large)
        let peak = withPeakAllocator { assertThrows(.badStream, "scanlines do not fit 40 x 30") { try TestPicture.decoded(file, nil) } }
        XCTAssertLessThan(peak, 100_000)
        // And the other way round: a size that the stream does not fill is refused by the limits first.
        var huge = try picture.encoded(model, .size(.max)).file
        huge.put(UInt32(1 << 20), 18)
        huge.put(UInt32(1 << 20), 22)
        let largest = withRecordingAllocator { assertThrows(.limitExceeded) { try TestPicture.decoded(huge.repaired(), nil) } }
        XCTAssertEqual(largest, 0)
    }

    /// Whichever allocation fails, the call says so and gives everything back.
    func testFailingAllocations() throws {
        let picture = TestPicture.sight(40, 30, PixelFormat(channels: 4, bitDepth: 16))
        let file = try picture.encoded(model, .size(.max)).file
        var options = EncodeOptions()
        (options.threads, options.target) = (1, .size(.max))
        let (allocations, lost) = withEachAllocationFailing { index in
            // A model keeps its workspace, so each run has its own.
            for call in [{ _ = try picture.encoded(TinyModel.load(), options) }, { _ = try TestPicture.decoded(file, nil) }] as [() throws -> Void] {
                do { try call() } catch { XCTAssertEqual((error as? CodecError)?.status, .outOfMemory, "allocation \(index)") }
            }
        }
        XCTAssertGreaterThan(allocations, 10)
        XCTAssertEqual(lost, 0)
    }
}

/// The chunks of a file with alpha and without metadata.
private struct Parts {
    let head, alpha, tile: [UInt8]

    init(_ file: [UInt8]) throws {
        let end = 10 + 12 + 37
        head = Array(file[..<end])
        let name = Array(file[end + 4 ..< end + 8])
        let alphaSize = name == Array("ALPH".utf8) ? Int(file.word(end)) + 12 : 0
        alpha = Array(file[end ..< end + alphaSize])
        tile = Array(file[(end + alphaSize)...])
    }

    var payload: [UInt8] { Array(alpha[8 ..< alpha.count - 4]) }

    func with(alpha payload: [UInt8]) -> [UInt8] { head + chunk("ALPH", payload) + tile }
}

/// A zlib stream of one stored block.
private func zlibStream(_ bytes: [UInt8]) -> [UInt8] {
    var (a, b) = (1, 0)
    for byte in bytes {
        a = (a + Int(byte)) % 65521
        b = (b + a) % 65521
    }
    let (low, high) = (UInt8(bytes.count & 255), UInt8(bytes.count >> 8))
    return [0x78, 0x01, 1, low, high, ~low, ~high] + bytes + [UInt8(b >> 8), UInt8(b & 255), UInt8(a >> 8), UInt8(a & 255)]
}
