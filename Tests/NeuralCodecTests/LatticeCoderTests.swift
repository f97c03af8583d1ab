// SPDX-License-Identifier: Apache-2.0
import CKernels
import XCTest

@testable import NeuralCodec

final class LatticeCoderTests: XCTestCase {
    private func coder(_ lattice: SlowLattice) throws -> LatticeCoder { try LatticeCoder(lattice.kind, dimension: lattice.dimension) }

    /// The index of the scale nearest to `steps` sides of a cube as large as the cell.
    private func index(_ steps: Double, _ lattice: SlowLattice) -> UInt8 { UInt8(max(0, min(127, (37 + 10 * log2(steps * lattice.side)).rounded()))) }

    // MARK: Codes

    func testCodes() {
        XCTAssertEqual(weights(ReedMullerCode.words), [0: 1, 8: 30, 16: 1])
        XCTAssertEqual(Set(ReedMullerCode.words), Set(SlowLattice(.barnesWall, 16).words))
        for (number, word) in ReedMullerCode.words.enumerated() {
            XCTAssertEqual(ReedMullerCode.number(of: word), number)
            for bit in 0 ..< 16 { XCTAssertNil(ReedMullerCode.number(of: word ^ 1 << UInt32(bit))) }
        }
        let golay = (0 ..< 4096).map { GolayCode.Word(($0 >> 7, $0 >> 3 & 15, $0 & 7)).mask }
        XCTAssertEqual(weights(golay), [0: 1, 8: 759, 12: 2576, 16: 759, 24: 1])
        XCTAssertEqual(Set(golay), Set(SlowLattice(.leech, 24).words))
        for (number, mask) in golay.enumerated() {
            let word = GolayCode.Word(choicesOf: mask), choices = word.choices
            XCTAssertEqual(word.mask, mask)
            XCTAssertEqual(choices.0 << 7 | choices.1 << 3 | choices.2, number)
            for bit in 0 ..< 24 { XCTAssertNotEqual(GolayCode.Word(choicesOf: mask ^ 1 << UInt32(bit)).mask, mask ^ 1 << UInt32(bit)) }
        }
    }

    private func weights(_ words: [UInt32]) -> [Int: Int] { words.reduce(into: [:]) { $0[$1.nonzeroBitCount, default: 0] += 1 } }

    func testMembership() throws {
        var numbers = Numbers(30)
        for lattice in SlowLattice.all where lattice.kind != .integers {
            let model = try LatticeModel(lattice.kind, dimension: lattice.dimension)
            for _ in 0 ..< 300 {
                var point = lattice.random(1 << 20, &numbers)
                XCTAssertTrue(model.contains(point))
                point[Int.random(in: 0 ..< lattice.dimension, using: &numbers)] += Int32([-1, 1].randomElement(using: &numbers)!) // no two points are so near
                XCTAssertFalse(model.contains(point))
            }
        }
    }

    // MARK: Rate

    /// Against sums over all words: every choice has its conditional probability. What is left is the rounding to 16 bits.
    func testRateIsTheModel() throws {
        var numbers = Numbers(31)
        for lattice in SlowLattice.all where lattice.kind != .integers {
            let n = lattice.dimension, coder = try coder(lattice), model = try LatticeModel(lattice.kind, dimension: n), scratch = try LatticeScratch(dimension: n)
            let mixed = (0 ..< n).map { _ in index(exp2(Double.random(in: -2.5 ... 1, using: &numbers)), lattice) }
            for scales in [0.25, 0.32, 0.45, 1.5].map({ [UInt8](repeating: index($0, lattice), count: n) }) + [mixed] {
                model.prepare(scales, step: 1, scratch)
                let s = (0 ..< n).map { exp2(Double(scratch.widths[$0] - 112) / 32) * Double(lattice.unit) }
                let normalizer = lattice.normalizer(s)
                let count = 200
                let points = lattice.gaussian(count, &numbers) { scaleOf(Int(scales[$1])) }
                let expected = (0 ..< count).reduce(0) { $0 + lattice.bits(points[$1 * n ..< $1 * n + n], s, normalizer: normalizer) }
                let bits = try coder.bits(points, [[UInt8]](repeating: scales, count: count).flatMap { $0 })
                XCTAssertEqual(bits, expected, accuracy: 0.001 * expected + 0.0002 * Double(points.count), "\(lattice.kind) \(n), \(scales)")
            }
        }
    }

    /// The probabilities of all points but the most unlikely add up to 1, and of all together to no more.
    func testProbabilitiesAddUpToOne() throws {
        for (kind, n, norm, steps) in [
            (LatticeKind.even, 3, 40, [0.1, 0.4]), (.even, 4, 30, [0.1, 0.4]), (.gosset, 8, 24, [0.1, 0.25]), (.barnesWall, 16, 8, [0.1, 0.18]),
            (.leech, 24, 32, [0.1, 0.2]),
        ] {
            let lattice = SlowLattice(kind, n), points = lattice.points(norm), coder = try coder(lattice)
            for steps in steps {
                let scales = [UInt8](repeating: index(steps, lattice), count: points.count / n)
                let sum = try coder.vectorBits(points, scales).reduce(0) { $0 + exp2(-$1) }
                XCTAssertGreaterThan(sum, 0.9985, "\(kind), \(steps) steps")
                XCTAssertLessThan(sum, 1 + 1e-9, "\(kind), \(steps) steps")
            }
        }
        XCTAssertEqual(SlowLattice(.gosset, 8).points(24).count / 8, 1 + 240 + 2160 + 6720)
        XCTAssertEqual(SlowLattice(.barnesWall, 16).points(8).count / 16, 1 + 4320)
        XCTAssertEqual(SlowLattice(.leech, 24).points(32).count / 24, 1 + 196560)
    }

    /// Nearly certain coordinates cost next to nothing.
    func testLeastRate() throws {
        for lattice in SlowLattice.all {
            let zeros = [Int32](repeating: 0, count: lattice.dimension)
            let bits = try coder(lattice).bits(zeros, [0])
            XCTAssertLessThan(bits / Double(lattice.dimension), lattice.kind == .even ? 0.002 : 0.0002, "\(lattice.kind) \(lattice.dimension)")
        }
    }

    /// Bits a coordinate above the entropy of Gaussian vectors quantized to E8, which the shells' frequencies give: its symmetries make all points of a shell alike
    /// (the fourth has two kinds).
    func testExcessOverTheEntropy() throws {
        var numbers = Numbers(32)
        let lattice = SlowLattice(.gosset, 8), coder = try coder(lattice)
        for (index, low, high, most) in [(34, 0.99, 1.005, 0.0010), (47, 2.09, 2.105, 0.0003)] {
            let count = 60_000
            let points = lattice.gaussian(count, &numbers) { _, _ in scaleOf(index) }
            let rate = try coder.bits(points, [UInt8](repeating: UInt8(index), count: count)) / Double(8 * count)
            var shells: [Int: Int] = [:]
            for vector in 0 ..< count {
                let x = points[8 * vector ..< 8 * vector + 8], norm = x.reduce(0) { $0 + Int($1 * $1) } / 8
                shells[norm == 4 && x.allSatisfy { $0 % 2 == 0 } && x.reduce(0, +) % 8 == 0 && Set(x.map { $0 & 3 }).count == 1 ? 0x40 + 4 : norm, default: 0] += 1
            }
            var entropy = Double(shells.count - 1) / (2 * Double(count) * log(2)) // the bias of an estimate from few samples
            for (shell, found) in shells { entropy += Double(found) / Double(count) * log2(size(ofShell: shell) * Double(count) / Double(found)) }
            entropy /= 8
            XCTAssertTrue((low ... high).contains(entropy), "\(entropy)")
            XCTAssertLessThan(rate - entropy, most, "entropy \(entropy)")
            XCTAssertGreaterThan(rate - entropy, -0.0001, "entropy \(entropy)")
        }
    }

    /// 240 times the sum of the divisors' cubes; twice a vector of the first shell, 0x44, is one of 240.
    private func size(ofShell shell: Int) -> Double {
        if shell == 0 { return 1 }
        if shell == 0x44 { return 240 }
        let all = 240 * (1 ... shell).reduce(0) { $0 + (shell % $1 == 0 ? $1 * $1 * $1 : 0) }
        return Double(shell == 4 ? all - 240 : all)
    }

    // MARK: Round trips

    func testRoundTrips() throws {
        var numbers = Numbers(33)
        for lattice in SlowLattice.all {
            let n = lattice.dimension, coder = try coder(lattice), count = lattice.kind == .leech ? 101 : 301
            for steps in [0.1, 0.2, 0.3, 0.5, 1, 3, 20] {
                let index = index(steps, lattice)
                let points = lattice.gaussian(count, &numbers) { _, _ in scaleOf(Int(index)) }
                try roundTrip(coder, points, [UInt8](repeating: index, count: count))
            }
            let scales = (0 ..< count * n).map { _ in index(exp2(Double.random(in: -4 ... 4.5, using: &numbers)), lattice) }
            try roundTrip(coder, lattice.gaussian(count, &numbers) { scaleOf(Int(scales[$0 * n + $1])) }, scales)
            // One scale a vector, and none of them right.
            let wrong = (0 ..< count).map { _ in UInt8.random(in: 0 ... 127, using: &numbers) }
            try roundTrip(coder, lattice.gaussian(count, &numbers) { _, _ in 4 * lattice.side }, wrong)
            try roundTrip(coder, [], [])
        }
    }

    /// As far as a quantizer's points go, and in between, whatever the scales.
    func testFarPoints() throws {
        var numbers = Numbers(34)
        for lattice in SlowLattice.all {
            let coder = try coder(lattice), largest = Int(coder.largest)
            XCTAssertGreaterThanOrEqual(largest, 1 << 20)
            let points = (0 ..< 200).flatMap { _ in lattice.random(largest, &numbers) }
            try roundTrip(coder, points, [UInt8](repeating: 0, count: 200))
            try roundTrip(coder, points, [UInt8](repeating: 127, count: 200))
            try roundTrip(coder, points, (0 ..< points.count).map { _ in UInt8.random(in: 0 ... 127, using: &numbers) })
            // One coordinate at either limit, where that is a point.
            for i in 0 ..< lattice.dimension {
                var ends = [Int32](repeating: 0, count: 2 * lattice.dimension)
                ends[i] = coder.largest
                ends[lattice.dimension + i] = -coder.largest
                try roundTrip(coder, ends, [0, 127])
            }
        }
    }

    /// Checks the points and the size, and that the order of coding does not depend on how scales are given.
    private func roundTrip(_ coder: LatticeCoder, _ points: [Int32], _ scales: [UInt8], line: UInt = #line) throws {
        let payload = try coder.encoded(points, scales)
        XCTAssertTrue(try coder.decoded(payload, points.count, scales) == points, "\(coder.kind) \(coder.dimension)", line: line)
        let ideal = try coder.bits(points, scales) / 8
        XCTAssertLessThanOrEqual(Double(payload.count), 1.0005 * ideal + Double(RANS.headerSize) + 4, line: line)
        // The states begin with 31 bits each that cost nothing.
        XCTAssertGreaterThanOrEqual(Double(payload.count), 0.9995 * ideal + Double(RANS.headerSize) - 17, line: line)
        guard scales.count < points.count else { return }
        let each = scales.flatMap { [UInt8](repeating: $0, count: coder.dimension) }
        XCTAssertTrue(try coder.encoded(points, each) == payload, line: line)
    }

    func testCoordinates() throws {
        var numbers = Numbers(35)
        let quantizers: [(LatticeKind, nck_lattice)] = [
            (.integers, NCK_LATTICE_ZN), (.even, NCK_LATTICE_DN), (.gosset, NCK_LATTICE_E8), (.barnesWall, NCK_LATTICE_BW16), (.leech, NCK_LATTICE_LEECH),
        ]
        for lattice in SlowLattice.all {
            let n = lattice.dimension, quantizer = quantizers.first { $0.0 == lattice.kind }!.1
            guard nck_lattice_exists(quantizer, n) == 1 else { continue }
            let coordinates = LatticeCoordinates(lattice.kind, dimension: n)
            for largest in [4, 1000, 1 << 20] {
                let point = lattice.random(largest, &numbers)
                var u = [Int32](repeating: 0, count: n), again = u
                coordinates.coordinates(point, into: &u)
                coordinates.point(u, into: &again)
                XCTAssertEqual(again, point)
                // As the kernels have it.
                var floats = [Float](repeating: 0, count: n)
                try Kernels.current().table.quantizers.lattice_points(quantizer, n, lattice.kind == .gosset ? 2 : 1, u, &floats, 1)
                XCTAssertEqual(floats.map { Int32($0) }, point)
            }
        }
    }

    // MARK: Damage and bad input

    func testDamage() throws {
        var numbers = Numbers(36)
        for lattice in SlowLattice.all {
            let n = lattice.dimension, coder = try coder(lattice), count = 240 / n + 1
            let scales = (0 ..< count * n).map { _ in UInt8.random(in: 20 ... 70, using: &numbers) }
            var points = lattice.gaussian(count, &numbers) { scaleOf(Int(scales[$0 * n + $1])) }
            points.replaceSubrange(0 ..< n, with: lattice.random(1 << 20, &numbers))
            let payload = try coder.encoded(points, scales)
            for length in 0 ..< payload.count { assertThrows(.badStream) { try coder.decoded(payload.prefix(length), points.count, scales) } }
            assertThrows(.badStream) { try coder.decoded(payload + [0, 0, 0, 0], points.count, scales) }
            var damaged = (0 ..< 500).map { _ in
                var modified = payload
                for _ in 0 ... Int.random(in: 0 ... 3, using: &numbers) {
                    modified[Int.random(in: modified.indices, using: &numbers)] = UInt8.random(in: 0 ... 255, using: &numbers)
                }
                return modified
            }
            damaged += (0 ..< 50).map { _ in
                // Nothing but noise, its states in range so that decoding starts.
                var noise = (0 ..< payload.count).map { _ in UInt8.random(in: 0 ... 255, using: &numbers) }
                for lane in 0 ..< RANS.lanes { noise[8 * lane + 7] &= 0x7f }
                return noise
            }
            for bytes in damaged {
                do {
                    let other = try coder.decoded(bytes, points.count, scales)
                    XCTAssertNoThrow(try coder.bits(other, scales), "what decodes is a point") // raw bits stand for each other without a trace
                } catch { XCTAssertEqual((error as? CodecError)?.status, .badStream) }
            }
            // Other scales, or another number of points.
            assertThrows(.badStream) { try coder.decoded(payload, points.count, scales.map { $0 + 9 }) }
            assertThrows(.badStream) { try coder.decoded(payload, points.count - n, Array(scales.dropLast(n))) }
        }
    }

    func testBadInput() throws {
        let impossible: [(LatticeKind, Int)] = [
            (.integers, 0), (.integers, 65), (.even, 0), (.even, -1), (.even, 65), (.gosset, 4), (.barnesWall, 8), (.leech, 16), (.leech, 64),
        ]
        for (kind, n) in impossible {
            assertThrows(.invalidArgument, "dimensions") { try LatticeCoder(kind, dimension: n) }
        }
        let coder = try LatticeCoder(.gosset, dimension: 8)
        let points: [Int32] = [1, 1, 1, 1, 1, 1, 1, 1, 2, -2, 0, 0, 0, 0, 0, 0]
        XCTAssertNoThrow(try coder.encoded(points, [40, 41]))
        for bad in [[1, 1, 1, 1, 1, 1, 1, -1], [2, 0, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 1], [2, 2, 2, 2, 2, 2, 2, 1]] as [[Int32]] {
            assertThrows(.invalidArgument, "vector 2") { try coder.encoded(points + bad, [40, 41, 42]) }
            assertThrows(.invalidArgument, "vector 2") { try coder.bits(points + bad, [40, 41, 42]) }
        }
        assertThrows(.invalidArgument, "no vectors of 8") { try coder.encoded(points + [0], [40, 41]) }
        assertThrows(.invalidArgument, "scale indices") { try coder.encoded(points, [40]) }
        assertThrows(.invalidArgument, "scale indices") { try coder.decoded([UInt8](repeating: 0, count: 64), 16, [40, 41, 42]) }
        assertThrows(.invalidArgument, "scale index 128") { try coder.encoded(points, [40, 128]) }
        let far = coder.largest + 4
        for value in [far, -far, .max - 3, .min] {
            assertThrows(.invalidArgument, "beyond") { try coder.encoded(points + [value, 0, 0, 0, 0, 0, 0, 0], [40, 41, 42]) }
        }
        assertThrows(.badStream) { try coder.decoded([], 0, []) }
    }

    // MARK: Determinism

    /// Made from integers alone; a change here makes old data undecodable.
    func testPayloadsNeverChange() throws {
        var numbers = Numbers(37), all: [UInt8] = []
        for lattice in SlowLattice.all {
            let points = (0 ..< 100).flatMap { _ in lattice.random(40, &numbers) }
            all += try coder(lattice).encoded(points, points.indices.map { UInt8(20 + $0 * 7 % 60) })
        }
        XCTAssertEqual(all.withUnsafeBytes { sha256($0) }, "dee38fc29b2aa94b40ccf57b0842162e99afa443145a70d6b579ef8f1776bb21")
    }
}

extension LatticeCoder {
    func vectorBits(_ points: [Int32], _ scales: [UInt8]) throws -> [Double] {
        var vectors = [Double](repeating: 0, count: points.count / dimension)
        _ = try points.withUnsafeBufferPointer { points in try scales.withUnsafeBufferPointer { try rate(points, scaleIndices: $0, vectors: &vectors) } }
        return vectors
    }
}
