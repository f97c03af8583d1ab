// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

final class CodingTablesTests: XCTestCase {
    func testRefusals() throws {
        let longest = CodingTables.longest
        let good: [[Int]] = [[65535, 1], Array(repeating: 8, count: 8192), Array(repeating: 7, count: longest) + [65536 - 7 * longest]]
        for row in good { XCTAssertNoThrow(try CodingTables(offsets: [0], frequencies: [row], name: "good")) }
        let bad: [String: [Int]] = [
            "sum too small": [65534, 1], "sum too large": [65535, 2], "far too large": [1 << 40, 1], "zero": [65535, 0, 1], "no room for the escape": [65536, 0],
            "negative": [65537, -1], "escape only": [65536], "empty": [], "too long": Array(repeating: 7, count: longest + 1) + [65536 - 7 * (longest + 1)],
        ]
        for (reason, row) in bad {
            assertThrows(.badModel, "frequency table 0 of 'freq'", reason) { try CodingTables(offsets: [0], frequencies: [row], name: "freq") }
            assertThrows(.badModel, "frequency table 1 of 'freq'", reason) { try CodingTables(offsets: [0, 0], frequencies: [[65535, 1], row], name: "freq") }
        }
        for offset in [1 << 20, -1 << 20] { XCTAssertNoThrow(try CodingTables(offsets: [offset], frequencies: [[65535, 1]], name: "far")) }
        for offset in [1 << 20 + 1, -1 << 20 - 1, .max, .min + 1] {
            assertThrows(.badModel) { try CodingTables(offsets: [offset], frequencies: [[65535, 1]], name: "far") }
        }
    }

    func testLayout() throws {
        let tables = try CodingTables(offsets: [-1, 5], frequencies: [[256, 512, 64768], [65000, 500, 36]], name: "test")
        XCTAssertEqual(tables.count, 2)
        XCTAssertEqual((0 ..< 8).map { tables.cumulative[$0] }, [0, 256, 768, 0, 0, 65000, 65500, 0])
        XCTAssertEqual([tables.tables[0].start, tables.tables[0].offset, tables.tables[0].length], [0, -1, 2])
        XCTAssertEqual([tables.tables[1].start, tables.tables[1].offset, tables.tables[1].length], [4, 5, 2])
        for table in 0 ..< 2 {
            for bucket in 0 ..< CodingTables.buckets {
                // The symbol that holds the bucket's first slot.
                let start = Int(tables.tables[table].start)
                let symbol = (1 ... 2).filter { Int(tables.cumulative[start + $0]) <= bucket << 8 }.count
                XCTAssertEqual(Int(tables.bucketStarts[table * CodingTables.buckets + bucket]), symbol, "table \(table), bucket \(bucket)")
            }
        }
    }

    /// Tables of the tiny model: symmetric, centred, and as long as the format says they may be.
    func testGaussianTables() throws {
        let tables = try TinyModel.load().network.latentTables
        for index in 0 ..< tables.count {
            let table = tables.tables[index]
            let start = Int(table.start), length = Int(table.length)
            XCTAssertEqual(Int(table.offset), -(length - 1) / 2)
            let frequencies = (0 ... length).map { Int(tables.cumulative[start + $0 + 1] &- tables.cumulative[start + $0]) }
            XCTAssertEqual(Array(frequencies.prefix(length)), frequencies.prefix(length).reversed())
            XCTAssertEqual(frequencies.reduce(0, +), 65536)
        }
    }
}
