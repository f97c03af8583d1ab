// SPDX-License-Identifier: Apache-2.0
import CKernels

/// A transposed convolution to so few channels that all phases of all of them fit one vector, as the three colours at the end of a synthesis transform do.
/// One convolution with the taps of all phases, each of which reaches the lanes of its phases only; lanes are in the order of a pixel shuffle,
/// (channel * factor + i) * factor + j. For 3 channels and factor 2 that is four times less work than a vector for each phase.
struct NarrowUpsampling {
    let factor: Int
    let channels: Int
    let convolution: DenseConvolution

    /// One span of the input's grid to contiguous positions of NCK_LANES values.
    func apply(_ context: LayerContext, _ span: Span, from input: FeatureMap, output: UnsafeMutablePointer<Float>) {
        convolution.apply(context, span, from: input, output: output, outputStep: NCK_LANES)
    }
}
