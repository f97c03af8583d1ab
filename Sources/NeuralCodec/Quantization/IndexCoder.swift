// SPDX-License-Identifier: Apache-2.0
import CKernels

/// What codes a quantizer's indices: a model of the quantizer's points, behind the checks that are the same for all.
struct IndexCoder: Sendable {
    private let model: any IndexModel
    private let dimension: Int

    init(_ quantizer: Quantizer) throws {
        dimension = quantizer.dimension
        switch quantizer.form {
        case .codebook: throw CodecError(.unsupported, "the indices of a codebook cannot be coded: there is no model of their probabilities")
        case .basis(let basis): model = try ChainCoder(basis)
        case .lattice(NCK_LATTICE_AN):
            model = try ChainCoder(BasisQuantizer(rows: quantizer.basis ?? [], dimension: dimension, scale: 1, search: .exact(nodeLimit: 0)))
        case .scalar, .lattice: model = try PointCoder(quantizer)
        }
    }

    func rate(_ indices: UnsafeBufferPointer<Int32>, _ scales: UnsafeBufferPointer<Float>, vectors: UnsafeMutablePointer<Double>?) throws -> Double {
        try model.rate(indices, checked(scales, indices.count), vectors: vectors)
    }

    func encode(_ indices: UnsafeBufferPointer<Int32>, _ scales: UnsafeBufferPointer<Float>) throws -> ByteBuffer {
        try model.encode(indices, checked(scales, indices.count))
    }

    /// Writes to `indices` only when everything is decoded.
    func decode(_ data: UnsafeRawBufferPointer, _ scales: UnsafeBufferPointer<Float>, into indices: UnsafeMutableBufferPointer<Int32>) throws {
        let scales = try checked(scales, indices.count), memory = try ByteBuffer(count: 4 * indices.count)
        try withExtendedLifetime(memory) {
            let decoded = memory.bytes.bindMemory(to: Int32.self)
            try model.decode(data, scales, into: decoded)
            _ = indices.update(fromContentsOf: decoded)
        }
    }

    private func checked(_ scales: UnsafeBufferPointer<Float>, _ length: Int) throws -> VectorScales {
        guard length % dimension == 0 else {
            throw CodecError(.invalidArgument, "\(length) indices are not a multiple of \(dimension), the quantizer's indices a vector")
        }
        let count = length / dimension
        switch scales.count {
        case 1: return VectorScales(values: scales, count: count, perVector: 0, step: 0)
        case count: return VectorScales(values: scales, count: count, perVector: 1, step: 0)
        case length: return VectorScales(values: scales, count: count, perVector: dimension, step: 1)
        default:
            let given = "\(scales.count) scales for \(count) vectors of \(dimension)"
            throw CodecError(.invalidArgument, given + ": there must be one for all, one for each vector, or one for each coordinate")
        }
    }
}

/// Scales of `count` vectors: those of one vector are `perVector` after the last one's, those of its coordinates `step` apart.
struct VectorScales {
    let values: UnsafeBufferPointer<Float>
    let count: Int
    let perVector: Int
    let step: Int
}

/// Codes whole vectors of indices, each with its scales.
protocol IndexModel: Sendable {
    func rate(_ indices: UnsafeBufferPointer<Int32>, _ scales: VectorScales, vectors: UnsafeMutablePointer<Double>?) throws -> Double
    func encode(_ indices: UnsafeBufferPointer<Int32>, _ scales: VectorScales) throws -> ByteBuffer
    /// What is in `indices` after an error means nothing.
    func decode(_ data: UnsafeRawBufferPointer, _ scales: VectorScales, into indices: UnsafeMutableBufferPointer<Int32>) throws
}

// MARK: -

extension Quantizer {
    /// Bits of the model for indices as `quantize` gives them, the sum of -log2 of the coder's probabilities; `vectors`, if given, gets those of each vector. `encode` writes
    /// within 32 bytes and a few parts in 10^5 of that.
    ///
    /// `scales` are the standard deviations of the vectors' coordinates before they were quantized, in the vectors' units and around 0 (of "scalar": around the offset): one
    /// for all, one for each vector, or one for each coordinate. NaN counts as 0. The coordinates are taken to be independent, of a basis to have its `correlation`. A decoder needs
    /// the same scales and quantizer; of a basis that includes the search and the correlation.
    ///
    /// Throws `.unsupported` for a codebook, `.invalidArgument` for numbers of values that do not fit, for points beyond 2^20 * `scale`, and of "an", "a2" and a basis for
    /// coordinates beyond 2^19.
    public func rate(_ indices: UnsafeBufferPointer<Int32>, scales: UnsafeBufferPointer<Float>, vectors: UnsafeMutablePointer<Double>? = nil) throws -> Double {
        try indexCoder().rate(indices, scales, vectors: vectors)
    }

    /// Entropy-codes indices; the same indices, scales and quantizer give the same bytes on every machine. Scales and errors: see `rate`.
    public func encode(_ indices: UnsafeBufferPointer<Int32>, scales: UnsafeBufferPointer<Float>) throws -> ByteBuffer {
        try indexCoder().encode(indices, scales)
    }

    /// Decodes as many indices as there is room for, which has to be the number that was encoded, with the same scales. Throws `.badStream` where `encode` cannot have
    /// written the data, and then leaves `indices` alone. Damage may go unnoticed and give other indices, of points all the same.
    public func decode(_ data: UnsafeRawBufferPointer, scales: UnsafeBufferPointer<Float>, into indices: UnsafeMutableBufferPointer<Int32>) throws {
        try indexCoder().decode(data, scales, into: indices)
    }

    private func indexCoder() throws -> IndexCoder { try coder.value { try IndexCoder(self) } }
}
