// SPDX-License-Identifier: Apache-2.0

/// The extended Golay code of 24 bits by the hexacode (Conway and Sloane, SPLAG, chapter 11). Bit 4 j + i of a word is row i of column j, of six.
///
/// In the field of four elements 0, 1, 2, 3, whose addition is xor, the symbol of a column of bits c0 ... c3 is c1 + 2 c2 + 3 c3. All columns and the top row have
/// one parity p; the symbols, as three pairs, are (a + x | b + x | a + b + x) with a and b one of 00, 11, 22, 33 and x one of 00, 23, 31, 12. The top bit h of a
/// column tells apart the two complements that have its parity and symbol; the six of them add up to p.
///
/// A word's number is first * 128 + second * 8 + third:
///   first  = 16 p + 4 (index of x) + (a + b);
///   second = 8 f + 2 a + g, with g the sum of h in columns 0 and 1, and f that in columns 0 to 3;
///   third  = 4 h(0) + 2 h(2) + h(4).
enum GolayCode {
    static let offsets = [0, 11, 13, 6] // the x: 4 * first symbol + second

    struct Word {
        var parity = 0, x = 0, sum = 0, a = 0, first = 0, pair = 0
        var tops = (0, 0, 0) // of columns 0, 2, 4

        var choices: (Int, Int, Int) {
            (16 * parity + 4 * x + sum, 8 * first + 2 * a + pair, 4 * tops.0 + 2 * tops.1 + tops.2)
        }

        init(_ choices: (Int, Int, Int)) {
            (parity, x, sum) = (choices.0 >> 4, choices.0 >> 2 & 3, choices.0 & 3)
            (first, a, pair) = (choices.1 >> 3, choices.1 >> 1 & 3, choices.1 & 1)
            tops = (choices.2 >> 2, choices.2 >> 1 & 1, choices.2 & 1)
        }

        /// The choices that would lead to these bits if they are a word.
        init(choicesOf mask: UInt32) {
            func bit(_ column: Int, _ row: Int) -> Int { Int(mask >> UInt32(4 * column + row)) & 1 }
            func symbol(_ column: Int) -> Int { bit(column, 1) ^ 2 * bit(column, 2) ^ 3 * bit(column, 3) }
            parity = bit(0, 0) ^ bit(0, 1) ^ bit(0, 2) ^ bit(0, 3)
            x = symbol(0) ^ symbol(1)
            let high = GolayCode.offsets[x] >> 2
            a = symbol(0) ^ high
            sum = symbol(4) ^ high
            pair = bit(0, 0) ^ bit(1, 0)
            first = pair ^ bit(2, 0) ^ bit(3, 0)
            tops = (bit(0, 0), bit(2, 0), bit(4, 0))
        }

        /// The symbols of each pair of columns: 4 * first + second.
        var symbols: (Int, Int, Int) {
            let x = GolayCode.offsets[x]
            return (5 * a ^ x, 5 * (a ^ sum) ^ x, 5 * sum ^ x)
        }

        /// The sums of each pair's top bits.
        var pairs: (Int, Int, Int) { (pair, first ^ pair, first ^ parity) }

        var mask: UInt32 {
            func columns(_ symbols: Int, _ top: Int, _ pair: Int) -> UInt32 {
                GolayCode.column(parity, symbols >> 2, top) | GolayCode.column(parity, symbols & 3, top ^ pair) << 4
            }
            let (symbols, pairs) = (symbols, pairs)
            return columns(symbols.0, tops.0, pairs.0) | columns(symbols.1, tops.1, pairs.1) << 8 | columns(symbols.2, tops.2, pairs.2) << 16
        }
    }

    /// The column of a parity, a symbol and a top bit.
    @inline(__always)
    static func column(_ parity: Int, _ symbol: Int, _ top: Int) -> UInt32 {
        let even: UInt32 = symbol == 0 ? 0 : 14 ^ 1 << UInt32(symbol) // the top bit 0
        let odd: UInt32 = symbol == 0 ? 14 : 1 << UInt32(symbol)
        return (parity == 0 ? even : odd) ^ (top == 0 ? 0 : 15)
    }
}

/// Sums over Golay words of the products of their ones' shares, from columns to pairs of columns, to four, to all: no list of 4096 words. As the word of zeros has
/// the product 1 exactly, and every sum keeps it as a term without rounding, taking it out again is exact.
struct GolayWeights {
    /// [column][parity][symbol][top]
    private let columns: UnsafeMutablePointer<UInt64>
    /// [pair][parity][4 * first symbol + second][sum of tops]
    private let pairs: UnsafeMutablePointer<UInt64>
    private let choices: UnsafeMutablePointer<UInt64>
    static let size = 6 * 16 + 3 * 64 + 32

    /// `memory` has room for `size` numbers.
    init(_ memory: UnsafeMutablePointer<UInt64>) {
        columns = memory
        pairs = memory + 96
        choices = memory + 288
    }

    /// The weight of all words but that of zeros; prepares the choices below.
    func weigh(_ share: UnsafePointer<UInt64>) -> UInt64 {
        for j in 0 ..< 6 { weighColumn(share + 4 * j, columns + 16 * j) }
        for q in 0 ..< 3 { weighPair(q) }
        var sum: UInt64 = 0
        for whole in 0 ..< 32 {
            choices[whole] = weight(parity: whole >> 4, GolayCode.offsets[whole >> 2 & 3], whole & 3)
            sum += choices[whole]
        }
        choices[0] -= Fixed.one
        return sum - Fixed.one
    }

    private func weighColumn(_ share: UnsafePointer<UInt64>, _ to: UnsafeMutablePointer<UInt64>) {
        let (r1, r2, r3) = (share[1], share[2], share[3])
        let upper = (Fixed.one, share[0], r1, Fixed.times(share[0], r1)), lower = (Fixed.one, r2, r3, Fixed.times(r2, r3))
        func product(_ bits: UInt32) -> UInt64 {
            let first = bits & 2 == 0 ? (bits & 1 == 0 ? upper.0 : upper.1) : (bits & 1 == 0 ? upper.2 : upper.3)
            let second = bits & 8 == 0 ? (bits & 4 == 0 ? lower.0 : lower.1) : (bits & 4 == 0 ? lower.2 : lower.3)
            return Fixed.times(first, second)
        }
        for index in 0 ..< 16 { to[index] = product(GolayCode.column(index >> 3, index >> 1 & 3, index & 1)) }
    }

    private func weighPair(_ q: Int) {
        for parity in 0 ..< 2 {
            let first = columns + 32 * q + 8 * parity, second = first + 16, to = pairs + 64 * q + 32 * parity
            for symbols in 0 ..< 16 {
                let a = first + 2 * (symbols >> 2), b = second + 2 * (symbols & 3)
                to[2 * symbols] = Fixed.times(a[0], b[0]) + Fixed.times(a[1], b[1])
                to[2 * symbols + 1] = Fixed.times(a[0], b[1]) + Fixed.times(a[1], b[0])
            }
        }
    }

    @inline(__always)
    private func pair(_ q: Int, _ parity: Int, _ symbols: Int) -> UnsafeMutablePointer<UInt64> { pairs + (64 * q + 32 * parity + 2 * symbols) }

    /// Of the words with one first choice.
    private func weight(parity: Int, _ x: Int, _ sum: Int) -> UInt64 {
        var four: (UInt64, UInt64) = (0, 0)
        for a in 0 ..< 4 {
            let first = pair(0, parity, 5 * a ^ x), second = pair(1, parity, 5 * (a ^ sum) ^ x)
            four.0 += Fixed.times(first[0], second[0]) + Fixed.times(first[1], second[1])
            four.1 += Fixed.times(first[0], second[1]) + Fixed.times(first[1], second[0])
        }
        let last = pair(2, parity, 5 * sum ^ x)
        return Fixed.times(four.0, last[parity]) + Fixed.times(four.1, last[parity ^ 1])
    }

    /// Codes a word that is not zero; `known` is the encoder's.
    @inline(__always)
    func code<Coder: SymbolCoder>(_ known: UInt32, lane: Int, _ coder: inout Coder) -> UInt32 {
        let told = GolayCode.Word(choicesOf: known).choices
        let first = coder.choose(told.0, of: choices, count: 32, lane: lane)
        var word = GolayCode.Word((first, 0, 0))
        weighSecond(word, zero: first == 0)
        let second = coder.choose(told.1, of: choices, count: 16, lane: lane)
        word = GolayCode.Word((first, second, 0))
        weighThird(word, zero: first == 0 && second == 0)
        let third = coder.choose(told.2, of: choices, count: 8, lane: lane)
        return GolayCode.Word((first, second, third)).mask
    }

    private func weighSecond(_ word: GolayCode.Word, zero: Bool) {
        let x = GolayCode.offsets[word.x], last = pair(2, word.parity, 5 * word.sum ^ x)
        for choice in 0 ..< 16 {
            let first = choice >> 3, a = choice >> 1 & 3, g = choice & 1
            let four = Fixed.times(pair(0, word.parity, 5 * a ^ x)[g], pair(1, word.parity, 5 * (a ^ word.sum) ^ x)[first ^ g])
            choices[choice] = Fixed.times(four, last[first ^ word.parity])
        }
        if zero { choices[0] -= Fixed.one }
    }

    private func weighThird(_ word: GolayCode.Word, zero: Bool) {
        let (symbols, pairs) = (word.symbols, word.pairs)
        func split(_ q: Int, _ symbols: Int, _ pair: Int) -> (UInt64, UInt64) {
            let first = columns + (32 * q + 8 * word.parity + 2 * (symbols >> 2)), second = columns + (32 * q + 16 + 8 * word.parity + 2 * (symbols & 3))
            return (Fixed.times(first[0], second[pair]), Fixed.times(first[1], second[pair ^ 1]))
        }
        let a = split(0, symbols.0, pairs.0), b = split(1, symbols.1, pairs.1), c = split(2, symbols.2, pairs.2)
        for choice in 0 ..< 8 {
            let two = Fixed.times(choice & 4 == 0 ? a.0 : a.1, choice & 2 == 0 ? b.0 : b.1)
            choices[choice] = Fixed.times(two, choice & 1 == 0 ? c.0 : c.1)
        }
        if zero { choices[0] -= Fixed.one }
    }
}
