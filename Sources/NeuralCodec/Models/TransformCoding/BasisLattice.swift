// SPDX-License-Identifier: Apache-2.0
import CKernels

/// A learned lattice, "Learning Optimal Lattice Vector Quantizers for End-to-end Neural Image Compression" (NeurIPS 2024): groups of neighbouring channels are vectors, means m
/// and scales are those of the coordinates u, y_hat = (u + m) B. An encoder takes u = round(y B^-1 - m) (Babai), or the u of the point that is closest to y - m B.
struct BasisLattice: LatentQuantizer {
    private let parameters: GaussianParameters
    private let dimension: Int
    /// One basis for each group of channels in turn, or one for all; each searches as encoders shall.
    private let quantizers: [BasisQuantizer]
    private let bases, inverses: [UnsafePointer<Float>]
    private let searchesExactly: Bool

    /// Tensor lattice.basis (groups, n, n), rows spanning the lattice; hyperparameter "lattice_search" is "babai" or "exact".
    init(_ loader: WeightLoader, _ hyperparameters: NetworkParameters, _ parameters: GaussianParameters, slices: [Int]) throws {
        let shape = try loader.tensor("lattice.basis", ["F32", "F16"], nil).shape
        guard shape.count == 3, shape[1] == shape[2], (1...Quantizer.mostDimensions).contains(shape[1]) else {
            throw CodecError(.badModel, "tensor 'lattice.basis' has shape \(shape), not (groups, n, n) with n at most \(Quantizer.mostDimensions)")
        }
        let (groups, n, channels) = (shape[0], shape[1], slices.reduce(0, +))
        try checkWholeVectors(slices, n, "basis of \(n) dimensions")
        guard groups == 1 || groups == channels / n else {
            throw CodecError(.badModel, "tensor 'lattice.basis' has \(groups) bases, and \(channels) channels make \(channels / n) groups of \(n)")
        }
        let values = try loader.floats("lattice.basis", shape)
        let search = try hyperparameters.text("lattice_search")
        guard ["babai", "exact"].contains(search) else { throw CodecError(.badModel, "hyperparameter 'lattice_search' is '\(search)', and known are 'babai', 'exact'") }
        searchesExactly = search == "exact"
        self.parameters = parameters
        dimension = n
        bases = (0 ..< groups).map { UnsafePointer(values + $0 * n * n) }
        quantizers = try bases.map { basis in
            do {
                return try BasisQuantizer(
                    rows: Array(UnsafeBufferPointer(start: basis, count: n * n)), dimension: n, scale: 1, search: search == "exact" ? .exact(nodeLimit: 1 << 20) : .babai)
            } catch let error as CodecError where error.status == .invalidArgument {
                throw CodecError(.badModel, "tensor 'lattice.basis': \(error.message)")
            }
        }
        inverses = quantizers.map(\.inverse)
    }

    func scratchCount(_ channels: Int) -> Int {
        guard searchesExactly else { return 0 }
        return ThreadTeam.spanLength * channels + dimension + 16 + (quantizers.map { $0.scratchSize(vectors: 1) }.max() ?? 0) / 4 + 64
    }

    /// Latents to coordinates, where rounding is all there is to do.
    func prepare(_ run: LayerRun, _ latents: FeatureMap) {
        guard !searchesExactly else { return }
        run.spans(latents) { context, span, _ in
            takeCoordinates(context.kernels, latents.at(span.row, span.start), channels: latents.channels, count: span.count)
        }
    }

    func takeCoordinates(_ kernels: nck_kernels, _ latents: UnsafeMutablePointer<Float>, channels: Int, count: Int) {
        transform(kernels, inverses, 0 ..< channels, latents, channels, latents, channels, count)
    }

    func setParameters(_ part: LatentPart, _ raw: UnsafePointer<Float>) { parameters.set(part, raw) }

    func quantize(_ part: LatentPart, _ y: UnsafePointer<Float>, _ yStep: Int) {
        guard searchesExactly else {
            part.context.kernels.quantize(parameters.ones, part.width, y, yStep, part.values, part.step, part.symbols, part.count)
            return leaveCoordinates(part)
        }
        search(part, y, yStep)
        rebuild(part)
    }

    func rebuild(_ part: LatentPart) {
        part.context.kernels.reconstruct(part.symbols, part.width, part.values, part.step, part.count)
        leaveCoordinates(part)
    }

    /// u + m to y_hat.
    private func leaveCoordinates(_ part: LatentPart) {
        transform(part.context.kernels, bases, part.channels, part.values, part.step, part.values, part.step, part.count)
    }

    /// out = in times a matrix, vector by vector, in the groups of some channels.
    private func transform(
        _ kernels: nck_kernels, _ matrices: [UnsafePointer<Float>], _ channels: Range<Int>, _ input: UnsafePointer<Float>, _ inputStep: Int,
        _ output: UnsafeMutablePointer<Float>, _ outputStep: Int, _ count: Int
    ) {
        for (index, group) in groups(channels).enumerated() {
            kernels.lattice_transform(
                matrices[group % matrices.count], dimension, input + index * dimension, inputStep, output + index * dimension, outputStep, count)
        }
    }

    private func groups(_ channels: Range<Int>) -> Range<Int> { channels.lowerBound / dimension ..< channels.upperBound / dimension }

    /// The symbols of the points closest to y - m B.
    private func search(_ part: LatentPart, _ y: UnsafePointer<Float>, _ yStep: Int) {
        let (width, count, targets) = (part.width, part.count, part.scratch)
        let vector = targets + count * width
        let searching = vector + ((dimension + 15) & ~15)
        transform(part.context.kernels, bases, part.channels, part.values, part.step, targets, width, count)
        parameters.differences(part, y, yStep, means: targets, width, into: targets)
        for position in 0 ..< count {
            for (index, group) in groups(part.channels).enumerated() {
                let start = position * width + index * dimension
                vector.update(from: targets + start, count: dimension)
                quantizers[group % quantizers.count].quantize(
                    part.context.kernels, vector, 1, nil, part.symbols + start, nil, UnsafeMutableRawPointer(searching))
            }
        }
    }
}
