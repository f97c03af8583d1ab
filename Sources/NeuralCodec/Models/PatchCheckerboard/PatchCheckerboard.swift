// SPDX-License-Identifier: Apache-2.0
import CKernels

/// The default family ("patch-checkerboard"): 16x16 patch embedding, hyperprior, two-step checkerboard context, thin renderer.
///
///     x --embed--> [core | tail] --blocks on core--> y0 --gain(r)--> y --round(y - mean)--> symbols
///                                      |                                  ^
///                                      '--h_a--> z --round--> z_hat --h_s--> mean, log-scale (anchors, then the rest through the context)
///     y_hat --inverse gain(r)--> f --blocks on core--> unembed --> base --+--> render (1/4 resolution) --> base + detail = x_hat
///
/// Latents stand at 1/16 of the picture's resolution, hyperlatents at 1/64; the picture is padded to multiples of 64. The tail channels skip the
/// blocks. Hyperprior: Minnen et al., NeurIPS 2018; checkerboard context: He et al., CVPR 2021. docs/format.md is normative.
final class PatchCheckerboard: Network {
    static let architecture = "patch-checkerboard"
    static let padding = 64
    var padding: Int { Self.padding }
    static let patchSide = 16
    static let cellSide = 4
    static let colours = 3

    struct Hyperparameters {
        let latentChannels, coreChannels, hyperChannels, contextChannels, hiddenChannels, renderChannels: Int
        let analysisBlocks, synthesisBlocks, renderBlocks, knots: Int
        /// Inner width of the second branch of a synthesis block.
        let synthesisMixChannels: Int
        /// The 3x3 convolution of the hidden layer is a depthwise and a pointwise one.
        let separableHidden: Bool
    }

    let hyperparameters: Hyperparameters

    // Analysis.
    let embedCore, embedTail: DenseConvolution
    let analysisBlocks: [ResidualBlock]
    let hyperAnalysis: [DenseConvolution]

    // Entropy parameters.
    let hyperSynthesis: [UpsamplingConvolution]
    /// Before `hidden` where that is pointwise.
    let hiddenDepthwise: DepthwiseConvolution?
    let hidden: DenseConvolution
    let contextIn: DenseConvolution
    let contextDepthwise: DepthwiseConvolution
    let contextOut: DenseConvolution
    let parametersOut: DenseConvolution
    let logScale, logGain, logInverseGain: RateTable
    let medians: UnsafePointer<Float>
    let thresholds: UnsafePointer<Float>
    let latentTables, hyperTables: CodingTables

    // Synthesis.
    let synthesisBlocks: [ResidualBlock]
    let unembed, grid: UpsamplingConvolution
    let renderIn: DenseConvolution
    let renderBlocks: [ResidualBlock]
    let renderOut: DenseConvolution

    let rateTables: [RateTable]
    let rateValueCount: Int
    let qualityMap: [Int]
    private let memory: [ByteBuffer]

    init(_ loader: WeightLoader, _ parameters: JSON, quantizer: String) throws {
        guard quantizer == "scalar" else { throw CodecError(.badModel, "the model's quantizer '\(quantizer)' is unknown; known is 'scalar'") }
        let h = try Hyperparameters(parameters)
        let (M, N, H, R, K) = (h.latentChannels, h.coreChannels, h.hyperChannels, h.renderChannels, h.knots)
        let patch = Self.colours * Self.patchSide * Self.patchSide
        let cell = Self.colours * Self.cellSide * Self.cellSide
        hyperparameters = h
        (embedCore, embedTail) = try loader.split("embed", patch, M, at: N)
        analysisBlocks = try (0 ..< h.analysisBlocks).map { try loader.block("analysis.\($0)", N, mixChannels: 2 * N) }
        hyperAnalysis = [
            try loader.dense("hyper_analysis.0", M, H),
            try loader.dense("hyper_analysis.1", H, H, kernelSize: 3),
            try loader.dense("hyper_analysis.2", H, H, kernelSize: 3),
        ]
        hyperSynthesis = [
            try loader.shuffled("hyper_synthesis.0", H, 4 * H, factor: 2),
            try loader.shuffled("hyper_synthesis.1", H, 4 * H, factor: 2, kernelSize: 3),
        ]
        hiddenDepthwise = h.separableHidden ? try loader.depthwise("hidden_depthwise", H, kernelSize: 3) : nil
        hidden = try loader.dense(
            "hidden", H, h.hiddenChannels, kernelSize: h.separableHidden ? 1 : 3, bias: .rate(try loader.rateTable("hidden_bias.table", K, h.hiddenChannels)))
        contextIn = try loader.dense("context_in", M, h.contextChannels)
        contextDepthwise = try loader.depthwise("context_depthwise", h.contextChannels, kernelSize: 5)
        contextOut = try loader.dense("context_out", h.contextChannels, h.hiddenChannels)
        parametersOut = try loader.dense("parameters_out", h.hiddenChannels, 2 * M)
        logScale = try loader.rateTable("log_scale.table", K, M)
        logGain = try loader.rateTable("log_gain.table", K, M)
        logInverseGain = try loader.rateTable("log_inverse_gain.table", K, M)
        medians = UnsafePointer(try loader.floats("prior.medians", [H]))
        latentTables = try .gaussian(loader)
        hyperTables = try .factorizedPrior(loader, channels: H)
        thresholds = try loader.thresholds(scales: latentTables.count)
        synthesisBlocks = try (0 ..< h.synthesisBlocks).map { try loader.block("synthesis.\($0)", N, mixChannels: h.synthesisMixChannels, knots: K) }
        unembed = try loader.shuffled("unembed", M, patch, factor: Self.cellSide)
        grid = try loader.shuffled("grid", N, Self.patchSide * R, factor: Self.cellSide)
        renderIn = try loader.dense("render_in", R + cell, R, kernelSize: 3)
        renderBlocks = try (0 ..< h.renderBlocks).map { try loader.block("render.\($0)", R, mixChannels: 2 * R, knots: K) }
        renderOut = try loader.dense("render_out", R, cell, kernelSize: 3)
        qualityMap = try loader.qualityMap()
        rateTables = loader.rateTables
        rateValueCount = loader.rateValueCount
        memory = loader.memory
    }

    var macsPerPixel: (encode: Double, decode: Double) {
        let (latent, render) = (Double(Self.patchSide * Self.patchSide), Double(Self.cellSide * Self.cellSide))
        func macs(_ layers: [DenseConvolution], per pixels: Double) -> Double { Double(layers.reduce(0) { $0 + $1.macs }) / pixels }
        func macs(_ layer: UpsamplingConvolution, per pixels: Double) -> Double { macs(layer.phases, per: pixels) }
        func macs(_ blocks: [ResidualBlock], per pixels: Double) -> Double { Double(blocks.reduce(0) { $0 + $1.macs }) / pixels }
        // Half of the positions are the context's, the other half see it.
        let entropy =
            macs(hyperSynthesis[0], per: 16 * latent) + macs(hyperSynthesis[1], per: 4 * latent) + macs([hidden, parametersOut], per: latent)
            + macs([contextIn, contextOut], per: 2 * latent) + Double(contextDepthwise.macs) / (2 * latent)
            + Double(hiddenDepthwise?.macs ?? 0) / latent
        let analysis =
            macs([embedCore, embedTail, hyperAnalysis[0]], per: latent) + macs(analysisBlocks, per: latent) + macs([hyperAnalysis[1]], per: 4 * latent)
            + macs([hyperAnalysis[2]], per: 16 * latent)
        let synthesis =
            macs(synthesisBlocks, per: latent) + macs(unembed, per: latent) + macs(grid, per: latent) + macs([renderIn, renderOut], per: render)
            + macs(renderBlocks, per: render)
        return (entropy + analysis, entropy + synthesis)
    }

    func plan(width: Int, height: Int, threads: Int, encoder: Bool) -> any NetworkPlan {
        Plan(self, width: width, height: height, threads: threads, encoder: encoder)
    }

    /// Values of all rate tables at `rate`, and the factors that follow from them.
    func evaluateRates(_ rate: Int, into rates: UnsafeMutablePointer<Float>) -> RateFactors {
        for table in rateTables { table.evaluate(rate: rate, into: rates) }
        let M = hyperparameters.latentChannels
        let (gain, inverseGain, contextGain) = (rates + rateValueCount, rates + rateValueCount + M, rates + rateValueCount + 2 * M)
        nck_exp(1, rates + logGain.offset, gain, M)
        nck_exp(1, rates + logInverseGain.offset, inverseGain, M)
        nck_exp(-1, rates + logGain.offset, contextGain, M)
        return RateFactors(
            gain: UnsafePointer(gain), inverseGain: UnsafePointer(inverseGain), contextGain: UnsafePointer(contextGain),
            logScale: UnsafePointer(rates + logScale.offset))
    }

    /// Floats `evaluateRates` fills.
    var rateFloatCount: Int { rateValueCount + 3 * hyperparameters.latentChannels }

    /// The largest scratch memory any step needs for one worker, in floats.
    var scratchCount: Int {
        let h = hyperparameters
        let patches = ThreadTeam.spanLength * Self.colours * Self.patchSide * Self.patchSide
        let blocks = (analysisBlocks + synthesisBlocks + renderBlocks).map(\.scratchCount).max() ?? 0
        return max(patches, blocks, EntropyScratch.count(h), ThreadTeam.spanLength * h.hyperChannels)
    }
}

/// Factors of one call, one value a latent channel.
struct RateFactors {
    let gain, inverseGain, contextGain, logScale: UnsafePointer<Float>
}

extension PatchCheckerboard.Hyperparameters {
    init(_ json: JSON) throws {
        /// A width or count, bounded so that no product of two of them can overflow or exhaust memory before the shapes are checked.
        func value(_ name: String, _ range: ClosedRange<Int>, multiple: Int = 1, otherwise: Int? = nil) throws -> Int {
            if json[name] == nil, let otherwise { return otherwise }
            guard let value = json[name]?.integer, range.contains(value), value % multiple == 0 else {
                throw CodecError(.badModel, "hyperparameter '\(name)' is not a multiple of \(multiple) in \(range.lowerBound)...\(range.upperBound)")
            }
            return value
        }
        let widths = 16...4096
        latentChannels = try value("latent_channels", widths, multiple: 16)
        coreChannels = try value("core_channels", widths, multiple: 16)
        hyperChannels = try value("hyper_channels", widths, multiple: 16)
        contextChannels = try value("context_channels", widths, multiple: 16)
        hiddenChannels = try value("hidden_channels", widths, multiple: 16)
        renderChannels = try value("render_channels", widths, multiple: 16)
        analysisBlocks = try value("analysis_blocks", 0...64)
        synthesisBlocks = try value("synthesis_blocks", 0...64)
        renderBlocks = try value("render_blocks", 0...64)
        knots = try value("knots", 2...256)
        synthesisMixChannels = try value("synthesis_mix_channels", widths, multiple: 16, otherwise: 2 * coreChannels)
        separableHidden = try value("separable_hidden", 0...1, otherwise: 0) == 1
        guard coreChannels < latentChannels else {
            throw CodecError(.badModel, "hyperparameter 'core_channels' (\(coreChannels)) is not below 'latent_channels' (\(latentChannels))")
        }
    }
}
