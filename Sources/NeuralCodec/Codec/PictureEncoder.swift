// SPDX-License-Identifier: Apache-2.0
import CKernels
import CPlatform

/// One picture, analysed once, that can be coded at any rate parameter.
final class PictureEncoder {
    private let network: any Network
    private let picture: PictureView
    private let call: Call

    init(_ network: any Network, _ picture: PictureView, _ call: Call) throws {
        self.network = network
        self.picture = picture
        self.call = call
        try call.session.analyse(picture)
    }

    /// The coded symbols at one rate parameter.
    struct Coded {
        let rate: Int
        let words: RANSEncoder
        let checksum: UInt32

        var fileSize: Int { Container.overhead + words.payloadSize }
    }

    func code(rate: Int) throws -> Coded {
        let symbols = try call.session.quantize(rate: rate)
        call.clock?.mark(.parameters)
        try call.progress.step(0.6)
        let coded = Coded(rate: rate, words: try encode(symbols), checksum: checksum(symbols))
        call.clock?.mark(.coding)
        try call.progress.step(0.7)
        return coded
    }

    /// All symbols as one sequence; the lane is the position in it modulo 4.
    private func encode(_ symbols: CodedSymbols) throws -> RANSEncoder {
        let (hyper, latents, indices) = (symbols.hyper, symbols.latents, symbols.indices)
        let channels = symbols.hyperChannels
        var bits = 0
        for i in hyper.indices { bits += RANSEncoder.bitBound(hyper[i], network.hyperTables, i % channels) }
        for i in latents.indices { bits += RANSEncoder.bitBound(latents[i], network.latentTables, Int(indices[i])) }
        var encoder = try RANSEncoder(bits: bits, symbols: hyper.count + latents.count)
        if let first = latents.baseAddress { encoder.put(latents.count, network.latentTables, from: first) { Int(indices[$0]) } }
        if let first = hyper.baseAddress { encoder.put(hyper.count, network.hyperTables, from: first) { $0 % channels } }
        return encoder
    }

    private func checksum(_ symbols: CodedSymbols) -> UInt32 {
        let hyper = ncp_crc32c(0, symbols.hyper.baseAddress, 4 * symbols.hyper.count)
        return ncp_crc32c(hyper, symbols.latents.baseAddress, 4 * symbols.latents.count)
    }

    /// Sum of squared errors of the picture as the decoder will give it, from the latents of `coded`, the last result of `code`, which it uses up.
    func squaredError(of coded: Coded, into decoded: Picture) throws -> UInt64 {
        let pixels = decoded.buffer.bytes.baseAddress!.assumingMemoryBound(to: UInt8.self)
        try call.session.synthesise(rate: coded.rate, into: pixels, stride: decoded.width * decoded.channels, channels: decoded.channels)
        call.clock?.mark(.synthesis)
        let row = decoded.width * decoded.channels
        return (0 ..< decoded.height).reduce(0) { sum, y in
            sum + nck_squared_error(pixels + y * row, (picture.pixels + y * picture.stride).assumingMemoryBound(to: UInt8.self), row)
        }
    }
}
