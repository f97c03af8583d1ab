// SPDX-License-Identifier: Apache-2.0
// The two sides of coding a lattice point see it as one sequence of symbols. A walk over a model asks for each in turn; the recorder is told the symbol and notes
// what rANS has to code, the decoder finds it out. So both sides run the same code, and no decision of a model exists twice.

/// One step of rANS: a symbol's place in 0 ..< 2^16, and the state it uses.
struct CodingStep {
    var start: UInt32
    var frequency: UInt32
    var lane: UInt32
}

/// Weights and shares: binary fixed-point numbers with 48 digits after the point, rounded down.
enum Fixed {
    static let one: UInt64 = 1 << 48

    /// The factors' product must be below 2^112.
    @inline(__always)
    static func times(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let (high, low) = a.multipliedFullWidth(by: b)
        return high << 16 | low >> 48
    }
}

/// What a walk may ask for. `known` is the symbol if there is one yet; the decoder ignores it.
protocol SymbolCoder {
    /// 0 or 1.
    mutating func choose(_ known: Int, _ zero: UInt64, _ one: UInt64, lane: Int) -> Int
    /// 0 ..< count, at most 32.
    mutating func choose(_ known: Int, of weights: UnsafePointer<UInt64>, count: Int, lane: Int) -> Int
    /// A number of 1 ... 16 bits, all of them equally likely.
    mutating func bits(_ known: Int, count: Int, lane: Int) -> Int
    /// An integer, by a table or its escape.
    mutating func value(_ known: Int32, _ tables: CodingTables, _ index: Int, lane: Int) -> Int32
    /// Found something that no encoder writes.
    mutating func refuse()
}

/// Weights become frequencies. All are shifted right by as much as would bring their sum below 2^47; if all are 0 then, they count as 1. With C(j) the sum of the
/// first j of them, symbol j begins at j + floor(C(j) (2^16 - count) / C(count)). So every symbol has a frequency of at least 1.
struct Split {
    let shift: UInt64
    let total: UInt64
    private let count: UInt64

    @inline(__always)
    init(_ weights: UnsafePointer<UInt64>, _ count: Int) {
        var sum: UInt64 = 0
        for i in 0 ..< count { sum += weights[i] }
        shift = Self.shift(sum)
        var total: UInt64 = 0
        for i in 0 ..< count { total += weights[i] >> shift }
        self.total = total
        self.count = UInt64(count)
    }

    @inline(__always)
    static func shift(_ sum: UInt64) -> UInt64 { UInt64(max(0, 17 - sum.leadingZeroBitCount)) }

    /// Where a symbol begins whose predecessors weigh `before`, after the shift.
    @inline(__always)
    func start(_ symbol: Int, before: UInt64) -> UInt32 {
        let share = total == 0 ? UInt64(symbol) * (65536 - count) / count : before * (65536 - count) / total
        return UInt32(UInt64(symbol) + share)
    }

    /// The start of symbol 1 of two.
    @inline(__always)
    static func start(_ zero: UInt64, _ one: UInt64) -> UInt32 {
        let shift = shift(zero + one)
        let a = zero >> shift, total = a + one >> shift
        return total == 0 ? 32768 : UInt32(1 + a * 65534 / total)
    }
}
