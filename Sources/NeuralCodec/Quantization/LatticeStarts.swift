// SPDX-License-Identifier: Apache-2.0
import CKernels

/// Where the descents of one call begin.
struct LatticeStarts {
    let list: [LatticeStart]

    /// `fine`: steps are small against the samples.
    init(dimension: Int, options: LatticeLearning, fine: Bool) {
        // With small steps the exact search does not care for rotations. Only there has a classical lattice something to give.
        var starts: [LatticeStart] = options.isExact && fine ? [.identity] : [.identity, .principalAxes]
        if options.isExact && options.classicalStart && dimension > 1 { starts.append(.classical) }
        while starts.count < options.starts { starts.append(.random) }
        list = Array(starts.prefix(options.starts))
    }

    /// A basis of unit volume.
    static func basis(_ start: LatticeStart, _ samples: LatticeSamples, _ options: LatticeLearning, _ numbers: inout SplitMix64) throws -> SquareMatrix {
        let n = samples.n
        switch start {
        case .identity: return .identity(n)
        case .principalAxes:
            let axes = samples.covariance.diagonalized().turn
            return axes.orthogonalized()?.axes ?? .identity(n)
        case .classical: return try classical(n)
        case .random:
            var basis = SquareMatrix(n)
            for _ in 0 ..< 100 {
                for i in 0 ..< n * n { basis.values[i] = numbers.normal() }
                if let (triangle, axes) = basis.orthogonalized(), (0 ..< n).allSatisfy({ triangle[$0, $0] > 0x1p-8 }) {
                    return options.isExact ? basis.unitVolume() ?? axes : axes
                }
            }
            return .identity(n)
        }
    }

    /// The product of the best lattices by name that fill n dimensions, each of unit volume.
    private static func classical(_ n: Int) throws -> SquareMatrix {
        let blocks: [(name: String, dimension: Int)] = [
            ("leech", 24), ("barnes-wall", 16), ("e8", 8), ("dn", 7), ("dn", 6), ("dn", 5), ("d4", 4), ("dn", 3), ("a2", 2), ("zn", 1),
        ]
        var result = SquareMatrix(n), first = 0
        while first < n {
            let block = blocks.first { $0.dimension <= n - first }!
            let lattice = try Quantizer(name: block.name, dimension: block.dimension)
            let rows = SquareMatrix(block.dimension, values: (lattice.basis ?? []).map(Double.init)).unitVolume()!
            for i in 0 ..< block.dimension {
                for j in 0 ..< block.dimension { result[first + i, first + j] = rows[i, j] }
            }
            first += block.dimension
        }
        return result
    }
}
