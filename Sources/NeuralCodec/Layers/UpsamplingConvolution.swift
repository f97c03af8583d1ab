// SPDX-License-Identifier: Apache-2.0
import CKernels

/// A convolution to a grid that is `factor` times finer: one with a pixel shuffle (Shi et al., CVPR 2016), or a transposed one. The outputs of each phase,
/// positions (factor * row + i, factor * column + j), are a convolution of their own, so nothing is moved afterwards.
struct UpsamplingConvolution {
    let factor: Int
    /// One for each phase (i, j), row by row.
    let phases: [DenseConvolution]

    var outputChannels: Int { phases[0].outputChannels }

    /// One span of the input's grid; writes channels from `channel` on of the finer `output`. Input channels start at the input's first.
    func apply(
        _ context: LayerContext, _ span: Span, from input: FeatureMap, to output: FeatureMap, channel: Int = 0, activation: nck_activation = .none
    ) {
        for (index, phase) in phases.enumerated() {
            phase.apply(
                context, input: input.at(span.row, span.start), inputRow: input.rowStride, tapStep: input.step, inputStep: input.step,
                output: output.at(span.row * factor + index / factor, span.start * factor + index % factor) + channel,
                outputStep: output.step * factor, count: span.count, activation: activation)
        }
    }
}
