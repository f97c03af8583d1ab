// SPDX-License-Identifier: Apache-2.0
import CPlatform
import XCTest

@testable import NeuralCodec

final class ContainerTests: XCTestCase {
    // MARK: Layout

    func testLayout() throws {
        let header = Header(
            width: 0x0102_0304, height: 0x0506_0708, format: PixelFormat(channels: 3, bitDepth: 8), coding: .neural, rateParameter: 0x090a, modelID: Array("abc".utf8),
            modelHash: [1, 2, 3, 4, 5, 6, 7, 8], symbolChecksum: 0x0b0c_0d0e)
        let file = try writeContainer(header, SideChunks(metadata: Metadata(), alpha: nil), payloadSize: 3) { $0.copyBytes(from: [0xf1, 0xf2, 0xf3]) }.withBytes([UInt8].init)
        var expected: [UInt8] = [0x8e, 0x4e, 0x49, 0x43, 0x0d, 0x0a, 0x1a, 0x0a, 1, 1]
        let head: [UInt8] =
            [37, 0, 0, 0] + Array("HEAD".utf8) + [4, 3, 2, 1, 8, 7, 6, 5, 3, 8, 0, 0x0a, 9, 1, 0, 1, 0] + Array("abc\0\0\0\0\0".utf8)
            + [1, 2, 3, 4, 5, 6, 7, 8, 0x0e, 0x0d, 0x0c, 0x0b]
        let tile: [UInt8] = [3, 0, 0, 0] + Array("TILE".utf8) + [0xf1, 0xf2, 0xf3]
        for chunk in [head, tile] { expected += chunk + slowChecksum(chunk) }
        XCTAssertEqual(file, expected)
        XCTAssertEqual(file.count, 71 + 3)
        XCTAssertEqual(file, file.repaired())

        let info = try file.withUnsafeBytes { try readInfo($0) }
        XCTAssertEqual([info.width, info.height, info.channels, info.bitDepth, info.rateParameter], [0x0102_0304, 0x0506_0708, 3, 8, 0x090a])
        XCTAssertEqual([info.formatVersion, info.arithmeticVersion, info.payloadSize], [1, 1, 3])
        XCTAssertEqual(info.modelID, "abc")
        XCTAssertEqual(info.modelHash, [1, 2, 3, 4, 5, 6, 7, 8])
        XCTAssertFalse(info.stored)
    }

    func testStoredLayout() throws {
        let model = try TinyModel.load()
        let picture = TestPicture.noise(3, 2)
        let file = try picture.encoded(model).file
        XCTAssertEqual(file.count, 71 + 18)
        XCTAssertEqual(file[18 + 10], 1)  // coding
        XCTAssertEqual(Array(file[18 + 11 ..< 18 + 13]), [0, 0])  // rate
        XCTAssertEqual(Array(file[18 + 17 ..< 18 + 33]), Array(repeating: 0, count: 16))  // model
        XCTAssertEqual(Array(file[18 + 33 ..< 18 + 37]), slowChecksum(picture.samples))
        XCTAssertEqual(Array(file[file.count - 22 ..< file.count - 4]), picture.samples)
        let info = try file.withUnsafeBytes { try readInfo($0) }
        XCTAssertTrue(info.stored && info.modelID.isEmpty && info.payloadSize == 18)
        var damaged = file
        damaged[file.count - 5] ^= 1
        assertThrows(.badStream, "stored picture is damaged") { try TestPicture.decoded(damaged.repaired(), nil) }
        // No model is needed, and a given one does not matter.
        XCTAssertEqual(try TestPicture.decoded(file, nil), picture)
        XCTAssertEqual(try TestPicture.decoded(file, model), picture)
    }

    // MARK: Damage

    func testEveryTruncation() throws {
        let model = try TinyModel.load()
        for file in [try small(model), try TestPicture.noise(3, 2).encoded(model).file] {
            for length in 0 ..< file.count {
                assertThrows(.badStream, length == 0 ? "not a .nic file" : "truncated", "\(length) bytes") {
                    try withGuarded(file.prefix(length)) { try decode($0, model: model) }
                }
                assertThrows(.badStream) { try withGuarded(file.prefix(length)) { try readInfo($0) } }
            }
            for extra in [[0], Array(repeating: 0, count: 11), Array(repeating: 0, count: 12), Array(file.suffix(30))] as [[UInt8]] {
                assertThrows(nil) { try TestPicture.decoded(file + extra, model) }
            }
        }
    }

    func testEveryBitFlip() throws {
        let model = try TinyModel.load()
        for file in [try small(model), try TestPicture.noise(3, 2).encoded(model).file] {
            for bit in 0 ..< 8 * file.count {
                var damaged = file
                damaged[bit / 8] ^= 1 << (bit % 8)
                let isVersion = (8 ..< 10).contains(bit / 8)
                assertThrows(isVersion ? .unsupported : .badStream, "", "bit \(bit)") { try TestPicture.decoded(damaged, model) }
            }
        }
    }

    /// Behind right checksums: the payload's own end check, or the checksum of the symbols, shows every flip.
    func testPayloadFlipsBehindRightChecksums() throws {
        let model = try TinyModel.load()
        let file = try TestPicture.noise(64, 64).encoded(model, .quality(80)).file
        let payload = 18 + 37 + 4 + 8
        XCTAssertGreaterThan(file.count, 500)
        var mismatches = 0
        for bit in 8 * payload ..< 8 * (file.count - 4) {
            var damaged = file
            damaged[bit / 8] ^= 1 << (bit % 8)
            do {
                _ = try TestPicture.decoded(damaged.repaired(), model, threads: 1)
                XCTFail("bit \(bit) was not noticed")
            } catch let error as CodecError {
                XCTAssertTrue(error.status == .badStream || error.status == .decoderMismatch, "\(error)")
                if error.status == .decoderMismatch { mismatches += 1 }
            }
        }
        XCTAssertGreaterThan(mismatches, 0)
        XCTAssertLessThan(mismatches, file.count)
    }

    /// Header fields behind right checksums: nothing traps, and what decodes at all has the size it says.
    func testHeaderNoiseBehindRightChecksums() throws {
        let model = try TinyModel.load()
        let file = try small(model)
        var options = DecodeOptions()
        options.limits.maxPixels = 1 << 16
        options.limits.maxMemory = 1 << 25
        options.threads = 1
        var numbers = Numbers(50)
        for round in 0 ..< 2000 {
            var damaged = file
            damaged[18 + round % 37] = UInt8.random(in: 0 ... 255, using: &numbers)
            if round % 3 == 0 { damaged[18 + Int.random(in: 0 ..< 37, using: &numbers)] = UInt8.random(in: 0 ... 255, using: &numbers) }
            do {
                let picture = try TestPicture.decoded(damaged.repaired(), model, options)
                XCTAssertEqual(picture.width, Int(damaged.word(18)))
                XCTAssertEqual(picture.height, Int(damaged.word(22)))
            } catch {
                let allowed: [Status] = [.badStream, .unsupported, .limitExceeded, .modelNotFound, .decoderMismatch]
                XCTAssertTrue(allowed.contains((error as! CodecError).status), "\(error)")
            }
        }
    }

    // MARK: Signature and versions

    func testSignature() throws {
        let file = try small(TinyModel.load())
        func refused(_ bytes: [UInt8], _ text: String, line: UInt = #line) {
            assertThrows(.badStream, text, line: line) { try withGuarded(bytes) { try readInfo($0) } }
        }
        refused([], "not a .nic file")
        refused([0x89] + Array("PNG\r\n\u{1a}\n".utf8) + file, "not a .nic file")
        refused(Array("plain text".utf8), "not a .nic file")
        refused(Array(file.prefix(9)), "truncated")
        // Line ends changed one way or the other.
        var text = file
        text.remove(at: 4)
        refused(text, "text-mode")
        text = file
        text.insert(0x0d, at: 7)
        refused(text, "text-mode")
        text = file
        text.replaceSubrange(4 ..< 6, with: [0x0d, 0x0d, 0x0a])
        refused(text, "text-mode")
        text = file
        text[5] = 0x0d
        refused(text, "text-mode")
        // The high bit lost on the way.
        refused(file.map { $0 & 0x7f }, "not a .nic file")
    }

    func testVersions() throws {
        let model = try TinyModel.load()
        for version: UInt8 in [0, 2, 255] {
            var file = try small(model)
            file[8] = version
            assertThrows(.unsupported, "format version \(version)") { try TestPicture.decoded(file, model) }
            file = try small(model)
            file[9] = version
            assertThrows(.unsupported, "arithmetic version \(version)") { try TestPicture.decoded(file, model) }
        }
    }

    // MARK: Chunks

    func testUnknownChunks() throws {
        let model = try TinyModel.load()
        let file = try small(model)
        let picture = try TestPicture.decoded(file, model)
        let tile = 18 + 37 + 4
        for payload in [[], [1, 2, 3], Array(repeating: 7, count: 5000)] as [[UInt8]] {
            // Ancillary ones before and after the picture.
            for type in ["note", "tILE", "hEAD", "~\u{1}\u{2}\u{3}"] {
                let extra = chunk(type, payload)
                XCTAssertEqual(try TestPicture.decoded(Array(file[..<tile]) + extra + Array(file[tile...]), model), picture)
                XCTAssertEqual(try TestPicture.decoded(file + extra + extra, model), picture)
                assertThrows(.badStream, "does not begin with a header") { try TestPicture.decoded(Array(file[..<10]) + extra + Array(file[10...]), model) }
                var damaged = file + extra
                damaged[damaged.count - 1] ^= 1
                assertThrows(.badStream, "checksum") { try TestPicture.decoded(damaged, model) }
            }
            for type in ["NOTE", "Tile", "\u{1}\u{2}\u{3}\u{4}", "HEAD", "TILE"] {
                let extra = chunk(type, payload)
                assertThrows(.unsupported, "chunk of type") { try TestPicture.decoded(file + extra, model) }
                if type != "TILE" { assertThrows(.unsupported, "chunk of type") { try TestPicture.decoded(Array(file[..<tile]) + extra + Array(file[tile...]), model) } }
            }
        }
        assertThrows(.unsupported, "'NOTE'") { try TestPicture.decoded(file + chunk("NOTE", []), model) }
        assertThrows(.unsupported, "'????'") { try TestPicture.decoded(file + chunk("\u{1}\u{2}\u{3}\u{4}", []), model) }
        // The parts alone, and the wrong way round.
        assertThrows(.badStream, "picture data is missing") { try TestPicture.decoded(Array(file[..<tile]), model) }
        assertThrows(.badStream, "does not begin with a header") { try TestPicture.decoded(Array(file[..<10]) + Array(file[tile...]) + Array(file[10 ..< tile]), model) }
        assertThrows(.badStream, "picture data is missing") { try TestPicture.decoded(Array(file[..<tile]) + chunk("note", []), model) }
    }

    func testChunkLengths() throws {
        let model = try TinyModel.load()
        let file = try small(model)
        for position in [10, 18 + 37 + 4] {
            for length: UInt32 in [0, 1, 36, 38, 1 << 16, 1 << 31 - 1, 1 << 31, .max - 12, .max] where length != file.word(position) {
                var damaged = file
                damaged.put(length, position)
                assertThrows(.badStream) { try withGuarded(damaged) { try readInfo($0) } }
            }
        }
        for size in [0, 36, 38] {
            assertThrows(.badStream, "header has \(size) bytes") {
                try TestPicture.decoded(Array(file[..<10]) + chunk("HEAD", Array(file[18...].prefix(size))) + Array(file[(18 + 41)...]), model)
            }
        }
    }

    // MARK: Header fields

    func testHeaderFields() throws {
        let model = try TinyModel.load()
        let file = try small(model)
        func refused(_ status: Status, _ text: String, line: UInt = #line, _ change: (inout [UInt8]) -> Void) {
            var changed = file
            change(&changed)
            assertThrows(status, text, line: line) { try TestPicture.decoded(changed.repaired(), model) }
        }
        refused(.badStream, "size of 0 x") { $0.put(UInt32(0), 18) }
        refused(.badStream, "x 0") { $0.put(UInt32(0), 22) }
        for channels: UInt8 in [0, 5, 255] { refused(.unsupported, "channels") { $0[26] = channels } }
        for channels: UInt8 in [2, 4] { refused(.badStream, "alpha channel is missing") { $0[26] = channels } }
        for depth: UInt8 in [0, 1, 7, 9, 15, 17, 32, 255] { refused(.unsupported, "bits") { $0[27] = depth } }
        for coding: UInt8 in [2, 255] { refused(.unsupported, "coding \(coding)") { $0[28] = coding } }
        for tiles: UInt16 in [0, 2, .max] {
            refused(.unsupported, "tiles") { $0.put(tiles, 31) }
            refused(.unsupported, "tiles") { $0.put(tiles, 33) }
        }
        // The id becomes part of a path.
        for byte in Array("\u{1} ./:\\*\u{7f}".utf8) + [0xff] { refused(.badStream, "model id") { $0[36] = byte } }
        refused(.modelNotFound, "needs model 'tiny'") { $0[43] ^= 1 }
        refused(.decoderMismatch, "please report") { $0[51] ^= 1 }
        refused(.badStream, "stored picture has") { $0[28] = 1 }
        // The model's name in the file is only a name; its hash decides.
        var renamed = file
        renamed[35] = UInt8(ascii: "T")
        XCTAssertEqual(try TestPicture.decoded(renamed.repaired(), model), try TestPicture.decoded(file, model))
        // Any rate is valid, but another one decodes to other symbols.
        refused(.badStream, "") { $0.put(UInt16(1), 29) }
    }

    /// Sizes that no limit allows are refused before memory is asked for.
    func testAbsurdSizes() throws {
        let model = try TinyModel.load()
        let file = try small(model)
        for (width, height): (UInt32, UInt32) in [(.max, .max), (1, .max), (.max, 1), (1 << 16, 1 << 16), (1 << 14 + 1, 1 << 14), (1 << 31, 2)] {
            for coding: UInt8 in [0, 1] {
                var huge = file
                huge.put(width, 18)
                huge.put(height, 22)
                huge[28] = coding
                let largest = withRecordingAllocator { _ = assertThrows(.limitExceeded, "", "\(width) x \(height)") { try TestPicture.decoded(huge.repaired(), model) } }
                XCTAssertEqual(largest, 0)
            }
        }
        // Within the pixels allowed, but not within the memory.
        var large = file
        large.put(UInt32(1 << 14), 18)
        large.put(UInt32(1 << 14), 22)
        var options = DecodeOptions()
        options.limits.maxMemory = 1 << 28
        let largest = withRecordingAllocator {
            _ = assertThrows(.limitExceeded, "bytes of working memory, and the limit is 268435456") { try TestPicture.decoded(large.repaired(), model, options) }
        }
        XCTAssertLessThan(largest, 1 << 20)
        // Without limits: no memory of that size, and no trap.
        options.limits.maxPixels = 0
        options.limits.maxMemory = 0
        for (width, height): (UInt32, UInt32) in [(.max, .max), (1 << 22, 1 << 22)] {
            for coding: UInt8 in [0, 1] {
                var huge = file
                huge.put(width, 18)
                huge.put(height, 22)
                huge[28] = coding
                assertThrows(nil) { try TestPicture.decoded(huge.repaired(), model, options) }
            }
        }
    }

    // MARK: Helpers

    /// A small neural file.
    private func small(_ model: Model) throws -> [UInt8] {
        let file = try TestPicture.scene(20, 17).encoded(model, .quality(5)).file
        XCTAssertEqual(file[28], 0)
        return file
    }
}
