// SPDX-License-Identifier: Apache-2.0
import CKernels

/// What codes a quantizer's indices: they become the integers that `LatticeCoder` codes, and scales become scale indices.
struct IndexCoder: Sendable {
    private let coder: LatticeCoder
    /// Between indices and points; nil where the indices themselves are coded.
    private let coordinates: LatticeCoordinates?
    /// What a coded integer's step of 1 is in the units of the vectors: scales are divided by it.
    private let step: Float
    private let dimension: Int

    init(_ quantizer: Quantizer) throws {
        dimension = quantizer.dimension
        var kind = LatticeKind.integers
        if case .lattice(let lattice) = quantizer.form {
            let kinds: [nck_lattice: LatticeKind] = [NCK_LATTICE_DN: .even, NCK_LATTICE_E8: .gosset, NCK_LATTICE_BW16: .barnesWall, NCK_LATTICE_LEECH: .leech]
            kind = kinds[lattice] ?? .integers
        }
        if case .codebook = quantizer.form {
            throw CodecError(.unsupported, "the indices of a codebook cannot be coded: there is no model of their probabilities")
        }
        coder = try LatticeCoder(kind, dimension: dimension)
        coordinates = kind == .integers ? nil : LatticeCoordinates(kind, dimension: dimension)
        step = kind == .gosset ? quantizer.scale / 2 : quantizer.scale
    }

    // MARK: - Rate, encode and decode

    func rate(_ indices: UnsafeBufferPointer<Int32>, _ scales: UnsafeBufferPointer<Float>, vectors: UnsafeMutablePointer<Double>?) throws -> Double {
        try withScaleIndices(of: scales, indices.count) { scales in try withPoints(of: indices) { try coder.rate($0, scaleIndices: scales, vectors: vectors) } }
    }

    func encode(_ indices: UnsafeBufferPointer<Int32>, _ scales: UnsafeBufferPointer<Float>) throws -> ByteBuffer {
        try withScaleIndices(of: scales, indices.count) { scales in try withPoints(of: indices) { try coder.encode($0, scaleIndices: scales) } }
    }

    /// Writes to `indices` only when everything is decoded.
    func decode(_ data: UnsafeRawBufferPointer, _ scales: UnsafeBufferPointer<Float>, into indices: UnsafeMutableBufferPointer<Int32>) throws {
        try withScaleIndices(of: scales, indices.count) { scales in
            let memory = try ByteBuffer(count: 4 * indices.count)
            try withExtendedLifetime(memory) {
                let points = memory.bytes.bindMemory(to: Int32.self)
                try coder.decode(data, scaleIndices: scales, into: points)
                guard let source = points.baseAddress, let target = indices.baseAddress else { return }
                guard let coordinates else { return target.update(from: source, count: points.count) }
                for first in stride(from: 0, to: points.count, by: dimension) { coordinates.coordinates(source + first, into: target + first) }
            }
        }
    }

    // MARK: - Points and scale indices

    private func withPoints<Result>(of indices: UnsafeBufferPointer<Int32>, _ body: (UnsafeBufferPointer<Int32>) throws -> Result) throws -> Result {
        guard let coordinates, let source = indices.baseAddress else { return try body(indices) }
        let memory = try ByteBuffer(count: 4 * indices.count)
        return try withExtendedLifetime(memory) {
            let points = memory.bytes.bindMemory(to: Int32.self)
            for first in stride(from: 0, to: indices.count, by: dimension) {
                guard coordinates.point(source + first, largest: coder.largest, into: points.baseAddress! + first) else {
                    throw CodecError(.invalidArgument, "the indices of vector \(first / dimension) are those of a point too far out to be coded, beyond 2^20 times the scale")
                }
            }
            return try body(UnsafeBufferPointer(points))
        }
    }

    /// Scales are one for all, one for each vector or one for each coordinate of `length`.
    private func withScaleIndices<Result>(
        of scales: UnsafeBufferPointer<Float>, _ length: Int, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) throws -> Result {
        guard length % dimension == 0 else {
            throw CodecError(.invalidArgument, "\(length) indices are not a multiple of \(dimension), the quantizer's indices a vector")
        }
        let count = length / dimension
        guard scales.count == 1 || scales.count == count || scales.count == length else {
            let given = "\(scales.count) scales for \(count) vectors of \(dimension)"
            throw CodecError(.invalidArgument, given + ": there must be one for all, one for each vector, or one for each coordinate")
        }
        let isOneForAll = scales.count == 1 && count != 1
        let memory = try ByteBuffer(count: max(scales.count, isOneForAll ? count : 0))
        return try withExtendedLifetime(memory) {
            let indices = memory.bytes.bindMemory(to: UInt8.self)
            GaussianTables.scaleIndices(scales, step: step, into: indices)
            guard isOneForAll else { return try body(UnsafeBufferPointer(indices)) }
            let own = UnsafeMutableBufferPointer(rebasing: indices[..<count])
            if count > 0 { own.update(repeating: indices[0]) }
            return try body(UnsafeBufferPointer(own))
        }
    }
}

// MARK: -

extension Quantizer {
    /// Bits of the model for indices as `quantize` gives them, the sum of -log2 of the coder's probabilities; `vectors`, if given, gets those of each vector. `encode` writes
    /// within 32 bytes and a few parts in 10^5 of that.
    ///
    /// `scales` are the standard deviations of the vectors' coordinates before they were quantized, in the vectors' units and around 0 (of "scalar": around the offset): one
    /// for all, one for each vector, or one for each coordinate. They are divided by `scale`, and that selects one of 128 tables by comparisons; NaN counts as 0. Of
    /// "an", "a2" and a basis the coordinates x B^-1 are coded one by one: there, scales are their standard deviations, times `scale`.
    ///
    /// Throws `.unsupported` for a codebook, `.invalidArgument` for numbers of values that do not fit and for points beyond 2^20 * `scale`.
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
