// SPDX-License-Identifier: Apache-2.0

/// Two residual branches: pointwise, LeakyReLU, depthwise 3x3, pointwise; then pointwise to another width, LeakyReLU, pointwise back.
/// The first bias of each branch may follow the rate parameter.
struct ResidualBlock {
    let spaceIn: DenseConvolution
    let spaceDepthwise: DepthwiseConvolution
    let spaceOut: DenseConvolution
    let mixIn: DenseConvolution
    let mixOut: DenseConvolution

    var channels: Int { spaceIn.inputChannels }
    private var mixChannels: Int { mixOut.inputChannels }

    /// Multiply-accumulates of one position.
    var macs: Int {
        [spaceIn, spaceOut, mixIn, mixOut].reduce(spaceDepthwise.macs) { $0 + $1.macs }
    }

    /// Floats of scratch memory each worker needs.
    var scratchCount: Int { ThreadTeam.spanLength * max(channels, mixChannels) }

    /// Works in place on the first `channels` channels of `x`. `wide` has `channels` channels and a clear halo of 1.
    func apply(_ context: LayerContext, _ x: FeatureMap, wide: FeatureMap, scratch: WorkerScratch) {
        context.team.runSpans(rows: x.rows, columns: x.columns) { span, _ in
            spaceIn.apply(context, span, from: x, to: wide, activation: .leakyReLU)
        }
        context.team.runSpans(rows: x.rows, columns: x.columns) { span, worker in
            let position = x.at(span.row, span.start)
            let hidden = scratch[worker]
            spaceDepthwise.apply(context, from: wide, row: span.row, column: span.start, count: span.count, output: hidden)
            spaceOut.apply(
                context, input: hidden, inputStep: channels, output: position, outputStep: x.step, count: span.count,
                residual: position, residualStep: x.step)
            mixIn.apply(context, input: position, inputStep: x.step, output: hidden, outputStep: mixChannels, count: span.count, activation: .leakyReLU)
            mixOut.apply(
                context, input: hidden, inputStep: mixChannels, output: position, outputStep: x.step, count: span.count,
                residual: position, residualStep: x.step)
        }
    }
}

/// Scratch memory of equal size for each worker of a team.
struct WorkerScratch {
    let base: UnsafeMutablePointer<Float>
    let floatsPerWorker: Int

    @inline(__always)
    subscript(_ worker: Int) -> UnsafeMutablePointer<Float> { base + worker * floatsPerWorker }
}
