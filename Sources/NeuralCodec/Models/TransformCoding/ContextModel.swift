// SPDX-License-Identifier: Apache-2.0

/// Turns the hyperprior, and latents that are already coded, into means and scales, pass by pass. Encoder and decoder run it alike.
protocol ContextModel {
    /// The halo that rebuilt latents need.
    var reach: Int { get }
    /// Channels of the hyper synthesis' output.
    var priorChannels: Int { get }

    /// Calls `coder` for one pass after the other, which together hold each latent once.
    func run(_ run: LayerRun, prior: FeatureMap, rebuilt: FeatureMap, _ coder: LatentCoder) throws
}

/// Positions that are evenly spaced, in coding order.
struct PositionLine {
    let row, column: Int
    var rowStep = 0
    var columnStep = 1
    let count: Int

    /// The first position in a map, and the floats from one position to the next.
    func pointer(_ map: FeatureMap) -> UnsafeMutablePointer<Float> { map.at(row, column) }
    func step(_ map: FeatureMap) -> Int { rowStep * map.rowStride + columnStep * map.step }

    func part(_ range: Range<Int>) -> PositionLine {
        PositionLine(
            row: row + rowStep * range.lowerBound, column: column + columnStep * range.lowerBound, rowStep: rowStep, columnStep: columnStep, count: range.count)
    }
}

/// Raw means and scales (position, 2 * channels) of a line, which may be computed into `scratch`.
typealias ParameterSource = (_ context: LayerContext, _ line: PositionLine, _ scratch: UnsafeMutablePointer<Float>) -> UnsafePointer<Float>

/// Hyperprior without context: one pass over all positions.
struct PriorOnly: ContextModel {
    let latentChannels: Int
    /// The prior holds scales; means are zero.
    let scalesOnly: Bool

    var reach: Int { 0 }
    var priorChannels: Int { scalesOnly ? latentChannels : 2 * latentChannels }

    func run(_ run: LayerRun, prior: FeatureMap, rebuilt: FeatureMap, _ coder: LatentCoder) throws {
        let channels = latentChannels
        let scratch = scalesOnly ? 2 * channels * ThreadTeam.spanLength : 0
        try coder.pass(run, lines: rebuilt.rows, length: rebuilt.columns, scratch: scratch) {
            PositionLine(row: $0, column: 0, count: rebuilt.columns)
        } parameters: { _, line, scratch in
            let given = line.pointer(prior)
            guard scalesOnly else { return UnsafePointer(given) }
            for position in 0 ..< line.count {
                let raw = scratch + 2 * channels * position
                raw.update(repeating: 0, count: channels)
                (raw + channels).update(from: given + channels * position, count: channels)
            }
            return UnsafePointer(scratch)
        }
    }
}

/// A context of neighbouring latents: a masked 5x5 convolution, and pointwise layers over prior and context (Minnen et al., NeurIPS 2018, section 3). Either every position
/// sees those before it in raster order, or, with a checkerboard, the positions of odd row + column see the others (He et al., CVPR 2021), whose context is zero.
/// In raster order the positions of equal column + 3 row do not see each other: each such line is a pass.
struct SpatialContext: ContextModel {
    let latentChannels: Int
    let checkerboard: Bool
    let contextPrediction: DenseConvolution
    /// First layer: of the prior, and of the context.
    let ofPrior, ofContext: DenseConvolution
    /// The layers after it; the last one gives means and scales.
    let rest: [DenseConvolution]

    static let kernelSize = 5

    init(_ loader: WeightLoader, latentChannels M: Int, checkerboard: Bool) throws {
        latentChannels = M
        self.checkerboard = checkerboard
        let taps = checkerboard ? WeightedTap.checkerboard(kernelSize: Self.kernelSize) : WeightedTap.causal(kernelSize: Self.kernelSize)
        contextPrediction = try loader.masked("context_prediction", M, 2 * M, kernelSize: Self.kernelSize, taps: taps)
        let widths = [4 * M, M * 10 / 3, M * 8 / 3, 2 * M]
        let first = try loader.joined("entropy_parameters.0", [2 * M, 2 * M], widths[1])
        (ofPrior, ofContext) = (first[0], first[1])
        rest = [
            try loader.dense("entropy_parameters.2", widths[1], widths[2]),
            try loader.dense("entropy_parameters.4", widths[2], widths[3], order: .halvesSwapped),
        ]
    }

    var reach: Int { contextPrediction.taps.reach }
    var priorChannels: Int { 2 * latentChannels }

    func run(_ run: LayerRun, prior: FeatureMap, rebuilt: FeatureMap, _ coder: LatentCoder) throws {
        // What the prior contributes to the first layer does not wait for any latent.
        let hidden = run.chain([ConvolutionLayer(convolution: ofPrior)], prior)
        if let added = coder.level?.context { add(run, added, to: hidden) }
        if checkerboard {
            for pass in 0 ..< 2 {
                // The number of columns is even.
                try coder.pass(run, lines: rebuilt.rows, length: rebuilt.columns / 2, scratch: scratchCount, macs: macs(seesContext: pass == 1)) {
                    PositionLine(row: $0, column: ($0 + pass) & 1, columnStep: 2, count: rebuilt.columns / 2)
                } parameters: { parameters($0, $1, $2, hidden, rebuilt, seesContext: pass == 1) }
            }
        } else {
            for wave in 0 ..< rebuilt.columns + 3 * (rebuilt.rows - 1) {
                // Rows r with 0 <= wave - 3 r < columns.
                let first = max(0, (wave - rebuilt.columns + 3) / 3)
                let last = min(rebuilt.rows - 1, wave / 3)
                try coder.pass(run, lines: 1, length: last - first + 1, scratch: scratchCount, macs: macs(seesContext: true)) { _ in
                    PositionLine(row: first, column: wave - 3 * first, rowStep: 1, columnStep: -3, count: last - first + 1)
                } parameters: { parameters($0, $1, $2, hidden, rebuilt, seesContext: true) }
            }
        }
    }

    /// What a context of these values contributes to the first layer, at all positions.
    private func add(_ run: LayerRun, _ values: UnsafePointer<Float>, to hidden: FeatureMap) {
        let width = hidden.channels
        run.spans(hidden, scratch: width) { context, span, sum in
            ofContext.apply(context, input: values, inputStep: ofContext.inputChannels, output: sum, outputStep: width, count: 1)
            let position = hidden.at(span.row, span.start)
            context.kernels.add(width, position, hidden.step, sum, 0, position, hidden.step, span.count)
        }
    }

    /// Two buffers of the widest layer.
    private var bufferCount: Int { ThreadTeam.spanLength * ([contextPrediction, ofPrior] + rest).map(\.outputChannels).max()! }
    private var scratchCount: Int { 2 * bufferCount }

    private func macs(seesContext: Bool) -> Int { (seesContext ? contextPrediction.macs + ofContext.macs : 0) + rest.reduce(0) { $0 + $1.macs } }

    private func parameters(
        _ context: LayerContext, _ line: PositionLine, _ scratch: UnsafeMutablePointer<Float>, _ hidden: FeatureMap, _ rebuilt: FeatureMap, seesContext: Bool
    ) -> UnsafePointer<Float> {
        var (now, next) = (scratch, scratch + bufferCount)
        let width = hidden.channels
        if seesContext {
            contextPrediction.apply(
                context, input: line.pointer(rebuilt), inputRow: rebuilt.rowStride, tapStep: rebuilt.step, inputStep: line.step(rebuilt), output: next,
                outputStep: contextPrediction.outputChannels, count: line.count)
            ofContext.apply(
                context, input: next, inputStep: ofContext.inputChannels, output: now, outputStep: width, count: line.count, residual: line.pointer(hidden),
                residualStep: line.step(hidden), activation: .compressAI)
        } else {
            context.kernels.activate(width, line.pointer(hidden), line.step(hidden), now, width, line.count, .compressAI)
        }
        for (index, layer) in rest.enumerated() {
            layer.apply(
                context, input: now, inputStep: layer.inputChannels, output: next, outputStep: layer.outputChannels, count: line.count,
                activation: index + 1 < rest.count ? .compressAI : .none)
            swap(&now, &next)
        }
        return UnsafePointer(now)
    }
}
