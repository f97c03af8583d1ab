// SPDX-License-Identifier: Apache-2.0
import CKernels
import Glibc

/// How the point of a lattice given by a basis is chosen.
public enum LatticeSearch: Sendable {
    /// Babai's rounding, u = round(x B^-1): fast, exact for orthogonal rows only, and what a learned lattice is trained with.
    case babai
    /// Babai's nearest plane, one coordinate after another against the Gram-Schmidt frame of the basis as it is given.
    case nearestPlane
    /// The closest point by Schnorr-Euchner enumeration; `nodeLimit` bounds the integers tried for a vector (0: no bound), after which the best so far counts.
    case exact(nodeLimit: UInt64)
}

/// A lattice whose basis is given: B's rows, of binary32 values, span it.
struct BasisQuantizer {
    let rows: [Float]
    let search: LatticeSearch
    /// Of the vectors' coordinates, row by row; nil: they are independent. Only the coder of indices uses it.
    let correlation: [Float]?
    private let prepared: UnsafePointer<nck_basis>
    /// No product with the inverse overflows binary32 where no |x| exceeds this.
    private let moderate: Float
    /// Holds what `prepared` points to.
    private let memory: ByteBuffer

    /// `rows` and `correlation` hold dimension * dimension values, row by row; rows before `scale`.
    init(rows: [Float], dimension: Int, scale: Float, search: LatticeSearch, correlation: [Float]? = nil) throws {
        guard (1...Int(NCK_BASIS_DIMENSION)).contains(dimension) else {
            throw CodecError(.invalidArgument, "a basis of \(dimension) dimensions: 1 to \(NCK_BASIS_DIMENSION) are possible")
        }
        guard rows.count == dimension * dimension else {
            throw CodecError(.invalidArgument, "a basis of \(dimension) dimensions has \(dimension * dimension) values, not \(rows.count)")
        }
        self.rows = rows.map { $0 * scale }
        self.search = search
        if let correlation { try Self.check(correlation: correlation, dimension) }
        self.correlation = correlation
        memory = try ByteBuffer(count: nck_basis_size(dimension))
        var pointer: UnsafePointer<nck_basis>?
        let status = nck_basis_prepare(self.rows, dimension, memory.bytes.baseAddress, &pointer)
        guard status == NCK_BASIS_PREPARED, let pointer else { throw Self.error(status) }
        prepared = pointer
        let greatest = (0 ..< dimension * dimension).reduce(0) { max($0, abs(Double(pointer.pointee.inverse[$1]))) }
        moderate = Float(min(0x1p127 / (2 * Double(dimension) * greatest), 0x1p127))
    }

    private static func error(_ status: nck_basis_status) -> CodecError {
        let problem: String =
            switch status {
            case NCK_BASIS_NOT_FINITE: "holds values that are not finite"
            case NCK_BASIS_SINGULAR: "is singular: a row lies in the span of the others"
            case NCK_BASIS_ILL_CONDITIONED: "is too ill-conditioned: its singular values are more than 2^20 apart"
            case NCK_BASIS_OUT_OF_RANGE: "is out of range: its singular values must lie within 2^-100 and 2^100"
            default: "has a dimension outside 1...\(NCK_BASIS_DIMENSION)"
            }
        return CodecError(.invalidArgument, "the basis \(problem)")
    }

    /// A correlation may be off by what float32 rounds away, no more.
    private static func check(correlation: [Float], _ n: Int) throws {
        func demand(_ condition: Bool, _ problem: String) throws { if !condition { throw CodecError(.invalidArgument, "the correlation \(problem)") } }
        try demand(correlation.count == n * n, "of \(n) dimensions has \(n * n) values, not \(correlation.count)")
        let matrix = SquareMatrix(n, values: correlation.map(Double.init)), tolerance = 0x1p-20
        try demand(matrix.values.allSatisfy(\.isFinite), "holds values that are not finite")
        try demand((0 ..< n).allSatisfy { abs(matrix[$0, $0] - 1) <= tolerance }, "has values other than 1 on its diagonal: divide a covariance by the deviations")
        try demand((0 ..< n * n).allSatisfy { abs(matrix[$0 / n, $0 % n] - matrix[$0 % n, $0 / n]) <= tolerance }, "is not symmetric")
        try demand((matrix + .identity(n) * (Double(n) * tolerance)).isPositive, "is impossible: some combination of the coordinates would have a negative variance")
    }

    /// The prepared basis, valid within `body`.
    func withPrepared<Result>(_ body: (UnsafePointer<nck_basis>) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(memory) { try body(prepared) }
    }

    var volume: Double { withExtendedLifetime(memory) { prepared.pointee.volume } }

    /// Product of the rows' lengths / volume.
    var orthogonalityDefect: Double { withExtendedLifetime(memory) { prepared.pointee.defect } }

    /// Of B: the greatest singular value / the smallest.
    var condition: Double { withExtendedLifetime(memory) { prepared.pointee.condition } }

    /// B^-1, rounded; lives as long as this.
    var inverse: UnsafePointer<Float> { withExtendedLifetime(memory) { UnsafePointer(prepared.pointee.inverse) } }

    /// Another basis of the same lattice, reduced by LLL.
    var reducedRows: SquareMatrix {
        withExtendedLifetime(memory) {
            let n = prepared.pointee.n
            return SquareMatrix(n, values: Array(UnsafeBufferPointer(start: prepared.pointee.reduced.rows, count: n * n)))
        }
    }

    /// Of Babai's cells, whose shapes are known: a parallelepiped for rounding, a box for the nearest plane.
    var normalizedSecondMoment: Double? {
        withExtendedLifetime(memory) {
            let n = prepared.pointee.n
            let side = prepared.pointee.side
            let squares: Double
            switch search {
            case .babai: squares = rows.reduce(0) { $0 + Double($1) * Double($1) }
            case .nearestPlane: squares = (0 ..< n).reduce(0) { $0 + pow(prepared.pointee.given.triangle[$1 * (n + 1)], 2) }
            case .exact: return nil
            }
            return squares / (12 * Double(n) * side * side)
        }
    }

    // MARK: - Vectors

    /// Bytes of scratch memory for that many vectors: their coordinates as floats and as integers, and what the search needs.
    func scratchSize(vectors: Int) -> Int { withExtendedLifetime(memory) { 8 * vectors * prepared.pointee.n + nck_basis_scratch(prepared.pointee.n) } }

    func quantize(
        _ kernels: nck_kernels, _ vectors: UnsafePointer<Float>, _ count: Int, _ points: UnsafeMutablePointer<Float>?, _ indices: UnsafeMutablePointer<Int32>?,
        _ proven: UnsafeMutablePointer<UInt8>?, _ scratch: UnsafeMutableRawPointer
    ) {
        withExtendedLifetime(memory) {
            let n = prepared.pointee.n
            let floats = scratch.assumingMemoryBound(to: Float.self)
            let indices = indices ?? (scratch + 4 * count * n).assumingMemoryBound(to: Int32.self)
            let search = scratch + 8 * count * n
            switch self.search {
            case .babai:
                kernels.lattice_transform(prepared.pointee.inverse, n, vectors, n, floats, n, count)
                kernels.babai_round(n, floats, n, indices, floats, n, count)
                roundAgain(kernels, vectors, count, indices, floats)
                proven?.update(repeating: 0, count: count)
            case .nearestPlane:
                var frame = prepared.pointee.given
                nck_basis_nearest_plane(prepared, &frame, vectors, indices, count, search)
                proven?.update(repeating: 0, count: count)
            case .exact(let nodeLimit):
                _ = nck_basis_closest(prepared, vectors, nodeLimit, indices, proven, count, search)
            }
            if let points { dequantize(kernels, indices, count, points) }
        }
    }

    /// Babai's rounding of the vectors that hold a NaN, which counts as 0 but would spoil the other coordinates too, or a value so large that the product with the inverse
    /// leaves binary32: the latter in binary64.
    private func roundAgain(
        _ kernels: nck_kernels, _ vectors: UnsafePointer<Float>, _ count: Int, _ indices: UnsafeMutablePointer<Int32>, _ floats: UnsafeMutablePointer<Float>
    ) {
        let n = prepared.pointee.n
        var found: UInt32 = 0
        for i in 0 ..< count * n { found |= abs(vectors[i]) <= moderate ? 0 : 1 }
        guard found != 0 else { return }
        for vector in 0 ..< count {
            let (source, clean, own) = (vectors + vector * n, floats + vector * n, indices + vector * n)
            for i in 0 ..< n { clean[i] = source[i].isNaN ? 0 : source[i] }
            if (0 ..< n).allSatisfy({ abs(clean[$0]) <= moderate }) {
                kernels.lattice_transform(prepared.pointee.inverse, n, clean, n, clean, n, 1)
                kernels.babai_round(n, clean, n, own, clean, n, 1)
                continue
            }
            for i in 0 ..< n {
                let sum = (0 ..< n).reduce(0) { $0 + min(max(Double(clean[$1]), -0x1p128), 0x1p128) * prepared.pointee.precise_inverse[$1 * n + i] }
                own[i] = Int32(min(max(sum, -0x1p20), 0x1p20).rounded(.toNearestOrEven))
            }
        }
    }

    func dequantize(_ kernels: nck_kernels, _ indices: UnsafePointer<Int32>, _ count: Int, _ points: UnsafeMutablePointer<Float>) {
        withExtendedLifetime(memory) {
            var kernels = kernels
            nck_basis_points(&kernels, prepared, indices, points, count)
        }
    }
}

extension Quantizer {
    /// A quantizer on the lattice that the rows of `basis` span, after multiplication with `scale`. `correlation`: of the vectors' coordinates, for the coder of indices, in
    /// whose model vectors have the covariance diag(s) `correlation` diag(s), s their scales; nil: they are independent.
    public convenience init(basis: [Float], dimension: Int, scale: Double = 1, search: LatticeSearch = .babai, correlation: [Float]? = nil) throws {
        let scale = try Self.checked(scale: scale)
        let form = try BasisQuantizer(rows: basis, dimension: dimension, scale: scale, search: search, correlation: correlation)
        self.init(name: "basis", dimension: dimension, scale: scale, form: .basis(form))
    }

    /// What the coder of indices takes the correlation of the vectors' coordinates to be, row by row: that of a given basis, elsewhere the unit matrix. nil for a codebook.
    public var correlation: [Float]? {
        switch form {
        case .codebook: return nil
        case .basis(let basis) where basis.correlation != nil: return basis.correlation
        default: return SquareMatrix.identity(dimension).values.map(Float.init)
        }
    }

    /// Of a given basis: how far its rows are from orthogonal, the product of their lengths / volume; 1 for orthogonal rows. nil for the others.
    public var orthogonalityDefect: Double? { if case .basis(let basis) = form { basis.orthogonalityDefect } else { nil } }

    /// Of a given basis: the ratio of its greatest singular value to the smallest. nil for the others.
    public var condition: Double? { if case .basis(let basis) = form { basis.condition } else { nil } }
}
