// SPDX-License-Identifier: Apache-2.0
import CKernels

/// A dense convolution with zero padding of (kernelSize - 1) / 2; weights in the model file (output, input, kernel row, kernel column),
/// packed here for the kernels.
struct DenseConvolution {
    let kernelSize: Int
    let inputChannels: Int
    let outputChannels: Int
    let weights: UnsafePointer<Float>
    let bias: Bias

    /// Convolves `count` positions. `input` is the first tap of the first position, `inputRow` the floats between rows, `tapStep` the floats
    /// between neighbouring columns, `inputStep` those between the inputs of consecutive positions (tapStep times the stride).
    /// The residual is added before the activation.
    @inline(__always)
    func apply(
        _ context: LayerContext, input: UnsafePointer<Float>, inputRow: Int = 0, tapStep: Int = 0, inputStep: Int,
        output: UnsafeMutablePointer<Float>, outputStep: Int, count: Int,
        residual: UnsafePointer<Float>? = nil, residualStep: Int = 0, slope: Float = noActivation
    ) {
        let taps = kernelSize * kernelSize
        withUnsafeTemporaryAllocation(of: Int.self, capacity: taps) { offsets in
            for tap in 0 ..< taps { offsets[tap] = tap / kernelSize * inputRow + tap % kernelSize * tapStep }
            var convolution = nck_convolution(
                weights: weights, bias: bias.pointer(context), tap_offsets: offsets.baseAddress, taps: taps, inputs: inputChannels, outputs: outputChannels)
            context.kernels.convolve(
                &convolution, input, inputStep, output, outputStep, count, nck_epilogue(residual: residual, residual_step: residualStep, slope: slope))
        }
    }

    /// One span of `output`, whose position (r, c) sees the input around (r * stride, c * stride).
    func apply(_ context: LayerContext, _ span: Span, from input: FeatureMap, stride: Int = 1, to output: FeatureMap, slope: Float = noActivation) {
        let reach = kernelSize / 2
        apply(
            context, input: input.at(span.row * stride - reach, span.start * stride - reach), inputRow: input.rowStride, tapStep: input.step,
            inputStep: input.step * stride, output: output.at(span.row, span.start), outputStep: output.step, count: span.count, slope: slope)
    }
}

/// A convolution followed by a pixel shuffle: output channel (c * factor + i) * factor + j goes to channel c of position
/// (factor * row + i, factor * column + j). Each (i, j) is a convolution of its own, so nothing is moved afterwards.
struct ShuffledConvolution {
    let factor: Int
    /// One for each (i, j), row by row.
    let parts: [DenseConvolution]

    /// One span of the input's grid; writes channels from `channel` on of the finer `output`. Input channels start at the input's first.
    func apply(
        _ context: LayerContext, _ span: Span, from input: FeatureMap, to output: FeatureMap, channel: Int = 0, slope: Float = noActivation
    ) {
        let reach = parts[0].kernelSize / 2
        for (index, part) in parts.enumerated() {
            part.apply(
                context, input: input.at(span.row - reach, span.start - reach), inputRow: input.rowStride, tapStep: input.step, inputStep: input.step,
                output: output.at(span.row * factor + index / factor, span.start * factor + index % factor) + channel,
                outputStep: output.step * factor, count: span.count, slope: slope)
        }
    }
}
