// SPDX-License-Identifier: Apache-2.0
import CKernels

/// Channel-wise autoregression (Minnen and Singh, "Channel-wise Autoregressive Entropy Models for Learned Image Compression", ICIP 2020): the latents are coded in slices of
/// channels, and each slice sees the slices before it at all positions. After a slice is rebuilt, a prediction of its rounding error is added to it.
struct ChannelwiseContext: ContextModel {
    /// Channels of each slice.
    let slices: [Int]
    /// At most this many of the first slices are seen by later ones.
    let mostSupport: Int
    /// For each slice: of means, of scales, and of the residual; three convolutions with the activation between them.
    let means, scales, residuals: [[DenseConvolution]]
    /// For each slice: what means and scales see goes through these first; empty without.
    let meanAttention, scaleAttention: [SwinAttention]
    let latentChannels: Int
    /// A half for each channel of the widest slice: the residual is half a tanh.
    private let halves: UnsafePointer<Float>

    private let variant: Variant

    /// What the authors of the slices' networks chose.
    struct Variant {
        let kernelSizes: [Int]
        let activation: nck_activation
        /// Of the hidden layers, for a number of inputs and of outputs.
        let widths: @Sendable (_ inputs: Int, _ outputs: Int) -> [Int]
        /// A slice sees its own channels of the prior only, and nothing is added to it.
        var isNarrow = false
        /// Of the attention before the networks: its channels, those of its heads, and the side of its windows.
        var attention: (inner: Int, headChannels: Int, window: Int)?

        /// Minnen and Singh (2020).
        static let plain = Variant(kernelSizes: [5, 5, 3], activation: .relu, widths: { _, _ in [224, 128] })
        /// Zhu, Yang and Cohen (ICLR 2022).
        static let narrow = Variant(
            kernelSizes: [3, 3, 3], activation: .relu, widths: { [max(2 * $1, (2 * $0 + 2 * $1) / 3), max($1, ($0 + $1) / 3)] }, isNarrow: true)
        /// Liu et al. (CVPR 2023).
        static func attending(inner: Int, headChannels: Int, window: Int) -> Variant {
            Variant(kernelSizes: [3, 3, 3], activation: .gelu, widths: { _, _ in [224, 128] }, attention: (inner, headChannels, window))
        }
    }

    /// Tensors cc_mean_transforms.S.*, cc_scale_transforms.S.*, lrp_transforms.S.*, and with attention atten_mean.S.0.*, atten_scale.S.0.*
    init(_ loader: WeightLoader, slices: [Int], mostSupport: Int, _ variant: Variant) throws {
        self.slices = slices
        self.mostSupport = mostSupport
        self.variant = variant
        latentChannels = slices.reduce(0, +)
        let M = latentChannels
        func stack(_ name: String, _ inputs: Int, _ outputs: Int) throws -> [DenseConvolution] {
            let widths = [inputs] + variant.widths(inputs, outputs) + [outputs]
            return try variant.kernelSizes.enumerated().map { try loader.dense("\(name).\(2 * $0)", widths[$0], widths[$0 + 1], kernelSize: $1) }
        }
        let inputs = slices.indices.map { (variant.isNarrow ? slices[$0] : M) + slices.prefix(min($0, mostSupport)).reduce(0, +) }
        means = try slices.indices.map { try stack("cc_mean_transforms.\($0)", inputs[$0], slices[$0]) }
        scales = try slices.indices.map { try stack("cc_scale_transforms.\($0)", inputs[$0], slices[$0]) }
        residuals = variant.isNarrow ? [] : try slices.indices.map { try stack("lrp_transforms.\($0)", inputs[$0] + slices[$0], slices[$0]) }
        func attentions(_ name: String) throws -> [SwinAttention] {
            guard let attention = variant.attention else { return [] }
            return try slices.indices.map {
                try loader.swinAttention("\(name).\($0).0", inputs[$0], inner: attention.inner, headChannels: attention.headChannels, window: attention.window)
            }
        }
        (meanAttention, scaleAttention) = (try attentions("atten_mean"), try attentions("atten_scale"))
        let half = try loader.allocate(Float.self, slices.max()!)
        half.update(repeating: 0.5, count: slices.max()!)
        halves = UnsafePointer(half)
    }

    var reach: Int { 0 }
    var priorChannels: Int { 2 * latentChannels }

    func run(_ run: LayerRun, prior: FeatureMap, rebuilt: FeatureMap, _ coder: LatentCoder) throws {
        var first = 0
        for (index, channels) in slices.enumerated() {
            try run.temporarily { try self.run(run, prior, rebuilt, coder, index, first) }
            first += channels
        }
    }

    /// The slice that begins with channel `first`.
    private func run(_ run: LayerRun, _ prior: FeatureMap, _ rebuilt: FeatureMap, _ coder: LatentCoder, _ index: Int, _ first: Int) throws {
        let (channels, halo) = (slices[index], means[index][0].taps.reach)
        let seen = means[index][0].inputChannels
        // Behind what the networks of means see there is room for the slice, which the residual's network sees too.
        let room = variant.isNarrow ? 0 : channels
        func input(feature: Int, room: Int) -> FeatureMap {
            let own = variant.isNarrow ? first ..< first + channels : 0 ..< latentChannels
            let map = run.map(MapShape(rows: prior.rows, columns: prior.columns, channels: seen + room), halo: halo)
            run.copy(prior, from: feature + own.lowerBound, to: map, at: 0, own.count)
            run.copy(rebuilt, from: 0, to: map, at: own.count, seen - own.count)
            return map
        }
        var meanInput = input(feature: 0, room: room)
        var scaleInput = input(feature: latentChannels, room: 0)
        if !meanAttention.isEmpty {
            let attended = run.map(meanInput.shape, halo: halo)
            run.temporarily { meanAttention[index].apply(run, meanInput, to: attended) }
            (meanInput, scaleInput) = (attended, run.chain([scaleAttention[index]], scaleInput, halo: halo))
        }
        try run.temporarily { try code(run, coder, index, first, run.chain(stack(means[index]), meanInput), run.chain(stack(scales[index]), scaleInput)) }
        guard !variant.isNarrow else { return }
        run.copy(rebuilt, from: first, to: meanInput, at: seen, channels)
        correct(run, run.chain(stack(residuals[index]), meanInput), rebuilt, first, channels)
    }

    private func code(_ run: LayerRun, _ coder: LatentCoder, _ index: Int, _ first: Int, _ mean: FeatureMap, _ scale: FeatureMap) throws {
        let channels = slices[index]
        try coder.pass(run, lines: mean.rows, length: mean.columns, channels: first ..< first + channels, scratch: 2 * channels * ThreadTeam.spanLength) {
            PositionLine(row: $0, column: 0, count: mean.columns)
        } parameters: { _, line, scratch in
            for position in 0 ..< line.count {
                let raw = scratch + 2 * channels * position
                raw.update(from: line.pointer(mean) + channels * position, count: channels)
                (raw + channels).update(from: line.pointer(scale) + channels * position, count: channels)
            }
            return UnsafePointer(scratch)
        }
    }

    private func stack(_ convolutions: [DenseConvolution]) -> [any MapLayer] {
        convolutions.enumerated().map { ConvolutionLayer(convolution: $1, activation: $0 + 1 < convolutions.count ? variant.activation : .none) }
    }

    /// Adds half the tanh of `residual` to channels of the latents.
    private func correct(_ run: LayerRun, _ residual: FeatureMap, _ rebuilt: FeatureMap, _ first: Int, _ channels: Int) {
        run.spans(residual) { context, span, _ in
            let (values, target) = (residual.at(span.row, span.start), rebuilt.at(span.row, span.start) + first)
            context.kernels.activate(channels, values, channels, values, channels, span.count, .tanh)
            context.kernels.scale(halves, channels, values, channels, values, channels, span.count)
            context.kernels.add(channels, target, rebuilt.step, values, channels, target, rebuilt.step, span.count)
        }
    }
}
