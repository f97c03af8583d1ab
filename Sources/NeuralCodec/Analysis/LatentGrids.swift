// SPDX-License-Identifier: Apache-2.0
import CKernels

/// The planes of a `LatentAnalysis`, made from a trace.
struct LatentGrids {
    let channels, rows, columns: Int
    /// One value a channel.
    private(set) var channelBits: [Double]
    /// A plane after the other, each (channel, row, column).
    let memory: ByteBuffer

    /// Channels that one task takes from the trace: as many as share a cache line.
    private static let block = 16

    /// Bytes of the planes of so many latents.
    static func memory(_ latents: Int) -> Int { LatentAnalysis.Plane.allCases.count * latents * MemoryLayout<Float>.size }

    /// Uses the trace up. `lattice`: what codes the symbols where they are points of a classical lattice.
    init(_ trace: LatentTrace, _ units: LatentUnits, tables: CodingTables, lattice: LatticeCoder?, kernels: nck_kernels, team: ThreadTeam) throws {
        (channels, rows, columns) = (trace.channels, trace.rows, trace.columns)
        memory = try ByteBuffer(count: Self.memory(trace.count))
        channelBits = Array(repeating: 0, count: trace.channels)
        let positions = rows * columns
        units.quantizer?.takeCoordinates(kernels, trace.latentGrid!, channels: channels, count: positions)
        try withExtendedLifetime((trace, tables)) {
            team.run((channels + Self.block - 1) / Self.block) { index, _ in
                let range = index * Self.block ..< min((index + 1) * Self.block, channels)
                fill(range, trace, units)
                if lattice == nil { fillBits(range, trace, tables) }
            }
            if let lattice { try fillBits(trace, lattice) }
        }
        let bits = self[.bits]
        for channel in 0 ..< channels { channelBits[channel] = (0 ..< positions).reduce(0) { $0 + Double(bits[channel * positions + $1]) } }
    }

    subscript(_ plane: LatentAnalysis.Plane) -> UnsafeMutablePointer<Float> {
        memory.bytes.baseAddress!.assumingMemoryBound(to: Float.self) + Int(plane.rawValue) * channels * rows * columns
    }

    /// All planes but the bits, of some channels.
    private func fill(_ range: Range<Int>, _ trace: LatentTrace, _ units: LatentUnits) {
        let positions = rows * columns
        let (latents, means, scales, normalized, quantized) = (self[.latent], self[.mean], self[.scale], self[.normalized], self[.quantized])
        let (tracedLatents, tracedMeans, tracedScales, symbols) = (trace.latentGrid!, trace.meanGrid!, trace.scaleGrid!, trace.symbolGrid!)
        for position in 0 ..< positions {
            for channel in range {
                let (from, to) = (position * channels + channel, channel * positions + position)
                latents[to] = tracedLatents[from] * units.latentGains[channel]
                means[to] = tracedMeans[from] * units.parameterGain
                scales[to] = units.logarithms ? tracedScales[from] : tracedScales[from] * units.parameterGain
                quantized[to] = Float(symbols[from]) * units.step
            }
        }
        let part = range.lowerBound * positions ..< range.upperBound * positions
        if units.logarithms { nck_exp(1, scales + part.lowerBound, scales + part.lowerBound, part.count) }
        for i in part {
            // NaN counts as the least.
            scales[i] = scales[i] > units.leastScale ? min(scales[i], units.mostScale) : units.leastScale
            normalized[i] = (latents[i] - means[i]) / scales[i]
            quantized[i] /= scales[i]
        }
    }

    private func fillBits(_ range: Range<Int>, _ trace: LatentTrace, _ tables: CodingTables) {
        let (positions, bits) = (rows * columns, self[.bits])
        let (symbols, indices) = (trace.symbolGrid!, trace.indexGrid!)
        for position in 0 ..< positions {
            for channel in range {
                let from = position * channels + channel
                bits[channel * positions + position] = Float(tables.bits(of: symbols[from], Int(indices[from])))
            }
        }
    }

    /// A point of a lattice has its bits as a whole: its coordinates, neighbouring channels at a position, get equal shares.
    private func fillBits(_ trace: LatentTrace, _ lattice: LatticeCoder) throws {
        let (positions, bits, n) = (rows * columns, self[.bits], lattice.dimension)
        var recorder = try StepRecorder(capacity: max(lattice.mostSteps, StepRecorder.stepsOfValue))
        let walker = try LatticeCoder.Walker(lattice)
        for first in stride(from: 0, to: trace.count, by: n) {
            walker.record(trace.symbolGrid! + first, scales: trace.indexGrid! + first, step: 1, lane: 0, &recorder)
            let share = Float(recorder.bits() / Double(n))
            let (position, channel) = (first / channels, first % channels)
            for i in 0 ..< n { bits[(channel + i) * positions + position] = share }
        }
    }
}
