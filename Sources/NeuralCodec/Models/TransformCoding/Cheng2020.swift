// SPDX-License-Identifier: Apache-2.0
import CKernels

/// The transforms of Cheng et al. (CVPR 2020), "Learned Image Compression with Discretized Gaussian Mixture Likelihoods and Attention Modules": residual blocks of 3x3
/// convolutions, sub-pixel convolutions, and attention modules in one of the two. Tensors as in CompressAI's cheng2020-anchor and cheng2020-attn.
extension WeightLoader {
    func chengAnalysis(_ channels: Int, attention: Bool) throws -> [any MapLayer] {
        var builder = SequenceBuilder(loader: self, prefix: "g_a")
        for stage in 0 ..< 3 {
            try builder.add { try $0.residualBlockWithStride($1, stage == 0 ? 3 : channels, channels) }
            if attention, stage == 1 { try builder.add { try $0.attention($1, channels) } }
            try builder.add { try $0.residualBlock($1, channels) }
        }
        try builder.add { ConvolutionLayer(convolution: try $0.dense($1, channels, channels, kernelSize: 3), stride: 2) }
        if attention { try builder.add { try $0.attention($1, channels) } }
        return builder.layers
    }

    func chengSynthesis(_ channels: Int, attention: Bool) throws -> [any MapLayer] {
        var builder = SequenceBuilder(loader: self, prefix: "g_s")
        if attention { try builder.add { try $0.attention($1, channels) } }
        for stage in 0 ..< 3 {
            try builder.add { try $0.residualBlock($1, channels) }
            try builder.add { try $0.residualBlockUpsampling($1, channels, channels) }
            if attention, stage == 1 { try builder.add { try $0.attention($1, channels) } }
        }
        try builder.add { try $0.residualBlock($1, channels) }
        try builder.add { NarrowUpsamplingLayer(upsampling: try $0.narrowShuffled("\($1).0", channels, 12, factor: 2, kernelSize: 3)) }
        return builder.layers
    }

    func residualBlock(_ name: String, _ channels: Int) throws -> PlainResidualBlock {
        PlainResidualBlock(
            first: try dense("\(name).conv1", channels, channels, kernelSize: 3), second: try dense("\(name).conv2", channels, channels, kernelSize: 3))
    }

    func residualBlockWithStride(_ name: String, _ inputs: Int, _ outputs: Int) throws -> ResidualBlockWithStride {
        ResidualBlockWithStride(
            first: try dense("\(name).conv1", inputs, outputs, kernelSize: 3), second: try dense("\(name).conv2", outputs, outputs, kernelSize: 3),
            norm: try gdn("\(name).gdn", outputs), skip: try dense("\(name).skip", inputs, outputs))
    }

    func residualBlockUpsampling(_ name: String, _ inputs: Int, _ outputs: Int) throws -> ResidualBlockUpsampling {
        ResidualBlockUpsampling(
            subpixel: try shuffled("\(name).subpel_conv.0", inputs, 4 * outputs, factor: 2, kernelSize: 3),
            convolution: try dense("\(name).conv", outputs, outputs, kernelSize: 3), norm: try gdn("\(name).igdn", outputs, inverse: true),
            skip: try shuffled("\(name).upsample.0", inputs, 4 * outputs, factor: 2, kernelSize: 3))
    }

    func attention(_ name: String, _ channels: Int) throws -> AttentionBlock {
        func unit(_ name: String) throws -> ResidualUnit {
            ResidualUnit(
                narrow: try dense("\(name).conv.0", channels, channels / 2), middle: try dense("\(name).conv.2", channels / 2, channels / 2, kernelSize: 3),
                wide: try dense("\(name).conv.4", channels / 2, channels))
        }
        return AttentionBlock(
            trunk: try (0 ..< 3).map { try unit("\(name).conv_a.\($0)") }, mask: try (0 ..< 3).map { try unit("\(name).conv_b.\($0)") },
            last: try dense("\(name).conv_b.3", channels, channels))
    }
}

/// x + f(second(f(first(x)))), f LeakyReLU.
struct PlainResidualBlock: MapLayer {
    let first, second: DenseConvolution

    var reach: Int { first.taps.reach }

    func shape(of input: MapShape) -> MapShape { input }

    func apply(_ run: LayerRun, _ input: FeatureMap, to output: FeatureMap) {
        let hidden = run.chain([ConvolutionLayer(convolution: first, activation: .compressAI)], input, halo: second.taps.reach)
        run.spans(output, macs: second.macs) { context, span, _ in
            second.apply(context, span, from: hidden, to: output, adding: input, .compressAI)
        }
    }
}

/// skip(x) + GDN(second(f(first(x)))), first and skip of stride 2.
struct ResidualBlockWithStride: MapLayer {
    let first, second: DenseConvolution
    let norm: GDN
    let skip: DenseConvolution

    var reach: Int { first.taps.reach }

    func shape(of input: MapShape) -> MapShape { MapShape(rows: (input.rows + 1) / 2, columns: (input.columns + 1) / 2, channels: second.outputChannels) }

    func apply(_ run: LayerRun, _ input: FeatureMap, to output: FeatureMap) {
        let hidden = run.chain([ConvolutionLayer(convolution: first, stride: 2, activation: .compressAI)], input, halo: second.taps.reach)
        ConvolutionLayer(convolution: second, norm: norm).apply(run, hidden, to: output)
        let channels = second.outputChannels
        run.spans(output, scratch: ThreadTeam.spanLength * channels, macs: skip.macs) { context, span, sums in
            skip.apply(context, span, from: input, stride: 2, output: sums, outputStep: channels)
            let target = output.at(span.row, span.start)
            context.kernels.add(channels, target, output.step, sums, channels, target, output.step, span.count)
        }
    }
}

/// skip(x) + GDN^-1(convolution(f(subpixel(x)))), skip sub-pixel too.
struct ResidualBlockUpsampling: MapLayer {
    let subpixel: UpsamplingConvolution
    let convolution: DenseConvolution
    let norm: GDN
    let skip: UpsamplingConvolution

    var reach: Int { 1 }

    func shape(of input: MapShape) -> MapShape { MapShape(rows: 2 * input.rows, columns: 2 * input.columns, channels: convolution.outputChannels) }

    func apply(_ run: LayerRun, _ input: FeatureMap, to output: FeatureMap) {
        let hidden = run.chain([UpsamplingLayer(upsampling: subpixel, activation: .compressAI)], input, halo: convolution.taps.reach)
        ConvolutionLayer(convolution: convolution, norm: norm).apply(run, hidden, to: output)
        let channels = convolution.outputChannels
        run.spans(input, scratch: ThreadTeam.spanLength * channels, macs: skip.phases.reduce(0) { $0 + $1.macs }) { context, span, sums in
            for (phase, part) in skip.phases.enumerated() {
                part.apply(context, span, from: input, output: sums, outputStep: channels)
                let target = output.at(2 * span.row + phase / 2, 2 * span.start + phase % 2)
                context.kernels.add(channels, target, 2 * output.step, sums, channels, target, 2 * output.step, span.count)
            }
        }
    }
}

/// ReLU(wide(ReLU(middle(ReLU(narrow(x))))) + x).
struct ResidualUnit: MapLayer {
    let narrow, middle, wide: DenseConvolution

    var reach: Int { 0 }

    func shape(of input: MapShape) -> MapShape { input }

    func apply(_ run: LayerRun, _ input: FeatureMap, to output: FeatureMap) {
        let hidden = run.chain([ConvolutionLayer(convolution: narrow, activation: .relu)], input, halo: middle.taps.reach)
        let channels = middle.outputChannels
        run.spans(output, scratch: ThreadTeam.spanLength * channels, macs: middle.macs + wide.macs) { context, span, sums in
            middle.apply(context, span, from: hidden, output: sums, outputStep: channels, activation: .relu)
            wide.apply(
                context, input: sums, inputStep: channels, output: output.at(span.row, span.start), outputStep: output.step, count: span.count,
                residual: input.at(span.row, span.start), residualStep: input.step, activation: .relu)
        }
    }
}

/// x + trunk(x) * sigmoid(last(mask(x))): the simplified attention module.
struct AttentionBlock: MapLayer {
    let trunk, mask: [ResidualUnit]
    let last: DenseConvolution

    var reach: Int { 0 }

    func shape(of input: MapShape) -> MapShape { input }

    func apply(_ run: LayerRun, _ input: FeatureMap, to output: FeatureMap) { apply(run, input, masking: input, to: output) }

    /// The mask may see another map than the trunk.
    func apply(_ run: LayerRun, _ input: FeatureMap, masking masked: FeatureMap, to output: FeatureMap) {
        let trunk = run.chain(trunk, input)
        let mask = run.chain(mask, masked)
        let channels = last.outputChannels
        run.spans(output, scratch: ThreadTeam.spanLength * channels, macs: last.macs) { context, span, gates in
            last.apply(context, span, from: mask, output: gates, outputStep: channels)
            context.kernels.gate(
                channels, input.at(span.row, span.start), input.step, trunk.at(span.row, span.start), trunk.step, gates, channels, output.at(span.row, span.start),
                output.step, span.count)
        }
    }
}
