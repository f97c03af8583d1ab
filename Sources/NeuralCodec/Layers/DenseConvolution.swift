// SPDX-License-Identifier: Apache-2.0
import CKernels

/// A convolution with zero padding: dense, masked, or one phase of a transposed one, as its taps say. Weights are packed for the kernels.
struct DenseConvolution {
    let taps: Taps
    let inputChannels: Int
    let outputChannels: Int
    let weights: UnsafePointer<Float>
    let bias: Bias
    /// Multiply-accumulates of one position, those of the network's definition: without channels that only fill a vector.
    let macs: Int
    /// Null, or for each tap the lanes it reaches of the only block of outputs.
    var tapLanes: UnsafePointer<UInt16>?

    /// Convolves `count` positions. `input` is channel 0 of the first position, `inputRow` the floats between rows, `tapStep` the floats between
    /// neighbouring columns, `inputStep` those between consecutive positions (tapStep times the stride).
    @inline(__always)
    func apply(
        _ context: LayerContext, input: UnsafePointer<Float>, inputRow: Int = 0, tapStep: Int = 0, inputStep: Int,
        output: UnsafeMutablePointer<Float>, outputStep: Int, count: Int, epilogue: nck_epilogue
    ) {
        let run = tapStep == inputChannels && tapLanes == nil ? taps.run : 1
        withUnsafeTemporaryAllocation(of: Int.self, capacity: taps.count) { offsets in
            for tap in 0 ..< taps.count / run {
                let position = taps.positions[tap * run]
                offsets[tap] = Int(position.row) * inputRow + Int(position.column) * tapStep
            }
            var convolution = nck_convolution(
                weights: weights, bias: bias.pointer(context), tap_offsets: offsets.baseAddress, tap_lanes: tapLanes, taps: taps.count / run,
                inputs: inputChannels * run, outputs: outputChannels)
            context.kernels.convolve(&convolution, input, inputStep, output, outputStep, count, epilogue)
        }
    }

    /// The same with an activation, and a residual that is added before it.
    @inline(__always)
    func apply(
        _ context: LayerContext, input: UnsafePointer<Float>, inputRow: Int = 0, tapStep: Int = 0, inputStep: Int,
        output: UnsafeMutablePointer<Float>, outputStep: Int, count: Int,
        residual: UnsafePointer<Float>? = nil, residualStep: Int = 0, activation: nck_activation = .none
    ) {
        apply(
            context, input: input, inputRow: inputRow, tapStep: tapStep, inputStep: inputStep, output: output, outputStep: outputStep, count: count,
            epilogue: nck_epilogue(operand: residual, operand_step: residualStep, combination: NCK_ADD_BEFORE, activation: activation))
    }

    /// One span of `output`, whose position (r, c) sees the input around (r * stride, c * stride).
    func apply(_ context: LayerContext, _ span: Span, from input: FeatureMap, stride: Int = 1, to output: FeatureMap, activation: nck_activation = .none) {
        apply(context, span, from: input, stride: stride, output: output.at(span.row, span.start), outputStep: output.step, activation: activation)
    }

    /// One span of residual + activation(sum), stride 1.
    func apply(_ context: LayerContext, _ span: Span, from input: FeatureMap, to output: FeatureMap, adding residual: FeatureMap, _ activation: nck_activation) {
        apply(
            context, input: input.at(span.row, span.start), inputRow: input.rowStride, tapStep: input.step, inputStep: input.step,
            output: output.at(span.row, span.start), outputStep: output.step, count: span.count,
            epilogue: nck_epilogue(
                operand: residual.at(span.row, span.start), operand_step: residual.step, combination: NCK_ADD_AFTER, activation: activation))
    }

    /// The same to other memory than a map.
    func apply(
        _ context: LayerContext, _ span: Span, from input: FeatureMap, stride: Int = 1, output: UnsafeMutablePointer<Float>, outputStep: Int,
        activation: nck_activation = .none
    ) {
        apply(
            context, input: input.at(span.row * stride, span.start * stride), inputRow: input.rowStride, tapStep: input.step,
            inputStep: input.step * stride, output: output, outputStep: outputStep, count: span.count, activation: activation)
    }
}
