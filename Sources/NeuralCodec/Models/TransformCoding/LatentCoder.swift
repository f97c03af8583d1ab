// SPDX-License-Identifier: Apache-2.0
import CKernels
import CPlatform

/// Codes latents pass by pass: the encoder quantizes them, the decoder takes them from the stream; both rebuild them, for the passes that follow.
final class LatentCoder {
    private let quantizer: any LatentQuantizer
    private let rebuilt: FeatureMap
    /// Encoder only.
    private let latents: FeatureMap?
    private let buffers: Buffers
    /// Decoder only.
    private let source: (any LatentSource)?
    private let trace: LatentTrace?
    private let clock: StageClock?
    /// Of a variable rate; nil for a network of one rate.
    let level: RateLevel?
    private(set) var checksum: UInt32
    /// Symbols of the passes so far.
    private(set) var count = 0

    /// In coding order; `scales` for quantizers that ask for them.
    struct Buffers {
        let symbols: UnsafeMutablePointer<Int32>
        let indices: UnsafeMutablePointer<UInt8>
        var scales: UnsafeMutablePointer<Float>?
    }

    init(
        _ quantizer: any LatentQuantizer, level: RateLevel?, rebuilt: FeatureMap, latents: FeatureMap?, _ buffers: Buffers, source: (any LatentSource)? = nil,
        checksum: UInt32 = 0, trace: LatentTrace? = nil, clock: StageClock? = nil
    ) {
        self.quantizer = quantizer
        self.level = level
        self.rebuilt = rebuilt
        self.latents = latents
        self.buffers = buffers
        self.source = source
        self.checksum = checksum
        self.trace = trace
        self.clock = clock
    }

    /// One pass: `lines` lines of `length` positions, some channels of each; `macs`: of a position. The coding order is that of the lines, their positions, and the channels.
    func pass(
        _ run: LayerRun, lines: Int, length: Int, channels: Range<Int>? = nil, scratch: Int, macs: Int = 0, line: (_ index: Int) -> PositionLine, parameters: ParameterSource
    ) throws {
        let channels = channels ?? 0 ..< rebuilt.channels
        let span = run.spanLength(lines: lines, length: length)
        let (start, parts) = (count, (length + span - 1) / span)
        run.count(macs: macs * lines * length)
        run.each(lines * parts, scratch: scratch + quantizer.scratchCount(channels.count)) { context, index, memory in
            let (row, first) = (index / parts, index % parts * span)
            let positions = line(row).part(first ..< min(first + span, length))
            let part = part(context, positions, channels, start + (row * length + first) * channels.count, memory + scratch)
            take(part, positions, parameters(context, positions, memory))
        }
        count += lines * length * channels.count
        try run.once { context, memory in
            clock?.mark(.parameters)
            guard let source else { return }
            for index in 0 ..< lines { try decode(context, source, line(index), channels, start + index * length * channels.count, memory[0]) }
            clock?.mark(.coding)
        }
    }

    private func part(
        _ context: LayerContext, _ positions: PositionLine, _ channels: Range<Int>, _ offset: Int, _ scratch: UnsafeMutablePointer<Float>
    ) -> LatentPart {
        LatentPart(
            context: context, channels: channels, count: positions.count, values: positions.pointer(rebuilt) + channels.lowerBound, step: positions.step(rebuilt),
            symbols: buffers.symbols + offset, indices: buffers.indices + offset, scales: buffers.scales.map { $0 + offset }, scratch: scratch)
    }

    /// Means and tables of a part; the encoder's symbols.
    private func take(_ part: LatentPart, _ positions: PositionLine, _ raw: UnsafePointer<Float>) {
        quantizer.setParameters(part, raw)
        guard let latents else { return }
        trace?.keepParameters(positions, part.channels, means: part.values, meanStep: part.step, scales: raw + part.width, scaleStep: 2 * part.width)
        quantizer.quantize(part, positions.pointer(latents) + part.channels.lowerBound, positions.step(latents))
        trace?.keepSymbols(positions, part.channels, part.symbols, part.indices)
    }

    private func decode(
        _ context: LayerContext, _ source: any LatentSource, _ line: PositionLine, _ channels: Range<Int>, _ offset: Int, _ scratch: UnsafeMutablePointer<Float>
    ) throws {
        let total = line.count * channels.count
        if source.take(total, into: buffers.symbols + offset, indices: buffers.indices + offset) { throw RANSDecoder.error }
        checksum = ncp_crc32c(checksum, buffers.symbols + offset, 4 * total)
        for first in stride(from: 0, to: line.count, by: ThreadTeam.spanLength) {
            let positions = line.part(first ..< min(first + ThreadTeam.spanLength, line.count))
            quantizer.rebuild(part(context, positions, channels, offset + first * channels.count, scratch))
        }
    }
}
