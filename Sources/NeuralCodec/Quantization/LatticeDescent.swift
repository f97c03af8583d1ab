// SPDX-License-Identifier: Apache-2.0
import CKernels

/// One descent on a basis B of unit volume. All gradients are taken in A, where B becomes B (I - A): that keeps B regular, and means the same whichever basis spans the lattice.
///
/// With v = x B^-1, u the integers chosen and e = x - u B, a change by A moves v by -v (B A B^-1). Rounding is passed straight through: the rate's slope is taken at u and acts
/// on v. The error of rounding moves with the cell, e = (v - u) B, so that the slope of E|e|^2 is 2 E[e^T e]. For the closest point that holds to first order: the moved cells
/// are nearly those of the moved lattice, and what is the least does not feel a small step aside. So the error of a lattice that cannot be bettered has the covariance of a
/// multiple of I (Zamir and Feder, 1996). All this is for steps that are small against the samples; where most integers are 0 it is a guess, which the held-out samples judge.
struct LatticeDescent {
    private(set) var basis: SquareMatrix
    private let n: Int
    private let samples: LatticeSamples
    private let options: LatticeLearning
    private let constraint: OrthogonalityConstraint
    private var numbers: SplitMix64
    private var adam: Adam

    init(_ basis: SquareMatrix, samples: LatticeSamples, options: LatticeLearning, seed: UInt64) {
        (self.basis, n, self.samples, self.options) = (basis, samples.n, samples, options)
        constraint = options.constraint
        numbers = SplitMix64(seed)
        adam = Adam(count: n * n)
    }

    mutating func step(_ index: Int) throws {
        var slope = try gradient()
        if case .penalty(let weight) = constraint, weight > 0 {
            let gram = basis.transposed * basis
            slope = slope + (gram * gram - gram) * (4 * weight / Double(n))
        }
        if constraint == .hard {
            slope = (slope - slope.transposed) * 0.5
        } else {
            let mean = slope.trace / Double(n)
            for i in 0 ..< n { slope[i, i] -= mean }
        }
        let rate = options.rate * Double(options.steps - index) / Double(options.steps)
        let change = SquareMatrix(n, values: adam.change(slope.values, rate: rate))
        let next = basis - basis * change
        // A step that would flatten the cell is not taken.
        basis = (constraint == .hard ? next.orthogonalized()?.axes : next.unitVolume()) ?? basis
        if index % 10 == 9 && !options.isExact { limitCondition() }
    }

    /// Brings the basis into the form in which it is judged: reduced for the exact search, which is a matter of the lattice alone, and within the limit of its condition.
    mutating func tidy() throws {
        if options.isExact {
            let reduced = try BasisQuantizer(rows: basis.values.map(Float.init), dimension: n, scale: 1, search: options.search).reducedRows
            basis = reduced.unitVolume() ?? basis
        }
        limitCondition()
    }

    /// Raises the singular values that are too small against the greatest.
    private mutating func limitCondition() {
        let (turn, rows, lengths) = basis.diagonalized()
        let greatest = lengths.max()!, least = greatest / options.mostCondition * (1 + 0x1p-20)
        guard lengths.contains(where: { $0 < least }) else { return }
        var stretched = rows
        for i in 0 ..< n where lengths[i] < least {
            for j in 0 ..< n { stretched[i, j] *= least / lengths[i] }
        }
        basis = (turn.transposed * stretched).unitVolume() ?? basis
    }

    // MARK: - Gradients

    private mutating func gradient() throws -> SquareMatrix {
        let count = min(options.batch, samples.count), length = count * n
        let memory = try ByteBuffer(count: 8 * 3 * length)
        return try withExtendedLifetime(memory) {
            let x = memory.bytes.baseAddress!.assumingMemoryBound(to: Double.self)
            for vector in 0 ..< count { samples.copy(count == samples.count ? vector : numbers.below(samples.count), to: x + vector * n) }
            if options.isExact { return try closestPointGradient(x, count, errors: x + length) }
            return roundingGradient(x, count, u: x + length, v: x + 2 * length)
        }
    }

    /// 2 lambda / n E[e^T e] of the closest points.
    private func closestPointGradient(_ x: UnsafeMutablePointer<Double>, _ count: Int, errors: UnsafeMutablePointer<Double>) throws -> SquareMatrix {
        let memory = try ByteBuffer(count: 8 * count * n)
        let floats = memory.bytes.bindMemory(to: Float.self)
        let points = floats.baseAddress! + count * n
        for i in 0 ..< count * n { floats[i] = Float(x[i]) }
        let quantizer = try Quantizer(basis: basis.values.map(Float.init), dimension: n, search: options.exactSearch)
        try quantizer.quantize(UnsafeBufferPointer(rebasing: UnsafeBufferPointer(floats)[..<(count * n)]), points: points, indices: nil, threads: options.threads)
        var products = SquareMatrix(n)
        for i in 0 ..< count * n { errors[i] = Double(floats[i]) - Double(points[i]) }
        for vector in 0 ..< count { products.addOuter(errors + vector * n, errors + vector * n) }
        withExtendedLifetime(memory) {}
        return products * (2 * options.lambda / Double(n * count))
    }

    private func roundingGradient(_ x: UnsafeMutablePointer<Double>, _ count: Int, u: UnsafeMutablePointer<Double>, v: UnsafeMutablePointer<Double>) -> SquareMatrix {
        guard let inverse = basis.inverted()?.inverse else { return SquareMatrix(n) }
        for vector in 0 ..< count { inverse.apply(x + vector * n, v + vector * n) }
        let distortion: SquareMatrix
        if case .nearestPlane = options.search {
            distortion = nearestPlane(x, count, u: u)
        } else {
            distortion = rounding(v, count, u: u)
        }
        // dR = tr(slope^T A), slope = -B^T E[v^T g(u)] B^-T.
        var products = SquareMatrix(n)
        slopeOfRate(u, count)
        for vector in 0 ..< count { products.addOuter(v + vector * n, u + vector * n) }
        let rate = basis.transposed * products * inverse.transposed
        return distortion * (2 * options.lambda / Double(n * count)) - rate * (1 / Double(n * count))
    }

    /// u = round(v), and the sum of e^T e.
    private func rounding(_ v: UnsafeMutablePointer<Double>, _ count: Int, u: UnsafeMutablePointer<Double>) -> SquareMatrix {
        var products = SquareMatrix(n), error = [Double](repeating: 0, count: n)
        for vector in 0 ..< count {
            for i in vector * n ..< (vector + 1) * n {
                u[i] = v[i].rounded(.toNearestOrEven)
                error[i - vector * n] = v[i] - u[i]
            }
            products.addOuter(error, error)
        }
        return basis.transposed * products * basis
    }

    /// u by nearest plane; and, the cell being a box whose sides are the diagonal t_i of B = T Q, the sum over i of t_i E[error_i^2] b_i^T q_i.
    private func nearestPlane(_ x: UnsafeMutablePointer<Double>, _ count: Int, u: UnsafeMutablePointer<Double>) -> SquareMatrix {
        guard let (triangle, axes) = basis.orthogonalized() else { return SquareMatrix(n) }
        let across = axes.transposed
        var squares = [Double](repeating: 0, count: n), rest = squares
        for vector in 0 ..< count {
            across.apply(x + vector * n, &rest)
            for i in (0 ..< n).reversed() {
                let exact = rest[i] / triangle[i, i], integer = exact.rounded(.toNearestOrEven)
                u[vector * n + i] = integer
                squares[i] += (exact - integer) * (exact - integer)
                for j in 0 ... i { rest[j] -= integer * triangle[i, j] }
            }
        }
        var slope = SquareMatrix(n)
        for i in 0 ..< n {
            let row = basis.values[i * n ..< (i + 1) * n].map { $0 * triangle[i, i] * squares[i] }
            slope.addOuter(row, Array(axes.values[i * n ..< (i + 1) * n]))
        }
        return slope
    }

    /// Puts the slope of a coordinate's bits, times the number of samples, in the place of u.
    private func slopeOfRate(_ u: UnsafeMutablePointer<Double>, _ count: Int) {
        let log2e = 0x1.71547652b82fep0
        for i in 0 ..< n {
            func each(_ body: (Int) -> Void) { for place in stride(from: i, to: count * n, by: n) { body(place) } }
            var sum = 0.0, spread = 0.0
            each { sum += u[$0] }
            switch options.model {
            case .gaussian:
                let mean = sum / Double(count), most = 0x1.114580b45d474p4
                each { spread += (u[$0] - mean) * (u[$0] - mean) }
                let factor = log2e * most / (1 + most * spread / Double(count))
                each { u[$0] = factor * (u[$0] - mean) }
            case .laplace:
                let centre = (sum / Double(count)).rounded(.toNearestOrEven), most = 0x1.5bf0a8b145769p2
                each { spread += abs(u[$0] - centre) }
                let factor = log2e * most / (1 + most * spread / Double(count))
                each { u[$0] = u[$0] > centre ? factor : u[$0] < centre ? -factor : 0 }
            }
        }
    }
}

/// The steps of Adam (Kingma and Ba, 2015), with its usual constants.
private struct Adam {
    private var first: [Double]
    private var second: [Double]
    private var powers = (1.0, 1.0)

    init(count: Int) {
        first = [Double](repeating: 0, count: count)
        second = first
    }

    mutating func change(_ slope: [Double], rate: Double) -> [Double] {
        powers = (powers.0 * 0.9, powers.1 * 0.999)
        return slope.indices.map { i in
            first[i] = 0.9 * first[i] + (1 - 0.9) * slope[i]
            second[i] = 0.999 * second[i] + (1 - 0.999) * (slope[i] * slope[i])
            return rate * (first[i] / (1 - powers.0)) / ((second[i] / (1 - powers.1)).squareRoot() + 1e-9)
        }
    }
}
