// SPDX-License-Identifier: Apache-2.0

/// The Reed-Muller code RM(1,4): bit i of word f + 16 w is w + f . i, the bits of f and i multiplied and added modulo 2.
enum ReedMullerCode {
    static let words: [UInt32] = (0 ..< 32).map { word in
        (0 ..< 16).reduce(0) { mask, i in mask | UInt32((word >> 4 ^ (word & i).nonzeroBitCount) & 1) << UInt32(i) }
    }

    /// The number of a word, or nil for any other mask.
    static func number(of mask: UInt32) -> Int? {
        let w = mask & 1
        var number = Int(w) << 4
        for bit in 0 ..< 4 { number |= Int((mask >> (1 << UInt32(bit)) ^ w) & 1) << bit }
        return words[number] == mask ? number : nil
    }

    /// For each word, the product of the shares of its ones: a butterfly of four stages over pairs of products, for word f and its complement.
    static func weigh(_ share: UnsafePointer<UInt64>, into weights: UnsafeMutablePointer<UInt64>) {
        let complements = weights + 16
        for i in 0 ..< 16 {
            weights[i] = Fixed.one
            complements[i] = share[i]
        }
        for distance in [1, 2, 4, 8] {
            for i in 0 ..< 16 where i & distance == 0 {
                let j = i + distance
                let (a, b, c, d) = (weights[i], weights[j], complements[i], complements[j])
                weights[i] = Fixed.times(a, b)
                weights[j] = Fixed.times(a, d)
                complements[i] = Fixed.times(c, d)
                complements[j] = Fixed.times(c, b)
            }
        }
    }
}
