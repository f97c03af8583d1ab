// SPDX-License-Identifier: Apache-2.0
import CKernels
import CPlatform

/// One picture, analysed once, that can be coded at any rate parameter.
final class PictureEncoder {
    private let network: PatchCheckerboard
    private let picture: PictureView
    private let call: Call
    private let trace: LatentTrace?

    init(_ network: PatchCheckerboard, _ picture: PictureView, _ call: Call, trace: LatentTrace? = nil) throws {
        self.network = network
        self.picture = picture
        self.call = call
        self.trace = trace
        try network.analyse(call, picture)
        trace?.keepLatents(call)
    }

    /// The coded symbols at one rate parameter.
    struct Coded {
        let rate: Int
        let words: RANSEncoder
        let checksum: UInt32

        var fileSize: Int { Container.overhead + words.payloadSize }
    }

    /// Quantizes pass by pass, with the very means and scales the decoder will compute, and codes the symbols.
    func code(rate: Int) throws -> Coded {
        let factors = network.evaluateRates(rate, into: call.layers.rates)
        network.hyperSynthesise(call)
        for pass in 0 ..< 2 {
            if pass == 1 { network.computeContext(call, factors) }
            quantize(pass, factors)
        }
        call.clock?.mark(.parameters)
        try call.progress.step(0.6)
        let coded = Coded(rate: rate, words: try encodeSymbols(), checksum: checksum())
        call.clock?.mark(.coding)
        try call.progress.step(0.7)
        return coded
    }

    private func quantize(_ pass: Int, _ factors: RateFactors) {
        let channels = network.hyperparameters.latentChannels
        let latents = call.workspace[call.plan.latents!]
        let rebuilt = call.workspace[call.plan.rebuilt]
        let symbols = self.symbols(pass)
        network.computeParameters(call, factors, pass: pass) { part in
            let (row, column) = (part.span.row, part.column)
            self.trace?.keepParameters(part, factors, rebuilt)
            self.call.layers.kernels.quantize(
                factors.gain, channels, latents.at(row, column), 2 * channels, rebuilt.at(row, column), 2 * channels, symbols + part.offset, part.span.count)
            self.trace?.keepSymbols(part, symbols)
        }
    }

    private func symbols(_ pass: Int) -> UnsafeMutablePointer<Int32> {
        call.workspace[call.plan.symbols] + pass * passCount
    }

    private var passCount: Int { call.plan.symbols.count / 2 }

    /// Hyperlatents, then both passes, as one sequence; the lane is the position in it modulo 4.
    private func encodeSymbols() throws -> RANSEncoder {
        let hyper = UnsafePointer(call.workspace[call.plan.hyperSymbols])
        let latent = UnsafePointer(symbols(0))
        let indices = UnsafePointer(call.indices(0))
        let (hyperCount, latentCount) = (call.plan.hyperSymbols.count, call.plan.symbols.count)
        let channels = network.hyperparameters.hyperChannels
        var bits = 0
        for i in 0 ..< hyperCount { bits += RANSEncoder.bitBound(hyper[i], network.hyperTables, i % channels) }
        for i in 0 ..< latentCount { bits += RANSEncoder.bitBound(latent[i], network.latentTables, Int(indices[i])) }
        var encoder = try RANSEncoder(bits: bits, symbols: hyperCount + latentCount)
        encoder.put(latentCount, network.latentTables, from: latent) { Int(indices[$0]) }
        encoder.put(hyperCount, network.hyperTables, from: hyper) { $0 % channels }
        return encoder
    }

    private func checksum() -> UInt32 {
        let hyper = ncp_crc32c(0, call.workspace[call.plan.hyperSymbols], 4 * call.plan.hyperSymbols.count)
        return ncp_crc32c(hyper, symbols(0), 4 * call.plan.symbols.count)
    }

    /// Sum of squared errors of the picture as the decoder will give it, from the latents of `coded`, the last result of `code`, which it uses up.
    func squaredError(of coded: Coded, into decoded: Picture) throws -> UInt64 {
        let factors = network.evaluateRates(coded.rate, into: call.layers.rates)
        let pixels = decoded.buffer.bytes.baseAddress!.assumingMemoryBound(to: UInt8.self)
        try network.synthesise(call, factors, into: pixels, stride: decoded.width * decoded.channels, channels: decoded.channels)
        call.clock?.mark(.synthesis)
        let row = decoded.width * decoded.channels
        return (0 ..< decoded.height).reduce(0) { sum, y in
            sum + nck_squared_error(pixels + y * row, (picture.pixels + y * picture.stride).assumingMemoryBound(to: UInt8.self), row)
        }
    }
}
