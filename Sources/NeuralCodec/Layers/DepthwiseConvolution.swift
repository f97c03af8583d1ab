// SPDX-License-Identifier: Apache-2.0
import CKernels

/// A depthwise convolution, stride 1, zero padding of (kernelSize - 1) / 2; weights packed as (tap, channel). kernelSize is 3 or 5.
struct DepthwiseConvolution {
    let kernelSize: Int
    let channels: Int
    let weights: UnsafePointer<Float>
    let bias: UnsafePointer<Float>

    /// Multiply-accumulates of one position.
    var macs: Int { channels * kernelSize * kernelSize }

    /// `count` positions of `input`, from (row, column) on, `columnStep` columns apart, to contiguous positions of `output`.
    func apply(
        _ context: LayerContext, from input: FeatureMap, row: Int, column: Int, columnStep: Int = 1, count: Int,
        output: UnsafeMutablePointer<Float>, activation: nck_activation = .none
    ) {
        let reach = kernelSize / 2
        context.kernels.depthwise(
            weights, bias, kernelSize, channels, input.at(row - reach, column - reach), input.rowStride, input.step * columnStep, output, channels, count, activation)
    }
}
