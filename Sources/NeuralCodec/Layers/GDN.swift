// SPDX-License-Identifier: Apache-2.0
import CKernels

/// Generalized divisive normalization, x / sqrt(beta + gamma x^2), or its approximate inverse, x * sqrt(beta + gamma x^2) (Ballé et al., "End-to-end Optimized
/// Image Compression", ICLR 2017). gamma (channels, channels) is a pointwise convolution of the squares.
struct GDN {
    /// The least beta that CompressAI's models can have.
    static let betaMinimum: Float = 0x1.0c6f7ap-20

    let norm: DenseConvolution
    let inverse: Bool

    var channels: Int { norm.outputChannels }

    /// Normalizes `count` positions of contiguous channels; `squares` holds channels * count floats. Output may be the input.
    func apply(
        _ context: LayerContext, input: UnsafePointer<Float>, inputStep: Int, output: UnsafeMutablePointer<Float>, outputStep: Int, count: Int,
        squares: UnsafeMutablePointer<Float>
    ) {
        context.kernels.square(channels, input, inputStep, squares, channels, count)
        norm.apply(
            context, input: squares, inputStep: channels, output: output, outputStep: outputStep, count: count,
            epilogue: nck_epilogue(
                operand: input, operand_step: inputStep, combination: inverse ? NCK_MULTIPLY_BY_ROOT : NCK_DIVIDE_BY_ROOT, activation: .none))
    }
}
