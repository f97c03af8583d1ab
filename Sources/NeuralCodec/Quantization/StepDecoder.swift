// SPDX-License-Identifier: Apache-2.0

/// The decoding side of a walk. Reads never leave the payload: past its end they give zeros, and `finish` reports the damage.
struct StepDecoder: SymbolCoder {
    private var states: SIMD4<UInt64>
    private var reader: RANSReader

    init(_ payload: UnsafeRawBufferPointer) throws {
        reader = try RANSReader(payload)
        states = SIMD4(reader.state(0), reader.state(1), reader.state(2), reader.state(3))
    }

    var isDamaged: Bool { reader.isDamaged }

    mutating func refuse() { reader.refuse() }

    /// Call after the last symbol: throws unless every state is back at its start and every word was used.
    func finish() throws { try reader.finish((0 ..< RANS.lanes).map { states[$0] }) }

    @inline(__always)
    private func slot(_ lane: Int) -> UInt32 { UInt32(truncatingIfNeeded: states[lane]) & 0xffff }

    @inline(__always)
    private mutating func advance(_ lane: Int, start: UInt32, frequency: UInt32) {
        reader.advance(&states[lane], start: UInt64(start), frequency: UInt64(frequency))
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
    mutating func bits(_ known: Int, count: Int, lane: Int) -> Int { Int(reader.bits(&states[lane], count)) }

    @inline(__always)
    mutating func value(_ known: Int32, _ tables: CodingTables, _ index: Int, lane: Int) -> Int32 { reader.value(&states[lane], tables, index) }
}
