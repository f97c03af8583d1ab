// SPDX-License-Identifier: Apache-2.0
import CKernels

/// One call of `Quantizer.learning`: descents from several starts, and the choice among what they meet.
final class LatticeLearner {
    private let n: Int
    private let options: LatticeLearning
    private let samples: LatticeSamples
    private let judge: LatticeJudge
    private var best: (basis: SquareMatrix, objective: Double, start: LatticeStart)?

    /// Bases on the way of a descent that are judged on the held-out samples.
    private static let checkpoints = 6

    init(_ values: UnsafeBufferPointer<Float>, dimension: Int, options: LatticeLearning) throws {
        guard (1...Int(NCK_BASIS_DIMENSION)).contains(dimension) else {
            throw CodecError(.invalidArgument, "a lattice of \(dimension) dimensions: 1 to \(NCK_BASIS_DIMENSION) can be learned")
        }
        try options.check()
        n = dimension
        self.options = options
        samples = try LatticeSamples(values, dimension: dimension, scale: options.scale, mostHeldOut: options.isExact && dimension > 16 ? 1 << 12 : 1 << 14)
        judge = try LatticeJudge(samples: samples, options: options)
    }

    func learn() throws -> LearnedLattice {
        var numbers = SplitMix64(options.seed)
        let starts = LatticeStarts(dimension: n, options: options, fine: judge.isFine).list
        for (index, start) in starts.enumerated() {
            try descend(from: start, first: index * options.steps, of: starts.count * options.steps + 1, &numbers)
        }
        guard let best else { throw CodecError(.internal, "no basis was learned") }
        let rows = best.basis.values.map(Float.init)
        let report = try judge.report(rows, start: best.start)
        let quantizer = try Quantizer(basis: rows, dimension: n, scale: options.scale, search: options.search, correlation: samples.correlation)
        try advance(to: 1)
        return LearnedLattice(quantizer: quantizer, basis: rows, report: report)
    }

    private func descend(from start: LatticeStart, first: Int, of total: Int, _ numbers: inout SplitMix64) throws {
        let basis = try LatticeStarts.basis(start, samples, options, &numbers)
        var descent = LatticeDescent(basis, samples: samples, options: options, seed: numbers.next())
        try consider(&descent, start)
        let stretch = (options.steps + Self.checkpoints - 1) / Self.checkpoints
        for step in 0 ..< options.steps {
            try descent.step(step)
            if step % stretch == stretch - 1 || step == options.steps - 1 { try consider(&descent, start) }
            try advance(to: Double(first + step + 1) / Double(total))
        }
    }

    private func advance(to progress: Double) throws {
        if let callback = options.progress, !callback(progress) { throw CodecError(.cancelled, "cancelled") }
    }

    /// Keeps the descent's basis if it is the best so far.
    private func consider(_ descent: inout LatticeDescent, _ start: LatticeStart) throws {
        try descent.tidy()
        let basis = samples.canonical(descent.basis, options)
        let objective = try judge.objective(basis.values.map(Float.init))
        if best.map({ objective < $0.objective }) ?? true { best = (basis, objective, start) }
    }
}
