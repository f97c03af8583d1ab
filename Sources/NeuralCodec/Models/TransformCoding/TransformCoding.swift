// SPDX-License-Identifier: Apache-2.0
import CKernels

/// Transform coding as the published networks do it ("transform-coding"): an analysis and a synthesis transform, a factorized prior or a hyperprior, and a context model,
/// each of several kinds. Imported CompressAI checkpoints are of this family. docs/format.md is normative.
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
    /// Ones and zeros, a value each latent channel: gains and log-scales of a kernel that serves other families too.
    let ones, zeros: UnsafePointer<Float>
    /// Pixels on a side of a latent's, and of a hyperlatent's.
    let latentSide = 16
    let padding: Int
    let qualityMap: [Int] = []
    private let memory: [ByteBuffer]

    init(_ loader: WeightLoader, _ parameters: JSON) throws {
        let parameters = Hyperparameters(parameters)
        let (N, M) = (try parameters.width("channels"), try parameters.width("latent_channels"))
        latentChannels = M
        switch try parameters.choice("transform", Transform.self) {
        case .balle2018, .balle2018ReLU:
            let relu = try parameters.choice("transform", Transform.self) == .balle2018ReLU
            analysis = try loader.balleAnalysis("g_a", channels: N, latentChannels: M, relu: relu)
            synthesis = try loader.balleSynthesis("g_s", channels: N, latentChannels: M, relu: relu)
        case .cheng2020Anchor, .cheng2020Attention:
            guard N == M else { throw CodecError(.badModel, "hyperparameters 'channels' (\(N)) and 'latent_channels' (\(M)) of a cheng2020 transform differ") }
            let attention = try parameters.choice("transform", Transform.self) == .cheng2020Attention
            analysis = try loader.chengAnalysis(N, attention: attention)
            synthesis = try loader.chengSynthesis(N, attention: attention)
        }
        let kind = try parameters.choice("context", Context.self)
        // Spatial contexts see the prior through another layer; the others take it as means and scales.
        let order: WeightLoader.OutputOrder = kind == .checkerboard || kind == .autoregressive ? .file : .halvesSwapped
        switch try parameters.choice("hyper", Hyper.self) {
        case .none: hyper = nil
        case .scale: hyper = try .scale(loader, channels: N, latentChannels: M)
        case .meanScale: hyper = try .meanScale(loader, channels: N, latentChannels: M, order: order)
        case .cheng2020: hyper = try .cheng(loader, channels: M, order: order)
        }
        guard let hyper else {
            guard kind == .none else { throw CodecError(.badModel, "hyperparameter 'context' is '\(kind.rawValue)', and there is no hyperprior") }
            context = nil
            hyperTables = try .factorizedPrior(loader, channels: M)
            latentTables = hyperTables
            medians = UnsafePointer(try loader.floats("prior.medians", [M]))
            let none = try loader.allocate(Float.self, 255)
            none.update(repeating: .infinity, count: 255)
            thresholds = UnsafePointer(none)
            (ones, zeros) = (thresholds, thresholds)
            padding = latentSide
            memory = loader.memory
            try parameters.checkAllRead()
            try loader.checkAllRead()
            return
        }
        switch kind {
        case .none: context = PriorOnly(latentChannels: M, scalesOnly: hyper.magnitudes)
        case .checkerboard, .autoregressive:
            guard !hyper.magnitudes else { throw CodecError(.badModel, "hyperparameter 'hyper' is 'scale', which has no means for a context model") }
            context = try SpatialContext(loader, latentChannels: M, checkerboard: kind == .checkerboard)
        case .channelWise:
            guard !hyper.magnitudes else { throw CodecError(.badModel, "hyperparameter 'hyper' is 'scale', which has no means for a context model") }
            context = try ChannelwiseContext(
                loader, slices: try parameters.slices("slices", of: M), mostSupport: try parameters.count("max_support_slices", 0...256), .plain)
        }
        hyperTables = try .factorizedPrior(loader, channels: hyper.hyperChannels)
        medians = UnsafePointer(try loader.floats("prior.medians", [hyper.hyperChannels]))
        latentTables = try .gaussian(loader)
        thresholds = try loader.thresholds(scales: latentTables.count)
        let constants = try loader.allocate(Float.self, 2 * M)
        constants.update(repeating: 1, count: M)
        (constants + M).update(repeating: 0, count: M)
        (ones, zeros) = (UnsafePointer(constants), UnsafePointer(constants + M))
        padding = 4 * latentSide
        memory = loader.memory
        try parameters.checkAllRead()
        try loader.checkAllRead()
    }

    func plan(width: Int, height: Int, threads: Int, encoder: Bool) -> any NetworkPlan {
        Plan(self, width: width, height: height, threads: threads, encoder: encoder)
    }

    private enum Transform: String, CaseIterable {
        case balle2018, balle2018ReLU = "balle2018-relu", cheng2020Anchor = "cheng2020-anchor", cheng2020Attention = "cheng2020-attn"
    }

    private enum Hyper: String, CaseIterable {
        case none, scale, meanScale = "mean-scale", cheng2020
    }

    private enum Context: String, CaseIterable {
        case none, checkerboard, autoregressive, channelWise = "channel-wise"
    }
}

/// Reads a model's hyperparameters, with errors that name them.
private final class Hyperparameters {
    private let members: [(key: String, value: JSON)]
    private var read: Set<String> = []

    init(_ json: JSON) {
        if case .object(let members) = json { self.members = members } else { members = [] }
    }

    private func value(_ name: String) -> JSON? {
        read.insert(name)
        return members.first { $0.key == name }?.value
    }

    /// Refuses hyperparameters that nothing has asked for: they would mean something to another version of the library.
    func checkAllRead() throws {
        if let name = members.map(\.key).filter({ !read.contains($0) }).min() {
            throw CodecError(.badModel, "hyperparameter '\(name)' is unknown, or does not belong to a network with the others")
        }
    }

    /// A number of channels, bounded so that no product of two of them can overflow or exhaust memory before the shapes are checked.
    func width(_ name: String) throws -> Int {
        guard let value = self.value(name)?.integer, (16...4096).contains(value), value % 16 == 0 else {
            throw CodecError(.badModel, "hyperparameter '\(name)' is not a multiple of 16 in 16...4096")
        }
        return value
    }

    /// At most 64 hidden layers' widths.
    func widths(_ name: String) throws -> [Int] {
        guard let values = self.value(name)?.integers, values.count <= 64, values.allSatisfy({ (16...4096).contains($0) && $0 % 16 == 0 }) else {
            throw CodecError(.badModel, "hyperparameter '\(name)' is not a list of at most 64 multiples of 16 in 16...4096")
        }
        return values
    }

    /// Channels of slices, which make `total` together.
    func slices(_ name: String, of total: Int) throws -> [Int] {
        let values = try widths(name)
        guard !values.isEmpty, values.reduce(0, +) == total else { throw CodecError(.badModel, "hyperparameter '\(name)' does not add up to \(total)") }
        return values
    }

    func count(_ name: String, _ range: ClosedRange<Int>) throws -> Int {
        guard let value = self.value(name)?.integer, range.contains(value) else {
            throw CodecError(.badModel, "hyperparameter '\(name)' is not in \(range.lowerBound)...\(range.upperBound)")
        }
        return value
    }

    func choice<Choice: RawRepresentable<String> & CaseIterable>(_ name: String, _ type: Choice.Type) throws -> Choice {
        let given = value(name)?.string
        guard let choice = given.flatMap(Choice.init) else {
            throw CodecError(
                .badModel,
                "hyperparameter '\(name)' is \(given.map { "'\($0)'" } ?? "missing, or no text"), and known are \(Choice.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", "))")
        }
        return choice
    }
}
