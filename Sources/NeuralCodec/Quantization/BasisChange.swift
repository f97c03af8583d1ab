// SPDX-License-Identifier: Apache-2.0
import CKernels

/// Between the coordinates u of points on a basis as it is given and their coordinates v on the reduced basis of the same lattice: u = v T, T unimodular.
struct BasisChange {
    private let n: Int
    private let transform: [Int64]
    private let inverse: [Int64]

    /// Sums of 64 products with coordinates, and among each other, fit 64 bits.
    private static let most = 0x1p28

    /// nil where numbers get so large that sums would not fit: for bases of which nothing is known but that their rows are nearly parallel.
    init?(_ transform: UnsafePointer<Int64>, _ n: Int) {
        self.n = n
        self.transform = Array(UnsafeBufferPointer(start: transform, count: n * n))
        guard let inverse = SquareMatrix(n, values: self.transform.map(Double.init)).inverted()?.inverse.values.map({ $0.rounded(.toNearestOrEven) }),
            (inverse + self.transform.map(Double.init)).allSatisfy({ abs($0) <= Self.most })
        else { return nil }
        self.inverse = inverse.map { Int64($0) }
        // Binary64 has found it, integers prove it.
        for i in 0 ..< n {
            for j in 0 ..< n {
                let product = (0 ..< n).reduce(Int64(0)) { $0 + self.transform[i * n + $1] * self.inverse[$1 * n + j] }
                guard product == (i == j ? 1 : 0) else { return nil }
            }
        }
    }

    /// v = u T^-1; false where a coordinate is beyond `largest`. |u| at most 2^20.
    func toReduced(_ u: UnsafePointer<Int32>, largest: Int32, into v: UnsafeMutablePointer<Int32>) -> Bool { apply(inverse, u, largest, v) }

    /// u = v T; false where a coordinate is beyond `largest`. |v| at most 2^20.
    func toGiven(_ v: UnsafePointer<Int32>, largest: Int32, into u: UnsafeMutablePointer<Int32>) -> Bool { apply(transform, v, largest, u) }

    private func apply(_ matrix: [Int64], _ x: UnsafePointer<Int32>, _ largest: Int32, _ result: UnsafeMutablePointer<Int32>) -> Bool {
        for j in 0 ..< n {
            var sum: Int64 = 0
            for i in 0 ..< n { sum += Int64(x[i]) * matrix[i * n + j] }
            guard sum.magnitude <= UInt64(largest) else { return false }
            result[j] = Int32(sum)
        }
        return true
    }
}
