// SPDX-License-Identifier: Apache-2.0
import CKernels

/// The lattices whose points can be coded.
enum LatticeKind: Equatable, Sendable {
    /// Z^n. A coordinate's scale is that of the value before it was rounded.
    case integers
    /// D_n: integers with an even sum.
    case even
    /// E8 doubled: all coordinates even or all odd, their sum a multiple of 4.
    case gosset
    /// Integers that are a word of the Reed-Muller code RM(1,4) modulo 2, their sum a multiple of 4; n = 16.
    case barnesWall
    /// m modulo 2, (x - m) / 2 a word of the Golay code modulo 2, the sum 4 m modulo 8; n = 24.
    case leech
}

/// The exact model of a lattice's points: a product of discrete Gaussians, restricted to the lattice and normalized there (docs/quantizers.md, "Coding lattice
/// points").
///
/// Every lattice here, the half of the Leech lattice with odd coordinates excepted, is  x = unit * z + unit / 2 * c,  c a word of a code and z integers with an
/// even sum. A Gaussian is the same for x and -x, which turns z into -z - 1 where c is one: so if c is not zero, even and odd sums of z weigh the same, and all that
/// the sum decides is the sign of one coordinate.
struct LatticeModel {
    enum Code { case zero, repetition, reedMuller, golay }

    let dimension: Int
    let unit: Int32
    let code: Code
    /// Half of the unit has this many trailing zeros: the bit of x that holds c. 31: there is none.
    let wordBit: Int32
    /// z = x >> unitBits.
    let unitBits: Int32

    // Indices of widths: [scale][noise level].
    let widths: [UInt16]
    private let lowestScale: Int
    private let shares = GaussianShares.all

    // Tables of discrete Gaussians at the density of k, k + 1/2, k + 1/4, k + 1/8, k + 5/8.
    let whole, half: CodingTables
    let quarter, eighth, fiveEighths: CodingTables?

    static let levels = Int(NCK_NOISE_LEVELS)

    /// What the quantization noise adds to a variance, in 1/10000 of the squared side of a cube as large as the lattice's cell, for 19 levels: standard deviations
    /// from 0.2 of that side (scale index `lowest`) in steps of one scale. So that discrete Gaussians have the second moments of the quantized ones, as measured
    /// with all scales equal.
    private struct Noise {
        let levels: [UInt16]
        let lowest: Int
        /// The squared side is 2^(exponent / divisor).
        let exponent: Int32, divisor: Int32
    }

    private static func noise(_ kind: LatticeKind, _ n: Int) -> Noise {
        switch kind {
        case .gosset:
            let levels: [UInt16] = [724, 766, 800, 826, 844, 852, 852, 842, 821, 798, 769, 746, 729, 722, 719, 718, 717, 717, 717]
            return Noise(levels: levels, lowest: 24, exponent: 2, divisor: 1)
        case .barnesWall:
            let levels: [UInt16] = [812, 845, 867, 875, 871, 856, 828, 793, 753, 719, 697, 688, 684, 683, 683, 683, 683, 683, 683]
            return Noise(levels: levels, lowest: 22, exponent: 3, divisor: 2)
        case .leech:
            let levels: [UInt16] = [841, 878, 900, 903, 893, 870, 829, 778, 725, 687, 664, 659, 658, 658, 658, 658, 658, 658, 658]
            return Noise(levels: levels, lowest: 29, exponent: 3, divisor: 1)
        case .integers, .even:
            let levels: [UInt16] = [660, 697, 730, 759, 781, 801, 814, 825, 831, 831, 827, 821, 811, 800, 788, 780, 774, 774, 775]
            return Noise(levels: levels, lowest: 14 + (20 + n) / (2 * n), exponent: 2, divisor: Int32(n))
        }
    }

    init(_ kind: LatticeKind, dimension: Int) throws {
        self.dimension = dimension
        switch kind {
        case .integers, .even: (code, unitBits) = (.zero, 0)
        case .gosset: (code, unitBits) = (.repetition, 1)
        case .barnesWall: (code, unitBits) = (.reedMuller, 1)
        case .leech: (code, unitBits) = (.golay, 2)
        }
        unit = 1 << unitBits
        wordBit = code == .zero ? 31 : unitBits - 1
        let noise = Self.noise(kind, dimension)
        lowestScale = noise.lowest
        var widths = [UInt16](repeating: 0, count: GaussianTables.scales * Self.levels)
        nck_lattice_widths(noise.levels, noise.exponent, noise.divisor, unit, &widths)
        self.widths = widths
        whole = try GaussianTables.discrete(eighths: 0)
        half = try GaussianTables.discrete(eighths: 4)
        quarter = code == .zero ? nil : try GaussianTables.discrete(eighths: 2)
        eighth = code == .golay ? try GaussianTables.discrete(eighths: 1) : nil
        fiveEighths = code == .golay ? try GaussianTables.discrete(eighths: 5) : nil
    }

    /// The widths of a vector's coordinates, whose scale indices are `step` apart (0: one for all), and their shares. The noise level is the rounded mean of the
    /// levels that the coordinates' scales would have.
    func prepare(_ scales: UnsafePointer<UInt8>, step: Int, _ scratch: LatticeScratch) {
        let last = Self.levels - 1
        var sum = 0
        for i in 0 ..< dimension { sum += min(max(Int(scales[i * step]) - lowestScale, 0), last) }
        let level = (2 * sum + dimension) / (2 * dimension)
        for i in 0 ..< dimension {
            let width = Int(widths[Int(scales[i * step]) * Self.levels + level])
            let shares = shares[width]
            scratch.widths[i] = width
            scratch.half[i] = shares.half
            scratch.odd[i] = shares.odd
            scratch.oddQuarter[i] = shares.odd_quarter
            scratch.quarter[i] = shares.quarter
        }
    }

    /// The word of a point, if it is one.
    @inline(__always)
    func word(_ x: UnsafePointer<Int32>) -> UInt32 {
        guard code != .zero else { return 0 }
        var mask: UInt32 = 0
        for i in 0 ..< dimension { mask |= UInt32(x[i] >> wordBit & 1) << UInt32(i) }
        return mask
    }

    /// Whether integers within +-2^30 are a point.
    func contains(_ x: UnsafePointer<Int32>) -> Bool {
        let mask = word(x)
        let isOdd = code == .golay && x[0] & 1 == 1
        switch code {
        case .zero: break
        case .repetition: guard mask == 0 || mask == 0xff else { return false }
        case .reedMuller: guard ReedMullerCode.number(of: mask) != nil else { return false }
        case .golay:
            guard GolayCode.Word(choicesOf: mask).mask == mask, (0 ..< dimension).allSatisfy({ x[$0] & 1 == (isOdd ? 1 : 0) }) else { return false }
        }
        let sum = (0 ..< dimension).reduce(Int32(0)) { $0 ^ x[$1] >> unitBits } // the lowest bit is that of the sum of z
        return sum & 1 == (isOdd ? 1 : 0)
    }
}

/// What a walk over one vector needs to remember.
struct LatticeScratch {
    let widths: UnsafeMutablePointer<Int>
    let half, odd, quarter, oddQuarter: UnsafeMutablePointer<UInt64>
    /// For each coordinate, the share of even sums of z from it on; one more, which is 1.
    let even: UnsafeMutablePointer<UInt64>
    /// The same for the odd half of the Leech lattice.
    let evenQuarter: UnsafeMutablePointer<UInt64>
    let words: UnsafeMutablePointer<UInt64>
    let golay: GolayWeights
    let z: UnsafeMutablePointer<Int32>
    private let memory: ByteBuffer

    init(dimension n: Int) throws {
        memory = try ByteBuffer(count: 8 * (9 * (n + 1) + 32 + GolayWeights.size))
        var next = memory.bytes.baseAddress!
        func numbers<Number>(_ count: Int, _ type: Number.Type) -> UnsafeMutablePointer<Number> {
            defer { next += 8 * count }
            return next.bindMemory(to: type, capacity: count)
        }
        widths = numbers(n, Int.self)
        z = numbers(n, Int32.self)
        half = numbers(n, UInt64.self)
        odd = numbers(n, UInt64.self)
        quarter = numbers(n, UInt64.self)
        oddQuarter = numbers(n, UInt64.self)
        even = numbers(n + 1, UInt64.self)
        evenQuarter = numbers(n + 1, UInt64.self)
        words = numbers(32, UInt64.self)
        golay = GolayWeights(numbers(GolayWeights.size, UInt64.self))
    }
}
