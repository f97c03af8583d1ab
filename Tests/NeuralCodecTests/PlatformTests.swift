// SPDX-License-Identifier: Apache-2.0
import CPlatform
import Synchronization
import XCTest

@testable import NeuralCodec

/// Checksums, threads, memory and messages.
final class PlatformTests: XCTestCase {
    func testChecksum() {
        XCTAssertEqual(ncp_crc32c(0, "123456789", 9), 0xe306_9283)
        // RFC 3720, B.4
        XCTAssertEqual(ncp_crc32c(0, [UInt8](repeating: 0, count: 32), 32), 0x8a91_36aa)
        XCTAssertEqual(ncp_crc32c(0, [UInt8](repeating: 0xff, count: 32), 32), 0x62a8_ab43)
        XCTAssertEqual(ncp_crc32c(0, (0 ..< 32).map { UInt8($0) }, 32), 0x46dd_794e)
        XCTAssertEqual(ncp_crc32c(0, nil, 0), 0)
        var numbers = Numbers(80)
        let bytes = (0 ..< 200).map { _ in UInt8.random(in: 0 ... 255, using: &numbers) }
        for start in 0 ..< 9 {
            for length in 0 ..< 100 {
                var crc = UInt32.max
                for byte in bytes[start ..< start + length] {
                    crc ^= UInt32(byte)
                    for _ in 0 ..< 8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0x82f6_3b78 : 0) }
                }
                bytes.withUnsafeBytes { bytes in
                    let whole = ncp_crc32c(0, bytes.baseAddress! + start, length)
                    XCTAssertEqual(whole, ~crc)
                    let half = ncp_crc32c(0, bytes.baseAddress! + start, length / 3)
                    XCTAssertEqual(ncp_crc32c(half, bytes.baseAddress! + start + length / 3, length - length / 3), whole)
                }
            }
        }
    }

    /// FIPS 180-4 examples, and every way to cut a message.
    func testSHA256() {
        func digest(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { sha256($0) } }
        XCTAssertEqual(digest([]), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        XCTAssertEqual(digest(Array("abc".utf8)), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        XCTAssertEqual(
            digest(Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        XCTAssertEqual(digest([UInt8](repeating: 0x61, count: 1_000_000)), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
        let message = (0 ..< 200).map { UInt8($0) }
        for length in 0 ... 200 {
            let whole = digest(Array(message.prefix(length)))
            for cut in stride(from: 0, through: length, by: 7) {
                var state = ncp_sha256()
                ncp_sha256_init(&state)
                ncp_sha256_update(&state, message, cut)
                message.withUnsafeBytes { ncp_sha256_update(&state, $0.baseAddress! + cut, length - cut) }
                var result = [UInt8](repeating: 0, count: 32)
                ncp_sha256_final(&state, &result)
                XCTAssertEqual(hexadecimal(result), whole)
            }
        }
    }

    func testTeam() throws {
        for threads in [1, 2, 3, 8] {
            let team = try ThreadTeam(threads: threads)
            XCTAssertEqual(team.size, threads)
            for count in [0, 1, 2, 7, 1000] {
                // Many generations, so that late and early workers meet.
                for _ in 0 ..< (count == 1000 ? 20 : 200) {
                    let sum = Atomic(0), calls = Atomic(0), wrong = Atomic(0)
                    team.run(count) { index, worker in
                        sum.add(index, ordering: .relaxed)
                        calls.add(1, ordering: .relaxed)
                        if worker < 0 || worker >= team.size || index >= count { wrong.add(1, ordering: .relaxed) }
                    }
                    XCTAssertEqual(calls.load(ordering: .relaxed), count)
                    XCTAssertEqual(sum.load(ordering: .relaxed), count * (count - 1) / 2)
                    XCTAssertEqual(wrong.load(ordering: .relaxed), 0)
                }
            }
        }
        XCTAssertEqual(try ThreadTeam(threads: 0).size, ncp_core_count())
    }

    func testSpansCoverEachRowOnce() throws {
        let team = try ThreadTeam(threads: 2)
        for (rows, columns) in [(1, 1), (3, 64), (2, 65), (5, 200), (4, 0), (0, 9)] {
            let counts = UnsafeMutablePointer<Int>.allocate(capacity: max(1, rows * columns))
            defer { counts.deallocate() }
            counts.update(repeating: 0, count: max(1, rows * columns))
            team.runSpans(rows: rows, columns: columns) { span, _ in
                for column in span.start ..< span.start + span.count { counts[span.row * columns + column] += 1 }
            }
            XCTAssertTrue((0 ..< rows * columns).allSatisfy { counts[$0] == 1 }, "\(rows) x \(columns)")
        }
    }

    func testMemory() throws {
        for size in [0, 1, 63, 64, 65, 1 << 20] {
            let pointer = try XCTUnwrap(ncp_allocate(size))
            XCTAssertEqual(Int(bitPattern: pointer) % 64, 0)
            memset(pointer, 1, size)
            ncp_free(pointer)
        }
        XCTAssertNil(ncp_allocate(.max))
        XCTAssertNil(ncp_allocate(.max - 80))
        ncp_free(nil)
        // A block goes back to where it came from, whatever the allocator is by then.
        let before = try XCTUnwrap(ncp_allocate(100))
        var during: UnsafeMutableRawPointer?
        XCTAssertEqual(
            withBalance {
                ncp_free(before)
                during = ncp_allocate(100)
            }, 1)
        XCTAssertEqual(withBalance { ncp_free(during) }, -1)
        assertThrows(.outOfMemory, "bytes could not be allocated") { try ByteBuffer(count: .max) }
    }

    func testMessages() {
        func message(_ text: String) -> String {
            var text = text
            text.withUTF8 { bytes in bytes.withMemoryRebound(to: CChar.self) { ncp_error_set($0.baseAddress, $0.count) } }
            return String(cString: ncp_error_get())
        }
        XCTAssertEqual(message("short"), "short")
        let long = String(repeating: "x", count: 600)
        XCTAssertEqual(message(long), String(long.prefix(511)))
        // Cut between characters.
        for lead in 0 ..< 4 {
            let text = String(repeating: "y", count: lead) + String(repeating: "\u{1f600}", count: 200)
            XCTAssertEqual(message(text), String(text.prefix(lead + (511 - lead) / 4)))
        }
        ncp_error_clear()
        XCTAssertEqual(String(cString: ncp_error_get()), "")
        // Each thread has its own.
        _ = message("mine")
        let seen = Mutex("")
        let thread = Thread { seen.withLock { $0 = String(cString: ncp_error_get()) + "." } }
        thread.start()
        while !thread.isFinished { usleep(1000) }
        XCTAssertEqual(seen.withLock { $0 }, ".")
        XCTAssertEqual(String(cString: ncp_error_get()), "mine")
        ncp_error_clear()
    }

    func testOwnPath() throws {
        let path = String(cString: try XCTUnwrap(ncp_own_path()))
        XCTAssertTrue(FileManager.default.fileExists(atPath: path), path)
    }
}
