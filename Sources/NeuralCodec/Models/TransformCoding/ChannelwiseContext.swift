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
    let activation: nck_activation
    /// For each slice: what means and scales see goes through these first; empty without.
    let meanAttention, scaleAttention: [SwinAttention]
    let latentChannels: Int
    /// A half for each channel of the widest slice: the residual is half a tanh.
    private let halves: UnsafePointer<Float>

    /// What the authors of the slices' networks chose.
    struct Variant {
        let kernelSizes: [Int]
        let activation: nck_activation
        /// Channels inside the attention before the networks, and of its heads.
        var attention: (inner: Int, headChannels: Int)?

        /// Minnen and Singh (2020).
        static let plain = Variant(kernelSizes: [5, 5, 3], activation: .relu)
        /// Liu et al. (CVPR 2023).
        static let attending = Variant(kernelSizes: [3, 3, 3], activation: .gelu, attention: (inner: 128, headChannels: 16))
    }

    /// Widths of the hidden layers of a slice's networks.
    static let widths = [224, 128]

    /// Tensors cc_mean_transforms.S.*, cc_scale_transforms.S.*, lrp_transforms.S.*, and with attention atten_mean.S.0.*, atten_scale.S.0.*
    init(_ loader: WeightLoader, slices: [Int], mostSupport: Int, _ variant: Variant) throws {
        self.slices = slices
        self.mostSupport = mostSupport
        activation = variant.activation
        latentChannels = slices.reduce(0, +)
        let M = latentChannels
        func stack(_ name: String, _ inputs: Int, _ outputs: Int) throws -> [DenseConvolution] {
            let widths = [inputs] + Self.widths + [outputs]
            return try variant.kernelSizes.enumerated().map { try loader.dense("\(name).\(2 * $0)", widths[$0], widths[$0 + 1], kernelSize: $1) }
        }
        let support = { (slice: Int) in M + slices.prefix(min(slice, mostSupport)).reduce(0, +) }
        means = try slices.indices.map { try stack("cc_mean_transforms.\($0)", support($0), slices[$0]) }
        scales = try slices.indices.map { try stack("cc_scale_transforms.\($0)", support($0), slices[$0]) }
        residuals = try slices.indices.map { try stack("lrp_transforms.\($0)", support($0) + slices[$0], slices[$0]) }
        func attentions(_ name: String) throws -> [SwinAttention] {
            guard let attention = variant.attention else { return [] }
            return try slices.indices.map {
                try loader.swinAttention("\(name).\($0).0", support($0), inner: attention.inner, headChannels: attention.headChannels)
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
        let (M, halo) = (latentChannels, means[0][0].taps.reach)
        let supported = slices.prefix(mostSupport).reduce(0, +)
        // What means see: their part of the prior, the first slices, and where these are full the slice at hand; what scales see, alike.
        let ofMeans = run.map(MapShape(rows: prior.rows, columns: prior.columns, channels: M + supported + (slices.dropFirst(mostSupport).max() ?? 0)), halo: halo)
        let ofScales = run.map(MapShape(rows: prior.rows, columns: prior.columns, channels: M + supported), halo: halo)
        run.copy(prior, from: 0, to: ofMeans, at: 0, M)
        run.copy(prior, from: M, to: ofScales, at: 0, M)
        var first = 0
        for (index, channels) in slices.enumerated() {
            let seen = M + min(first, supported)
            try run.temporarily {
                var (meanInput, scaleInput) = (ofMeans, ofScales)
                if !meanAttention.isEmpty {
                    // Room for the slice behind what has been attended to.
                    meanInput = run.map(MapShape(rows: prior.rows, columns: prior.columns, channels: seen + channels), halo: halo)
                    run.temporarily { meanAttention[index].apply(run, ofMeans, to: meanInput) }
                    scaleInput = run.chain([scaleAttention[index]], ofScales, halo: halo)
                }
                try run.temporarily { try code(run, coder, index, first, run.chain(stack(means[index]), meanInput), run.chain(stack(scales[index]), scaleInput)) }
                run.copy(rebuilt, from: first, to: meanInput, at: seen, channels)
                run.temporarily { correct(run, run.chain(stack(residuals[index]), meanInput), rebuilt, first, channels) }
            }
            if first < supported {
                run.copy(rebuilt, from: first, to: ofMeans, at: seen, channels)
                run.copy(rebuilt, from: first, to: ofScales, at: seen, channels)
            }
            first += channels
        }
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
        convolutions.enumerated().map { ConvolutionLayer(convolution: $1, activation: $0 + 1 < convolutions.count ? activation : .none) }
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
