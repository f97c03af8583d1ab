// SPDX-License-Identifier: Apache-2.0
import CKernels

/// The transforms of Ballé et al. (ICLR 2018) and Minnen et al. (NeurIPS 2018): four 5x5 convolutions of stride 2 with GDN between them, and their mirror image.
/// Tensors as in CompressAI: PREFIX.0.weight, PREFIX.1.beta, ...
extension WeightLoader {
    /// Picture (H, W) to latents (H/16, W/16). With `relu`, ReLU in the place of GDN.
    package func balleAnalysis(_ prefix: String, colours: Int = 3, channels: Int, latentChannels: Int, relu: Bool = false) throws -> [any MapLayer] {
        let widths = [colours, channels, channels, channels, latentChannels]
        return try (0 ..< 4).map { index in
            ConvolutionLayer(
                convolution: try dense("\(prefix).\(2 * index)", widths[index], widths[index + 1], kernelSize: 5), stride: 2,
                activation: relu && index < 3 ? .relu : .none, norm: relu || index == 3 ? nil : try gdn("\(prefix).\(2 * index + 1)", channels))
        }
    }

    package func balleSynthesis(_ prefix: String, colours: Int = 3, channels: Int, latentChannels: Int, relu: Bool = false) throws -> [any MapLayer] {
        let layers: [any MapLayer] = try (0 ..< 3).map { index in
            UpsamplingLayer(
                upsampling: try transposed("\(prefix).\(2 * index)", index == 0 ? latentChannels : channels, channels, kernelSize: 5, stride: 2),
                activation: relu ? .relu : .none, norm: relu ? nil : try gdn("\(prefix).\(2 * index + 1)", channels, inverse: true))
        }
        return layers + [NarrowUpsamplingLayer(upsampling: try narrowTransposed("\(prefix).6", channels, colours, kernelSize: 5, stride: 2))]
    }
}
