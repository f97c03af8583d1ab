// SPDX-License-Identifier: Apache-2.0
import CKernels

/// The networks of Liu et al., "Learned Image Compression with Mixed Transformer-CNN Architectures" (CVPR 2023): blocks whose channels go half through residual convolutions
/// and half through a Swin block, and attention over the channel slices. Tensors as in the authors' repository.
struct TCMNetworks {
    let loader: WeightLoader
    /// Of either half of a block, of the latents.
    let channels, latentChannels: Int
    /// Blocks of the six stages, and channels of their heads.
    let depths, headChannels: [Int]
    let window: Int

    func analysis() throws -> [any MapLayer] {
        let wide = 2 * channels
        var builder = SequenceBuilder(loader: loader, prefix: "g_a")
        try builder.add { try $0.residualBlockWithStride($1, 3, wide) }
        for stage in 0 ..< 3 {
            try builder.addMixed(channels, count: depths[stage], headChannels: headChannels[stage], window: window)
            if stage < 2 {
                try builder.add { try $0.residualBlockWithStride($1, wide, wide) }
            } else {
                try builder.add { ConvolutionLayer(convolution: try $0.dense($1, wide, latentChannels, kernelSize: 3), stride: 2) }
            }
        }
        return builder.layers
    }

    func synthesis() throws -> [any MapLayer] {
        let wide = 2 * channels
        var builder = SequenceBuilder(loader: loader, prefix: "g_s")
        try builder.add { try $0.residualBlockUpsampling($1, latentChannels, wide) }
        for stage in 3 ..< 6 {
            try builder.addMixed(channels, count: depths[stage], headChannels: headChannels[stage], window: window)
            if stage < 5 {
                try builder.add { try $0.residualBlockUpsampling($1, wide, wide) }
            } else {
                try builder.add { NarrowUpsamplingLayer(upsampling: try $0.narrowShuffled("\($1).0", wide, 12, factor: 2, kernelSize: 3)) }
            }
        }
        return builder.layers
    }
}

/// Its hyper transforms: latents to hyperlatents, and back to means and scales by a network each.
struct TCMHyperNetworks {
    let loader: WeightLoader
    let channels, latentChannels, hyperChannels: Int
    let analysisDepth, synthesisDepth: Int
    let headChannels, window: Int

    func analysis() throws -> [any MapLayer] {
        var builder = SequenceBuilder(loader: loader, prefix: "h_a")
        try builder.add { try $0.residualBlockWithStride($1, latentChannels, 2 * channels) }
        try builder.addMixed(channels, count: analysisDepth, headChannels: headChannels, window: window)
        try builder.add { ConvolutionLayer(convolution: try $0.dense($1, 2 * channels, hyperChannels, kernelSize: 3), stride: 2) }
        return builder.layers
    }

    func synthesis(_ prefix: String) throws -> [any MapLayer] {
        var builder = SequenceBuilder(loader: loader, prefix: prefix)
        try builder.add { try $0.residualBlockUpsampling($1, hyperChannels, 2 * channels) }
        try builder.addMixed(channels, count: synthesisDepth, headChannels: headChannels, window: window)
        try builder.add { UpsamplingLayer(upsampling: try $0.shuffled("\($1).0", 2 * channels, 4 * latentChannels, factor: 2, kernelSize: 3)) }
        return builder.layers
    }
}

extension WeightLoader {
    func tcmSwinBlock(_ name: String, _ channels: Int, headChannels: Int, window: Int, shifted: Bool) throws -> SwinBlock {
        SwinBlock(
            attentionNorm: try layerNorm("\(name).ln1", channels),
            attention: try windowAttention("\(name).msa", channels, heads: channels / headChannels, window: window, names: .tcm), shift: shifted ? window / 2 : 0,
            mixNorm: try layerNorm("\(name).ln2", channels), wide: try linear("\(name).mlp.0", channels, 4 * channels),
            narrow: try linear("\(name).mlp.2", 4 * channels, channels))
    }

    func mixedBlock(_ name: String, _ channels: Int, headChannels: Int, window: Int, shifted: Bool) throws -> MixedBlock {
        let (ofConvolution, ofTransformer) = try split("\(name).conv1_1", 2 * channels, 2 * channels, at: channels)
        return MixedBlock(
            ofConvolution: ofConvolution, ofTransformer: ofTransformer, convolution: try residualBlock("\(name).conv_block", channels),
            transformer: try tcmSwinBlock("\(name).trans_block", channels, headChannels: headChannels, window: window, shifted: shifted),
            joined: try joined("\(name).conv1_2", [channels, channels], 2 * channels))
    }

    func swinAttention(_ name: String, _ channels: Int, inner: Int, headChannels: Int, window: Int) throws -> SwinAttention {
        SwinAttention(
            into: try dense("\(name).in_conv", channels, inner),
            blocks: try [1, 2].map {
                try tcmSwinBlock("\(name).non_local_block.block_\($0)", inner, headChannels: headChannels, window: window, shifted: $0 == 2)
            },
            attention: try attention(name, inner), outOf: try dense("\(name).out_conv", inner, channels))
    }
}

/// Numbers the layers of a PyTorch `Sequential`.
struct SequenceBuilder {
    let loader: WeightLoader
    let prefix: String
    private(set) var layers: [any MapLayer] = []

    init(loader: WeightLoader, prefix: String) {
        self.loader = loader
        self.prefix = prefix
    }

    mutating func add(_ make: (_ loader: WeightLoader, _ name: String) throws -> any MapLayer) rethrows {
        layers.append(try make(loader, "\(prefix).\(layers.count)"))
    }

    /// Mixed blocks, every second one shifted.
    mutating func addMixed(_ channels: Int, count: Int, headChannels: Int, window: Int) throws {
        for index in 0 ..< count {
            try add { try $0.mixedBlock($1, channels, headChannels: headChannels, window: window, shifted: index % 2 == 1) }
        }
    }
}

/// x + joined(c + convolution(c), transformer(t)), where c and t are pointwise layers of x.
struct MixedBlock: MapLayer {
    let ofConvolution, ofTransformer: DenseConvolution
    let convolution: PlainResidualBlock
    let transformer: SwinBlock
    let joined: [DenseConvolution]

    var reach: Int { 0 }

    func shape(of input: MapShape) -> MapShape { input }

    func apply(_ run: LayerRun, _ input: FeatureMap, to output: FeatureMap) {
        let half = MapShape(rows: input.rows, columns: input.columns, channels: ofConvolution.outputChannels)
        run.temporarily {
            let c = run.chain([ConvolutionLayer(convolution: ofConvolution)], input, halo: convolution.reach)
            let convolved = run.map(half)
            run.temporarily { convolution.apply(run, c, to: convolved) }
            run.spans(output, macs: joined[0].macs) { context, span, _ in
                let sum = convolved.at(span.row, span.start)
                context.kernels.add(half.channels, sum, convolved.step, c.at(span.row, span.start), c.step, sum, convolved.step, span.count)
                joined[0].apply(
                    context, input: sum, inputStep: convolved.step, output: output.at(span.row, span.start), outputStep: output.step, count: span.count,
                    residual: input.at(span.row, span.start), residualStep: input.step)
            }
        }
        run.temporarily {
            let transformed = run.chain([ConvolutionLayer(convolution: ofTransformer), transformer], input)
            run.spans(output, macs: joined[1].macs) { context, span, _ in
                let position = output.at(span.row, span.start)
                joined[1].apply(
                    context, input: transformed.at(span.row, span.start), inputStep: transformed.step, output: position, outputStep: output.step, count: span.count,
                    residual: position, residualStep: output.step)
            }
        }
    }
}

/// outOf(x' + trunk(x') * sigmoid(mask(blocks(x')))), x' = into(x): an attention module whose mask sees Swin blocks.
struct SwinAttention: MapLayer {
    let into: DenseConvolution
    let blocks: [SwinBlock]
    let attention: AttentionBlock
    let outOf: DenseConvolution

    var reach: Int { 0 }

    func shape(of input: MapShape) -> MapShape { MapShape(rows: input.rows, columns: input.columns, channels: outOf.outputChannels) }

    func apply(_ run: LayerRun, _ input: FeatureMap, to output: FeatureMap) {
        let x = run.chain([ConvolutionLayer(convolution: into)], input)
        let gated = run.map(x.shape)
        run.temporarily { attention.apply(run, x, masking: run.chain(blocks, x), to: gated) }
        ConvolutionLayer(convolution: outOf).apply(run, gated, to: output)
    }
}
