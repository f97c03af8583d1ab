// SPDX-License-Identifier: Apache-2.0

/// The map between quality 0...100 and a model's rate parameter: linear between the model's values at 0, 10, ... 100. A model of one rate has an empty map:
/// its rate parameter is 0 at every quality.
struct QualityScale {
    static let highestRate = 65535

    let map: [Int]

    /// The rate parameters that the model has are 0 to this.
    var highestRate: Int { map.isEmpty ? 0 : Self.highestRate }

    func rate(_ quality: Double) -> Int {
        guard !map.isEmpty else { return 0 }
        let position = quality / 10
        let lower = min(Int(position), map.count - 2)
        let share = position - Double(lower)
        return Int((Double(map[lower]) + share * Double(map[lower + 1] - map[lower])).rounded(.toNearestOrEven))
    }

    /// The quality that a rate stands for; 100 for the only rate there is.
    func quality(_ rate: Int) -> Double {
        guard !map.isEmpty else { return 100 }
        let upper = map.dropFirst().firstIndex { rate <= $0 } ?? map.count - 1
        let (a, b) = (map[upper - 1], map[upper])
        return min(100, max(0, 10 * (Double(upper - 1) + Double(rate - a) / Double(b - a))))
    }
}

extension WeightLoader {
    /// Tensor quality_map.
    func qualityMap() throws -> [Int] {
        let map = try integers("quality_map", [11])
        guard map.allSatisfy({ (0...65535).contains($0) }), zip(map, map.dropFirst()).allSatisfy(<) else {
            throw CodecError(.badModel, "tensor 'quality_map' does not rise from 0...65535 to 0...65535")
        }
        return map
    }
}
