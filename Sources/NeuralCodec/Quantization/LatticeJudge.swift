// SPDX-License-Identifier: Apache-2.0
import CKernels

/// Measures bases on the held-out samples with the quantizers themselves.
struct LatticeJudge {
    private let samples: LatticeSamples
    private let options: LatticeLearning
    private let scalar: LatticeFigures

    private var n: Int { samples.n }

    init(samples: LatticeSamples, options: LatticeLearning) throws {
        (self.samples, self.options) = (samples, options)
        let unit = SquareMatrix.identity(samples.n).values.map(Float.init)
        scalar = try Self.figures(Self.outcome(unit, .babai, samples, options), secondMoment: 1.0 / 12)
    }

    /// Whether steps are small against the samples: two bits a value or more.
    var isFine: Bool { scalar.chainedRate >= 2 }

    /// What is to be least: rate + lambda * distortion / scale^2 with the search of the options. For the exact search and small steps, the volume decides the rate and the lattice alone the error: the latter is then measured for points spread evenly, because samples would have to be
    /// many to tell lattices apart.
    func objective(_ rows: [Float]) throws -> Double {
        if options.isExact && isFine { return scalar.chainedRate + options.lambda * (try secondMoment(rows, options.exactSearch)) }
        let outcome = try Self.outcome(rows, options.isExact ? options.exactSearch : options.search, samples, options)
        return objective(distortion: outcome.distortion, rate: try options.isExact ? outcome.indices.chainedRate() : outcome.indices.rate())
    }

    private func objective(distortion: Double, rate: Double) -> Double { rate + options.lambda * distortion / (samples.scale * samples.scale) }

    private func objective(_ figures: LatticeFigures) -> Double {
        objective(distortion: figures.distortion, rate: options.isExact ? figures.chainedRate : figures.rate)
    }

    func report(_ rows: [Float], start: LatticeStart) throws -> LatticeLearningReport {
        func measured(_ search: LatticeSearch) throws -> (Outcome, LatticeFigures) {
            let outcome = try Self.outcome(rows, search, samples, options)
            return (outcome, try Self.figures(outcome, secondMoment: secondMoment(rows, search)))
        }
        let babai = try measured(.babai), plane = try measured(.nearestPlane), exact = try measured(options.exactSearch)
        let chosen =
            switch options.search {
            case .babai: babai
            case .nearestPlane: plane
            case .exact: exact
            }
        let quantizer = try Quantizer(basis: rows, dimension: n)
        return LatticeLearningReport(
            scalar: scalar, babai: babai.1, nearestPlane: plane.1, exact: exact.1, objective: objective(chosen.1), scalarObjective: objective(scalar),
            orthogonalityDefect: quantizer.orthogonalityDefect ?? 1, condition: quantizer.condition ?? 1, errorDeviation: chosen.0.errorDeviation, proven: exact.0.proven,
            start: start, samples: samples.count, heldOut: samples.heldOutCount)
    }

    // MARK: - Quantizing

    private struct Outcome {
        let indices: IndexTable
        let distortion: Double
        let proven: Double
        let errorDeviation: Double
    }

    private static func outcome(_ rows: [Float], _ search: LatticeSearch, _ samples: LatticeSamples, _ options: LatticeLearning) throws -> Outcome {
        let n = samples.n, count = samples.heldOutCount, quantizer = try Quantizer(basis: rows, dimension: n, scale: options.scale, search: search)
        let indices = try ByteBuffer(count: 4 * count * n), points = try ByteBuffer(count: 4 * count * n), flags = try ByteBuffer(count: count)
        let proven = flags.bytes.bindMemory(to: UInt8.self)
        return try samples.withHeldOut { vectors in
            let values = points.bytes.bindMemory(to: Float.self)
            try quantizer.quantize(
                vectors, points: values.baseAddress!, indices: indices.bytes.bindMemory(to: Int32.self).baseAddress!, proven: proven.baseAddress!,
                threads: options.threads)
            var errors = SquareMatrix(n), error = [Double](repeating: 0, count: n)
            for vector in 0 ..< count {
                for i in 0 ..< n { error[i] = Double(vectors[vector * n + i]) - Double(values[vector * n + i]) }
                errors.addOuter(error, error)
            }
            let mean = errors.trace / Double(n)
            let farthest = (0 ..< n * n).reduce(0) { max($0, abs(errors.values[$1] - ($1 % (n + 1) == 0 ? mean : 0))) }
            defer { withExtendedLifetime((points, flags)) {} }
            return Outcome(
                indices: IndexTable(indices, dimension: n), distortion: mean / Double(count), proven: Double(proven.reduce(0) { $0 + Int($1) }) / Double(count),
                errorDeviation: mean > 0 ? farthest / mean : 0)
        }
    }

    private static func figures(_ outcome: Outcome, secondMoment: Double) throws -> LatticeFigures {
        LatticeFigures(distortion: outcome.distortion, rate: try outcome.indices.rate(), chainedRate: try outcome.indices.chainedRate(), secondMoment: secondMoment)
    }

    /// That of a Babai cell by its formula; of the closest point's measured for points spread evenly over a cell, which stand for all of space.
    private func secondMoment(_ rows: [Float], _ search: LatticeSearch) throws -> Double {
        let quantizer = try Quantizer(basis: rows, dimension: n, search: search)
        if let known = quantizer.normalizedSecondMoment { return known }
        let count = n > 16 ? 1 << 12 : 1 << 14, basis = SquareMatrix(n, values: rows.map(Double.init))
        let memory = try ByteBuffer(count: 8 * count * n)
        let values = memory.bytes.bindMemory(to: Float.self)
        let points = values.baseAddress! + count * n
        var spread = EvenSpread(dimension: n), vector = [Double](repeating: 0, count: n)
        for index in 0 ..< count {
            basis.apply(spread.next(), &vector)
            for i in 0 ..< n { values[index * n + i] = Float(vector[i]) }
        }
        try quantizer.quantize(UnsafeBufferPointer(rebasing: UnsafeBufferPointer(values)[..<(count * n)]), points: points, indices: nil, threads: options.threads)
        var sum = 0.0
        for i in 0 ..< count * n { sum += (Double(values[i]) - Double(points[i])) * (Double(values[i]) - Double(points[i])) }
        withExtendedLifetime(memory) {}
        guard let determinant = basis.inverted()?.determinant else { return .nan }
        let side = root(abs(determinant), n)
        return sum / (Double(count * n) * side * side)
    }
}

/// Vectors of fractions, spread evenly: multiples of square roots of primes in few dimensions, where they fill gaps far better than chance (Kronecker's sequence), else random.
private struct EvenSpread {
    private var steps: [Double] = []
    private var numbers = SplitMix64(1)
    private var fractions: [Double]
    private static let primes = [2.0, 3, 5, 7, 11, 13, 17, 19]

    init(dimension: Int) {
        fractions = [Double](repeating: 0, count: dimension)
        if dimension <= Self.primes.count { steps = Self.primes.prefix(dimension).map { $0.squareRoot() } }
    }

    mutating func next() -> [Double] {
        for i in fractions.indices {
            if steps.isEmpty {
                fractions[i] = numbers.fraction()
            } else {
                fractions[i] += steps[i]
                fractions[i] -= fractions[i].rounded(.down)
            }
        }
        return fractions
    }
}
