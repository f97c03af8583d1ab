// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

final class QuantizerCodingTests: XCTestCase {
    /// One of each kind that can be coded.
    private func all(scale: Double = 0.7) throws -> [Quantizer] {
        let named = [("scalar", 3), ("zn", 4), ("a2", 2), ("an", 5), ("d4", 4), ("dn", 9), ("dn", 64), ("e8", 8), ("barnes-wall", 16), ("leech", 24)]
        let rows: [Float] = [1, 0, 0, 0.6, 0.9, 0, -0.4, 0.3, 0.7]
        return try named.map { try Quantizer(name: $0.0, dimension: $0.1, scale: scale) }
            + [Quantizer(name: "scalar", dimension: 2, scale: scale, offset: 0.3, deadZone: 0.6)]
            + [LatticeSearch.babai, .nearestPlane, .exact(nodeLimit: 0)].map { try Quantizer(basis: rows, dimension: 3, scale: scale, search: $0) }
    }

    private func quantized(_ quantizer: Quantizer, _ count: Int, _ numbers: inout Numbers, around offset: Float = 0) throws -> [Int32] {
        let vectors = (0 ..< count * quantizer.dimension).map { _ in Float(numbers.gaussian()) + offset }
        var indices = [Int32](repeating: 0, count: vectors.count)
        try vectors.withUnsafeBufferPointer { try quantizer.quantize($0, points: nil, indices: &indices) }
        return indices
    }

    // MARK: Rate and bytes

    func testRoundTripsAndSizes() throws {
        var numbers = Numbers(60)
        for quantizer in try all() {
            let n = quantizer.dimension, count = 48_000 / n
            let indices = try quantized(quantizer, count, &numbers, around: quantizer.name == "scalar" && n == 2 ? 0.3 : 0)
            let each = [Float](repeating: 1, count: count * n)
            let data = try quantizer.encoded(indices, each)
            XCTAssertTrue(try quantizer.decoded(data, indices.count, each) == indices, quantizer.name)
            let vectors = try quantizer.vectorRates(indices, each), rate = try quantizer.rated(indices, each)
            XCTAssertEqual(vectors.reduce(0, +), rate, accuracy: 1e-6 * rate)
            XCTAssertGreaterThan(8 * Double(data.count), 0.995 * rate, quantizer.name)
            XCTAssertLessThan(8 * Double(data.count), 1.005 * rate, "\(quantizer.name): within 0.5 %, the start of the data included")
            // Scales in other units cost more: these are the right ones.
            for factor in [0.75, 1.35] as [Float] {
                XCTAssertGreaterThan(try quantizer.rated(indices, each.map { factor * $0 }), 1.01 * rate, "\(quantizer.name), \(factor)")
            }
        }
    }

    /// The lattices' points, not their coordinates: scales of E8 are halved with its coordinates' doubling, and the rate is that of the points.
    func testTheRateIsThatOfThePoints() throws {
        var numbers = Numbers(61)
        for (name, kind, unit) in [("dn", LatticeKind.even, 1), ("e8", .gosset, 2), ("barnes-wall", .barnesWall, 1), ("leech", .leech, 1)] as [(String, LatticeKind, Float)] {
            let quantizer = try Quantizer(name: name, dimension: name == "dn" ? 6 : 0, scale: 0.25), n = quantizer.dimension
            let indices = try quantized(quantizer, 50, &numbers)
            var points = [Float](repeating: 0, count: indices.count)
            try indices.withUnsafeBufferPointer { try quantizer.dequantize($0, points: &points) }
            let integers = points.map { Int32($0 / 0.25 * unit) }
            let coder = try LatticeCoder(kind, dimension: n)
            let index = try XCTUnwrap(GaussianTables.indices([unit * 4], step: 1).first)
            XCTAssertEqual(try quantizer.encoded(indices, [1]), try coder.encoded(integers, [UInt8](repeating: index, count: 50)))
        }
    }

    func testScalesForAllForVectorsAndForCoordinates() throws {
        var numbers = Numbers(62)
        for quantizer in try all() {
            let n = quantizer.dimension, indices = try quantized(quantizer, 40, &numbers)
            let data = try quantizer.encoded(indices, [0.8])
            XCTAssertEqual(try quantizer.encoded(indices, [Float](repeating: 0.8, count: 40)), data)
            XCTAssertEqual(try quantizer.encoded(indices, [Float](repeating: 0.8, count: 40 * n)), data)
            XCTAssertEqual(try quantizer.decoded(data, indices.count, [0.8]), indices)
            let mixed = (0 ..< 40).map { _ in Float(exp2(Double.random(in: -3 ... 3, using: &numbers))) }
            let other = try quantizer.encoded(indices, mixed)
            XCTAssertEqual(try quantizer.encoded(indices, mixed.flatMap { [Float](repeating: $0, count: n) }), other)
            XCTAssertEqual(try quantizer.decoded(other, indices.count, mixed), indices)
            XCTAssertEqual(try quantizer.decoded(try quantizer.encoded([], []), 0, [1]), [])
        }
        // Scales are in the units of the vectors.
        let fine = try Quantizer(name: "leech", scale: 0.25), coarse = try Quantizer(name: "leech", scale: 1)
        let indices = try quantized(fine, 20, &numbers)
        XCTAssertEqual(try fine.encoded(indices, [0.3]), try coarse.encoded(indices, [1.2]))
    }

    // MARK: Bad input

    func testFarPoints() throws {
        var numbers = Numbers(63)
        for quantizer in try all() {
            // As far as quantizing goes: the coordinates are clamped to 2^20 steps. The chain goes half as far, on its own basis.
            let isChain = quantizer.name.hasPrefix("a") || quantizer.name == "basis", reach: Float = isChain ? 0x1p17 : 0x1.fp19
            let n = quantizer.dimension, vectors = (0 ..< 20 * n).map { _ in Float.random(in: -reach ... reach, using: &numbers) * quantizer.scale }
            var indices = [Int32](repeating: 0, count: vectors.count)
            try vectors.withUnsafeBufferPointer { try quantizer.quantize($0, points: nil, indices: &indices) }
            XCTAssertEqual(try quantizer.decoded(quantizer.encoded(indices, [1]), indices.count, [1]), indices, quantizer.name)
        }
        for quantizer in try all() {
            for value in [1 << 22, -(1 << 22), Int32.max, .min] {
                var indices = [Int32](repeating: 0, count: 3 * quantizer.dimension)
                indices[2 * quantizer.dimension] = value
                assertThrows(.invalidArgument, "vector 2", quantizer.name) { try quantizer.encoded(indices, [1]) }
                assertThrows(.invalidArgument, "vector 2", quantizer.name) { try quantizer.rated(indices, [1]) }
            }
        }
    }

    func testWrongNumbers() throws {
        let quantizer = try Quantizer(name: "d4"), indices = [Int32](repeating: 0, count: 12)
        for count in [0, 2, 4, 11, 13] {
            assertThrows(.invalidArgument, "\(count) scales for 3 vectors of 4") { try quantizer.encoded(indices, [Float](repeating: 1, count: count)) }
            assertThrows(.invalidArgument, "\(count) scales") { try quantizer.rated(indices, [Float](repeating: 1, count: count)) }
            assertThrows(.invalidArgument, "\(count) scales") { try quantizer.decoded([UInt8](repeating: 0, count: 32), 12, [Float](repeating: 1, count: count)) }
        }
        assertThrows(.invalidArgument, "10 indices are not a multiple of 4") { try quantizer.encoded([Int32](repeating: 0, count: 10), [1]) }
        let codebook = try [0, 1, 2].withUnsafeBufferPointer { try Quantizer(codebook: $0, count: 3, dimension: 1) }
        assertThrows(.unsupported, "codebook") { try codebook.encoded([0, 1], [1]) }
        assertThrows(.unsupported, "codebook") { try codebook.rated([0, 1], [1]) }
        assertThrows(.unsupported, "codebook") { try codebook.decoded([], 2, [1]) }
    }

    func testDamage() throws {
        var numbers = Numbers(64)
        for quantizer in try all() {
            let indices = try quantized(quantizer, 30, &numbers), data = try quantizer.encoded(indices, [1])
            for length in stride(from: 0, to: data.count, by: 7) {
                assertThrows(.badStream, "", quantizer.name) { try quantizer.decoded(data.prefix(length), indices.count, [1]) }
            }
            assertThrows(.badStream) { try quantizer.decoded(data + [0, 0, 0, 0], indices.count, [1]) }
            assertThrows(.badStream) { try quantizer.decoded(data, indices.count, [3]) }
            assertThrows(.badStream) { try quantizer.decoded(data, indices.count - quantizer.dimension, [1]) }
            var noticed = 0
            for _ in 0 ..< 60 {
                var damaged = data
                damaged[Int.random(in: damaged.indices, using: &numbers)] ^= UInt8.random(in: 1 ... 255, using: &numbers)
                // What decodes can be encoded: the indices of points.
                do {
                    let other = try quantizer.decoded(damaged, indices.count, [1])
                    XCTAssertNoThrow(try quantizer.rated(other, [1]))
                } catch { noticed += 1 }
            }
            XCTAssertGreaterThan(noticed, 40, quantizer.name)
        }
    }

    // MARK: Determinism

    /// A change here makes old data undecodable.
    func testDataNeverChanges() throws {
        var numbers = Numbers(65), bytes: [UInt8] = []
        for quantizer in try all() {
            // No function of the C library takes part.
            let vectors = (0 ..< 40 * quantizer.dimension).map { _ in (0 ..< 6).reduce(Float(0)) { sum, _ in sum + Float.random(in: -1 ... 1, using: &numbers) } }
            var indices = [Int32](repeating: 0, count: vectors.count)
            try vectors.withUnsafeBufferPointer { try quantizer.quantize($0, points: nil, indices: &indices) }
            bytes += try quantizer.encoded(indices, indices.indices.map { Float($0 % 50 + 1) / 16 })
        }
        XCTAssertEqual(bytes.withUnsafeBytes { sha256($0) }, "b6bd82292f0a69505b93ab821906d564b1e30a0330fa925db4b3e9c3db65af67")
    }
}

/// For these tests and those of the chain.
extension Quantizer {
    func rated(_ indices: [Int32], _ scales: [Float]) throws -> Double {
        try indices.withUnsafeBufferPointer { indices in try scales.withUnsafeBufferPointer { try rate(indices, scales: $0) } }
    }

    func vectorRates(_ indices: [Int32], _ scales: [Float]) throws -> [Double] {
        var bits = [Double](repeating: -1, count: indices.count / dimension)
        _ = try indices.withUnsafeBufferPointer { indices in try scales.withUnsafeBufferPointer { try rate(indices, scales: $0, vectors: &bits) } }
        return bits
    }

    func encoded(_ indices: [Int32], _ scales: [Float]) throws -> [UInt8] {
        try indices.withUnsafeBufferPointer { indices in try scales.withUnsafeBufferPointer { try encode(indices, scales: $0).withBytes { [UInt8]($0) } } }
    }

    /// Checks also that a failure leaves the indices alone.
    func decoded(_ data: some Collection<UInt8>, _ count: Int, _ scales: [Float]) throws -> [Int32] {
        var indices = [Int32](repeating: 77, count: count)
        do {
            try withGuarded(data) { data in
                try indices.withUnsafeMutableBufferPointer { indices in try scales.withUnsafeBufferPointer { try decode(data, scales: $0, into: indices) } }
            }
        } catch {
            XCTAssertTrue(indices.allSatisfy { $0 == 77 })
            throw error
        }
        return indices
    }
}
