// SPDX-License-Identifier: Apache-2.0
import CKernels

/// The analysis transform of Ballé et al. (ICLR 2018) and Minnen et al. (NeurIPS 2018): four 5x5 convolutions of stride 2 with GDN between them. Picture (3, H, W) to
/// latents (M, H/16, W/16). Tensors as in CompressAI: PREFIX.0.weight, PREFIX.1.beta, ...
package struct BalleAnalysis {
    static let kernelSize = 5

    let convolutions: [DenseConvolution]
    let norms: [GDN]

    init(_ loader: WeightLoader, _ prefix: String, colours: Int, channels: Int, latentChannels: Int) throws {
        let widths = [colours, channels, channels, channels, latentChannels]
        convolutions = try (0 ..< 4).map { try loader.dense("\(prefix).\(2 * $0)", widths[$0], widths[$0 + 1], kernelSize: Self.kernelSize) }
        norms = try (0 ..< 3).map { try loader.gdn("\(prefix).\(2 * $0 + 1)", channels) }
    }

    /// Floats each worker needs: a span before its normalization, and its squares.
    var scratchCount: Int { 2 * ThreadTeam.spanLength * norms[0].channels }

    /// Maps of one picture whose sides are multiples of 16: the inputs of the second, third and fourth convolution, then the latents.
    func plan(_ plan: inout WorkspacePlan, rows: Int, columns: Int) -> [PlannedMap] {
        (0 ..< 4).map { plan.map(rows >> ($0 + 1), columns >> ($0 + 1), convolutions[$0].outputChannels, halo: $0 < 3 ? Self.kernelSize / 2 : 0) }
    }

    /// `picture` has a clear halo of 2; `maps` are those of `plan`, the last one receives the latents.
    func apply(_ context: LayerContext, _ picture: FeatureMap, _ maps: [FeatureMap], scratch: WorkerScratch) {
        for (index, convolution) in convolutions.enumerated() {
            let (input, output) = (index == 0 ? picture : maps[index - 1], maps[index])
            output.clearHalo()
            context.team.runSpans(rows: output.rows, columns: output.columns) { span, worker in
                guard index < norms.count else { return convolution.apply(context, span, from: input, stride: 2, to: output) }
                let channels = convolution.outputChannels
                let sums = scratch[worker]
                convolution.apply(context, span, from: input, stride: 2, output: sums, outputStep: channels)
                norms[index].apply(
                    context, input: sums, inputStep: channels, output: output.at(span.row, span.start), outputStep: output.step, count: span.count,
                    squares: sums + ThreadTeam.spanLength * channels)
            }
        }
    }
}

/// The synthesis transform that mirrors it: four transposed 5x5 convolutions of stride 2 with inverse GDN between them.
package struct BalleSynthesis {
    let upsamplings: [UpsamplingConvolution]
    let norms: [GDN]
    let last: NarrowUpsampling

    init(_ loader: WeightLoader, _ prefix: String, colours: Int, channels: Int, latentChannels: Int) throws {
        let size = BalleAnalysis.kernelSize
        upsamplings = try (0 ..< 3).map { try loader.transposed("\(prefix).\(2 * $0)", $0 == 0 ? latentChannels : channels, channels, kernelSize: size, stride: 2) }
        norms = try (0 ..< 3).map { try loader.gdn("\(prefix).\(2 * $0 + 1)", channels, inverse: true) }
        last = try loader.narrowTransposed("\(prefix).6", channels, colours, kernelSize: size, stride: 2)
    }

    /// Floats each worker needs: a span of one phase before its normalization and its squares, or a span of the last layer.
    var scratchCount: Int { 2 * ThreadTeam.spanLength * max(norms[0].channels, NCK_LANES) }

    /// Maps of latents (rows, columns): the inputs of the second to the last layer, then the picture, without halo.
    func plan(_ plan: inout WorkspacePlan, rows: Int, columns: Int) -> [PlannedMap] {
        (0 ..< 4).map { index in
            plan.map(rows << (index + 1), columns << (index + 1), index < 3 ? upsamplings[index].outputChannels : last.channels, halo: index < 3 ? 1 : 0)
        }
    }

    /// `latents` has a clear halo of 1; `maps` are those of `plan`, the last one receives the picture.
    func apply(_ context: LayerContext, _ latents: FeatureMap, _ maps: [FeatureMap], scratch: WorkerScratch) {
        for (index, upsampling) in upsamplings.enumerated() {
            let (input, output) = (index == 0 ? latents : maps[index - 1], maps[index])
            let channels = upsampling.outputChannels
            output.clearHalo()
            context.team.runSpans(rows: input.rows, columns: input.columns) { span, worker in
                let sums = scratch[worker]
                for (phase, convolution) in upsampling.phases.enumerated() {
                    convolution.apply(context, span, from: input, output: sums, outputStep: channels)
                    norms[index].apply(
                        context, input: sums, inputStep: channels, output: output.at(2 * span.row + phase / 2, 2 * span.start + phase % 2),
                        outputStep: 2 * output.step, count: span.count, squares: sums + ThreadTeam.spanLength * channels)
                }
            }
        }
        let picture = maps[3]
        context.team.runSpans(rows: maps[2].rows, columns: maps[2].columns) { span, worker in
            last.apply(context, span, from: maps[2], output: scratch[worker])
            context.kernels.pixel_shuffle(
                last.factor, last.channels, scratch[worker], NCK_LANES, picture.at(2 * span.row, 2 * span.start), picture.rowStride, picture.step, span.count)
        }
    }
}
