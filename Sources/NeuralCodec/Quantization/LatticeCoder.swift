// SPDX-License-Identifier: Apache-2.0

/// Entropy coding of lattice points: rANS (four states of 64 bits, as in a picture) with the exact probabilities of Gaussians on the lattice. The same points and
/// scales give the same bytes on every machine. Immutable; any number of calls may use it at once.
///
/// Points are vectors of `dimension` integers, in the units `LatticeKind` states; a scale index stands for a standard deviation in these units, before
/// quantization (`GaussianTables.scaleIndices`), and is given for each vector or for each coordinate.
final class LatticeCoder: Sendable {
    let kind: LatticeKind
    let dimension: Int
    fileprivate let form: Form

    fileprivate enum Form: @unchecked Sendable {
        case integers(CodingTables)
        case lattice(LatticeModel)
    }

    /// The largest magnitude of a coordinate: what the quantizers give at most. A symbol is at most half of that for a lattice.
    let largest: Int32
    static let mostDimensions = 64

    init(_ kind: LatticeKind, dimension: Int) throws {
        let own: [LatticeKind: Int] = [.gosset: 8, .barnesWall: 16, .leech: 24]
        guard (1 ... Self.mostDimensions).contains(dimension), dimension == own[kind] ?? dimension else {
            let possible = own[kind].map(String.init) ?? "1 to \(Self.mostDimensions)"
            throw CodecError(.invalidArgument, "a lattice of this kind cannot have \(dimension) dimensions (\(possible))")
        }
        self.kind = kind
        self.dimension = dimension
        largest = Int32(kind == .integers ? RANS.largestSymbol : 2 * RANS.largestSymbol)
        form = kind == .integers ? .integers(try GaussianTables.rounded()) : .lattice(try LatticeModel(kind, dimension: dimension))
    }

    // MARK: Rate

    /// The bits of the model for these points: the sum of -log2 of the coder's own probabilities. What `encode` writes differs by less than 32 bytes and a few parts
    /// in 10^5. If `vectors` is given, it gets the bits of each vector.
    func rate(_ points: UnsafeBufferPointer<Int32>, scaleIndices: UnsafeBufferPointer<UInt8>, vectors: UnsafeMutablePointer<Double>? = nil) throws -> Double {
        let coded = try coded(points.count, scaleIndices)
        try check(points)
        return try coded.rate(points, vectors: vectors)
    }

    // MARK: Encode and decode

    func encode(_ points: UnsafeBufferPointer<Int32>, scaleIndices: UnsafeBufferPointer<UInt8>) throws -> ByteBuffer {
        let coded = try coded(points.count, scaleIndices)
        try check(points)
        return try coded.encode(points)
    }

    /// Decodes as many points as `points` has room for: the number that was encoded. Throws `.badStream` where `encode` cannot have made the payload with these scales;
    /// damage may also go unnoticed and give other points of the lattice.
    func decode(_ payload: UnsafeRawBufferPointer, scaleIndices: UnsafeBufferPointer<UInt8>, into points: UnsafeMutableBufferPointer<Int32>) throws {
        try coded(points.count, scaleIndices).decode(payload, into: points)
    }

    // MARK: Helpers

    /// The vectors of so many coordinates with their scales.
    private func coded(_ coordinates: Int, _ scaleIndices: UnsafeBufferPointer<UInt8>) throws -> Vectors {
        Vectors(coder: self, layout: try Layout(coordinates, scaleIndices, dimension), walker: try Walker(self))
    }

    private struct Vectors: CodedVectors {
        let coder: LatticeCoder
        let layout: Layout
        let walker: Walker

        var dimension: Int { coder.dimension }
        var largest: Int32 { coder.largest }
        var mostSteps: Int { coder.mostSteps }

        @inline(__always)
        func walk<Coder: SymbolCoder>(_ index: Int, _ x: UnsafeMutablePointer<Int32>, lane: Int, _ symbols: inout Coder) {
            walker.walk(x, scales: layout.scales(of: index), step: layout.step, lane: lane, &symbols)
        }
    }

    /// Steps of a vector at most.
    var mostSteps: Int {
        switch form {
        case .integers: dimension * StepRecorder.stepsOfValue
        case .lattice(let model): model.mostSteps
        }
    }

    private func check(_ points: UnsafeBufferPointer<Int32>) throws {
        if let index = points.firstIndex(where: { $0.magnitude > largest.magnitude }) {
            throw CodecError(.invalidArgument, "the coordinate \(points[index]) of vector \(index / dimension) is beyond \(largest)")
        }
        guard case .lattice(let model) = form, let base = points.baseAddress else { return }
        for vector in 0 ..< points.count / dimension where !model.contains(base + vector * dimension) {
            throw CodecError(.invalidArgument, "vector \(vector) is no point of the lattice")
        }
    }

    /// Where the vectors' scales are.
    private struct Layout {
        let indices: UnsafeBufferPointer<UInt8>
        /// From one coordinate's index to the next: 0 if a vector has only one.
        let step: Int
        private let perVector: Int

        func scales(of vector: Int) -> UnsafePointer<UInt8> { indices.baseAddress! + vector * perVector }

        init(_ coordinates: Int, _ indices: UnsafeBufferPointer<UInt8>, _ dimension: Int) throws {
            guard coordinates % dimension == 0 else {
                throw CodecError(.invalidArgument, "\(coordinates) coordinates are no vectors of \(dimension)")
            }
            let count = coordinates / dimension
            guard indices.count == count || indices.count == coordinates else {
                let given = "\(indices.count) scale indices for \(count) vectors of \(dimension)"
                throw CodecError(.invalidArgument, given + ": there must be one for each vector, or for each coordinate")
            }
            if let bad = indices.first(where: { $0 >= GaussianTables.scales }) {
                throw CodecError(.invalidArgument, "scale index \(bad) is not below \(GaussianTables.scales)")
            }
            self.indices = indices
            step = indices.count == count ? 0 : 1
            perVector = indices.count == count ? 1 : dimension
        }
    }

    /// Walks over vectors, one at a time: what one call needs.
    struct Walker {
        private let coder: LatticeCoder
        private let scratch: LatticeScratch
        private let copy: ByteBuffer

        init(_ coder: LatticeCoder) throws {
            self.coder = coder
            scratch = try LatticeScratch(dimension: coder.dimension)
            copy = try ByteBuffer(count: 4 * coder.dimension)
        }

        /// The steps of the vector x, whose first symbol uses state `lane`. `scales`: its scale indices, `step` apart.
        @inline(__always)
        func record(_ x: UnsafePointer<Int32>, scales: UnsafePointer<UInt8>, step: Int, lane: Int, _ recorder: inout StepRecorder) {
            let own = copy.bytes.baseAddress!.assumingMemoryBound(to: Int32.self)
            own.update(from: x, count: coder.dimension)
            recorder.clear()
            walk(own, scales: scales, step: step, lane: lane, &recorder)
        }

        @inline(__always)
        func walk<Coder: SymbolCoder>(_ x: UnsafeMutablePointer<Int32>, scales: UnsafePointer<UInt8>, step: Int, lane: Int, _ symbols: inout Coder) {
            switch coder.form {
            case .integers(let tables):
                for i in 0 ..< coder.dimension { x[i] = symbols.value(x[i], tables, Int(scales[i * step]), lane: (lane + i) % RANS.lanes) }
            case .lattice(let model):
                model.prepare(scales, step: step, scratch)
                model.walk(x, lane: lane, scratch, &symbols)
            }
        }

        /// Decodes the vector x; what is beyond the coder's limit is refused.
        @inline(__always)
        func take(_ x: UnsafeMutablePointer<Int32>, scales: UnsafePointer<UInt8>, step: Int, lane: Int, _ decoder: inout StepDecoder) {
            x.update(repeating: 0, count: coder.dimension)
            walk(x, scales: scales, step: step, lane: lane, &decoder)
            for i in 0 ..< coder.dimension where x[i].magnitude > coder.largest.magnitude { decoder.refuse() }
        }
    }
}
