// SPDX-License-Identifier: Apache-2.0
import CKernels

/// Codes the indices of lattices that have a model of their points (`LatticeCoder`): indices become points, and scales become scale indices.
struct PointCoder: IndexModel {
    private let coder: LatticeCoder
    /// Between indices and points; nil where the indices themselves are coded.
    private let coordinates: LatticeCoordinates?
    /// What a coded integer's step of 1 is in the units of the vectors: scales are divided by it.
    private let step: Float

    init(_ quantizer: Quantizer) throws {
        var kind = LatticeKind.integers
        if case .lattice(let lattice) = quantizer.form {
            let kinds: [nck_lattice: LatticeKind] = [NCK_LATTICE_DN: .even, NCK_LATTICE_E8: .gosset, NCK_LATTICE_BW16: .barnesWall, NCK_LATTICE_LEECH: .leech]
            kind = kinds[lattice] ?? .integers
        }
        coder = try LatticeCoder(kind, dimension: quantizer.dimension)
        coordinates = kind == .integers ? nil : LatticeCoordinates(kind, dimension: quantizer.dimension)
        step = kind == .gosset ? quantizer.scale / 2 : quantizer.scale
    }

    func rate(_ indices: UnsafeBufferPointer<Int32>, _ scales: VectorScales, vectors: UnsafeMutablePointer<Double>?) throws -> Double {
        try withScaleIndices(of: scales) { scales in try withPoints(of: indices) { try coder.rate($0, scaleIndices: scales, vectors: vectors) } }
    }

    func encode(_ indices: UnsafeBufferPointer<Int32>, _ scales: VectorScales) throws -> ByteBuffer {
        try withScaleIndices(of: scales) { scales in try withPoints(of: indices) { try coder.encode($0, scaleIndices: scales) } }
    }

    func decode(_ data: UnsafeRawBufferPointer, _ scales: VectorScales, into indices: UnsafeMutableBufferPointer<Int32>) throws {
        try withScaleIndices(of: scales) { try coder.decode(data, scaleIndices: $0, into: indices) }
        guard let coordinates, let first = indices.baseAddress else { return }
        var point = [Int32](repeating: 0, count: coder.dimension)
        for place in stride(from: 0, to: indices.count, by: coder.dimension) {
            for i in 0 ..< coder.dimension { point[i] = first[place + i] }
            coordinates.coordinates(point, into: first + place)
        }
    }

    private func withPoints<Result>(of indices: UnsafeBufferPointer<Int32>, _ body: (UnsafeBufferPointer<Int32>) throws -> Result) throws -> Result {
        guard let coordinates, let source = indices.baseAddress else { return try body(indices) }
        let memory = try ByteBuffer(count: 4 * indices.count)
        return try withExtendedLifetime(memory) {
            let points = memory.bytes.bindMemory(to: Int32.self), dimension = coder.dimension
            for first in stride(from: 0, to: indices.count, by: dimension) {
                guard coordinates.point(source + first, largest: coder.largest, into: points.baseAddress! + first) else {
                    throw CodecError(.invalidArgument, "the indices of vector \(first / dimension) are those of a point too far out to be coded, beyond 2^20 times the scale")
                }
            }
            return try body(UnsafeBufferPointer(points))
        }
    }

    private func withScaleIndices<Result>(of scales: VectorScales, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result) throws -> Result {
        let isOneForAll = scales.perVector == 0
        let memory = try ByteBuffer(count: max(scales.values.count, isOneForAll ? scales.count : 0))
        return try withExtendedLifetime(memory) {
            let indices = memory.bytes.bindMemory(to: UInt8.self)
            GaussianTables.scaleIndices(scales.values, step: step, into: indices)
            guard isOneForAll else { return try body(UnsafeBufferPointer(indices)) }
            let own = UnsafeMutableBufferPointer(rebasing: indices[..<scales.count])
            if scales.count > 0 { own.update(repeating: indices[0]) }
            return try body(UnsafeBufferPointer(own))
        }
    }
}
