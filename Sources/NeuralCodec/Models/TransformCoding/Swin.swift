// SPDX-License-Identifier: Apache-2.0
import CKernels

/// The transforms of Zhu, Yang and Cohen, "Transformer-based Transform Coding" (ICLR 2022): stages of Swin blocks, between which patches are merged (analysis) or split
/// (synthesis), for latents and hyperlatents alike.
struct SwinStages {
    /// Of the stages, finest first.
    let channels, depths: [Int]
    let window, headChannels: Int

    func analysis(_ loader: WeightLoader, _ prefix: String, inputs: Int) throws -> [any MapLayer] {
        var layers: [any MapLayer] = [
            ConvolutionLayer(convolution: try loader.patches("\(prefix).patch_embed.proj", inputs, channels[0], kernelSize: 2), stride: 2)
        ]
        for (stage, width) in channels.enumerated() {
            let name = "\(prefix).layers.\(stage)"
            layers += try blocks(loader, name, width, depths[stage])
            guard stage + 1 < channels.count else { break }
            layers.append(
                PatchMerging(
                    norm: try loader.layerNorm("\(name).downsample.norm", 4 * width),
                    reduction: try loader.linear("\(name).downsample.reduction", 4 * width, channels[stage + 1], bias: false)))
        }
        return layers
    }

    /// Coarsest first; at last to `outputs` channels, or to a picture of three.
    func synthesis(_ loader: WeightLoader, _ prefix: String, outputs: Int, order: WeightLoader.OutputOrder = .file) throws -> [any MapLayer] {
        var layers: [any MapLayer] = []
        for (index, stage) in channels.indices.reversed().enumerated() {
            let name = "\(prefix).layers.\(index)"
            let width = channels[stage]
            layers += try blocks(loader, name, width, depths[stage])
            if stage > 0 {
                let finer = channels[stage - 1]
                layers.append(
                    PatchSplitting(
                        reduction: try loader.linear("\(name).upsample.reduction", width, 4 * finer, bias: false),
                        norm: try loader.layerNorm("\(name).upsample.norm", 4 * finer)))
            } else if outputs == 3 {
                layers.append(NarrowUpsamplingLayer(upsampling: try loader.narrowShuffled("\(name).upsample.reduction", width, 12, factor: 2, linear: true)))
            } else {
                layers.append(
                    UpsamplingLayer(upsampling: try loader.shuffled("\(name).upsample.reduction", width, 4 * outputs, factor: 2, linear: true, order: order)))
            }
        }
        return layers
    }

    private func blocks(_ loader: WeightLoader, _ name: String, _ width: Int, _ depth: Int) throws -> [SwinBlock] {
        try (0 ..< depth).map { index in
            let block = "\(name).blocks.\(index)"
            return SwinBlock(
                attentionNorm: try loader.layerNorm("\(block).norm1", width),
                attention: try loader.windowAttention("\(block).attn", width, heads: width / headChannels, window: window), shift: index % 2 * (window / 2),
                mixNorm: try loader.layerNorm("\(block).norm2", width), wide: try loader.linear("\(block).mlp.fc1", width, 4 * width),
                narrow: try loader.linear("\(block).mlp.fc2", 4 * width, width))
        }
    }
}

/// Positions (0, 0), (1, 0), (0, 1) and (1, 1) (row, column) of each 2 x 2 become one: their channels in this order, normalized, and reduced by a linear layer.
struct PatchMerging: MapLayer {
    let norm: LayerNorm
    let reduction: DenseConvolution

    var reach: Int { 0 }

    func shape(of input: MapShape) -> MapShape { MapShape(rows: input.rows / 2, columns: input.columns / 2, channels: reduction.outputChannels) }

    func apply(_ run: LayerRun, _ input: FeatureMap, to output: FeatureMap) {
        let (width, wide) = (input.channels, 4 * input.channels)
        run.spans(output, scratch: ThreadTeam.spanLength * wide, macs: reduction.macs) { context, span, patches in
            for position in 0 ..< span.count {
                for part in 0 ..< 4 {
                    (patches + position * wide + part * width)
                        .update(from: input.at(2 * span.row + part % 2, 2 * (span.start + position) + part / 2), count: width)
                }
            }
            norm.apply(context, input: patches, inputStep: wide, output: patches, outputStep: wide, count: span.count)
            reduction.apply(context, input: patches, inputStep: wide, output: output.at(span.row, span.start), outputStep: output.step, count: span.count)
        }
    }
}

/// A linear layer to four times the channels, normalized, and shared out to 2 x 2 positions by a pixel shuffle.
struct PatchSplitting: MapLayer {
    let reduction: DenseConvolution
    let norm: LayerNorm

    var reach: Int { 0 }

    func shape(of input: MapShape) -> MapShape { MapShape(rows: 2 * input.rows, columns: 2 * input.columns, channels: norm.channels / 4) }

    func apply(_ run: LayerRun, _ input: FeatureMap, to output: FeatureMap) {
        let wide = norm.channels
        run.spans(input, scratch: ThreadTeam.spanLength * wide, macs: reduction.macs) { context, span, patches in
            reduction.apply(context, span, from: input, output: patches, outputStep: wide)
            norm.apply(context, input: patches, inputStep: wide, output: patches, outputStep: wide, count: span.count)
            context.kernels.pixel_shuffle(2, wide / 4, patches, wide, output.at(2 * span.row, 2 * span.start), output.rowStride, output.step, span.count)
        }
    }
}
