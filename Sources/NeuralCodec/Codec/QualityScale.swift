// SPDX-License-Identifier: Apache-2.0

/// The map between quality 0...100 and a model's rate parameter: linear between the model's values at 0, 10, ... 100.
struct QualityScale {
    let map: [Int]

    func rate(_ quality: Double) -> Int {
        let position = quality / 10
        let lower = min(Int(position), map.count - 2)
        let share = position - Double(lower)
        return Int((Double(map[lower]) + share * Double(map[lower + 1] - map[lower])).rounded(.toNearestOrEven))
    }

    func quality(_ rate: Int) -> Double {
        let upper = map.dropFirst().firstIndex { rate <= $0 } ?? map.count - 1
        let (a, b) = (map[upper - 1], map[upper])
        return min(100, max(0, 10 * (Double(upper - 1) + Double(rate - a) / Double(b - a))))
    }
}
