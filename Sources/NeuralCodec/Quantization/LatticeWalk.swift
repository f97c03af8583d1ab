// SPDX-License-Identifier: Apache-2.0
// The symbols of a lattice point, in their order: half and word of the code, then the integers, each with its exact conditional probability. x holds the encoder's
// point before, and the decoder's after. Nothing here but integers.
import CKernels

extension LatticeModel {
    /// Room for the steps of a vector: a parity and a value a coordinate, and at most five choices of half and word.
    var mostSteps: Int { dimension * (1 + StepRecorder.stepsOfValue) + 5 }

    /// Walks over one vector, after `prepare`. Coordinate i uses state (lane + i) mod 4, the rest state `lane`.
    @inline(__always)
    func walk<Coder: SymbolCoder>(_ x: UnsafeMutablePointer<Int32>, lane: Int, _ scratch: LatticeScratch, _ coder: inout Coder) {
        Self.accumulate(scratch.odd, dimension, into: scratch.even)
        let zero = 2 * scratch.even[0]
        switch code {
        case .zero: codeZeroWord(x, lane, scratch, &coder)
        case .repetition:
            var ones = Fixed.one
            for i in 0 ..< dimension { ones = Fixed.times(ones, scratch.half[i]) }
            let isOdd = coder.choose(Int(x[0] & 1), zero, ones, lane: lane) == 1
            codeWord(isOdd ? 0xff : 0, x, lane, scratch, &coder)
        case .reedMuller:
            ReedMullerCode.weigh(scratch.half, into: scratch.words)
            scratch.words[0] = zero
            let number = coder.choose(ReedMullerCode.number(of: word(x)) ?? 0, of: scratch.words, count: 32, lane: lane)
            codeWord(ReedMullerCode.words[number], x, lane, scratch, &coder)
        case .golay: codeLeech(x, zero: zero, lane, scratch, &coder)
        }
    }

    @inline(__always)
    private func codeLeech<Coder: SymbolCoder>(
        _ x: UnsafeMutablePointer<Int32>, zero: UInt64, _ lane: Int, _ scratch: LatticeScratch, _ coder: inout Coder
    ) {
        Self.accumulate(scratch.oddQuarter, dimension, into: scratch.evenQuarter)
        let words = scratch.golay.weigh(scratch.half)
        var odd = 2 * 4096 * (Fixed.one - scratch.evenQuarter[0])
        for i in 0 ..< dimension { odd = Fixed.times(odd, scratch.quarter[i]) }

        let known = word(x)
        if coder.choose(Int(x[0] & 1), zero + words, odd, lane: lane) == 1 {
            codeOddHalf(known, x, lane, scratch, &coder)
        } else if coder.choose(known == 0 ? 0 : 1, zero, words, lane: lane) == 0 {
            codeZeroWord(x, lane, scratch, &coder)
        } else {
            let mask = scratch.golay.code(known, lane: lane, &coder)
            if mask == 0 { coder.refuse() }
            codeWord(mask, x, lane, scratch, &coder)
        }
    }

    /// All words of the odd half are equally likely. Where the word has a one, x = 3 modulo 4 and -x is coded, so that all are 4 z + 1; the sum of z is odd.
    @inline(__always)
    private func codeOddHalf<Coder: SymbolCoder>(
        _ known: UInt32, _ x: UnsafeMutablePointer<Int32>, _ lane: Int, _ scratch: LatticeScratch, _ coder: inout Coder
    ) {
        let told = GolayCode.Word(choicesOf: known).choices
        let number = coder.bits(told.0 << 7 | told.1 << 3 | told.2, count: 12, lane: lane)
        let mask = GolayCode.Word((number >> 7, number >> 3 & 15, number & 7)).mask
        for i in 0 ..< dimension { scratch.z[i] = (mask >> UInt32(i) & 1 == 0 ? x[i] : -x[i]) >> 2 }
        codeChain(target: 1, odd: scratch.oddQuarter, even: scratch.evenQuarter, eighth!, fiveEighths!, lane, scratch, &coder)
        for i in 0 ..< dimension {
            let one = 4 * scratch.z[i] + 1
            x[i] = mask >> UInt32(i) & 1 == 0 ? one : -one
        }
    }

    @inline(__always)
    private func codeZeroWord<Coder: SymbolCoder>(_ x: UnsafeMutablePointer<Int32>, _ lane: Int, _ scratch: LatticeScratch, _ coder: inout Coder) {
        for i in 0 ..< dimension { scratch.z[i] = x[i] >> unitBits }
        codeChain(target: 0, odd: scratch.odd, even: scratch.even, whole, half, lane, scratch, &coder)
        for i in 0 ..< dimension { x[i] = scratch.z[i] << unitBits }
    }

    /// From the last coordinate to the first: even sums from here on are those of two even or two odd parts.
    @inline(__always)
    private static func accumulate(_ odd: UnsafePointer<UInt64>, _ count: Int, into even: UnsafeMutablePointer<UInt64>) {
        even[count] = Fixed.one
        for i in (0 ..< count).reversed() {
            even[i] = Fixed.times(Fixed.one - odd[i], even[i + 1]) + Fixed.times(odd[i], Fixed.one - even[i + 1])
        }
    }

    /// Codes z: of each coordinate whether it is even, given what the sum must be, and then half of it, rounded down. The last one's parity is what is left.
    @inline(__always)
    private func codeChain<Coder: SymbolCoder>(
        target: Int, odd: UnsafePointer<UInt64>, even: UnsafePointer<UInt64>, _ evenTables: CodingTables, _ oddTables: CodingTables, _ lane: Int,
        _ scratch: LatticeScratch, _ coder: inout Coder
    ) {
        let z = scratch.z
        var left = target
        for i in 0 ..< dimension {
            let own = (lane + i) % RANS.lanes
            var parity = left
            if i < dimension - 1 {
                let rest = left == 0 ? even[i + 1] : Fixed.one - even[i + 1] // that the sum of the others is what is left
                parity = coder.choose(Int(z[i] & 1), Fixed.times(Fixed.one - odd[i], rest), Fixed.times(odd[i], Fixed.one - rest), lane: own)
            }
            left ^= parity
            let half = coder.value(z[i] >> 1, parity == 0 ? evenTables : oddTables, scratch.widths[i] - Int(NCK_WIDTH_OCTAVE), lane: own)
            z[i] = 2 * half + Int32(parity)
        }
    }

    /// Codes x where the word is known. The last coordinate with a one comes after all others; they tell whether its z is even or odd, and either is half of
    /// the numbers k + 1/2: those with k even, or their negatives.
    @inline(__always)
    private func codeWord<Coder: SymbolCoder>(
        _ mask: UInt32, _ x: UnsafeMutablePointer<Int32>, _ lane: Int, _ scratch: LatticeScratch, _ coder: inout Coder
    ) {
        guard mask != 0 else { return codeZeroWord(x, lane, scratch, &coder) }
        let last = 31 - mask.leadingZeroBitCount
        var sum: Int32 = 0
        for i in 0 ..< dimension where i != last {
            let one = Int32(mask >> UInt32(i) & 1)
            let z = coder.value(x[i] >> unitBits, one == 0 ? whole : half, scratch.widths[i], lane: (lane + i) % RANS.lanes)
            x[i] = z << unitBits + one << wordBit
            sum ^= z
        }
        let known = x[last] >> unitBits
        let isOdd = sum & 1 == 1
        let k = coder.value((isOdd ? ~known : known) >> 1, quarter!, scratch.widths[last] - Int(NCK_WIDTH_OCTAVE), lane: (lane + last) % RANS.lanes)
        let z = isOdd ? ~(2 * k) : 2 * k
        x[last] = z << unitBits + 1 << wordBit
    }
}
