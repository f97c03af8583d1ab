// SPDX-License-Identifier: Apache-2.0

/// The largest rate parameter whose cost does not exceed `bound`, where cost rises with the rate (file size), or whose negated error does.
/// Only integers decide, so the answer is the same on every machine.
struct RateSearch {
    /// `evaluate` gives a cost for a rate; costs rise with the rate, up to noise. Returns the best rate whose cost is at most `bound`, or nil if that of
    /// the lowest rate is above it. Stops early once a cost of at least `enough` is found.
    static func highest(bound: Int, enough: Int, among rates: ClosedRange<Int>, evaluate: (_ rate: Int) throws -> Int) throws -> Int? {
        var (low, lowCost) = (rates.lowerBound, try evaluate(rates.lowerBound))
        guard lowCost <= bound else { return nil }
        guard rates.count > 1 else { return low }
        var (high, highCost) = (rates.upperBound, try evaluate(rates.upperBound))
        if highCost <= bound { return high }
        var bisect = false
        while high - low > 1, lowCost < enough {
            // Interpolation is quick where cost is nearly straight, and bisection in between keeps it from creeping.
            var guess = low + (high - low) / 2
            if !bisect, highCost > lowCost {
                guess = low + Int((Double(high - low) * Double(bound - lowCost) / Double(highCost - lowCost)).rounded(.down))
                guess = min(max(guess, low + 1), high - 1)
            }
            bisect.toggle()
            let cost = try evaluate(guess)
            if cost <= bound { (low, lowCost) = (guess, cost) } else { (high, highCost) = (guess, cost) }
        }
        return low
    }
}

/// 10^x by IEEE operations only: the same on every machine.
func powerOfTen(_ x: Double) -> Double {
    let whole = x.rounded(.down)
    let y = (x - whole) * 0x1.26bb1bbb55516p+1  // ln 10
    var term = 1.0
    var sum = 1.0
    for n in 1 ... 40 {
        term = term * y / Double(n)
        sum += term
    }
    for _ in 0 ..< Int(abs(whole)) { sum = whole < 0 ? sum / 10 : sum * 10 }
    return sum
}
