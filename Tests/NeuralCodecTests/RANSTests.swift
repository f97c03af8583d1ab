// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

final class RANSTests: XCTestCase {
    // MARK: Round trips

    func testShortestStream() throws {
        let tables = try CodingTables(offsets: [-1], frequencies: [[20000, 25536, 19000, 1000]], name: "test")
        for value in [Int32(-1), 0, 1, 7, -9] { try roundTrip([value, 0, 0, value], tables) { _ in 0 } }
        try roundTrip([], tables) { _ in 0 }
    }

    func testSkewedAndFlatTables() throws {
        var numbers = Numbers(20)
        let rows: [[Int]] = [
            [65535, 1], [1, 65535], [32768, 32768], [1, 65534, 1], [65024] + Array(repeating: 1, count: 512), Array(repeating: 1, count: 512) + [65024],
            Array(repeating: 256, count: 256), Array(repeating: 8, count: 8192), Array(repeating: 8, count: 8191) + [7, 1], [1, 2, 4, 8, 16, 32, 64, 128, 256, 65025],
        ]
        let tables = try CodingTables(offsets: rows.indices.map { $0 * 1000 - 5000 }, frequencies: rows, name: "test")
        for (index, row) in rows.enumerated() {
            try roundTrip((0 ..< 4000).map { _ in sample(row, offset: index * 1000 - 5000, &numbers) }, tables) { _ in index }
            // All values without escape, the rare ones too.
            try roundTrip((0 ..< (row.count + 2) / 4 * 4).map { Int32(index * 1000 - 5000 + $0 % (row.count - 1)) }, tables) { _ in index }
        }
        let mixed = (0 ..< 20_000).map { sample(rows[$0 % rows.count], offset: $0 % rows.count * 1000 - 5000, &numbers) }
        try roundTrip(mixed, tables) { $0 % rows.count }
    }

    func testEveryTableOfAModel() throws {
        let network = try TinyModel.load().network
        var numbers = Numbers(21)
        for tables in [network.latentTables, network.hyperTables] {
            for index in 0 ..< tables.count {
                let table = tables.tables[index]
                let inside = (0 ..< 64).map { _ in table.offset + Int32.random(in: 0 ..< table.length, using: &numbers) }
                let ends = [table.offset, table.offset + table.length - 1, table.offset - 1, table.offset + table.length]
                try roundTrip(inside + ends, tables) { _ in index }
            }
            let long = (0 ..< 40_000).map { i in tables.tables[i % tables.count].offset + Int32.random(in: -2 ... tables.tables[i % tables.count].length + 1, using: &numbers) }
            try roundTrip(long, tables) { $0 % tables.count }
        }
    }

    /// One beyond the table to the largest symbols, on both sides, through every length of the distance.
    func testEscapes() throws {
        let limit = Int32(RANS.largestSymbol)
        let rows = [[65535, 1], [30000, 30000, 5536], [1, 1, 65534], Array(repeating: 8, count: 8192)]
        for offset in [0, -100, 100, -8000, 1 << 20, -1 << 20] {
            let tables = try CodingTables(offsets: rows.map { _ in offset }, frequencies: rows, name: "test")
            for (index, row) in rows.enumerated() {
                let first = Int32(offset), last = Int32(offset + row.count - 2)
                var values: [Int32] = [first, last, limit, -limit, limit - 1, 1 - limit]
                for bit in 0 ... 21 {
                    let power = Int32(1) << Int32(bit)
                    for distance in [power - 1, power, power + 1] { values += [first - distance, last + distance] }
                }
                while values.count % 4 != 0 { values.append(0) }
                try roundTrip(values.map { max(-limit, min(limit, $0)) }, tables) { _ in index }
            }
        }
    }

    /// 0.1 % above the information in the symbols, and the four states.
    func testSize() throws {
        let network = try TinyModel.load().network
        let tables = network.latentTables
        var numbers = Numbers(22)
        for indices in [0 ..< 1, 40 ..< 41, tables.count - 1 ..< tables.count, 0 ..< tables.count] {
            let count = 200_000
            var values: [Int32] = []
            var ideal = 0.0
            for i in 0 ..< count {
                let table = tables.tables[indices.lowerBound + i % indices.count]
                let slot = UInt16.random(in: 0 ... .max, using: &numbers)
                var relative = 0
                let start = Int(table.start)
                while relative < Int(table.length) - 1, tables.cumulative[start + relative + 1] <= slot { relative += 1 }
                values.append(table.offset + Int32(relative))
                ideal += 16 - log2(Double(tables.cumulative[start + relative + 1] &- tables.cumulative[start + relative]))
            }
            let size = try roundTrip(values, tables) { indices.lowerBound + $0 % indices.count }
            XCTAssertLessThanOrEqual(Double(size), ideal / 8 * 1.001 + Double(RANS.headerSize), "tables \(indices)")
            XCTAssertGreaterThanOrEqual(Double(size), ideal / 8 - 1, "tables \(indices)")
        }
    }

    func testBitBound() throws {
        let tables = try CodingTables(
            offsets: [0, 0, 1 << 20, 0], frequencies: [[65535, 1], [1, 65535], [16384, 49152], [32768, 16384, 16384]], name: "test")
        XCTAssertEqual(RANSEncoder.bitBound(0, tables, 0), 1)
        XCTAssertEqual(RANSEncoder.bitBound(0, tables, 1), 16)
        XCTAssertEqual(RANSEncoder.bitBound(1, tables, 3), 2)
        var numbers = Numbers(23)
        let limit = Int32(RANS.largestSymbol)
        // The third holds the longest distance there is, with a probability that is a power of two: nothing is left over.
        for (index, values) in [[Int32(0), 5], [0, 0, limit, -limit], [-limit], [0, 1, 2, -1]].enumerated() {
            let symbols = (0 ..< 100_000).map { _ in values.randomElement(using: &numbers)! }
            let bound = symbols.reduce(0) { $0 + RANSEncoder.bitBound($1, tables, index) }
            // One word for each lane that the states give up last.
            XCTAssertLessThanOrEqual(try encoded(symbols, tables) { _ in index }.count, RANS.headerSize + bound / 8 + 16 * 4)
        }
    }

    // MARK: Damage

    func testDamagedPayloads() throws {
        let tables = try TinyModel.load().network.latentTables
        var numbers = Numbers(24)
        let index = { (i: Int) in i * 7 % tables.count }
        let symbols = (0 ..< 200).map { i in
            let table = tables.tables[index(i)]
            return i % 23 == 0 ? Int32.random(in: -5000 ... 5000, using: &numbers) : Int32.random(in: -2 ... 2, using: &numbers) + table.offset + table.length / 2
        }
        let payload = try encoded(symbols, tables, index)
        XCTAssertEqual(try decoded(payload, symbols.count, tables, index), symbols)
        func refused(_ payload: [UInt8], _ comment: String) { assertThrows(.badStream, "", comment) { try decoded(payload, symbols.count, tables, index) } }
        // Symbols of equal frequency, and raw bits, stand for each other without a trace in the states. That such damage shows is up to the checksums.
        var unnoticed = 0, modifications = 0
        func refusedOrDifferent(_ payload: [UInt8], _ comment: String) {
            modifications += 1
            do {
                let other = try decoded(payload, symbols.count, tables, index)
                XCTAssertNotEqual(other, symbols, comment)
                unnoticed += 1
            } catch { XCTAssertEqual((error as? CodecError)?.status, .badStream, comment) }
        }
        for length in 0 ..< payload.count { refused(Array(payload.prefix(length)), "truncated to \(length)") }
        for extra in 1 ... 9 { refused(payload + Array(repeating: 0, count: extra), "\(extra) bytes more") }
        refused(payload + payload, "twice")
        for position in payload.indices {
            for bit in 0 ..< 8 {
                var modified = payload
                modified[position] ^= 1 << bit
                refusedOrDifferent(modified, "bit \(bit) of byte \(position)")
            }
        }
        for _ in 0 ..< 3000 {
            var modified = payload
            for _ in 0 ... Int.random(in: 0 ... 5, using: &numbers) { modified[Int.random(in: modified.indices, using: &numbers)] = UInt8.random(in: 0 ... 255, using: &numbers) }
            if modified != payload { refusedOrDifferent(modified, "random bytes") }
        }
        XCTAssertLessThan(unnoticed, modifications / 20)
        for _ in 0 ..< 300 {
            // Nothing but noise, its states in range so that decoding starts.
            var noise = (0 ..< payload.count).map { _ in UInt8.random(in: 0 ... 255, using: &numbers) }
            for lane in 0 ..< RANS.lanes { noise[8 * lane + 7] &= 0x7f }
            refused(noise, "noise")
        }
        // Too few or too many symbols asked of a good payload.
        for count in [symbols.count - 4, symbols.count + 4] { assertThrows(.badStream) { try decoded(payload, count, tables, index) } }
    }

    func testStatesOutOfRange() throws {
        let start = RANS.lowest
        for lane in 0 ..< RANS.lanes {
            for (state, valid) in [(start, true), (start - 1, false), (0, false), (RANS.highest - 1, true), (RANS.highest, false), (UInt64.max, false)] {
                var payload: [UInt8] = []
                for other in 0 ..< RANS.lanes { payload.append(contentsOf: [UInt8](repeating: 0, count: 8)); payload.put(other == lane ? state : start, 8 * other) }
                if valid {
                    XCTAssertNoThrow(try withGuarded(payload) { _ = try RANSDecoder($0) })
                } else {
                    assertThrows(.badStream) { try withGuarded(payload) { _ = try RANSDecoder($0) } }
                }
            }
        }
    }

    // MARK: Helpers

    private func encoded(_ symbols: [Int32], _ tables: CodingTables, _ index: (Int) -> Int) throws -> [UInt8] {
        let bits = symbols.indices.reduce(0) { $0 + RANSEncoder.bitBound(symbols[$1], tables, index($1)) }
        var encoder = try RANSEncoder(bits: bits, symbols: symbols.count)
        encoder.put(symbols.count, tables, from: symbols, table: index)
        var payload = [UInt8](repeating: 0, count: encoder.payloadSize)
        payload.withUnsafeMutableBytes { encoder.write(to: $0) }
        return payload
    }

    /// Decodes with the end of the payload at the end of readable memory.
    private func decoded(_ payload: [UInt8], _ count: Int, _ tables: CodingTables, _ index: (Int) -> Int) throws -> [Int32] {
        try withGuarded(payload) { payload in
            var decoder = try RANSDecoder(payload)
            var symbols = [Int32](repeating: 0, count: count + 1)
            symbols[count] = 0x5eed
            symbols.withUnsafeMutableBufferPointer { decoder.take(count, tables, into: $0.baseAddress!, table: index) }
            XCTAssertEqual(symbols.removeLast(), 0x5eed)
            XCTAssertTrue(symbols.allSatisfy { abs($0) <= RANS.largestSymbol + CodingTables.longest })
            try decoder.finish()
            return symbols
        }
    }

    /// Returns the size of the payload.
    @discardableResult
    private func roundTrip(_ symbols: [Int32], _ tables: CodingTables, line: UInt = #line, _ index: (Int) -> Int) throws -> Int {
        let payload = try encoded(symbols, tables, index)
        XCTAssertTrue(try decoded(payload, symbols.count, tables, index) == symbols, line: line)
        return payload.count
    }

    /// A value as likely as its frequency, escapes among them.
    private func sample(_ row: [Int], offset: Int, _ numbers: inout Numbers) -> Int32 {
        var slot = Int.random(in: 0 ..< 65536, using: &numbers)
        for (index, frequency) in row.dropLast().enumerated() {
            if slot < frequency { return Int32(offset + index) }
            slot -= frequency
        }
        return Int32(Bool.random(using: &numbers) ? offset - 1 - slot % 900 : offset + row.count - 1 + slot % 900)
    }
}
