// SPDX-License-Identifier: Apache-2.0
import CKernels

/// Variable rate by quantization steps, with reconstruction offsets (Kamisli, Racapé and Choi, "Variable-Rate Learned Image Compression with Multi-Objective Optimization and
/// Quantization-Reconstruction Offsets", DCC 2024), as CompressAI's -vbr models have it. The rate parameter chooses one of some levels.
struct VariableRate {
    /// Reciprocals of the latents' steps, ascending.
    let gains: UnsafePointer<Float>
    let levels: Int
    /// The hyperlatents' steps; nil: 1. With them, hyperlatents have tables for each level.
    let steps: UnsafePointer<Float>?
    /// For each level, what is added to the channels of a spatial context.
    let context: UnsafePointer<Float>?
    let contextChannels: Int
    /// From a latent's scale, in steps, and the gain to the offset: layers of 12, 12 and 1 outputs, ReLU between them.
    let offsets: [DenseConvolution]
    /// The gains, repeated for all channels: levels times channels.
    private let channelGains: UnsafePointer<Float>
    private let channels: Int

    /// Tensors vbr.gains, vbr.steps (hyperparameter "variable_step"), vbr.context and QuantABCD.{0,2,4}; nil without hyperparameter "gain", the number of levels.
    init?(_ loader: WeightLoader, _ parameters: NetworkParameters, hasSpatialContext: Bool) throws {
        guard let levels = try parameters.optionalCount("gain", 2...4096) else { return nil }
        let M = try parameters.width("latent_channels")
        self.levels = levels
        channels = M
        gains = UnsafePointer(try loader.floats("vbr.gains", [levels]))
        steps = try parameters.optionalCount("variable_step", 0...1) == 1 ? UnsafePointer(try loader.floats("vbr.steps", [levels])) : nil
        for level in 0 ..< levels {
            guard gains[level] > 0x1p-20, gains[level] < 0x1p20, level == 0 || gains[level] > gains[level - 1] else {
                throw CodecError(.badModel, "tensor 'vbr.gains' does not ascend between 2^-20 and 2^20")
            }
            guard steps.map({ $0[level] > 0x1p-20 && $0[level] < 0x1p20 }) ?? true else {
                throw CodecError(.badModel, "tensor 'vbr.steps' is not between 2^-20 and 2^20")
            }
        }
        contextChannels = hasSpatialContext ? 2 * M : 0
        context = hasSpatialContext ? UnsafePointer(try loader.floats("vbr.context", [levels, contextChannels])) : nil
        offsets = [try loader.linear("QuantABCD.0", 2, 12), try loader.linear("QuantABCD.2", 12, 12), try loader.linear("QuantABCD.4", 12, 1)]
        let wide = try loader.allocate(Float.self, levels * M)
        for level in 0 ..< levels { (wide + level * M).update(repeating: gains[level], count: M) }
        channelGains = UnsafePointer(wide)
    }

    /// What a rate parameter stands for.
    func level(rate: Int) -> RateLevel {
        let level = (rate * (levels - 1) + 32767) / 65535
        return RateLevel(
            level: level, gain: gains[level], inverse: 1 / gains[level], step: steps.map { $0[level] }, context: context.map { $0 + level * contextChannels },
            channelGains: channelGains + level * channels)
    }
}

/// One level of a variable rate.
struct RateLevel {
    let level: Int
    /// Reciprocal of the latents' step, and the step.
    let gain, inverse: Float
    /// Of the hyperlatents; nil: 1, and tables for all levels.
    let step: Float?
    /// Added to a spatial context's channels.
    let context: UnsafePointer<Float>?
    /// The gain for each latent channel.
    let channelGains: UnsafePointer<Float>
}

/// Scalars in the steps of a level: symbol = round((y - mean) * gain); the table is that of scale * gain.
struct SteppedQuantizer: LatentQuantizer {
    let parameters: GaussianParameters
    let rate: VariableRate
    let level: RateLevel

    func scratchCount(_ channels: Int) -> Int { max(2 * ThreadTeam.spanLength * channels, channels * (2 + 2 * NCK_LANES)) }

    func setParameters(_ part: LatentPart, _ raw: UnsafePointer<Float>) {
        let (kernels, width, inSteps) = (part.context.kernels, part.width, part.scratch)
        kernels.scale(parameters.ones, width, raw, 2 * width, inSteps, 2 * width, part.count)
        kernels.scale(level.channelGains, width, raw + width, 2 * width, inSteps + width, 2 * width, part.count)
        kernels.scale(parameters.ones, width, inSteps + width, 2 * width, part.scales!, width, part.count)
        parameters.set(part, inSteps)
    }

    func quantize(_ part: LatentPart, _ y: UnsafePointer<Float>, _ yStep: Int) {
        let (width, difference, zeros) = (part.width, part.scratch, part.scratch + part.count * part.width)
        parameters.differences(part, y, yStep, means: part.values, part.step, into: difference)
        zeros.update(repeating: 0, count: part.count * width)
        part.context.kernels.quantize(level.channelGains, width, difference, width, zeros, width, part.symbols, part.count)
        rebuild(part)
    }

    func rebuild(_ part: LatentPart) {
        let (context, width) = (part.context, part.width)
        let (pairs, first, second) = (part.scratch, part.scratch + 2 * width, part.scratch + (2 + NCK_LANES) * width)
        for position in 0 ..< part.count {
            nck_offset_inputs(part.scales! + position * width, GaussianParameters.leastScale, level.gain, pairs, width)
            rate.offsets[0].apply(context, input: pairs, inputStep: 2, output: first, outputStep: NCK_LANES, count: width, activation: .relu)
            rate.offsets[1].apply(context, input: first, inputStep: NCK_LANES, output: second, outputStep: NCK_LANES, count: width, activation: .relu)
            rate.offsets[2].apply(context, input: second, inputStep: NCK_LANES, output: first, outputStep: NCK_LANES, count: width)
            nck_add_with_offsets(part.symbols + position * width, first, level.inverse, part.values + position * part.step, width)
        }
    }
}
