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
        let payload: Payload
        let checksum: UInt32
    }

    func code(rate: Int) throws -> Coded {
        let symbols = try call.session.quantize(rate: rate)
        call.clock?.mark(.parameters)
        try call.progress.step(0.6)
        let coded = Coded(rate: rate, payload: try encode(symbols), checksum: checksum(symbols))
        call.clock?.mark(.coding)
        try call.progress.step(0.7)
        return coded
    }

    /// What an entropy coder holds when it is done.
    enum Payload {
        case words(RANSEncoder)
        case bytes(ByteBuffer)

        var size: Int {
            switch self {
            case .words(let encoder): encoder.payloadSize
            case .bytes(let bytes): bytes.count
            }
        }

        /// `target` has `size` bytes.
        func write(to target: UnsafeMutableRawBufferPointer) {
            switch self {
            case .words(let encoder): encoder.write(to: target)
            case .bytes(let bytes): bytes.withBytes { target.copyMemory(from: $0) }
            }
        }
    }

    /// All symbols as one sequence; the lane is the position in it modulo 4.
    private func encode(_ symbols: CodedSymbols) throws -> Payload {
        if let lattice = symbols.lattice { return .bytes(try encode(symbols, lattice)) }
        let (hyper, latents, indices) = (symbols.hyper, symbols.latents, symbols.indices)
        let (channels, first) = (symbols.hyperChannels, symbols.firstHyperTable)
        let (hyperTables, latentTables) = (network.hyperTables, network.latentTables)
        var bits = 0
        for i in hyper.indices { bits += RANSEncoder.bitBound(hyper[i], hyperTables, first + i % channels) }
        for i in latents.indices { bits += RANSEncoder.bitBound(latents[i], latentTables, Int(indices[i])) }
        var encoder = try RANSEncoder(bits: bits, symbols: hyper.count + latents.count)
        if let start = latents.baseAddress { encoder.put(latents.count, latentTables, from: start) { Int(indices[$0]) } }
        if let start = hyper.baseAddress { encoder.put(hyper.count, hyperTables, from: start) { first + $0 % channels } }
        return .words(encoder)
    }

    /// Hyperlatents, then latents that are points of a lattice.
    private func encode(_ symbols: CodedSymbols, _ lattice: LatticeCoder) throws -> ByteBuffer {
        var encoder = try StepEncoder(expectedBytes: (symbols.hyper.count + symbols.latents.count) / 4)
        var recorder = try StepRecorder(capacity: max(lattice.mostSteps, StepRecorder.stepsOfValue))
        let walker = try LatticeCoder.Walker(lattice)
        let (n, hyperTables) = (lattice.dimension, network.hyperTables)
        for first in stride(from: symbols.latents.count - n, through: 0, by: -n) {
            walker.record(symbols.latents.baseAddress! + first, scales: symbols.indices + first, step: 1, lane: first % RANS.lanes, &recorder)
            try encoder.push(recorder)
        }
        for i in symbols.hyper.indices.reversed() {
            recorder.clear()
            _ = recorder.value(symbols.hyper[i], hyperTables, i % symbols.hyperChannels, lane: i % RANS.lanes)
            try encoder.push(recorder)
        }
        return try encoder.payload()
    }

    private func checksum(_ symbols: CodedSymbols) -> UInt32 {
        let hyper = ncp_crc32c(0, symbols.hyper.baseAddress, 4 * symbols.hyper.count)
        return ncp_crc32c(hyper, symbols.latents.baseAddress, 4 * symbols.latents.count)
    }

    /// Makes a picture of the same format ready for `squaredError`: what synthesis leaves alone, its alpha channel, has no error.
    func prepare(_ decoded: Picture) {
        let row = decoded.width * decoded.format.pixelBytes
        for y in 0 ..< decoded.height { (decoded.buffer.bytes.baseAddress! + y * row).copyMemory(from: picture.pixels + y * picture.stride, byteCount: row) }
    }

    /// Sum of squared errors of the colours as the decoder will give them, from the latents of `coded`, the last result of `code`, which it uses up.
    func squaredError(of coded: Coded, into decoded: Picture) throws -> UInt64 {
        try call.session.synthesise(rate: coded.rate, into: decoded.target)
        call.clock?.mark(.synthesis)
        let target = decoded.target
        let samples = decoded.width * decoded.channels
        let rowError = decoded.bitDepth == 16 ? nck_squared_error_16 : nck_squared_error
        return (0 ..< decoded.height).reduce(0) { sum, y in
            let (total, overflow) = sum.addingReportingOverflow(
                rowError(target.pixels + y * target.stride, (picture.pixels + y * picture.stride).assumingMemoryBound(to: UInt8.self), samples))
            return overflow ? .max : total
        }
    }
}
