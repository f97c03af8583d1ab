// SPDX-License-Identifier: Apache-2.0

/// Where a decoder takes symbols from. `take` and `takeHyper` say whether the data is damaged.
protocol LatentSource: AnyObject {
    /// Hyperlatents, or the latents of a factorized prior: `channels` tables from `first` on go round.
    func takeHyper(_ symbols: UnsafeMutableBufferPointer<Int32>, _ tables: CodingTables, first: Int, channels: Int) -> Bool

    /// Latents, with their tables or scale indices.
    func take(_ count: Int, into symbols: UnsafeMutablePointer<Int32>, indices: UnsafePointer<UInt8>) -> Bool

    /// Call after the last symbol: throws unless the data ends here.
    func finish() throws
}

/// Symbols by their tables.
final class TableSource: LatentSource {
    private var decoder: RANSDecoder
    private let tables: CodingTables

    /// `tables`: of the latents.
    init(_ payload: UnsafeRawBufferPointer, _ tables: CodingTables) throws {
        decoder = try RANSDecoder(payload)
        self.tables = tables
    }

    func takeHyper(_ symbols: UnsafeMutableBufferPointer<Int32>, _ tables: CodingTables, first: Int, channels: Int) -> Bool {
        for start in stride(from: 0, to: symbols.count, by: channels) { decoder.take(channels, tables, into: symbols.baseAddress! + start) { first + $0 } }
        return decoder.isDamaged
    }

    func take(_ count: Int, into symbols: UnsafeMutablePointer<Int32>, indices: UnsafePointer<UInt8>) -> Bool {
        decoder.take(count, tables, into: symbols) { Int(indices[$0]) }
        return decoder.isDamaged
    }

    func finish() throws { try decoder.finish() }
}

/// Points of a lattice with their exact model, after hyperlatents by their tables.
final class LatticeSource: LatentSource {
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
    func take(_ count: Int, into points: UnsafeMutablePointer<Int32>, indices scales: UnsafePointer<UInt8>) -> Bool {
        for first in stride(from: 0, to: count, by: dimension) where !decoder.isDamaged {
            walker.take(points + first, scales: scales + first, step: 1, lane: first % RANS.lanes, &decoder)
        }
        return decoder.isDamaged
    }

    func finish() throws { try decoder.finish() }
}
