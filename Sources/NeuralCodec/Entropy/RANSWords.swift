// SPDX-License-Identifier: Apache-2.0
// What all rANS coders here share: the step of a state, and the words that come of it. A coder holds its states itself.

/// Where the next word goes: words are written from the end of a buffer to its start. A value of its own, so that a loop holds it in registers.
struct RANSCursor {
    let start: UnsafeMutableRawPointer
    var next: Int

    /// Codes a symbol into state x. There has to be room for a word.
    @inline(__always)
    mutating func push(_ x: inout UInt64, start symbol: UInt64, frequency: UInt64) {
        if x >= frequency << 47 {
            next &-= 4
            start.storeBytes(of: UInt32(truncatingIfNeeded: x).littleEndian, toByteOffset: next, as: UInt32.self)
            x >>= 32
        }
        let (quotient, remainder) = x.quotientAndRemainder(dividingBy: frequency)
        x = quotient << CodingTables.precision &+ remainder &+ symbol
    }
}

/// The words of a coder.
struct RANSWriter {
    private var memory: ByteBuffer
    var cursor: RANSCursor

    /// Room for `size` bytes of words, a multiple of 4.
    init(size: Int) throws {
        memory = try ByteBuffer(count: size)
        cursor = RANSCursor(start: memory.bytes.baseAddress!, next: size)
    }

    /// Makes room for so many steps, each of which writes a word at most. `RANSCursor.push` does not check.
    @inline(__always)
    mutating func reserve(steps: Int) throws { if cursor.next < 4 * steps { try grow(by: 4 * steps) } }

    private mutating func grow(by room: Int) throws {
        var larger = try RANSWriter(size: 2 * memory.count + room)
        let used = memory.count - cursor.next
        larger.cursor.next = larger.memory.count - used
        copyWords(to: larger.cursor.start + larger.cursor.next)
        self = larger
    }

    var payloadSize: Int { RANS.headerSize + memory.count - cursor.next }

    /// Writes the payload, the four states and the words, to `target`, which has `payloadSize` bytes.
    func write(_ states: [UInt64], to target: UnsafeMutableRawBufferPointer) {
        for lane in 0 ..< RANS.lanes { target.storeBytes(of: states[lane].littleEndian, toByteOffset: 8 * lane, as: UInt64.self) }
        copyWords(to: target.baseAddress! + RANS.headerSize)
    }

    private func copyWords(to target: UnsafeMutableRawPointer) {
        withExtendedLifetime(memory) { target.copyMemory(from: cursor.start + cursor.next, byteCount: memory.count - cursor.next) }
    }
}

/// Words of a payload, which it does not leave: past the end they are zeros, and the payload is damaged.
struct RANSReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = RANS.headerSize
    /// Whether anything so far was impossible.
    private(set) var isDamaged = false

    /// Throws unless there are four states, all in range, and whole words.
    init(_ payload: UnsafeRawBufferPointer) throws {
        guard payload.count >= RANS.headerSize, payload.count % 4 == 0 else { throw RANSDecoder.error }
        bytes = payload
        for lane in 0 ..< RANS.lanes where state(lane) < RANS.lowest || state(lane) >= RANS.highest { throw RANSDecoder.error }
    }

    /// A state as the payload begins.
    func state(_ lane: Int) -> UInt64 { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * lane, as: UInt64.self)) }

    mutating func refuse() { isDamaged = true }

    /// Throws unless nothing was impossible, every word was used, and the states are back where encoding began.
    func finish(_ states: [UInt64]) throws {
        guard !isDamaged, position == bytes.count, states.allSatisfy({ $0 == RANS.lowest }) else { throw RANSDecoder.error }
    }

    @inline(__always)
    mutating func advance(_ x: inout UInt64, start: UInt64, frequency: UInt64) {
        // x < 2^63, so x >> 16 < 2^47, and the product with a frequency of at most 2^16 cannot overflow.
        x = frequency &* (x >> CodingTables.precision) &+ (x & 0xffff) &- start
        if x < RANS.lowest { x = x << 32 | word() }
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

    /// A value by a table, or by its escape.
    @inline(__always)
    mutating func value(_ x: inout UInt64, _ tables: CodingTables, _ index: Int) -> Int32 {
        let table = tables.tables[index]
        let slot = UInt16(truncatingIfNeeded: x)
        let cumulative = tables.cumulative + Int(table.start)
        var relative = Int32(tables.bucketStarts[index * CodingTables.buckets + Int(slot >> 8)])
        while relative < table.length, cumulative[Int(relative) + 1] <= slot { relative &+= 1 }
        let start = cumulative[Int(relative)]
        advance(&x, start: UInt64(start), frequency: UInt64(cumulative[Int(relative) + 1] &- start))
        return relative < table.length ? relative &+ table.offset : escape(&x, table)
    }

    private mutating func escape(_ x: inout UInt64, _ table: CodingTables.Table) -> Int32 {
        let length = Int(bits(&x, RANS.escapeLengthBits))
        guard length <= RANS.longestEscape else {
            isDamaged = true
            return 0
        }
        let low = min(length, 16)
        var distance: UInt32 = 1 << UInt32(length)
        distance |= bits(&x, length - low) << UInt32(low)
        distance |= bits(&x, low)
        let below = bits(&x, 1) == 1
        let value = below ? Int(table.offset) - Int(distance) : Int(table.offset) + Int(table.length) + Int(distance) - 1
        if abs(value) > RANS.largestSymbol { isDamaged = true }
        return Int32(max(-RANS.largestSymbol, min(RANS.largestSymbol, value)))
    }

    /// Raw bits, at most 16.
    mutating func bits(_ x: inout UInt64, _ count: Int) -> UInt32 {
        guard count > 0 else { return 0 }
        let shift = CodingTables.precision - UInt64(count)
        let value = (x & 0xffff) >> shift
        advance(&x, start: value << shift, frequency: 1 << shift)
        return UInt32(value)
    }
}
