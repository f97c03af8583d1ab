// SPDX-License-Identifier: Apache-2.0
import CKernels

/// A convolution, its activation or GDN in the same span.
struct ConvolutionLayer: MapLayer {
    let convolution: DenseConvolution
    var stride = 1
    var activation = nck_activation.none
    var norm: GDN?

    var reach: Int { convolution.taps.reach }

    func shape(of input: MapShape) -> MapShape {
        MapShape(rows: (input.rows + stride - 1) / stride, columns: (input.columns + stride - 1) / stride, channels: convolution.outputChannels)
    }

    func apply(_ run: LayerRun, _ input: FeatureMap, to output: FeatureMap) {
        let channels = convolution.outputChannels
        run.spans(output, scratch: norm == nil ? 0 : 2 * ThreadTeam.spanLength * channels, macs: convolution.macs + (norm?.norm.macs ?? 0)) { context, span, sums in
            guard let norm else { return convolution.apply(context, span, from: input, stride: stride, to: output, activation: activation) }
            convolution.apply(context, span, from: input, stride: stride, output: sums, outputStep: channels)
            norm.apply(
                context, input: sums, inputStep: channels, output: output.at(span.row, span.start), outputStep: output.step, count: span.count,
                squares: sums + ThreadTeam.spanLength * channels)
        }
    }
}

/// A convolution to a finer grid, its activation or GDN in the same span.
struct UpsamplingLayer: MapLayer {
    let upsampling: UpsamplingConvolution
    var activation = nck_activation.none
    var norm: GDN?

    var reach: Int { upsampling.phases.map(\.taps.reach).max() ?? 0 }

    func shape(of input: MapShape) -> MapShape {
        MapShape(rows: input.rows * upsampling.factor, columns: input.columns * upsampling.factor, channels: upsampling.outputChannels)
    }

    func apply(_ run: LayerRun, _ input: FeatureMap, to output: FeatureMap) {
        let (channels, factor) = (upsampling.outputChannels, upsampling.factor)
        let macs = upsampling.phases.reduce(0) { $0 + $1.macs + (norm?.norm.macs ?? 0) }
        run.spans(input, scratch: norm == nil ? 0 : 2 * ThreadTeam.spanLength * channels, macs: macs) { context, span, sums in
            guard let norm else { return upsampling.apply(context, span, from: input, to: output, activation: activation) }
            for (phase, convolution) in upsampling.phases.enumerated() {
                convolution.apply(context, span, from: input, output: sums, outputStep: channels)
                norm.apply(
                    context, input: sums, inputStep: channels, output: output.at(factor * span.row + phase / factor, factor * span.start + phase % factor),
                    outputStep: factor * output.step, count: span.count, squares: sums + ThreadTeam.spanLength * channels)
            }
        }
    }
}

/// A convolution to the few channels of a picture.
struct NarrowUpsamplingLayer: MapLayer {
    let upsampling: NarrowUpsampling

    var reach: Int { upsampling.convolution.taps.reach }

    func shape(of input: MapShape) -> MapShape {
        MapShape(rows: input.rows * upsampling.factor, columns: input.columns * upsampling.factor, channels: upsampling.channels)
    }

    func apply(_ run: LayerRun, _ input: FeatureMap, to output: FeatureMap) {
        let factor = upsampling.factor
        run.spans(input, scratch: ThreadTeam.spanLength * NCK_LANES, macs: upsampling.convolution.macs) { context, span, lanes in
            upsampling.apply(context, span, from: input, output: lanes)
            context.kernels.pixel_shuffle(
                factor, upsampling.channels, lanes, NCK_LANES, output.at(factor * span.row, factor * span.start), output.rowStride, output.step, span.count)
        }
    }
}
