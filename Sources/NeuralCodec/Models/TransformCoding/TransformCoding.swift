// SPDX-License-Identifier: Apache-2.0
import CKernels

/// Transform coding as the published networks do it ("transform-coding"): an analysis and a synthesis transform, a factorized prior or a hyperprior, and a context model,
/// each of several kinds. Imported CompressAI checkpoints are of this family. docs/transform-coding.md is normative.
///
///     x --g_a--> y --round(y - mean)--> symbols,  y_hat = symbol + mean --g_s--> x_hat
///                |                ^
///                '--h_a--> z --round--> z_hat --h_s--> prior --context model--> mean, scale
final class TransformCoding: Network {
    static let architecture = "transform-coding"

    let analysis, synthesis: [any MapLayer]
    /// Nil for a factorized prior.
    let hyper: HyperTransforms?
    let context: (any ContextModel)?
    let latentChannels: Int
    let medians: UnsafePointer<Float>
    let latentTables, hyperTables: CodingTables
    let thresholds: UnsafePointer<Float>
    private let fixedQuantizer: any LatentQuantizer
    private let parameters: GaussianParameters
    /// Nil for a network of one rate.
    let variableRate: VariableRate?
    /// A latent stands for so many pixels on a side, a hyperlatent for four times as many.
    let latentSide = 16
    let padding: Int
    let qualityMap: [Int]
    private let memory: [ByteBuffer]

    init(_ loader: WeightLoader, _ parameters: JSON, quantizer: String) throws {
        let parameters = NetworkParameters(parameters)
        _ = try parameters.width("channels")  // the first field that a reader misses
        let M = try parameters.width("latent_channels")
        latentChannels = M
        (analysis, synthesis) = try Self.transforms(loader, parameters)
        let kind = try parameters.choice("context", NetworkParameters.Context.self)
        // Spatial contexts see the prior through another layer; the others take it as means and scales.
        hyper = try Self.hyper(loader, parameters, order: kind.isSpatial ? .file : .halvesSwapped)
        context = try Self.context(loader, parameters, kind, hyper)
        variableRate = try VariableRate(loader, parameters, hasSpatialContext: kind.isSpatial)
        guard variableRate == nil || (hyper != nil && quantizer == "scalar") else {
            throw CodecError(.badModel, "hyperparameter 'gain': only networks with a hyperprior and a scalar quantizer have a variable rate")
        }
        qualityMap = variableRate == nil ? [] : try loader.qualityMap()
        hyperTables = try .factorizedPrior(
            loader, channels: hyper?.hyperChannels ?? M, levels: variableRate.flatMap { $0.steps == nil ? nil : $0.levels })
        medians = UnsafePointer(try loader.floats("prior.medians", [hyper?.hyperChannels ?? M]))
        latentTables = hyper == nil ? hyperTables : try .gaussian(loader)
        thresholds = hyper == nil ? try loader.noThresholds() : try loader.thresholds(scales: latentTables.count)
        self.parameters = try GaussianParameters(loader, thresholds: thresholds, channels: M)
        guard quantizer == "scalar" || quantizer == "lattice" else {
            throw CodecError(.badModel, "the model's quantizer '\(quantizer)' is unknown; known are 'scalar' and 'lattice'")
        }
        guard hyper != nil || quantizer == "scalar" else { throw CodecError(.badModel, "the model's quantizer is '\(quantizer)', which needs a hyperprior") }
        let slices = kind.hasSlices ? try parameters.slices("slices", of: M) : [M]
        fixedQuantizer = quantizer == "lattice" ? try Self.lattice(loader, parameters, self.parameters, slices: slices) : ScalarQuantizer(parameters: self.parameters)
        padding = try parameters.padding(hasHyperprior: hyper != nil)
        memory = loader.memory
        try parameters.checkAllRead()
        try loader.checkAllRead()
    }

    private static func transforms(_ loader: WeightLoader, _ parameters: NetworkParameters) throws -> (analysis: [any MapLayer], synthesis: [any MapLayer]) {
        let (N, M) = (try parameters.width("channels"), try parameters.width("latent_channels"))
        let kind = try parameters.choice("transform", NetworkParameters.Transform.self)
        switch kind {
        case .balle2018, .balle2018ReLU:
            let relu = kind == .balle2018ReLU
            return (
                try loader.balleAnalysis("g_a", channels: N, latentChannels: M, relu: relu),
                try loader.balleSynthesis("g_s", channels: N, latentChannels: M, relu: relu)
            )
        case .cheng2020Anchor, .cheng2020Attention:
            guard N == M else { throw CodecError(.badModel, "hyperparameters 'channels' (\(N)) and 'latent_channels' (\(M)) of a cheng2020 transform differ") }
            let attention = kind == .cheng2020Attention
            return (try loader.chengAnalysis(N, attention: attention), try loader.chengSynthesis(N, attention: attention))
        case .swin:
            let stages = try parameters.swinStages("stage_channels", "depths", window: "window", count: 4)
            guard stages.channels[0] == N, stages.channels[3] == M else {
                throw CodecError(.badModel, "hyperparameter 'stage_channels' does not begin with 'channels' (\(N)) or end with 'latent_channels' (\(M))")
            }
            return (try stages.analysis(loader, "g_a", inputs: 3), try stages.synthesis(loader, "g_s", outputs: 3))
        case .tcm:
            let networks = TCMNetworks(
                loader: loader, channels: N, latentChannels: M, depths: try parameters.counts("depths", 6, 0...64),
                headChannels: try parameters.headChannels("head_channels", 6, of: N), window: try parameters.window("window"))
            return (try networks.analysis(), try networks.synthesis())
        }
    }

    private static func hyper(_ loader: WeightLoader, _ parameters: NetworkParameters, order: WeightLoader.OutputOrder) throws -> HyperTransforms? {
        let (N, M) = (try parameters.width("channels"), try parameters.width("latent_channels"))
        switch try parameters.choice("hyper", NetworkParameters.Hyper.self) {
        case .none: return nil
        case .scale: return try .scale(loader, channels: N, latentChannels: M)
        case .meanScale: return try .meanScale(loader, channels: N, latentChannels: M, order: order)
        case .cheng2020: return try .cheng(loader, channels: M, order: order)
        case .swin:
            let stages = try parameters.swinStages("hyper_stage_channels", "hyper_depths", window: "hyper_window", count: 2)
            return HyperTransforms(
                analysis: try stages.analysis(loader, "h_a", inputs: M), synthesis: try stages.synthesis(loader, "h_s", outputs: 2 * M, order: order),
                hyperChannels: stages.channels[1])
        case .tcm:
            let depths = try parameters.counts("depths", 6, 0...64)
            let networks = TCMHyperNetworks(
                loader: loader, channels: N, latentChannels: M, hyperChannels: try parameters.width("hyper_channels"), analysisDepth: depths[0],
                synthesisDepth: depths[3], headChannels: try parameters.headChannels("hyper_head_channels", of: N), window: try parameters.window("hyper_window"))
            return HyperTransforms(
                analysis: try networks.analysis(), synthesis: try networks.synthesis("h_mean_s"), scaleSynthesis: try networks.synthesis("h_scale_s"),
                scalesFirst: order == .file, hyperChannels: networks.hyperChannels)
        }
    }

    private static func context(
        _ loader: WeightLoader, _ parameters: NetworkParameters, _ kind: NetworkParameters.Context, _ hyper: HyperTransforms?
    ) throws -> (any ContextModel)? {
        let M = try parameters.width("latent_channels")
        guard let hyper else {
            guard kind == .none else { throw CodecError(.badModel, "hyperparameter 'context' is '\(kind.rawValue)', and there is no hyperprior") }
            return nil
        }
        if kind == .none { return PriorOnly(latentChannels: M, scalesOnly: hyper.magnitudes) }
        guard !hyper.magnitudes else { throw CodecError(.badModel, "hyperparameter 'hyper' is 'scale', which has no means for a context model") }
        if kind.isSpatial { return try SpatialContext(loader, latentChannels: M, checkerboard: kind == .checkerboard) }
        var variant = kind == .narrowChannelWise ? ChannelwiseContext.Variant.narrow : .plain
        if kind == .tcm {
            let inner = try parameters.width("attention_channels", multipleOf: 32)
            variant = .attending(
                inner: inner, headChannels: try parameters.headChannels("attention_head_channels", of: inner), window: try parameters.window("window"))
        }
        return try ChannelwiseContext(
            loader, slices: try parameters.slices("slices", of: M), mostSupport: try parameters.count("max_support_slices", 0...256), variant)
    }

    /// Hyperparameter "lattice" names a classical lattice, or is "basis".
    private static func lattice(
        _ loader: WeightLoader, _ hyperparameters: NetworkParameters, _ parameters: GaussianParameters, slices: [Int]
    ) throws -> any LatentQuantizer {
        let name = try hyperparameters.text("lattice")
        if ClassicalLattice.exists(name) { return try ClassicalLattice(name, loader, parameters, slices: slices) }
        guard name == "basis" else { throw CodecError(.badModel, "hyperparameter 'lattice' is '\(name)', and known are 'e8', 'barnes-wall', 'leech', 'basis'") }
        return try BasisLattice(loader, hyperparameters, parameters, slices: slices)
    }

    /// At a level of the rate, or nil for a network of one rate.
    func quantizer(at level: RateLevel?) -> any LatentQuantizer {
        guard let variableRate, let level else { return fixedQuantizer }
        return SteppedQuantizer(parameters: parameters, rate: variableRate, level: level)
    }

    /// What codes the latents where they are points of a lattice.
    var latticeCoder: LatticeCoder? { fixedQuantizer.latticeCoder }

    func plan(width: Int, height: Int, threads: Int, encoder: Bool) -> any NetworkPlan {
        Plan(self, width: width, height: height, threads: threads, encoder: encoder)
    }
}
