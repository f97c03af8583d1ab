// SPDX-License-Identifier: Apache-2.0
import CKernels

/// A convolution whose channels fall into groups that do not see each other: group g reads its share of the input's channels and writes its share of the output's.
struct GroupedConvolution {
    let groups: [DenseConvolution]

    /// One span of `output`, whose position (r, c) sees the input around (r * stride, c * stride).
    func apply(_ context: LayerContext, _ span: Span, from input: FeatureMap, stride: Int = 1, to output: FeatureMap, activation: nck_activation = .none) {
        for (index, group) in groups.enumerated() {
            group.apply(
                context, input: input.at(span.row * stride, span.start * stride) + index * group.inputChannels, inputRow: input.rowStride, tapStep: input.step,
                inputStep: input.step * stride, output: output.at(span.row, span.start) + index * group.outputChannels, outputStep: output.step,
                count: span.count, activation: activation)
        }
    }
}
