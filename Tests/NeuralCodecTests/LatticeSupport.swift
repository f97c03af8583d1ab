// SPDX-License-Identifier: Apache-2.0
// Slow, plain versions of what the lattice coder does cleverly: lists of all words, searches through all cosets, sums over all words.
import CKernels
import Foundation

@testable import NeuralCodec

/// A lattice as cosets: x = m + unit * z + unit / 2 * c with a word c, z integers whose sum is m modulo 2 (m = 1 for half of the Leech lattice only).
struct SlowLattice {
    let kind: LatticeKind
    let dimension: Int
    let unit: Int
    let words: [UInt32]
    let halves: Int
    /// |det|^(1 / n).
    let side: Double

    init(_ kind: LatticeKind, _ n: Int) {
        self.kind = kind
        dimension = n
        halves = kind == .leech ? 2 : 1
        switch kind {
        case .integers: (unit, words, side) = (1, [0], 1)
        case .even: (unit, words, side) = (1, [0], exp2(1 / Double(n)))
        case .gosset: (unit, words, side) = (2, [0, 0xff], 2)
        case .barnesWall:
            // All affine functions of the index's four bits.
            let generators: [UInt32] = [0xffff, 0xaaaa, 0xcccc, 0xf0f0, 0xff00]
            (unit, words, side) = (2, Self.span(generators), exp2(0.75))
        case .leech:
            // The words that Conway and Sloane's basis (SPLAG, figure 4.12) holds, halved, and the word of ones.
            let generators: [UInt32] = [
                0x0000ff, 0x000f0f, 0x003333, 0x005555, 0x009669, 0x03036a, 0x050539, 0x09065c,
                0x11111e, 0x211247, 0x411472, 0xffffff,
            ]
            (unit, words, side) = (4, Self.span(generators), exp2(1.5))
        }
    }

    static let all: [SlowLattice] = [
        SlowLattice(.integers, 5), SlowLattice(.even, 1), SlowLattice(.even, 3), SlowLattice(.even, 4), SlowLattice(.even, 17), SlowLattice(.even, 64),
        SlowLattice(.gosset, 8), SlowLattice(.barnesWall, 16), SlowLattice(.leech, 24),
    ]

    private static func span(_ generators: [UInt32]) -> [UInt32] {
        Array(generators.reduce(into: Set([UInt32(0)])) { words, generator in words.formUnion(words.map { $0 ^ generator }) }).sorted()
    }

    /// x with a coset's z free, and what is added to z.
    private func base(_ m: Int, _ word: UInt32, _ i: Int) -> Int { m + unit / 2 * Int(word >> UInt32(i) & 1) }

    // MARK: Points

    func nearest(_ t: [Double]) -> [Int32] {
        guard kind != .integers else { return t.map { Int32($0.rounded()) } }
        var best = Double.infinity
        var point: [Int32] = []
        for m in 0 ..< halves {
            // For each coordinate and bit: z, the error's square, what the second choice would add, and the parity of z.
            let choices = (0 ..< dimension).map { i in
                (0 ..< 2).map { bit -> (z: Double, cost: Double, more: Double, parity: Int) in
                    let exact = (t[i] - Double(m + unit / 2 * bit)) / Double(unit)
                    let error = abs(exact - exact.rounded())
                    return (exact.rounded(), error * error, 1 - 2 * error, Int(exact.rounded()) & 1)
                }
            }
            let flat = choices.flatMap { $0 }
            var winner: UInt32?
            flat.withUnsafeBufferPointer { flat in
                for word in words {
                    var cost = 0.0, more = Double.infinity, parity = m
                    for i in 0 ..< dimension {
                        let choice = flat[2 * i + Int(word >> UInt32(i) & 1)]
                        cost += choice.cost
                        more = min(more, choice.more)
                        parity ^= choice.parity
                    }
                    if parity == 1 { cost += more }
                    if cost < best { (best, winner) = (cost, word) }
                }
            }
            if let winner { point = rounded(t, m, winner) }
        }
        return point
    }

    private func rounded(_ t: [Double], _ m: Int, _ word: UInt32) -> [Int32] {
        let exact = (0 ..< dimension).map { (t[$0] - Double(base(m, word, $0))) / Double(unit) }
        var z = exact.map { $0.rounded() }
        if Int(z.reduce(0, +)) & 1 != m {
            let i = (0 ..< dimension).max { abs(exact[$0] - z[$0]) < abs(exact[$1] - z[$1]) }!
            z[i] += exact[i] >= z[i] ? 1 : -1
        }
        return (0 ..< dimension).map { Int32(base(m, word, $0) + unit * Int(z[$0])) }
    }

    /// A point whose coordinates are within +-largest.
    func random(_ largest: Int, _ numbers: inout Numbers) -> [Int32] {
        let m = Int.random(in: 0 ..< halves, using: &numbers), word = words.randomElement(using: &numbers)!
        let most = max(largest / unit - 2, 0)
        var z = (0 ..< dimension).map { _ in Int.random(in: -most ... most, using: &numbers) >> Int.random(in: 0 ... 20, using: &numbers) }
        if kind != .integers, z.reduce(0, ^) & 1 != m { z[Int.random(in: 0 ..< dimension, using: &numbers)] ^= 1 }
        return (0 ..< dimension).map { Int32(base(m, word, $0) + unit * z[$0]) }
    }

    /// Points that Gaussian vectors are quantized to.
    func gaussian(_ count: Int, _ numbers: inout Numbers, scale: (_ vector: Int, _ coordinate: Int) -> Double) -> [Int32] {
        (0 ..< count).flatMap { vector in nearest((0 ..< dimension).map { numbers.gaussian() * scale(vector, $0) }) }
    }

    /// All points up to a norm.
    func points(_ norm: Int) -> [Int32] {
        var found: [Int32] = [], x = [Int32](repeating: 0, count: dimension)
        for m in 0 ..< halves {
            for word in words {
                // The least that the coordinates from each on add to the norm.
                var rest = [Int](repeating: 0, count: dimension + 1)
                for i in (0 ..< dimension).reversed() {
                    let base = base(m, word, i)
                    rest[i] = rest[i + 1] + min(base * base, (base - unit) * (base - unit))
                }
                func extend(_ i: Int, _ left: Int, _ parity: Int) {
                    guard left >= rest[i] else { return }
                    guard i < dimension else {
                        if parity == m { found += x }
                        return
                    }
                    let base = base(m, word, i), most = Int(Double(left).squareRoot()) / unit + 1
                    for z in -most ... most {
                        let value = base + unit * z
                        x[i] = Int32(value)
                        extend(i + 1, left - value * value, parity ^ z & 1)
                    }
                }
                extend(0, norm, 0)
            }
        }
        return found
    }

    // MARK: The model

    /// log2 of the sum of all points' weights, exp(-x^2 / (2 s^2)) for each coordinate.
    func normalizer(_ s: [Double]) -> Double {
        var sum = 0.0
        for m in 0 ..< halves {
            // Sums over z even and odd, for each coordinate and bit.
            let sums = (0 ..< dimension).map { i in
                (0 ..< 2).map { bit in
                    (0 ..< 2).map { parity -> Double in
                        let reach = Int(12 * s[i]) / unit / 2 + 2
                        return (-reach ... reach).reduce(0) { $0 + self.weight(m + unit / 2 * bit + unit * (2 * $1 + parity), s[i]) }
                    }
                }
            }
            for word in words {
                var all = 1.0, alternating = m == 0 ? 1.0 : -1.0
                for i in 0 ..< dimension {
                    let both = sums[i][Int(word >> UInt32(i) & 1)]
                    all *= both[0] + both[1]
                    alternating *= both[0] - both[1]
                }
                sum += 0.5 * (all + alternating)
            }
        }
        return log2(sum)
    }

    private func weight(_ x: Int, _ s: Double) -> Double { exp(-0.5 * Double(x * x) / (s * s)) }

    /// Bits of a point.
    func bits(_ point: some Sequence<Int32>, _ s: [Double], normalizer: Double) -> Double {
        zip(point, s).reduce(normalizer) { $0 + 0.5 * Double($1.0 * $1.0) / ($1.1 * $1.1) / log(2) }
    }
}

extension Numbers {
    mutating func gaussian() -> Double {
        let u = Double.random(in: 0x1p-60 ..< 1, using: &self), v = Double.random(in: 0 ..< 2 * .pi, using: &self)
        return (-2 * log(u)).squareRoot() * cos(v)
    }
}

/// The standard deviation of a scale index.
func scaleOf(_ index: Int) -> Double { exp2(Double(index - 37) / 10) }

extension GaussianTables {
    static func indices(_ scales: [Float], step: Float) -> [UInt8] {
        var indices = [UInt8](repeating: 200, count: scales.count)
        scales.withUnsafeBufferPointer { scales in indices.withUnsafeMutableBufferPointer { scaleIndices(scales, step: step, into: $0) } }
        return indices
    }
}

extension LatticeCoder {
    func bits(_ points: [Int32], _ scales: [UInt8]) throws -> Double {
        try points.withUnsafeBufferPointer { points in try scales.withUnsafeBufferPointer { try rate(points, scaleIndices: $0) } }
    }

    func encoded(_ points: [Int32], _ scales: [UInt8]) throws -> [UInt8] {
        try points.withUnsafeBufferPointer { points in
            try scales.withUnsafeBufferPointer { try encode(points, scaleIndices: $0).withBytes { [UInt8]($0) } }
        }
    }

    func decoded(_ payload: some Collection<UInt8>, _ count: Int, _ scales: [UInt8]) throws -> [Int32] {
        var points = [Int32](repeating: 77, count: count)
        try withGuarded(payload) { payload in
            try points.withUnsafeMutableBufferPointer { points in try scales.withUnsafeBufferPointer { try decode(payload, scaleIndices: $0, into: points) } }
        }
        return points
    }
}
