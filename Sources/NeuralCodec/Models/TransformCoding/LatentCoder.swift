// SPDX-License-Identifier: Apache-2.0
import CKernels
import CPlatform

/// Codes latents pass by pass: the encoder quantizes them, the decoder takes them from the stream; both rebuild them, for the passes that follow.
final class LatentCoder {
    private let network: TransformCoding
    private let rebuilt: FeatureMap
    /// Encoder only.
    private let latents: FeatureMap?
    private let symbols: UnsafeMutablePointer<Int32>
    private let indices: UnsafeMutablePointer<UInt8>
    private let trace: LatentTrace?
    private let clock: StageClock?
    /// Decoder only.
    var decoder: RANSDecoder?
    private(set) var checksum: UInt32
    /// Symbols of the passes so far.
    private(set) var count = 0

    init(
        _ network: TransformCoding, rebuilt: FeatureMap, latents: FeatureMap?, symbols: UnsafeMutablePointer<Int32>, indices: UnsafeMutablePointer<UInt8>,
        decoder: RANSDecoder? = nil, checksum: UInt32 = 0, trace: LatentTrace? = nil, clock: StageClock? = nil
    ) {
        self.network = network
        self.rebuilt = rebuilt
        self.latents = latents
        self.symbols = symbols
        self.indices = indices
        self.decoder = decoder
        self.checksum = checksum
        self.trace = trace
        self.clock = clock
    }

    /// One pass: `lines` lines of `length` positions, some channels of each; `macs`: of a position. The coding order is that of the lines, their positions, and the channels.
    func pass(
        _ run: LayerRun, lines: Int, length: Int, channels: Range<Int>? = nil, scratch: Int, macs: Int = 0, line: (_ index: Int) -> PositionLine, parameters: ParameterSource
    ) throws {
        let channels = channels ?? 0 ..< network.latentChannels
        let span = run.spanLength(lines: lines, length: length)
        run.count(macs: macs * lines * length)
        let (start, parts) = (count, (length + span - 1) / span)
        run.each(lines * parts, scratch: scratch) { context, index, scratch in
            let (row, first) = (index / parts, index % parts * span)
            let part = line(row).part(first ..< min(first + span, length))
            take(context, part, channels, parameters(context, part, scratch), start + (row * length + first) * channels.count)
        }
        count += lines * length * channels.count
        try run.once { context in
            clock?.mark(.parameters)
            guard decoder != nil else { return }
            for index in 0 ..< lines { try decode(context, line(index), channels, start + index * length * channels.count) }
            clock?.mark(.coding)
        }
    }

    /// Means and scale indices of a part; the encoder's symbols.
    private func take(_ context: LayerContext, _ part: PositionLine, _ channels: Range<Int>, _ raw: UnsafePointer<Float>, _ offset: Int) {
        let means = part.pointer(rebuilt) + channels.lowerBound
        let step = part.step(rebuilt)
        context.kernels.parameters(network.ones, network.zeros, network.thresholds, channels.count, raw, means, step, indices + offset, part.count)
        guard let latents else { return }
        trace?.keepParameters(part, channels, means: means, meanStep: step, scales: raw + channels.count, scaleStep: 2 * channels.count)
        context.kernels.quantize(
            network.ones, channels.count, part.pointer(latents) + channels.lowerBound, part.step(latents), means, step, symbols + offset, part.count)
        trace?.keepSymbols(part, channels, symbols + offset)
    }

    private func decode(_ context: LayerContext, _ line: PositionLine, _ channels: Range<Int>, _ offset: Int) throws {
        let symbols = symbols + offset
        let indices = indices + offset
        let total = line.count * channels.count
        decoder!.take(total, network.latentTables, into: symbols) { Int(indices[$0]) }
        if decoder!.isDamaged { throw RANSDecoder.error }
        checksum = ncp_crc32c(checksum, symbols, 4 * total)
        context.kernels.reconstruct(symbols, channels.count, line.pointer(rebuilt) + channels.lowerBound, line.step(rebuilt), line.count)
    }
}
