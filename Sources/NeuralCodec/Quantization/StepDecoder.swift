// SPDX-License-Identifier: Apache-2.0

/// The decoding side of a walk. Reads never leave the payload: past its end they give zeros, and `finish` reports the damage.
struct StepDecoder: SymbolCoder {
    private var states: SIMD4<UInt64>
    private let bytes: UnsafeRawBufferPointer
    private var position = RANS.headerSize
    private(set) var isDamaged = false

    init(_ payload: UnsafeRawBufferPointer) throws {
        guard payload.count >= RANS.headerSize, payload.count % 4 == 0 else { throw RANSDecoder.error }
        states = SIMD4()
        for lane in 0 ..< RANS.lanes {
            states[lane] = UInt64(littleEndian: payload.loadUnaligned(fromByteOffset: 8 * lane, as: UInt64.self))
            guard states[lane] >= RANS.lowest, states[lane] < RANS.highest else { throw RANSDecoder.error }
        }
        bytes = payload
    }

    mutating func refuse() { isDamaged = true }

    /// Call after the last symbol: throws unless every state is back at its start and every word was used.
    func finish() throws {
        guard !isDamaged, position == bytes.count, states == SIMD4(repeating: RANS.lowest) else { throw RANSDecoder.error }
    }

    @inline(__always)
    private func slot(_ lane: Int) -> UInt32 { UInt32(truncatingIfNeeded: states[lane]) & 0xffff }

    @inline(__always)
    private mutating func advance(_ lane: Int, start: UInt32, frequency: UInt32) {
        // x < 2^63, so x >> 16 < 2^47, and the product with a frequency of at most 2^16 cannot overflow.
        let x = states[lane]
        let next = UInt64(frequency) &* (x >> CodingTables.precision) &+ (x & 0xffff) &- UInt64(start)
        states[lane] = next < RANS.lowest ? next << 32 | word() : next
    }

    @inline(__always)
    private mutating func word() -> UInt64 {
        guard position < bytes.count else {
            isDamaged = true
            return 0
        }
        defer { position += 4 }
        return UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
    }

    @inline(__always)
    mutating func choose(_ known: Int, _ zero: UInt64, _ one: UInt64, lane: Int) -> Int {
        let start = Split.start(zero, one)
        if slot(lane) < start {
            advance(lane, start: 0, frequency: start)
            return 0
        }
        advance(lane, start: start, frequency: 65536 - start)
        return 1
    }

    @inline(__always)
    mutating func choose(_ known: Int, of weights: UnsafePointer<UInt64>, count: Int, lane: Int) -> Int {
        let split = Split(weights, count)
        let slot = slot(lane)
        var symbol = 0
        var start: UInt32 = 0, before: UInt64 = 0
        while true {
            before += weights[symbol] >> split.shift
            let end = symbol + 1 == count ? 65536 : split.start(symbol + 1, before: before)
            if slot < end {
                advance(lane, start: start, frequency: end - start)
                return symbol
            }
            start = end
            symbol += 1
        }
    }

    @inline(__always)
    mutating func bits(_ known: Int, count: Int, lane: Int) -> Int { raw(count, lane) }

    @inline(__always)
    private mutating func raw(_ count: Int, _ lane: Int) -> Int {
        guard count > 0 else { return 0 }
        let shift = UInt32(16 - count)
        let value = slot(lane) >> shift
        advance(lane, start: value << shift, frequency: 1 << shift)
        return Int(value)
    }

    @inline(__always)
    mutating func value(_ known: Int32, _ tables: CodingTables, _ index: Int, lane: Int) -> Int32 {
        let table = tables.tables[index]
        let slot = UInt16(truncatingIfNeeded: slot(lane))
        let cumulative = tables.cumulative + Int(table.start)
        var relative = Int32(tables.bucketStarts[index * CodingTables.buckets + Int(slot >> 8)])
        while relative < table.length, cumulative[Int(relative) + 1] <= slot { relative &+= 1 }
        let start = cumulative[Int(relative)]
        advance(lane, start: UInt32(start), frequency: UInt32(cumulative[Int(relative) + 1] &- start))
        return relative < table.length ? relative &+ table.offset : escape(table, lane)
    }

    private mutating func escape(_ table: CodingTables.Table, _ lane: Int) -> Int32 {
        let length = raw(RANS.escapeLengthBits, lane)
        guard length <= RANS.longestEscape else {
            isDamaged = true
            return 0
        }
        let low = min(length, 16)
        var distance = 1 << length
        distance |= raw(length - low, lane) << low
        distance |= raw(low, lane)
        let value = raw(1, lane) == 1 ? Int(table.offset) - distance : Int(table.offset + table.length) + distance - 1
        if abs(value) > RANS.largestSymbol { isDamaged = true }
        return Int32(max(-RANS.largestSymbol, min(RANS.largestSymbol, value)))
    }
}
