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
        if escapes { escape(relative, table, lane) }
        return known
    }

    private mutating func escape(_ relative: Int32, _ table: CodingTables.Table, _ lane: Int) {
        let distance = Int(relative < 0 ? -relative : relative - table.length + 1)
        let length = Int.bitWidth - 1 - distance.leadingZeroBitCount
        let low = min(length, 16)
        _ = bits(length, count: RANS.escapeLengthBits, lane: lane)
        if length > low { _ = bits(distance >> low & (1 << (length - low) - 1), count: length - low, lane: lane) }
        if low > 0 { _ = bits(distance & (1 << low - 1), count: low, lane: lane) }
        _ = bits(relative < 0 ? 1 : 0, count: 1, lane: lane)
    }

    mutating func refuse() {}
}

/// rANS over recorded steps: the vectors from the last to the first. Words are written from the end of a buffer to its start.
struct StepEncoder {
    private var states = SIMD4<UInt64>(repeating: RANS.lowest)
    private var memory: ByteBuffer
    private var next: Int

    init(expectedBytes: Int) throws {
        memory = try ByteBuffer(count: (expectedBytes + 4096) / 4 * 4)
        next = memory.count
    }

    /// Codes a vector's steps, from the last to the first. Every step writes a word at most.
    mutating func push(_ recorder: StepRecorder) throws {
        if next < 4 * recorder.count { try grow(by: 4 * recorder.count) }
        let bytes = memory.bytes // alive: `payload` reads it
        var states = states
        for i in (0 ..< recorder.count).reversed() {
            let step = recorder.steps[i]
            let lane = Int(step.lane), frequency = UInt64(step.frequency)
            var x = states[lane]
            if x >= frequency << 47 {
                next -= 4
                bytes.storeBytes(of: UInt32(truncatingIfNeeded: x).littleEndian, toByteOffset: next, as: UInt32.self)
                x >>= 32
            }
            let (quotient, remainder) = x.quotientAndRemainder(dividingBy: frequency)
            states[lane] = quotient << CodingTables.precision + remainder + UInt64(step.start)
        }
        self.states = states
    }

    private mutating func grow(by room: Int) throws {
        let used = memory.count - next
        let larger = try ByteBuffer(count: 2 * memory.count + room)
        copyWords(to: larger.bytes[(larger.count - used)...])
        next = larger.count - used
        memory = larger
    }

    private func copyWords(to target: Slice<UnsafeMutableRawBufferPointer>) {
        memory.withBytes { UnsafeMutableRawBufferPointer(rebasing: target).copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[next...])) }
    }

    func payload() throws -> ByteBuffer {
        let payload = try ByteBuffer(count: RANS.headerSize + memory.count - next)
        for lane in 0 ..< RANS.lanes { payload.bytes.storeBytes(of: states[lane].littleEndian, toByteOffset: 8 * lane, as: UInt64.self) }
        copyWords(to: payload.bytes[RANS.headerSize...])
        return payload
    }
}
