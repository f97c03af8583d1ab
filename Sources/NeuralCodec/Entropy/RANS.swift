// SPDX-License-Identifier: Apache-2.0

/// Constants of the entropy coder: four interleaved rANS states of 64 bits, renormalised by 32-bit words (docs/format.md, "Entropy coding").
///
///     payload:  state 0 | state 1 | state 2 | state 3 | word | word | ...        states 8 bytes, words 4, little-endian
///     state:    2^31 <= x < 2^63 between symbols; every state is 2^31 before the first symbol is encoded and after the last is decoded
enum RANS {
    static let lanes = 4
    static let lowest: UInt64 = 1 << 31
    static let highest: UInt64 = 1 << 63
    static let headerSize = 8 * lanes

    /// Symbols are clamped to this magnitude before they are coded.
    static let largestSymbol = 1 << 20
    /// Bits that code the length of an escaped value's distance, and the longest length.
    static let escapeLengthBits = 5
    static let longestEscape = 21
}

/// The distance of a value from the range its table codes: at least 1.
///
///     escape symbol, then in the same lane:  length n (5 bits)  |  n low bits of the distance, whose leading bit is implied  |  side (1: below)
@inline(__always)
func escapeDistance(_ value: Int32, _ table: CodingTables.Table) -> (distance: UInt32, below: Bool) {
    let relative = value &- table.offset
    return relative < 0 ? (UInt32(-relative), true) : (UInt32(relative &- table.length &+ 1), false)
}

/// Encodes symbols from the last to the first, which is the order rANS needs.
struct RANSEncoder {
    private var states = (RANS.lowest, RANS.lowest, RANS.lowest, RANS.lowest)
    private var writer: RANSWriter

    /// Room for `symbols` symbols whose `bitBound`s sum to `bits`. Nothing checks the room later, so it has to be enough for any input:
    /// rounding adds at most log2(1 + 2^-15) < 2^-14 of a bit a step, since a state is at least 2^31 and a frequency at most 2^16, and a symbol
    /// takes at most five steps (an escape: itself, its length, two parts of the distance, its side), fewer than the eight allowed for here.
    init(bits: Int, symbols: Int) throws { writer = try RANSWriter(size: 4 * ((bits + symbols / 2048) / 32 + 16)) }

    /// An upper bound of the bits a symbol takes.
    @inline(__always)
    static func bitBound(_ value: Int32, _ tables: CodingTables, _ index: Int) -> Int {
        let table = tables.tables[index]
        let relative = value &- table.offset
        let escapes = relative < 0 || relative >= table.length
        let position = Int(table.start) + Int(escapes ? table.length : relative)
        let frequency = tables.cumulative[position + 1] &- tables.cumulative[position]
        return frequency.leadingZeroBitCount + 1 + (escapes ? RANS.escapeLengthBits + RANS.longestEscape + 1 : 0)
    }

    /// Encodes `count` symbols, a multiple of 4, from the last to the first, which goes to lane 0; `table(i)` names the table of symbol i.
    @inline(__always)
    mutating func put(_ count: Int, _ tables: CodingTables, from symbols: UnsafePointer<Int32>, table: (Int) -> Int) {
        var (a, b, c, d) = states
        var cursor = writer.cursor
        for i in stride(from: count - RANS.lanes, through: 0, by: -RANS.lanes) {
            Self.put(&d, symbols[i + 3], tables, table(i + 3), &cursor)
            Self.put(&c, symbols[i + 2], tables, table(i + 2), &cursor)
            Self.put(&b, symbols[i + 1], tables, table(i + 1), &cursor)
            Self.put(&a, symbols[i], tables, table(i), &cursor)
        }
        writer.cursor = cursor
        states = (a, b, c, d)
    }

    @inline(__always)
    private static func put(_ x: inout UInt64, _ value: Int32, _ tables: CodingTables, _ index: Int, _ cursor: inout RANSCursor) {
        let table = tables.tables[index]
        var relative = value &- table.offset
        if UInt32(bitPattern: relative) >= UInt32(bitPattern: table.length) {
            (x, cursor) = escaped(x, value, table, cursor)
            relative = table.length
        }
        let position = Int(table.start) &+ Int(relative)
        let start = tables.cumulative[position]
        cursor.push(&x, start: UInt64(start), frequency: UInt64(tables.cumulative[position + 1] &- start))
    }

    /// The state and cursor after what follows an escape: by value, so that the callers' loop keeps its own in registers.
    @inline(never)
    private static func escaped(_ state: UInt64, _ value: Int32, _ table: CodingTables.Table, _ cursor: RANSCursor) -> (UInt64, RANSCursor) {
        var (x, cursor) = (state, cursor)
        func putBits(_ value: UInt32, _ bits: Int) {
            guard bits > 0 else { return }
            let shift = CodingTables.precision - UInt64(bits)
            cursor.push(&x, start: UInt64(value) << shift, frequency: 1 << shift)
        }
        let (distance, below) = escapeDistance(value, table)
        let length = 31 - distance.leadingZeroBitCount
        putBits(below ? 1 : 0, 1)
        let low = min(length, 16)
        putBits(distance & (1 << UInt32(low) - 1), low)
        putBits(distance >> UInt32(low) & (1 << UInt32(length - low) - 1), length - low)
        putBits(UInt32(length), RANS.escapeLengthBits)
        return (x, cursor)
    }

    var payloadSize: Int { writer.payloadSize }

    /// Writes the payload to `target`, which has `payloadSize` bytes.
    func write(to target: UnsafeMutableRawBufferPointer) { writer.write([states.0, states.1, states.2, states.3], to: target) }
}

/// Decodes symbols in their order. Reads never leave the payload: past its end they give zeros, and `finish` reports the damage.
struct RANSDecoder {
    private var states: (UInt64, UInt64, UInt64, UInt64)
    private var reader: RANSReader

    init(_ payload: UnsafeRawBufferPointer) throws {
        reader = try RANSReader(payload)
        states = (reader.state(0), reader.state(1), reader.state(2), reader.state(3))
    }

    static let error = CodecError(.badStream, "the entropy-coded data is damaged")

    /// Decodes `count` symbols, a multiple of 4, the first of which goes to lane 0; `table(i)` names the table of symbol i.
    @inline(__always)
    mutating func take(_ count: Int, _ tables: CodingTables, into symbols: UnsafeMutablePointer<Int32>, table: (Int) -> Int) {
        var (a, b, c, d) = states
        for i in stride(from: 0, to: count, by: RANS.lanes) {
            symbols[i] = reader.value(&a, tables, table(i))
            symbols[i + 1] = reader.value(&b, tables, table(i + 1))
            symbols[i + 2] = reader.value(&c, tables, table(i + 2))
            symbols[i + 3] = reader.value(&d, tables, table(i + 3))
        }
        states = (a, b, c, d)
    }

    /// Whether anything so far was impossible; checked now and then so that damaged data ends early.
    var isDamaged: Bool { reader.isDamaged }

    /// Call after the last symbol: throws unless every state is back at its start and every word was used.
    func finish() throws { try reader.finish([states.0, states.1, states.2, states.3]) }
}
