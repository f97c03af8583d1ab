// SPDX-License-Identifier: Apache-2.0
import CKernels

/// How a network's latents become integers, and these latents again.
protocol LatentQuantizer {
    /// Floats of scratch memory for a part of so many channels.
    func scratchCount(_ channels: Int) -> Int

    /// Encoder: what is done to the latents once, before the passes.
    func prepare(_ run: LayerRun, _ latents: FeatureMap)

    /// Raw means and scales, 2 * channels a position, to means in the place of the part's values and the table of each latent.
    func setParameters(_ part: LatentPart, _ raw: UnsafePointer<Float>)

    /// Encoder: symbols of the latents y, whose positions are `yStep` floats apart; the rebuilt latents take the place of the means.
    func quantize(_ part: LatentPart, _ y: UnsafePointer<Float>, _ yStep: Int)

    /// Decoder: the rebuilt latents take the place of the means. Uses the symbols up.
    func rebuild(_ part: LatentPart)

    /// What codes the symbols where they are points of a lattice; nil: the Gaussian tables do.
    var latticeCoder: LatticeCoder? { get }

    /// What a symbol's step of 1 is in the units of means and scales.
    var symbolStep: Float { get }

    /// Latents of `count` positions, all channels of each without gaps, to the coordinates that means and scales are those of.
    func takeCoordinates(_ kernels: nck_kernels, _ latents: UnsafeMutablePointer<Float>, channels: Int, count: Int)
}

extension LatentQuantizer {
    func prepare(_ run: LayerRun, _ latents: FeatureMap) {}
    var latticeCoder: LatticeCoder? { nil }
    var symbolStep: Float { 1 }
    func takeCoordinates(_ kernels: nck_kernels, _ latents: UnsafeMutablePointer<Float>, channels: Int, count: Int) {}
}

/// Latents that are treated together: at most a span of evenly spaced positions, some neighbouring channels of each.
struct LatentPart {
    let context: LayerContext
    let channels: Range<Int>
    /// Positions.
    let count: Int
    /// Means, then rebuilt latents; positions are `step` floats apart.
    let values: UnsafeMutablePointer<Float>
    let step: Int
    /// Position by position, without gaps; `scales` for those quantizers that ask for them.
    let symbols: UnsafeMutablePointer<Int32>
    let indices: UnsafeMutablePointer<UInt8>
    let scales: UnsafeMutablePointer<Float>?
    let scratch: UnsafeMutablePointer<Float>

    var width: Int { channels.count }
}

/// Means and tables as the network gives them.
struct GaussianParameters {
    let thresholds: UnsafePointer<Float>
    /// A value each latent channel: gains and log-scales of a kernel that serves other families too.
    let ones, zeros, minusOnes: UnsafePointer<Float>
    /// The scale that CompressAI's tables begin with; scales below count as that.
    static let leastScale: Float = 0x1.c28f5cp-4

    init(_ loader: WeightLoader, thresholds: UnsafePointer<Float>, channels: Int) throws {
        func constant(_ value: Float) throws -> UnsafePointer<Float> {
            let values = try loader.allocate(Float.self, channels)
            values.update(repeating: value, count: channels)
            return UnsafePointer(values)
        }
        self.thresholds = thresholds
        (ones, zeros, minusOnes) = (try constant(1), try constant(0), try constant(-1))
    }

    func set(_ part: LatentPart, _ raw: UnsafePointer<Float>) {
        part.context.kernels.parameters(ones, zeros, thresholds, part.width, raw, part.values, part.step, part.indices, part.count)
    }

    /// y - mean, without gaps.
    func differences(_ part: LatentPart, _ y: UnsafePointer<Float>, _ yStep: Int, means: UnsafePointer<Float>, _ meanStep: Int, into output: UnsafeMutablePointer<Float>) {
        let (kernels, width) = (part.context.kernels, part.width)
        kernels.scale(minusOnes, width, means, meanStep, output, width, part.count)
        kernels.add(width, y, yStep, output, width, output, width, part.count)
    }
}

/// symbol = round(y - mean), y_hat = symbol + mean.
struct ScalarQuantizer: LatentQuantizer {
    let parameters: GaussianParameters

    func scratchCount(_ channels: Int) -> Int { 0 }

    func setParameters(_ part: LatentPart, _ raw: UnsafePointer<Float>) { parameters.set(part, raw) }

    func quantize(_ part: LatentPart, _ y: UnsafePointer<Float>, _ yStep: Int) {
        part.context.kernels.quantize(parameters.ones, part.width, y, yStep, part.values, part.step, part.symbols, part.count)
    }

    func rebuild(_ part: LatentPart) { part.context.kernels.reconstruct(part.symbols, part.width, part.values, part.step, part.count) }
}
