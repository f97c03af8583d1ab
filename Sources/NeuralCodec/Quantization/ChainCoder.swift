// SPDX-License-Identifier: Apache-2.0
import CKernels

/// Entropy coding of the coordinates of points on any basis: from the last to the first, each as a rounded Gaussian given those after it (docs/quantizers.md, "The chain
/// of a basis"). Immutable; any number of calls may use it at once.
final class ChainCoder: IndexModel, @unchecked Sendable {
    private let dimension: Int
    private let chain: UnsafePointer<nck_chain>
    /// For the exact search: coordinates on the reduced basis are coded.
    private let change: BasisChange?
    private let tables: CodingTables
    /// Holds what `chain` points to.
    private let memory: ByteBuffer

    /// Of a coordinate, both on the basis as given and as it is coded.
    static let largest = Int32(NCK_CHAIN_MOST)

    init(_ quantizer: BasisQuantizer) throws {
        tables = try GaussianTables.shifted()
        (dimension, change, memory, chain) = try quantizer.withPrepared { basis in
            let n = basis.pointee.n
            var cell = NCK_CELL_ROUNDING, change: BasisChange?
            switch quantizer.search {
            case .babai: break
            case .nearestPlane: cell = NCK_CELL_GIVEN
            case .exact:
                change = BasisChange(basis.pointee.transform, n)
                cell = change == nil ? NCK_CELL_GIVEN : NCK_CELL_REDUCED
            }
            let memory = try ByteBuffer(count: nck_chain_size(n))
            return (n, change, memory, nck_chain_prepare(basis, cell, quantizer.correlation, memory.bytes.baseAddress)!)
        }
    }

    // MARK: - Rate, encode and decode

    func rate(_ indices: UnsafeBufferPointer<Int32>, _ scales: VectorScales, vectors: UnsafeMutablePointer<Double>?) throws -> Double {
        let coded = try Vectors(self, scales)
        return try withCoordinates(of: indices) { try coded.rate($0, vectors: vectors) }
    }

    func encode(_ indices: UnsafeBufferPointer<Int32>, _ scales: VectorScales) throws -> ByteBuffer {
        let coded = try Vectors(self, scales)
        return try withCoordinates(of: indices) { try coded.encode($0) }
    }

    func decode(_ data: UnsafeRawBufferPointer, _ scales: VectorScales, into indices: UnsafeMutableBufferPointer<Int32>) throws {
        try Vectors(self, scales).decode(data, into: indices)
        guard let change, var place = indices.baseAddress else { return }
        var coordinates = [Int32](repeating: 0, count: dimension)
        for _ in 0 ..< indices.count / dimension {
            for i in 0 ..< dimension { coordinates[i] = place[i] }
            guard change.toGiven(coordinates, largest: Self.largest, into: place) else { throw CodecError(.badStream, "the entropy-coded data is damaged") }
            place += dimension
        }
    }

    /// The coordinates that are coded.
    private func withCoordinates<Result>(of indices: UnsafeBufferPointer<Int32>, _ body: (UnsafeBufferPointer<Int32>) throws -> Result) throws -> Result {
        let memory = try ByteBuffer(count: change == nil ? 0 : 4 * indices.count)
        let coordinates = memory.bytes.bindMemory(to: Int32.self)
        for first in stride(from: 0, to: indices.count, by: dimension) {
            let u = indices.baseAddress! + first
            let isNear = (0 ..< dimension).allSatisfy { u[$0].magnitude <= Self.largest.magnitude }
            guard isNear, change?.toReduced(u, largest: Self.largest, into: coordinates.baseAddress! + first) ?? true else {
                let vector = "the indices of vector \(first / dimension)"
                throw CodecError(.invalidArgument, vector + " are those of a point too far out to be coded, with coordinates beyond 2^19")
            }
        }
        return try withExtendedLifetime(memory) { try body(change == nil ? indices : UnsafeBufferPointer(coordinates)) }
    }

    private struct Vectors: CodedVectors {
        let coder: ChainCoder
        let scales: VectorScales
        private let state: UnsafeMutablePointer<nck_chain_state>
        private let memory: ByteBuffer

        var dimension: Int { coder.dimension }
        var largest: Int32 { ChainCoder.largest }
        var mostSteps: Int { coder.dimension * StepRecorder.stepsOfValue }

        init(_ coder: ChainCoder, _ scales: VectorScales) throws {
            (self.coder, self.scales) = (coder, scales)
            memory = try ByteBuffer(count: nck_chain_state_size(coder.dimension))
            state = memory.bytes.baseAddress!.assumingMemoryBound(to: nck_chain_state.self)
            state.pointee.known = 0
        }

        @inline(__always)
        func walk<Coder: SymbolCoder>(_ index: Int, _ x: UnsafeMutablePointer<Int32>, lane: Int, _ symbols: inout Coder) {
            nck_chain_begin(coder.chain, scales.values.baseAddress! + index * scales.perVector, scales.step, state)
            for i in (0 ..< dimension).reversed() {
                let place = nck_chain_place(state, i)
                // There are tables of positive shifts: a mean below its integer is that of the mirrored coordinate.
                let isBelow = place.shift < 0, table = GaussianTables.shifted(place.scale, place.shift)
                let distance = symbols.value(isBelow ? place.nearest - x[i] : x[i] - place.nearest, coder.tables, table, lane: (lane + i) % RANS.lanes)
                x[i] = isBelow ? place.nearest - distance : place.nearest + distance
                nck_chain_note(coder.chain, state, i, x[i])
            }
        }
    }
}
