// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Notes the steps of one vector's symbols.
struct StepRecorder: SymbolCoder {
    /// A symbol with its escape: itself, the length, two parts of the distance, the side.
    static let stepsOfValue = 5

    private let memory: ByteBuffer
    let steps: UnsafeMutablePointer<CodingStep>
    private(set) var count = 0

    /// `capacity` steps at most between two `clear()`s.
    init(capacity: Int) throws {
        memory = try ByteBuffer(count: capacity * MemoryLayout<CodingStep>.stride)
        steps = memory.bytes.baseAddress!.assumingMemoryBound(to: CodingStep.self)
    }

    mutating func clear() { count = 0 }

    /// The sum of -log2(frequency / 2^16).
    func bits() -> Double {
        withExtendedLifetime(memory) { (0 ..< count).reduce(0) { $0 + 16 - log2(Double(steps[$1].frequency)) } }
    }

    @inline(__always)
    private mutating func note(_ start: UInt32, _ frequency: UInt32, _ lane: Int) {
        steps[count] = CodingStep(start: start, frequency: frequency, lane: UInt32(lane))
        count += 1
    }

    @inline(__always)
    mutating func choose(_ known: Int, _ zero: UInt64, _ one: UInt64, lane: Int) -> Int {
        let start = Split.start(zero, one)
        if known == 0 { note(0, start, lane) } else { note(start, 65536 - start, lane) }
        return known
    }

    @inline(__always)
    mutating func choose(_ known: Int, of weights: UnsafePointer<UInt64>, count: Int, lane: Int) -> Int {
        let split = Split(weights, count)
        var before: UInt64 = 0
        for i in 0 ..< known { before += weights[i] >> split.shift }
        let start = split.start(known, before: before)
        let end = known + 1 == count ? 65536 : split.start(known + 1, before: before + weights[known] >> split.shift)
        note(start, end - start, lane)
        return known
    }

    @inline(__always)
    mutating func bits(_ known: Int, count: Int, lane: Int) -> Int {
        note(UInt32(known) << UInt32(16 - count), 1 << UInt32(16 - count), lane)
        return known
    }

    @inline(__always)
    mutating func value(_ known: Int32, _ tables: CodingTables, _ index: Int, lane: Int) -> Int32 {
        let table = tables.tables[index]
        let relative = known &- table.offset
        let escapes = relative < 0 || relative >= table.length
        let position = Int(table.start) + Int(escapes ? table.length : relative)
        let start = tables.cumulative[position]
        note(UInt32(start), UInt32(tables.cumulative[position + 1] &- start), lane)
        if escapes { escape(known, table, lane) }
        return known
    }

    private mutating func escape(_ value: Int32, _ table: CodingTables.Table, _ lane: Int) {
        let (size, below) = escapeDistance(value, table)
        let distance = Int(size), length = 31 - size.leadingZeroBitCount, low = min(length, 16)
        _ = bits(length, count: RANS.escapeLengthBits, lane: lane)
        if length > low { _ = bits(distance >> low & (1 << (length - low) - 1), count: length - low, lane: lane) }
        if low > 0 { _ = bits(distance & (1 << low - 1), count: low, lane: lane) }
        _ = bits(below ? 1 : 0, count: 1, lane: lane)
    }

    mutating func refuse() {}
}

/// rANS over recorded steps: the vectors from the last to the first.
struct StepEncoder {
    private var states = SIMD4<UInt64>(repeating: RANS.lowest)
    private var writer: RANSWriter

    init(expectedBytes: Int) throws { writer = try RANSWriter(size: (expectedBytes + 4096) / 4 * 4) }

    /// Codes a vector's steps, from the last to the first.
    mutating func push(_ recorder: StepRecorder) throws {
        try writer.reserve(steps: recorder.count)
        var (states, cursor) = (states, writer.cursor)
        for i in (0 ..< recorder.count).reversed() {
            let step = recorder.steps[i]
            cursor.push(&states[Int(step.lane)], start: UInt64(step.start), frequency: UInt64(step.frequency))
        }
        (self.states, writer.cursor) = (states, cursor)
    }

    func payload() throws -> ByteBuffer {
        let payload = try ByteBuffer(count: writer.payloadSize)
        writer.write((0 ..< RANS.lanes).map { states[$0] }, to: payload.bytes)
        return payload
    }
}
