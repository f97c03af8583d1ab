// SPDX-License-Identifier: Apache-2.0
import CKernels

/// How a network's latents become integers.
enum LatentQuantizer {
    /// symbol = round(y - mean), y_hat = symbol + mean.
    case scalar
    /// Groups of neighbouring channels are vectors on a lattice of the model's own.
    case basis(BasisLattice)
    /// Groups of neighbouring channels are vectors on a classical lattice.
    case classical(ClassicalLattice)
}

/// A learned lattice, "Learning Optimal Lattice Vector Quantizers for End-to-end Neural Image Compression" (NeurIPS 2024): means m and scales are those of the coordinates
/// u; y_hat = (u + m) B. An encoder takes u = round(y B^-1 - m) (Babai), or the u of the point that is closest to y - m B.
struct BasisLattice {
    let dimension: Int
    /// One basis for each group of channels in turn, or one for all.
    let quantizers: [BasisQuantizer]
    let bases: [UnsafePointer<Float>]
    let searchesExactly: Bool

    /// out = in times a matrix, vector by vector, in the groups of some channels.
    private func transform(
        _ context: LayerContext, _ matrices: [UnsafePointer<Float>], _ channels: Range<Int>, _ input: UnsafePointer<Float>, _ inputStep: Int,
        _ output: UnsafeMutablePointer<Float>, _ outputStep: Int, _ count: Int
    ) {
        for (index, group) in (channels.lowerBound / dimension ..< channels.upperBound / dimension).enumerated() {
            context.kernels.lattice_transform(
                matrices[group % matrices.count], dimension, input + index * dimension, inputStep, output + index * dimension, outputStep, count)
        }
    }

    /// Latents to coordinates, in place, where rounding is all there is to do.
    func prepare(_ context: LayerContext, _ values: UnsafeMutablePointer<Float>, _ step: Int, _ channels: Int, _ count: Int) {
        guard !searchesExactly else { return }
        transform(context, quantizers.map(\.inverse), 0 ..< channels, values, step, values, step, count)
    }

    /// Coordinates u + m, in place, to y_hat.
    func rebuild(_ context: LayerContext, _ channels: Range<Int>, _ values: UnsafeMutablePointer<Float>, _ step: Int, _ count: Int) {
        transform(context, bases, channels, values, step, values, step, count)
    }

    /// The exact search: `y` to `symbols`; means m are left as they are. `scratch` as `scratchCount` says.
    func search(
        _ context: LayerContext, _ constants: ChannelConstants, _ channels: Range<Int>, y: UnsafePointer<Float>, _ yStep: Int, means: UnsafePointer<Float>, _ meanStep: Int,
        symbols: UnsafeMutablePointer<Int32>, _ count: Int, scratch: UnsafeMutablePointer<Float>
    ) {
        let width = channels.count
        let vector = scratch + count * width
        let searching = vector + ((dimension + 15) & ~15)
        transform(context, bases, channels, means, meanStep, scratch, width, count)
        context.kernels.scale(constants.minusOnes, width, scratch, width, scratch, width, count)
        context.kernels.add(width, y, yStep, scratch, width, scratch, width, count)
        for position in 0 ..< count {
            for (index, group) in (channels.lowerBound / dimension ..< channels.upperBound / dimension).enumerated() {
                let start = position * width + index * dimension
                vector.update(from: scratch + start, count: dimension)
                quantizers[group % quantizers.count].quantize(context.kernels, vector, 1, nil, symbols + start, nil, UnsafeMutableRawPointer(searching))
            }
        }
    }

    func scratchCount(_ channels: Int) -> Int {
        guard searchesExactly else { return 0 }
        return ThreadTeam.spanLength * channels + dimension + 16 + (quantizers.map { $0.scratchSize(vectors: 1) }.max() ?? 0) / 4 + 64
    }
}

/// E8, Barnes-Wall or Leech: y_hat = point + mean. Points are coded with the exact model of docs/quantizers.md.
struct ClassicalLattice {
    let lattice: nck_lattice
    let scale: Float
    let coder: LatticeCoder
    private let coordinates: LatticeCoordinates
    /// What a coded integer's step of 1 is in the latents' units.
    private let step: Float

    var dimension: Int { coder.dimension }

    static let kinds: [String: (lattice: nck_lattice, kind: LatticeKind, dimension: Int)] = [
        "e8": (NCK_LATTICE_E8, .gosset, 8), "barnes-wall": (NCK_LATTICE_BW16, .barnesWall, 16), "leech": (NCK_LATTICE_LEECH, .leech, 24),
    ]

    init(_ known: (lattice: nck_lattice, kind: LatticeKind, dimension: Int), scale: Float) throws {
        lattice = known.lattice
        self.scale = scale
        coder = try LatticeCoder(known.kind, dimension: known.dimension)
        coordinates = LatticeCoordinates(known.kind, dimension: known.dimension)
        step = known.kind == .gosset ? scale / 2 : scale
    }

    /// Scale indices of `count` positions whose raw scales are `stride` floats apart.
    func indices(_ scales: UnsafePointer<Float>, stride: Int, _ channels: Int, _ count: Int, into indices: UnsafeMutablePointer<UInt8>) {
        for position in 0 ..< count {
            GaussianTables.scaleIndices(
                UnsafeBufferPointer(start: scales + position * stride, count: channels), step: step,
                into: UnsafeMutableBufferPointer(start: indices + position * channels, count: channels))
        }
    }

    /// Encoder: the points nearest to y - mean as integers, and y_hat in the place of the means.
    func quantize(
        _ context: LayerContext, _ constants: ChannelConstants, _ channels: Int, y: UnsafePointer<Float>, _ yStep: Int, means: UnsafeMutablePointer<Float>, _ meanStep: Int,
        points: UnsafeMutablePointer<Int32>, _ count: Int, scratch: UnsafeMutablePointer<Float>
    ) {
        let (difference, n) = (scratch, dimension)
        context.kernels.scale(constants.minusOnes, channels, means, meanStep, difference, channels, count)
        context.kernels.add(channels, y, yStep, difference, channels, difference, channels, count)
        context.kernels.quantizers.nearest(lattice, n, scale, difference, difference, points, count * channels / n)
        context.kernels.add(channels, difference, channels, means, meanStep, means, meanStep, count)
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: n) { u in
            for first in Swift.stride(from: 0, to: count * channels, by: n) {
                u.baseAddress!.update(from: points + first, count: n)
                coordinates.point(u.baseAddress!, into: points + first)
            }
        }
    }

    /// Decoder: y_hat in the place of the means. Overwrites the points.
    func rebuild(
        _ context: LayerContext, _ channels: Int, points: UnsafeMutablePointer<Int32>, means: UnsafeMutablePointer<Float>, _ meanStep: Int, _ count: Int,
        scratch: UnsafeMutablePointer<Float>
    ) {
        let n = dimension
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: n) { x in
            for first in Swift.stride(from: 0, to: count * channels, by: n) {
                x.baseAddress!.update(from: points + first, count: n)
                coordinates.coordinates(x.baseAddress!, into: points + first)
            }
        }
        context.kernels.quantizers.lattice_points(lattice, n, scale, points, scratch, count * channels / n)
        context.kernels.add(channels, scratch, channels, means, meanStep, means, meanStep, count)
    }

    func scratchCount(_ channels: Int) -> Int { ThreadTeam.spanLength * channels }
}

/// Values that are the same in all channels.
struct ChannelConstants {
    let ones, zeros, minusOnes: UnsafePointer<Float>

    init(_ loader: WeightLoader, channels: Int) throws {
        func constant(_ value: Float) throws -> UnsafePointer<Float> {
            let values = try loader.allocate(Float.self, channels)
            values.update(repeating: value, count: channels)
            return UnsafePointer(values)
        }
        (ones, zeros, minusOnes) = (try constant(1), try constant(0), try constant(-1))
    }
}

extension LatentQuantizer {
    /// Metadata "quantizer" is "scalar" or "lattice". Hyperparameter "lattice" is "e8", "barnes-wall", "leech" (tensor lattice.scale, one value) or "basis" (tensor
    /// lattice.basis (groups, n, n), rows spanning the lattice; "lattice_search": "babai" or "exact", which only encoders use).
    init(_ loader: WeightLoader, _ parameters: NetworkParameters, _ name: String, slices: [Int]) throws {
        guard name == "lattice" else {
            self = .scalar
            return
        }
        let channels = slices.reduce(0, +)
        let lattice = try parameters.text("lattice")
        if let known = ClassicalLattice.kinds[lattice] {
            let scale = try loader.floats("lattice.scale", [1])[0]
            guard (0x1p-20...0x1p20).contains(scale) else { throw CodecError(.badModel, "tensor 'lattice.scale' (\(scale)) is not in 2^-20...2^20") }
            try Self.check(slices, known.dimension, lattice)
            self = .classical(try ClassicalLattice(known, scale: scale))
            return
        }
        guard lattice == "basis" else {
            throw CodecError(.badModel, "hyperparameter 'lattice' is '\(lattice)', and known are 'e8', 'barnes-wall', 'leech', 'basis'")
        }
        let shape = try loader.tensor("lattice.basis", ["F32", "F16"], nil).shape
        guard shape.count == 3, shape[1] == shape[2], (1...Quantizer.mostDimensions).contains(shape[1]) else {
            throw CodecError(.badModel, "tensor 'lattice.basis' has shape \(shape), not (groups, n, n) with n at most \(Quantizer.mostDimensions)")
        }
        let (groups, n) = (shape[0], shape[1])
        try Self.check(slices, n, "basis of \(n) dimensions")
        guard groups == 1 || groups == channels / n else {
            throw CodecError(.badModel, "tensor 'lattice.basis' has \(groups) bases, and \(channels) channels make \(channels / n) groups of \(n)")
        }
        let values = try loader.floats("lattice.basis", shape)
        let search = try parameters.text("lattice_search")
        guard ["babai", "exact"].contains(search) else { throw CodecError(.badModel, "hyperparameter 'lattice_search' is '\(search)', and known are 'babai', 'exact'") }
        let bases = (0 ..< groups).map { UnsafePointer(values + $0 * n * n) }
        let quantizers = try bases.map { basis in
            do {
                return try BasisQuantizer(
                    rows: Array(UnsafeBufferPointer(start: basis, count: n * n)), dimension: n, scale: 1, search: search == "exact" ? .exact(nodeLimit: 1 << 20) : .babai)
            } catch let error as CodecError where error.status == .invalidArgument {
                throw CodecError(.badModel, "tensor 'lattice.basis': \(error.message)")
            }
        }
        self = .basis(BasisLattice(dimension: n, quantizers: quantizers, bases: bases, searchesExactly: search == "exact"))
    }

    private static func check(_ slices: [Int], _ dimension: Int, _ lattice: String) throws {
        if let slice = slices.first(where: { $0 % dimension != 0 }) {
            throw CodecError(.badModel, "\(slice) channels are no whole vectors of the lattice '\(lattice)', which has \(dimension) dimensions")
        }
    }

    /// Floats beside what the context model needs.
    func scratchCount(_ channels: Int) -> Int {
        switch self {
        case .scalar: 0
        case .basis(let lattice): lattice.scratchCount(channels)
        case .classical(let lattice): lattice.scratchCount(channels)
        }
    }

    var latticeCoder: LatticeCoder? { if case .classical(let lattice) = self { lattice.coder } else { nil } }
}
