// SPDX-License-Identifier: Apache-2.0
import CKernels

/// Hyper analysis (latents to hyperlatents, four times coarser) and hyper synthesis (back to what the entropy parameters are made of). Tensors as in CompressAI: h_a.*, h_s.*.
struct HyperTransforms {
    let analysis, synthesis: [any MapLayer]
    /// Where means and scales have a hyper synthesis each: that of the scales.
    var scaleSynthesis: [any MapLayer]?
    /// Whether `scaleSynthesis` goes before `synthesis` in the prior's channels.
    var scalesFirst = false
    /// The hyper analysis sees the latents' magnitudes.
    var magnitudes = false
    let hyperChannels: Int

    /// Ballé et al. (ICLR 2018): scales of `latentChannels`.
    static func scale(_ loader: WeightLoader, channels: Int, latentChannels: Int) throws -> HyperTransforms {
        HyperTransforms(
            analysis: try minnenAnalysis(loader, channels, latentChannels, .relu),
            synthesis: [
                UpsamplingLayer(upsampling: try loader.transposed("h_s.0", channels, channels, kernelSize: 5, stride: 2), activation: .relu),
                UpsamplingLayer(upsampling: try loader.transposed("h_s.2", channels, channels, kernelSize: 5, stride: 2), activation: .relu),
                ConvolutionLayer(convolution: try loader.dense("h_s.4", channels, latentChannels, kernelSize: 3), activation: .relu),
            ],
            magnitudes: true, hyperChannels: channels)
    }

    /// Minnen et al. (NeurIPS 2018): 2 * `latentChannels` outputs.
    static func meanScale(_ loader: WeightLoader, channels: Int, latentChannels: Int, order: WeightLoader.OutputOrder) throws -> HyperTransforms {
        let wide = latentChannels * 3 / 2
        return HyperTransforms(
            analysis: try minnenAnalysis(loader, channels, latentChannels, .compressAI),
            synthesis: [
                UpsamplingLayer(upsampling: try loader.transposed("h_s.0", channels, latentChannels, kernelSize: 5, stride: 2), activation: .compressAI),
                UpsamplingLayer(upsampling: try loader.transposed("h_s.2", latentChannels, wide, kernelSize: 5, stride: 2), activation: .compressAI),
                ConvolutionLayer(convolution: try loader.dense("h_s.4", wide, 2 * latentChannels, kernelSize: 3, order: order)),
            ],
            hyperChannels: channels)
    }

    private static func minnenAnalysis(_ loader: WeightLoader, _ channels: Int, _ latentChannels: Int, _ activation: nck_activation) throws -> [any MapLayer] {
        [
            ConvolutionLayer(convolution: try loader.dense("h_a.0", latentChannels, channels, kernelSize: 3), activation: activation),
            ConvolutionLayer(convolution: try loader.dense("h_a.2", channels, channels, kernelSize: 5), stride: 2, activation: activation),
            ConvolutionLayer(convolution: try loader.dense("h_a.4", channels, channels, kernelSize: 5), stride: 2),
        ]
    }

    /// Cheng et al. (CVPR 2020): 3x3 convolutions; hyperlatents have the latents' channels.
    static func cheng(_ loader: WeightLoader, channels: Int, order: WeightLoader.OutputOrder) throws -> HyperTransforms {
        let wide = channels * 3 / 2
        func convolution(_ name: String, _ inputs: Int, _ outputs: Int, stride: Int = 1, last: Bool = false) throws -> ConvolutionLayer {
            ConvolutionLayer(
                convolution: try loader.dense(name, inputs, outputs, kernelSize: 3, order: last ? order : .file), stride: stride, activation: last ? .none : .compressAI)
        }
        func subpixel(_ name: String, _ channels: Int) throws -> UpsamplingLayer {
            UpsamplingLayer(upsampling: try loader.shuffled("\(name).0", channels, 4 * channels, factor: 2, kernelSize: 3), activation: .compressAI)
        }
        return HyperTransforms(
            analysis: [
                try convolution("h_a.0", channels, channels), try convolution("h_a.2", channels, channels),
                try convolution("h_a.4", channels, channels, stride: 2), try convolution("h_a.6", channels, channels),
                ConvolutionLayer(convolution: try loader.dense("h_a.8", channels, channels, kernelSize: 3), stride: 2),
            ],
            synthesis: [
                try convolution("h_s.0", channels, channels), try subpixel("h_s.2", channels), try convolution("h_s.4", channels, wide),
                try subpixel("h_s.6", wide), try convolution("h_s.8", wide, 2 * channels, last: true),
            ],
            hyperChannels: channels)
    }
}

extension nck_activation {
    /// LeakyReLU of PyTorch's default slope, 0.01.
    static let compressAI = leakyReLU(slope: 0x1.47ae14p-7)
}
