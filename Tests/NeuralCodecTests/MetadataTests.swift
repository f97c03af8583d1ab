// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

/// ICC, Exif and XMP: kept byte for byte, found without decoding, and refused where a file cannot hold them.
final class MetadataTests: XCTestCase {
    private var model: Model!

    override func setUpWithError() throws { model = try TinyModel.load() }

    private static let icc = (0 ..< 3000).map { UInt8(($0 * 7) & 255) }
    private static let xmp = Array("<?xpacket begin='\u{feff}'?><x:xmpmeta xmlns:x='adobe:ns:meta/'/><?xpacket end='w'?>".utf8)

    private func file(_ icc: [UInt8]?, _ exif: [UInt8]?, _ xmp: [UInt8]?, _ picture: TestPicture = .scene(20, 10)) throws -> [UInt8] {
        func view<Result>(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) throws -> Result) rethrows -> Result {
            guard let bytes else { return try body(nil) }
            return try bytes.withUnsafeBytes { try body($0) }
        }
        return try view(icc) { icc in
            try view(exif) { exif in
                try view(xmp) { xmp in
                    var options = EncodeOptions()
                    options.metadata = Metadata(icc: icc, exif: exif, xmp: xmp)
                    return try picture.encoded(model, options).file
                }
            }
        }
    }

    private func found(_ file: [UInt8]) throws -> [[UInt8]?] {
        try file.withUnsafeBytes { bytes in
            let metadata = try readMetadata(bytes)
            return [metadata.icc, metadata.exif, metadata.xmp].map { $0.map([UInt8].init) }
        }
    }

    func testKeptByteForByte() throws {
        let exif = tiff(bigEndian: true, orientation: 6)
        for icc in [nil, Self.icc] {
            for exif in [nil, exif] {
                for xmp in [nil, Self.xmp] {
                    for format in PixelFormat.all {
                        let picture = TestPicture.sight(9, 7, format)
                        let file = try file(icc, exif, xmp, picture)
                        XCTAssertEqual(try found(file), [icc, exif, xmp])
                        XCTAssertEqual(try TestPicture.decoded(file, model), try TestPicture.decoded(picture.encoded(model).file, model), "pixels stay as they are")
                        let info = try file.withUnsafeBytes { try readInfo($0) }
                        XCTAssertEqual([info.iccSize, info.exifSize, info.xmpSize], [icc, exif, xmp].map { $0?.count ?? 0 })
                        XCTAssertEqual(info.orientation, exif == nil ? 1 : 6)
                        XCTAssertEqual(file, file.repaired())
                    }
                }
            }
        }
        // Empty is as good as nothing.
        XCTAssertEqual(try file([], [], []), try file(nil, nil, nil))
        XCTAssertEqual(try file(nil, nil, nil), try TestPicture.scene(20, 10).encoded(model).file)
    }

    func testLayout() throws {
        let exif = tiff(bigEndian: false, orientation: 1)
        let plain = try file(nil, nil, nil)
        let tile = 10 + 12 + 37
        let expected = Array(plain[..<tile]) + chunk("iccp", Self.icc) + chunk("exif", exif) + chunk("xmpp", Self.xmp) + Array(plain[tile...])
        XCTAssertEqual(try file(Self.icc, exif, Self.xmp), expected)
        // In any place and order.
        let other = Array(plain[..<tile]) + chunk("xmpp", Self.xmp) + Array(plain[tile...]) + chunk("exif", exif) + chunk("iccp", Self.icc)
        XCTAssertEqual(try found(other), [Self.icc, exif, Self.xmp])
    }

    func testLimits() throws {
        let largest = [UInt8](repeating: 5, count: Metadata.limit)
        XCTAssertEqual(try found(file(largest, nil, nil)), [largest, nil, nil])
        assertThrows(.limitExceeded, "the ICC profile has 16777217 bytes") { try file(largest + [1], nil, nil) }
        assertThrows(.limitExceeded, "the Exif has 16777217 bytes") { try file(nil, largest + [1], nil) }
        assertThrows(.limitExceeded, "the XMP has 16777217 bytes") { try file(nil, nil, largest + [1]) }
        for exif in [[0x49], Array("Exif\0\0II*\0".utf8), Array("II\0*".utf8), Array("MM*\0".utf8)] as [[UInt8]] {
            assertThrows(.invalidArgument, "TIFF header") { try file(nil, exif, nil) }
        }
    }

    func testHostileChunks() throws {
        let plain = try file(nil, nil, nil)
        for (type, name) in [("iccp", "ICC profile"), ("exif", "Exif"), ("xmpp", "XMP")] {
            assertThrows(.badStream, "its \(name) twice") { try TestPicture.decoded(plain + chunk(type, [1]) + chunk(type, [2]), model) }
            assertThrows(.badStream, "\(name) has 0 bytes") { try TestPicture.decoded(plain + chunk(type, []), model) }
            assertThrows(.badStream, "\(name) has \(Metadata.limit + 1) bytes") {
                try found(plain + chunk(type, [UInt8](repeating: 0, count: Metadata.limit + 1)))
            }
            var damaged = plain + chunk(type, [1, 2, 3])
            damaged[damaged.count - 6] ^= 1
            assertThrows(.badStream, "checksum of its '\(type)' chunk") { try found(damaged) }
            assertThrows(.badStream, "truncated") { try found(Array(damaged.dropLast())) }
        }
    }

    // MARK: Orientation

    func testOrientations() throws {
        for bigEndian in [false, true] {
            for value in 1...8 { XCTAssertEqual(try orientation(tiff(bigEndian: bigEndian, orientation: value)), value) }
            for value in [0, 9, 0x0600, 65535] { XCTAssertEqual(try orientation(tiff(bigEndian: bigEndian, orientation: value)), 1) }
            let exif = tiff(bigEndian: bigEndian, orientation: 5)
            // Cut anywhere, and with any byte changed, it is a number of 1...8.
            for count in 0 ..< exif.count { XCTAssertTrue((1...8).contains(try orientation(Array(exif.prefix(count))))) }
            for index in exif.indices {
                for byte: UInt8 in [0, 1, 0x7f, 0xff] {
                    var changed = exif
                    changed[index] = byte
                    XCTAssertTrue((1...8).contains(try orientation(changed)))
                }
            }
        }
        XCTAssertEqual(try orientation([]), 1)
        XCTAssertEqual(try orientation(Array("garbage".utf8)), 1)
    }

    /// Of a file, whose reader does not demand that Exif makes sense.
    private func orientation(_ exif: [UInt8]) throws -> Int {
        let plain = try TestPicture.flat(1, 1, 0).encoded(model).file
        let file = exif.isEmpty ? plain : plain + chunk("exif", exif)
        return try withGuarded(file) { try readInfo($0).orientation }
    }

    /// A directory of a camera's name and an orientation.
    private func tiff(bigEndian: Bool, orientation: Int) -> [UInt8] {
        func number(_ value: Int, _ bytes: Int) -> [UInt8] {
            let little = (0 ..< bytes).map { UInt8(value >> (8 * $0) & 255) }
            return bigEndian ? little.reversed() : little
        }
        let header = bigEndian ? Array("MM\0*".utf8) : Array("II*\0".utf8)
        let name = number(0x0110, 2) + number(2, 2) + number(4, 4) + Array("cam\0".utf8)
        let turned = number(0x0112, 2) + number(3, 2) + number(1, 4) + number(orientation, 2) + [0, 0]
        return header + number(8, 4) + number(2, 2) + name + turned + number(0, 4)
    }
}
