// SPDX-License-Identifier: Apache-2.0

/// Pseudorandom numbers, the same everywhere (Steele, Lea and Flood 2014).
struct SplitMix64 {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    /// 0 to 1.
    mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Nearly Gaussian, of variance 1: the sum of twelve fractions, which needs no function but addition.
    mutating func normal() -> Double { (0 ..< 12).reduce(-6) { sum, _ in sum + fraction() } }

    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }
}
