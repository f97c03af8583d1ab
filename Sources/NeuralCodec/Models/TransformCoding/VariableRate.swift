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
    private let offsets: [DenseConvolution]
    /// The gains, repeated for all channels: levels times channels.
    private let channelGains: UnsafePointer<Float>
    private let channels: Int

    /// The scale that CompressAI's tables begin with.
    private static let leastScale: Float = 0x1.c28f5cp-4

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

    /// Floats that `rebuild` needs.
    static func scratchCount(_ channels: Int) -> Int { channels * (2 + 2 * NCK_LANES) }

    /// Scales at most `leastScale` count as that.
    func rebuild(
        _ context: LayerContext, _ level: RateLevel, _ channels: Int, symbols: UnsafePointer<Int32>, scales: UnsafePointer<Float>, means: UnsafeMutablePointer<Float>,
        _ meanStep: Int, _ count: Int, scratch: UnsafeMutablePointer<Float>
    ) {
        let (pairs, first, second) = (scratch, scratch + 2 * channels, scratch + (2 + NCK_LANES) * channels)
        for position in 0 ..< count {
            nck_offset_inputs(scales + position * channels, Self.leastScale, level.gain, pairs, channels)
            offsets[0].apply(context, input: pairs, inputStep: 2, output: first, outputStep: NCK_LANES, count: channels, activation: .relu)
            offsets[1].apply(context, input: first, inputStep: NCK_LANES, output: second, outputStep: NCK_LANES, count: channels, activation: .relu)
            offsets[2].apply(context, input: second, inputStep: NCK_LANES, output: first, outputStep: NCK_LANES, count: channels)
            nck_add_with_offsets(symbols + position * channels, first, level.inverse, means + position * meanStep, channels)
        }
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
