// SPDX-License-Identifier: Apache-2.0
import CKernels

/// Between the coordinates u that the quantizers give (a point is u B, B the lattice's triangular basis) and the integer points that are coded.
struct LatticeCoordinates {
    let dimension: Int
    /// B, doubled where it has halves.
    private let rows: [Int32]

    init(_ kind: LatticeKind, dimension n: Int) {
        dimension = n
        var basis = [Float](repeating: 0, count: n * n)
        let lattices: [LatticeKind: nck_lattice] = [.even: NCK_LATTICE_DN, .gosset: NCK_LATTICE_E8, .barnesWall: NCK_LATTICE_BW16, .leech: NCK_LATTICE_LEECH]
        nck_lattice_basis(lattices[kind] ?? NCK_LATTICE_ZN, n, &basis)
        rows = basis.map { Int32($0 * (kind == .gosset ? 2 : 1)) }
    }

    /// u B modulo 2^32.
    func point(_ u: UnsafePointer<Int32>, into x: UnsafeMutablePointer<Int32>) {
        for j in 0 ..< dimension { x[j] = (j ..< dimension).reduce(0) { $0 &+ u[$1] &* rows[$1 * dimension + j] } }
    }

    /// u B, where none of its coordinates is beyond +-`largest`; else false, and `x` holds some of them.
    func point(_ u: UnsafePointer<Int32>, largest: Int32, into x: UnsafeMutablePointer<Int32>) -> Bool {
        for j in 0 ..< dimension {
            var sum = 0
            for i in j ..< dimension { sum += Int(u[i]) * Int(rows[i * dimension + j]) }
            guard abs(sum) <= Int(largest) else { return false }
            x[j] = Int32(sum)
        }
        return true
    }

    /// The u of a point, its coordinates within +-2^20.
    func coordinates(_ x: UnsafePointer<Int32>, into u: UnsafeMutablePointer<Int32>) {
        for j in (0 ..< dimension).reversed() {
            let rest = (j + 1 ..< dimension).reduce(x[j]) { $0 &- u[$1] &* rows[$1 * dimension + j] }
            u[j] = rest / rows[j * dimension + j]
        }
    }
}
