// SPDX-License-Identifier: Apache-2.0
import CKernels

/// How what a trace holds at one rate becomes latents, means and scales in the same units, those of the scales that choose tables.
struct LatentUnits {
    /// The traced latents, in the quantizer's coordinates, are multiplied by this, one value a channel.
    let latentGains: [Float]
    /// Traced means and scales, by this.
    var parameterGain: Float = 1
    /// The traced scales are natural logarithms.
    var logarithms = false
    /// Scales beyond count as these: there are tables for no others.
    var leastScale = GaussianParameters.leastScale
    var mostScale = Float.infinity
    /// What a symbol's step of 1 is.
    var step: Float = 1
    /// Latents to the coordinates that means and scales are those of; nil: they are.
    var quantizer: (any LatentQuantizer)?
}

extension PatchCheckerboard {
    var latentChannels: Int { hyperparameters.latentChannels }
    var latentSide: Int { Self.patchSide }

    func latentUnits(rate: Int) throws -> LatentUnits {
        let memory = try ByteBuffer(count: rateFloatCount * MemoryLayout<Float>.size)
        return withExtendedLifetime(memory) {
            let factors = evaluateRates(rate, into: memory.bytes.baseAddress!.assumingMemoryBound(to: Float.self))
            return LatentUnits(latentGains: Array(UnsafeBufferPointer(start: factors.gain, count: latentChannels)), logarithms: true, mostScale: 512)
        }
    }
}

extension TransformCoding {
    func latentUnits(rate: Int) throws -> LatentUnits {
        guard hyper != nil else {
            throw CodecError(.unsupported, "its latents have a factorized prior, which gives no means and scales to normalize them with: only models with a hyperprior can be analysed")
        }
        let level = variableRate?.level(rate: rate)
        let gain = level?.gain ?? 1
        let quantizer = quantizer(at: level)
        return LatentUnits(
            latentGains: Array(repeating: gain, count: latentChannels), parameterGain: gain, step: quantizer.symbolStep, quantizer: quantizer)
    }
}
