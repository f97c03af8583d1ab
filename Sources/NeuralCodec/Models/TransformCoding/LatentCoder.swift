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
    private let source: Source
    /// Of a variable rate; nil for a network of one rate.
    let level: RateLevel?
    /// Scales in steps, in coding order; with `level` only.
    private let scales: UnsafeMutablePointer<Float>?
    private(set) var checksum: UInt32
    /// Symbols of the passes so far.
    private(set) var count = 0

    /// Where a decoder takes symbols from.
    enum Source {
        case none
        case words(SymbolSource)
        case lattice(LatticeSource)
    }

    init(
        _ network: TransformCoding, rebuilt: FeatureMap, latents: FeatureMap?, symbols: UnsafeMutablePointer<Int32>, indices: UnsafeMutablePointer<UInt8>,
        level: RateLevel? = nil, scales: UnsafeMutablePointer<Float>? = nil, source: Source = .none, checksum: UInt32 = 0, trace: LatentTrace? = nil, clock: StageClock? = nil
    ) {
        self.network = network
        self.rebuilt = rebuilt
        self.latents = latents
        self.symbols = symbols
        self.indices = indices
        self.source = source
        self.level = level
        self.scales = scales
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
        run.each(lines * parts, scratch: scratch + ownScratchCount(channels.count)) { context, index, memory in
            let (row, first) = (index / parts, index % parts * span)
            let part = line(row).part(first ..< min(first + span, length))
            take(context, part, channels, parameters(context, part, memory), start + (row * length + first) * channels.count, memory + scratch)
        }
        count += lines * length * channels.count
        try run.once(scratch: 0) { context, memory in
            clock?.mark(.parameters)
            if case .none = source { return }
            for index in 0 ..< lines { try decode(context, line(index), channels, start + index * length * channels.count, memory[0]) }
            clock?.mark(.coding)
        }
    }

    private func ownScratchCount(_ channels: Int) -> Int {
        network.quantizer.scratchCount(channels) + (network.variableRate == nil ? 0 : 4 * ThreadTeam.spanLength * channels + VariableRate.scratchCount(channels))
    }

    /// Means and scale indices of a part; the encoder's symbols.
    private func take(
        _ context: LayerContext, _ part: PositionLine, _ channels: Range<Int>, _ raw: UnsafePointer<Float>, _ offset: Int, _ scratch: UnsafeMutablePointer<Float>
    ) {
        let (width, constants) = (channels.count, network.constants)
        let means = part.pointer(rebuilt) + channels.lowerBound
        let step = part.step(rebuilt)
        if let level, let scales { return take(context, part, channels, raw, offset, scratch, level, scales + offset) }
        context.kernels.parameters(constants.ones, constants.zeros, network.thresholds, width, raw, means, step, indices + offset, part.count)
        if case .classical(let lattice) = network.quantizer { lattice.indices(raw + width, stride: 2 * width, width, part.count, into: indices + offset) }
        guard let latents else { return }
        trace?.keepParameters(part, channels, means: means, meanStep: step, scales: raw + width, scaleStep: 2 * width)
        let (y, yStep) = (part.pointer(latents) + channels.lowerBound, part.step(latents))
        switch network.quantizer {
        case .scalar: context.kernels.quantize(constants.ones, width, y, yStep, means, step, symbols + offset, part.count)
        case .basis(let lattice):
            if lattice.searchesExactly {
                lattice.search(context, constants, channels, y: y, yStep, means: means, step, symbols: symbols + offset, part.count, scratch: scratch)
                context.kernels.reconstruct(symbols + offset, width, means, step, part.count)
            } else {
                context.kernels.quantize(constants.ones, width, y, yStep, means, step, symbols + offset, part.count)
            }
            lattice.rebuild(context, channels, means, step, part.count)
        case .classical(let lattice):
            lattice.quantize(context, constants, width, y: y, yStep, means: means, step, points: symbols + offset, part.count, scratch: scratch)
        }
        trace?.keepSymbols(part, channels, symbols + offset)
    }

    /// The same with steps of a level: symbol = round((y - mean) * gain).
    private func take(
        _ context: LayerContext, _ part: PositionLine, _ channels: Range<Int>, _ raw: UnsafePointer<Float>, _ offset: Int, _ scratch: UnsafeMutablePointer<Float>,
        _ level: RateLevel, _ scales: UnsafeMutablePointer<Float>
    ) {
        let (width, constants, kernels) = (channels.count, network.constants, context.kernels)
        let (means, step) = (part.pointer(rebuilt) + channels.lowerBound, part.step(rebuilt))
        let (inSteps, difference, zeros) = (scratch, scratch + 2 * part.count * width, scratch + 3 * part.count * width)
        kernels.scale(constants.ones, width, raw, 2 * width, inSteps, 2 * width, part.count)
        kernels.scale(level.channelGains, width, raw + width, 2 * width, inSteps + width, 2 * width, part.count)
        kernels.scale(constants.ones, width, inSteps + width, 2 * width, scales, width, part.count)
        kernels.parameters(constants.ones, constants.zeros, network.thresholds, width, inSteps, means, step, indices + offset, part.count)
        guard let latents else { return }
        trace?.keepParameters(part, channels, means: means, meanStep: step, scales: raw + width, scaleStep: 2 * width)
        kernels.scale(constants.minusOnes, width, means, step, difference, width, part.count)
        kernels.add(width, part.pointer(latents) + channels.lowerBound, part.step(latents), difference, width, difference, width, part.count)
        zeros.update(repeating: 0, count: part.count * width)
        kernels.quantize(level.channelGains, width, difference, width, zeros, width, symbols + offset, part.count)
        network.variableRate!.rebuild(
            context, level, width, symbols: symbols + offset, scales: scales, means: means, step, part.count, scratch: scratch + 4 * part.count * width)
        trace?.keepSymbols(part, channels, symbols + offset)
    }

    private func decode(_ context: LayerContext, _ line: PositionLine, _ channels: Range<Int>, _ offset: Int, _ scratch: UnsafeMutablePointer<Float>) throws {
        let (symbols, indices) = (symbols + offset, indices + offset)
        let total = line.count * channels.count
        let isDamaged: Bool
        switch source {
        case .none: return
        case .words(let source): isDamaged = source.take(total, network.latentTables, into: symbols, indices: indices)
        case .lattice(let source): isDamaged = source.take(total, into: symbols, scales: indices)
        }
        if isDamaged { throw RANSDecoder.error }
        checksum = ncp_crc32c(checksum, symbols, 4 * total)
        let (means, step) = (line.pointer(rebuilt) + channels.lowerBound, line.step(rebuilt))
        if let level, let scales {
            return network.variableRate!.rebuild(
                context, level, channels.count, symbols: symbols, scales: scales + offset, means: means, step, line.count, scratch: scratch)
        }
        switch network.quantizer {
        case .scalar: context.kernels.reconstruct(symbols, channels.count, means, step, line.count)
        case .basis(let lattice):
            context.kernels.reconstruct(symbols, channels.count, means, step, line.count)
            lattice.rebuild(context, channels, means, step, line.count)
        case .classical(let lattice):
            // In parts for which there is scratch memory.
            for first in stride(from: 0, to: line.count, by: ThreadTeam.spanLength) {
                let part = line.part(first ..< min(first + ThreadTeam.spanLength, line.count))
                lattice.rebuild(
                    context, channels.count, points: symbols + first * channels.count, means: part.pointer(rebuilt) + channels.lowerBound, step, part.count,
                    scratch: scratch)
            }
        }
    }
}

/// Symbols by their tables.
final class SymbolSource {
    private var decoder: RANSDecoder

    init(_ payload: UnsafeRawBufferPointer) throws { decoder = try RANSDecoder(payload) }

    /// Hyperlatents, or the latents of a factorized prior: the table is the channel's. Whether the data is damaged.
    func takeHyper(_ symbols: UnsafeMutableBufferPointer<Int32>, _ tables: CodingTables, first: Int, channels: Int) -> Bool {
        for start in stride(from: 0, to: symbols.count, by: channels) { decoder.take(channels, tables, into: symbols.baseAddress! + start) { first + $0 } }
        return decoder.isDamaged
    }

    func take(_ count: Int, _ tables: CodingTables, into symbols: UnsafeMutablePointer<Int32>, indices: UnsafePointer<UInt8>) -> Bool {
        decoder.take(count, tables, into: symbols) { Int(indices[$0]) }
        return decoder.isDamaged
    }

    func finish() throws { try decoder.finish() }
}

/// Points of a lattice with their exact model, after hyperlatents by their tables.
final class LatticeSource {
    private var decoder: StepDecoder
    private let walker: LatticeCoder.Walker
    private let dimension: Int

    init(_ payload: UnsafeRawBufferPointer, _ coder: LatticeCoder) throws {
        decoder = try StepDecoder(payload)
        walker = try LatticeCoder.Walker(coder)
        dimension = coder.dimension
    }

    func takeHyper(_ symbols: UnsafeMutableBufferPointer<Int32>, _ tables: CodingTables, first: Int, channels: Int) -> Bool {
        for i in symbols.indices { symbols[i] = decoder.value(0, tables, first + i % channels, lane: i % RANS.lanes) }
        return decoder.isDamaged
    }

    /// Vectors begin at multiples of 4 in the sequence of symbols.
    func take(_ count: Int, into points: UnsafeMutablePointer<Int32>, scales: UnsafePointer<UInt8>) -> Bool {
        for first in stride(from: 0, to: count, by: dimension) where !decoder.isDamaged {
            walker.take(points + first, scales: scales + first, step: 1, lane: first % RANS.lanes, &decoder)
        }
        return decoder.isDamaged
    }

    func finish() throws { try decoder.finish() }
}
