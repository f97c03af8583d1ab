// SPDX-License-Identifier: Apache-2.0
import CKernels

/// A vector quantizer: maps float vectors to the points of a lattice, a scalar grid or a codebook, and to integer indices. Immutable; may be used by many calls on
/// many threads at once. The same vectors give the same points and indices on every machine, with any number of threads.
public final class Quantizer: @unchecked Sendable {
    /// What "e8", "basis" and so on stand for.
    public let name: String
    /// Floats in a vector.
    public let dimension: Int
    /// Integers that index a point: `dimension` coordinates, or 1 for a codebook.
    public let indexCount: Int
    /// Distance between neighbours of the unscaled quantizer's unit: points are those of the unscaled one times this.
    public let scale: Float

    let form: Form
    /// Made when indices are coded for the first time.
    let coder = OnceLoaded<IndexCoder>()

    enum Form {
        case scalar(nck_scalar)
        case lattice(nck_lattice)
        case basis(BasisQuantizer)
        case codebook(Codebook)
    }

    init(name: String, dimension: Int, indexCount: Int? = nil, scale: Float, form: Form) {
        self.name = name
        self.dimension = dimension
        self.indexCount = indexCount ?? dimension
        self.scale = scale
        self.form = form
    }

    /// The names `init(name:)` takes.
    public static let names = ["scalar", "zn", "a2", "an", "d4", "dn", "e8", "barnes-wall", "leech"]

    /// A quantizer by name. `dimension` 0 is the lattice's own, and 1 for "scalar" and "zn"; "an" and "dn" need one. `offset` and `deadZone` are for "scalar" only:
    /// the point of index i is i * scale + offset, and values up to deadZone * scale from the offset get index 0 (up to 1/2: plain rounding).
    public convenience init(name: String, dimension: Int = 0, scale: Double = 1, offset: Double = 0, deadZone: Double = 0) throws {
        guard let known = Self.known[name] else {
            throw CodecError(.invalidArgument, "there is no quantizer '\(name)'; known are \(Self.names.joined(separator: ", "))")
        }
        let scale = try Self.checked(scale: scale)
        guard name == "scalar" || (offset == 0 && deadZone == 0) else { throw CodecError(.invalidArgument, "only the quantizer 'scalar' has an offset and a dead zone") }
        let n = try Self.dimension(of: name, known.dimension, asked: dimension)
        if name == "scalar" {
            guard offset.isFinite, abs(offset) < 0x1p64, (0...0x1p20).contains(deadZone) else {
                throw CodecError(.invalidArgument, "an offset of \(offset) and a dead zone of \(deadZone): the offset must be finite and the dead zone in 0...2^20 steps")
            }
            let form = nck_scalar(step: scale, offset: Float(offset), dead_zone: Float(deadZone))
            self.init(name: name, dimension: n, scale: scale, form: .scalar(form))
        } else {
            self.init(name: name, dimension: n, scale: scale, form: .lattice(known.lattice))
        }
    }

    /// The dimension of a name that has only one; nil for the others, which exist in 1 to `mostDimensions`.
    public static func ownDimension(of name: String) -> Int? { known[name]?.dimension.flatMap { $0 > 0 ? $0 : nil } }

    public static let mostDimensions = Int(NCK_MOST_LATTICE_DIMENSIONS)

    /// Lattice and dimension by name; 0: the caller's choice, 1 at least by default; nil: the caller must say.
    private static let known: [String: (lattice: nck_lattice, dimension: Int?)] = [
        "scalar": (NCK_LATTICE_ZN, 0), "zn": (NCK_LATTICE_ZN, 0), "a2": (NCK_LATTICE_AN, 2), "an": (NCK_LATTICE_AN, nil), "d4": (NCK_LATTICE_DN, 4),
        "dn": (NCK_LATTICE_DN, nil), "e8": (NCK_LATTICE_E8, 8), "barnes-wall": (NCK_LATTICE_BW16, 16), "leech": (NCK_LATTICE_LEECH, 24),
    ]

    private static func dimension(of name: String, _ own: Int?, asked: Int) throws -> Int {
        let most = mostDimensions
        if let own, own > 0 {
            guard asked == 0 || asked == own else { throw CodecError(.invalidArgument, "'\(name)' has \(own) dimensions, not \(asked)") }
            return own
        }
        let n = asked == 0 && own == 0 ? 1 : asked
        guard (1...most).contains(n), name == "scalar" || name == "zn" || nck_lattice_exists(known[name]!.lattice, n) == 1 else {
            throw CodecError(.invalidArgument, asked == 0 ? "'\(name)' needs a dimension" : "'\(name)' does not exist in \(asked) dimensions (at most \(most))")
        }
        return n
    }

    /// The scale as the quantizers use it.
    static func checked(scale: Double) throws -> Float {
        let value = Float(scale)
        guard (0x1p-100...0x1p100).contains(value) else { throw CodecError(.invalidArgument, "a scale of \(scale): it must be positive and finite (2^-100 to 2^100)") }
        return value
    }

    // MARK: - Quantize and dequantize

    /// Closest points of `vectors`, whose values follow one another; its length is a multiple of `dimension`. `points` (as long as `vectors`, or `vectors` itself), `indices`
    /// (`indexCount` for each vector) and `proven` (one for each vector: 1 where the point is certain to be a closest one) may be nil. NaN counts as 0.
    public func quantize(
        _ vectors: UnsafeBufferPointer<Float>, points: UnsafeMutablePointer<Float>?, indices: UnsafeMutablePointer<Int32>?, proven: UnsafeMutablePointer<UInt8>? = nil,
        threads: Int = 0
    ) throws {
        let count = try vectorCount(vectors.count, of: dimension, "vectors")
        guard count > 0, let source = vectors.baseAddress else { return }
        try parallel(count, threads: threads) { kernels, first, count, scratch in
            let part = (
                input: source + first * dimension, points: points.map { $0 + first * dimension }, indices: indices.map { $0 + first * indexCount },
                proven: proven.map { $0 + first }
            )
            switch form {
            case .scalar(var scalar):
                kernels.quantizers.scalar(&scalar, part.input, part.points, part.indices, count * dimension)
                part.proven?.update(repeating: 1, count: count)
            case .lattice(let lattice):
                kernels.quantizers.nearest(lattice, dimension, scale, part.input, part.points, part.indices, count)
                part.proven?.update(repeating: 1, count: count)
            case .basis(let basis):
                basis.quantize(kernels, part.input, count, part.points, part.indices, part.proven, scratch!)
            case .codebook(let codebook):
                codebook.quantize(kernels, part.input, count, part.points, part.indices)
                part.proven?.update(repeating: 1, count: count)
            }
        }
    }

    /// The points of indices, bit for bit those that `quantize` gave with them.
    public func dequantize(_ indices: UnsafeBufferPointer<Int32>, points: UnsafeMutablePointer<Float>, threads: Int = 0) throws {
        let count = try vectorCount(indices.count, of: indexCount, "indices")
        guard count > 0, let source = indices.baseAddress else { return }
        if case .codebook(let codebook) = form, let bad = indices.first(where: { !(0 ..< Int32(codebook.size)).contains($0) }) {
            throw CodecError(.invalidArgument, "index \(bad) is not in the codebook, which has \(codebook.size) codewords")
        }
        try parallel(count, threads: threads) { kernels, first, count, scratch in
            let (input, output) = (source + first * indexCount, points + first * dimension)
            switch form {
            case .scalar(var scalar): kernels.quantizers.scalar_points(&scalar, input, output, count * dimension)
            case .lattice(let lattice): kernels.quantizers.lattice_points(lattice, dimension, scale, input, output, count)
            case .basis(let basis): basis.dequantize(kernels, input, count, output)
            case .codebook(let codebook): codebook.dequantize(input, count, output)
            }
        }
    }

    private func vectorCount(_ length: Int, of unit: Int, _ what: String) throws -> Int {
        guard length % unit == 0 else { throw CodecError(.invalidArgument, "\(length) values of \(what) are not a multiple of \(unit), the quantizer's \(what == "vectors" ? "dimension" : "indices a vector")") }
        return length / unit
    }

    /// Calls `body(kernels, first, count, scratch)` for parts of `count` vectors, on all threads where there is enough to do.
    private func parallel(
        _ count: Int, threads: Int, _ body: (_ kernels: nck_kernels, _ first: Int, _ count: Int, _ scratch: UnsafeMutableRawPointer?) -> Void
    ) throws {
        try checkThreads(threads)
        let kernels = try Kernels.current().table
        let part = vectorsPerPart
        let parts = (count + part - 1) / part
        let team = try ThreadTeam(threads: parts == 1 ? 1 : threads)
        let perWorker = scratchSize
        let scratch = perWorker > 0 ? try ByteBuffer(count: perWorker * team.size) : nil
        withExtendedLifetime(scratch) {
            team.run(parts) { index, worker in
                let first = index * part
                body(kernels, first, min(part, count - first), scratch.map { $0.bytes.baseAddress! + worker * perWorker })
            }
        }
    }

    /// Enough for a thread to be worth its start; the kernels work on blocks of 16 vectors. A search for the closest point on a basis takes about a hundred times as long.
    private var vectorsPerPart: Int {
        var values = 1 << 15
        if case .basis(let basis) = form, case .exact = basis.search { values = 1 << 9 }
        return max(Self.lanes, values / dimension / Self.lanes * Self.lanes)
    }

    private static let lanes = Int(NCK_LANES)

    private var scratchSize: Int {
        guard case .basis(let basis) = form else { return 0 }
        return (basis.scratchSize(vectors: vectorsPerPart) + 63) & ~63
    }

    // MARK: - What it is

    /// The volume of a cell, |det B| at this scale; nil for a codebook.
    public var volume: Double? {
        func power(_ value: Double) -> Double { (0 ..< dimension).reduce(1) { result, _ in result * value } }
        switch form {
        case .scalar: return power(Double(scale))
        case .lattice(let lattice): return nck_lattice_volume(lattice, dimension) * power(Double(scale))
        case .basis(let basis): return basis.volume
        case .codebook: return nil
        }
    }

    /// Normalized second moment E|x - Q(x)|^2 / (n V^(2/n)) for x uniform over many cells: 1/12 for scalars. Known exactly or to the digits given for the lattices by name,
    /// by formula for Babai's searches; nil where it would have to be measured (an exact search on a basis, a codebook, a scalar with a dead zone).
    public var normalizedSecondMoment: Double? {
        switch form {
        case .scalar(let scalar): return scalar.dead_zone > 0.5 ? nil : 1.0 / 12
        case .lattice(let lattice): return Self.normalizedSecondMoment(lattice, dimension)
        case .basis(let basis): return basis.normalizedSecondMoment
        case .codebook: return nil
        }
    }

    /// Rows that span the lattice at this scale, row by row; nil for a codebook.
    public var basis: [Float]? {
        switch form {
        case .scalar: return (0 ..< dimension * dimension).map { $0 % (dimension + 1) == 0 ? scale : 0 }
        case .lattice(let lattice):
            var rows = [Float](repeating: 0, count: dimension * dimension)
            nck_lattice_basis(lattice, dimension, &rows)
            return rows.map { $0 * scale }
        case .basis(let basis): return basis.rows
        case .codebook: return nil
        }
    }

    /// The rows of `basis`, or the codewords, which may be many: without a copy of them.
    func withRows<Result>(_ body: (UnsafeBufferPointer<Float>) throws -> Result) rethrows -> Result {
        if case .codebook(let codebook) = form { return try codebook.withRows(body) }
        return try (basis ?? []).withUnsafeBufferPointer(body)
    }
}
