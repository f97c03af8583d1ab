// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

final class LatticeLearningTests: XCTestCase {
    /// Nearly Gaussian vectors times a matrix of rows, made without any function of the C library.
    private func gaussian(_ count: Int, _ n: Int, seed: UInt64 = 7, _ mix: (_ from: Int, _ to: Int) -> Double) -> [Float] {
        var numbers = SplitMix64(seed)
        return (0 ..< count).flatMap { _ -> [Float] in
            let source = (0 ..< n).map { _ in numbers.normal() }
            return (0 ..< n).map { j in Float((0 ..< n).reduce(0) { $0 + source[$1] * mix($1, j) }) }
        }
    }

    private lazy var white = gaussian(3000, 2) { $0 == $1 ? 5 : 0 }
    private lazy var slanted = gaussian(3000, 2) { $0 == $1 ? 5 : $0 < $1 ? 4.5 : 0 }

    private func learn(_ samples: [Float], _ n: Int, _ change: (inout LatticeLearning) -> Void = { _ in }) throws -> LearnedLattice {
        var options = LatticeLearning()
        change(&options)
        return try samples.withUnsafeBufferPointer { try Quantizer.learning($0, dimension: n, options: options) }
    }

    private func volume(_ learned: LearnedLattice) throws -> Double {
        let n = learned.quantizer.dimension
        return abs(try XCTUnwrap(SquareMatrix(n, values: learned.basis.map(Double.init)).inverted()).determinant)
    }

    /// Bits a value that are saved at equal distortion, which costs half a bit for each factor of 4.
    private func saved(_ report: LatticeLearningReport, _ figures: LatticeFigures) -> Double {
        report.scalar.rate - figures.rate + 0.5 * log2(report.scalar.distortion / figures.distortion)
    }

    /// Normalized second moment of a lattice in the plane, by a grid over one cell.
    private func secondMoment(_ basis: [Float]) throws -> Double {
        let side = 500, b = basis.map(Double.init), area = abs(b[0] * b[3] - b[1] * b[2])
        let x = (0 ..< side * side).flatMap { place -> [Float] in
            let (u, v) = ((Double(place / side) + 0.5) / Double(side), (Double(place % side) + 0.5) / Double(side))
            return [Float(u * b[0] + v * b[2]), Float(u * b[1] + v * b[3])]
        }
        var points = x
        let quantizer = try Quantizer(basis: basis, dimension: 2, search: .exact(nodeLimit: 0))
        try x.withUnsafeBufferPointer { x in try points.withUnsafeMutableBufferPointer { try quantizer.quantize(x, points: $0.baseAddress!, indices: nil) } }
        return zip(x, points).reduce(0) { $0 + pow(Double($1.0) - Double($1.1), 2) } / (2 * area * Double(side * side))
    }

    // MARK: What is learned

    func testRoundingDecorrelates() throws {
        // From the identity alone, so that the descent has to do it. What there is to gain: half of log2 of (product of variances / determinant) a dimension.
        for orthogonality: OrthogonalityConstraint in [.none, .penalty(weight: 0.1), .hard] {
            let learned = try learn(slanted, 2) { ($0.starts, $0.orthogonality) = (1, orthogonality) }
            XCTAssertEqual(saved(learned.report, learned.report.babai), 0.25 * log2(1 + 0.81), accuracy: 0.05, "\(orthogonality)")
            XCTAssertEqual(try volume(learned), 1, accuracy: 1e-5)
            XCTAssertLessThan(learned.report.objective, learned.report.scalarObjective - 0.15)
            XCTAssertLessThan(learned.report.orthogonalityDefect, 1.02)
            XCTAssertEqual(learned.report.start, .identity)
        }
        let eight = gaussian(4000, 8) { i, j in i <= j ? 4 * pow(0.9, Double(j - i)) : 0 }
        let learned = try learn(eight, 8) { $0.starts = 1 }
        XCTAssertGreaterThan(saved(learned.report, learned.report.babai), 0.65)
        XCTAssertEqual(try volume(learned), 1, accuracy: 1e-5)
        XCTAssertLessThan(learned.report.orthogonalityDefect, 1.1)
        XCTAssertLessThanOrEqual(learned.report.condition, 10)
    }

    func testNearestPlaneDecorrelates() throws {
        let learned = try learn(slanted, 2) { ($0.starts, $0.search) = (1, .nearestPlane) }
        XCTAssertEqual(saved(learned.report, learned.report.nearestPlane), 0.25 * log2(1 + 0.81), accuracy: 0.05)
        XCTAssertEqual(try volume(learned), 1, accuracy: 1e-5)
    }

    func testPrincipalAxesAreAStart() throws {
        let learned = try learn(slanted, 2) { ($0.starts, $0.steps) = (2, 1) }
        XCTAssertEqual(learned.report.start, .principalAxes)
        XCTAssertEqual(saved(learned.report, learned.report.babai), 0.25 * log2(1 + 0.81), accuracy: 0.05)
    }

    func testExactSearchFindsTheHexagonalLattice() throws {
        for starts in [1, 3] {
            let learned = try learn(white, 2) { ($0.search, $0.classicalStart, $0.starts) = (.exact(nodeLimit: 0), false, starts) }
            let measured = try secondMoment(learned.basis), best = 5 / (36 * 3.0.squareRoot())
            XCTAssertGreaterThan(measured, best - 2e-6)
            XCTAssertLessThan(measured, best + 1e-4)
            XCTAssertEqual(learned.report.exact.secondMoment, measured, accuracy: 2e-4)
            XCTAssertEqual(try volume(learned), 1, accuracy: 1e-5)
            XCTAssertEqual(learned.report.proven, 1)
            // Rounding on the same basis is worse than on the integers.
            XCTAssertGreaterThan(learned.report.babai.secondMoment, 1.0 / 12)
        }
    }

    func testExactSearchBeatsTheIntegers() throws {
        let samples = gaussian(3000, 8) { $0 == $1 ? 3 : 0 }
        let random = try learn(samples, 8) { ($0.search, $0.classicalStart, $0.starts, $0.steps) = (.exact(nodeLimit: 0), false, 3, 200) }
        XCTAssertNotEqual(random.report.start, .classical)
        XCTAssertLessThan(random.report.exact.secondMoment, 0.0755)
        XCTAssertGreaterThan(random.report.exact.secondMoment, 929.0 / 12960 - 4e-5)
        XCTAssertLessThan(random.report.exact.distortion, 0.93 * random.report.scalar.distortion)
        XCTAssertEqual(random.report.exact.chainedRate, random.report.scalar.chainedRate, accuracy: 0.02)
        XCTAssertEqual(try volume(random), 1, accuracy: 1e-5)
        // E8 is a start, and nothing is better.
        let classical = try learn(samples, 8) { ($0.search, $0.starts, $0.steps) = (.exact(nodeLimit: 0), 2, 20) }
        XCTAssertEqual(classical.report.start, .classical)
        XCTAssertEqual(classical.report.exact.secondMoment, 929.0 / 12960, accuracy: 2e-4)
    }

    func testLargeSteps() throws {
        let large = slanted.map { $0 / 8 }
        let rounding = try learn(large, 2), closest = try learn(large, 2) { $0.search = .exact(nodeLimit: 0) }
        XCTAssertLessThan(rounding.report.scalar.chainedRate, 2)
        // Decorrelated coordinates still cost less, and err less where most are 0.
        XCTAssertLessThan(rounding.report.babai.rate, rounding.report.scalar.rate - 0.1)
        XCTAssertLessThan(rounding.report.babai.distortion, rounding.report.scalar.distortion)
        // Nothing that rounding is good for is lost to the exact search.
        XCTAssertLessThan(closest.report.objective, rounding.report.objective + 0.02)
    }

    func testLaplaceModelSeparatesSources() throws {
        // Peaked sources of equal variance, turned: the covariance is a multiple of I, and principal axes mean nothing.
        var numbers = SplitMix64(3)
        func peaked() -> Double { 12 * (pow(numbers.fraction(), 5) - pow(numbers.fraction(), 5)) }
        let turn = [0.8, 0.6, -0.6, 0.8]
        let samples = (0 ..< 6000).flatMap { _ -> [Float] in
            let (a, b) = (peaked(), peaked())
            return [Float(a * turn[0] + b * turn[2]), Float(a * turn[1] + b * turn[3])]
        }
        let learned = try learn(samples, 2) { ($0.model, $0.starts, $0.orthogonality) = (.laplace, 1, .hard) }
        let basis = SquareMatrix(2, values: learned.basis.map(Double.init)), cosines = basis * SquareMatrix(2, values: turn).transposed
        for row in 0 ..< 2 { XCTAssertGreaterThan(max(abs(cosines[row, 0]), abs(cosines[row, 1])), 0.99) }
        XCTAssertLessThan(learned.report.babai.rate, learned.report.scalar.rate - 0.05)
    }

    /// The control: an orthogonal basis with rounding is a linear layer and a scalar quantizer.
    func testAnOrthogonalBasisIsALinearLayerAndAScalarQuantizer() throws {
        let n = 8, samples = gaussian(3000, n) { i, j in i <= j ? 4 * pow(0.9, Double(j - i)) : 0 }
        for scale in [1.0, 0.3] {
            let learned = try learn(samples, n) { ($0.orthogonality, $0.scale, $0.steps) = (.hard, scale, 100) }
            XCTAssertEqual(learned.report.orthogonalityDefect, 1, accuracy: 1e-6)
            XCTAssertEqual(learned.report.condition, 1, accuracy: 1e-5)
            XCTAssertEqual(learned.report.babai.secondMoment, 1.0 / 12, accuracy: 1e-6)
            let basis = SquareMatrix(n, values: learned.basis.map(Double.init))
            let gram = basis * basis.transposed - .identity(n)
            XCTAssertLessThan(gram.values.map(abs).max()!, 1e-6)

            var points = samples, indices = [Int32](repeating: 0, count: samples.count)
            try samples.withUnsafeBufferPointer { try learned.quantizer.quantize($0, points: &points, indices: &indices) }
            // The layer, a product with B transposed, in binary64; the scalar quantizer; and the layer's inverse, a product with B.
            var coordinates = [Double](repeating: 0, count: n), back = coordinates, differing = 0, farthest = 0.0
            let scalar = try Quantizer(name: "scalar", dimension: n, scale: scale)
            for first in stride(from: 0, to: samples.count, by: n) {
                basis.transposed.apply(samples[first ..< first + n].map(Double.init), &coordinates)
                let y = coordinates.map(Float.init)
                var rounded = y, own = [Int32](repeating: 0, count: n)
                try y.withUnsafeBufferPointer { try scalar.quantize($0, points: &rounded, indices: &own) }
                if own != Array(indices[first ..< first + n]) {
                    // Only where a coordinate is halfway between two integers, but for rounding to binary32.
                    differing += 1
                    let nearest = coordinates.map { abs(abs($0 / scale - ($0 / scale).rounded()) - 0.5) }.min()!
                    XCTAssertLessThan(nearest, 1e-4)
                    continue
                }
                basis.apply(rounded.map(Double.init), &back)
                for i in 0 ..< n { farthest = max(farthest, abs(back[i] - Double(points[first + i]))) }
            }
            XCTAssertLessThan(differing, 10)
            XCTAssertLessThan(farthest, 1e-4)
        }
    }

    // MARK: Always the same

    func testSeedAndThreads() throws {
        for search: LatticeSearch in [.babai, .nearestPlane, .exact(nodeLimit: 0)] {
            func basis(_ threads: Int, _ seed: UInt64) throws -> [Float] {
                try learn(slanted, 2) { ($0.search, $0.threads, $0.seed, $0.steps, $0.classicalStart) = (search, threads, seed, 60, false) }.basis
            }
            let first = try basis(1, 1)
            for threads in [2, 5, 0] { XCTAssertEqual(try basis(threads, 1), first) }
            for path in availablePaths { XCTAssertEqual(try withPath(path) { try basis(0, 1) }, first, path) }
            XCTAssertNotEqual(try basis(0, 2), first)
        }
    }

    func testTheQuantizerIsTheBasisAtTheScale() throws {
        let learned = try learn(slanted, 2) { ($0.scale, $0.steps, $0.search) = (0.7, 20, .exact(nodeLimit: 9)) }
        XCTAssertEqual(learned.quantizer.basis, learned.basis.map { $0 * Float(0.7) })
        XCTAssertEqual(learned.quantizer.scale, Float(0.7))
        XCTAssertNil(learned.quantizer.normalizedSecondMoment)
        XCTAssertEqual(try volume(learned), 1, accuracy: 1e-5)
    }

    func testScaleOfSamplesAndQuantizerTogetherChangesNothing() throws {
        let one = try learn(slanted, 2) { $0.steps = 50 }
        let four = try learn(slanted.map { $0 * 4 }, 2) { ($0.steps, $0.scale) = (50, 4) }
        XCTAssertEqual(one.basis, four.basis)
        XCTAssertEqual(one.report.objective, four.report.objective, accuracy: 1e-12)
    }

    // MARK: Limits

    func testConditionLimit() throws {
        let samples = gaussian(2000, 3) { $0 == $1 ? [9, 1, 0.05][$0] : 0 }
        let learned = try learn(samples, 3) { ($0.orthogonality, $0.conditionLimit, $0.rate) = (OrthogonalityConstraint.none, 1.25, 0.2) }
        XCTAssertLessThanOrEqual(learned.report.condition, 1.25 * (1 + 1e-6))
    }

    func testSamplesWithNothingToLearn() throws {
        for value: Float in [0, 3.3] {
            for search: LatticeSearch in [.babai, .nearestPlane, .exact(nodeLimit: 0)] {
                let learned = try learn([Float](repeating: value, count: 300), 3) { ($0.search, $0.steps) = (search, 20) }
                XCTAssertEqual(learned.report.babai.rate, 0)
                XCTAssertEqual(learned.report.exact.chainedRate, 0)
                XCTAssertEqual(try volume(learned), 1, accuracy: 1e-5)
            }
        }
        let one = try learn(gaussian(500, 1) { _, _ in 3 }, 1) { $0.steps = 20 }
        XCTAssertEqual(one.basis, [1])
    }

    func testProgressAndCancelling() throws {
        var fractions: [Double] = []
        _ = try learn(slanted, 2) { options in
            (options.steps, options.starts) = (12, 3)
            options.progress = {
                fractions.append($0)
                return true
            }
        }
        XCTAssertTrue(zip(fractions, fractions.dropFirst()).allSatisfy { $0 < $1 })
        XCTAssertEqual(fractions.count, 37)
        XCTAssertEqual(fractions.last, 1)
        for stop in [1, 5, 37] {
            let lost = withBalance {
                var calls = 0
                assertThrows(.cancelled, "cancelled") {
                    try learn(slanted, 2) { options in
                        (options.steps, options.starts) = (12, 3)
                        options.progress = { _ in
                            calls += 1
                            return calls < stop
                        }
                    }
                }
                XCTAssertEqual(calls, stop)
            }
            XCTAssertEqual(lost, 0)
        }
    }

    func testEveryAllocationMayFail() throws {
        let samples = Array(slanted.prefix(120))
        let (allocations, lost) = withEachAllocationFailing { _ in
            do {
                _ = try learn(samples, 2) { ($0.search, $0.steps, $0.starts, $0.threads) = (.exact(nodeLimit: 0), 2, 1, 1) }
            } catch {
                XCTAssertEqual((error as? CodecError)?.status, .outOfMemory)
            }
        }
        XCTAssertGreaterThan(allocations, 10)
        XCTAssertEqual(lost, 0)
    }

    func testWrongSamples() {
        assertThrows(.invalidArgument, "not a multiple of 3") { try learn([Float](repeating: 1, count: 301), 3) }
        assertThrows(.invalidArgument, "15 samples are too few") { try learn([Float](repeating: 1, count: 30), 2) }
        assertThrows(.invalidArgument, "at least 512") { try learn([Float](repeating: 1, count: 64 * 511), 64) }
        assertThrows(.invalidArgument, "0 samples") { try learn([], 2) }
        assertThrows(.invalidArgument, "65 dimensions") { try learn([Float](repeating: 1, count: 6500), 65) }
        assertThrows(.invalidArgument, "0 dimensions") { try learn([1], 0) }
        assertThrows(.invalidArgument, "-1 dimensions") { try learn([1], -1) }
        for value in [Float.nan, .infinity, -.infinity] {
            var samples = slanted
            samples[2001] = value
            assertThrows(.invalidArgument, "in sample 1000 is not finite") { try learn(samples, 2) }
        }
        assertThrows(.invalidArgument, "more than 2^16 times the scale") { try learn(slanted, 2) { $0.scale = 1e-5 } }
    }

    func testWrongOptions() {
        func fails(_ text: String, line: UInt = #line, _ change: (inout LatticeLearning) -> Void) {
            assertThrows(.invalidArgument, text, line: line) { try learn(slanted, 2, change) }
        }
        for scale in [0, -1, Double.nan, .infinity] { fails("scale of") { $0.scale = scale } }
        for lambda in [0, -1, Double.nan, .infinity] { fails("lambda of") { $0.lambda = lambda } }
        for limit in [1, 0.5, -3, Double.nan, .infinity] { fails("condition limit") { $0.conditionLimit = limit } }
        for rate in [0, -1, 0.6, Double.nan] { fails("rate of learning") { $0.rate = rate } }
        for weight in [-1, Double.nan, .infinity] { fails("orthogonality weight") { $0.orthogonality = .penalty(weight: weight) } }
        for steps in [0, -1, 1_000_001] { fails("steps") { $0.steps = steps } }
        for batch in [0, -1, 65537] { fails("batch") { $0.batch = batch } }
        for starts in [0, -1, 257] { fails("starts") { $0.starts = starts } }
        for threads in [-1, 1025] { fails("threads") { $0.threads = threads } }
        fails("leaves the exact search nothing") { ($0.search, $0.orthogonality) = (.exact(nodeLimit: 0), .hard) }
    }

    // MARK: Parts

    func testMatrices() throws {
        var numbers = SplitMix64(5)
        for n in [1, 2, 5, 33] {
            let a = SquareMatrix(n, values: (0 ..< n * n).map { _ in numbers.normal() })
            func close(_ x: SquareMatrix, _ y: SquareMatrix, line: UInt = #line) { XCTAssertLessThan((x - y).values.map(abs).max()!, 1e-9, line: line) }
            let (inverse, determinant) = try XCTUnwrap(a.inverted())
            close(a * inverse, .identity(n))
            let (triangle, axes) = try XCTUnwrap(a.orthogonalized())
            close(triangle * axes, a)
            close(axes * axes.transposed, .identity(n))
            XCTAssertTrue((0 ..< n).allSatisfy { i in (i + 1 ..< max(n, i + 1)).allSatisfy { triangle[i, $0] == 0 } })
            XCTAssertEqual((0 ..< n).reduce(1) { $0 * triangle[$1, $1] }, abs(determinant), accuracy: 1e-9 * abs(determinant))
            XCTAssertEqual(abs(try XCTUnwrap(a.unitVolume()?.inverted()).determinant), 1, accuracy: 1e-12)
            let (turn, rows, lengths) = a.diagonalized()
            close(turn * a, rows)
            close(turn * turn.transposed, .identity(n))
            XCTAssertEqual(lengths.reduce(1, *), abs(determinant), accuracy: 1e-9 * abs(determinant))
            let squares = rows * rows.transposed
            for i in 0 ..< n { for j in 0 ..< n where i != j { XCTAssertLessThan(abs(squares[i, j]), 1e-9) } }
        }
        XCTAssertNil(SquareMatrix(2, values: [1, 2, 2, 4]).inverted())
        XCTAssertNil(SquareMatrix(2).unitVolume())
        XCTAssertNil(SquareMatrix(2, values: [1, 2, 2, 4]).orthogonalized())
    }

    func testLogarithmsAndRoots() {
        for value in [1, 2, 0.5, 3, 1e-300, 1e300, 1.4142135, 1.4142136, 0.999999, 1.000001, 5e-324, 0.1, 123456.789] {
            XCTAssertEqual(strictLog2(value), log2(value), accuracy: 4e-16 * max(1, abs(log2(value))), "\(value)")
        }
        XCTAssertEqual(strictLog2(1), 0)
        for n in [1, 2, 7, 64] {
            for value in [1, 2, 1e-200, 1e200, 0.37, 68719476736] { XCTAssertEqual(root(value, n), pow(value, 1 / Double(n)), accuracy: 1e-14 * pow(value, 1 / Double(n))) }
        }
    }

    func testRatesOfIndices() throws {
        func table(_ indices: [Int32], _ n: Int) throws -> IndexTable {
            let memory = try ByteBuffer(count: 4 * indices.count)
            indices.withUnsafeBytes { memory.bytes.copyMemory(from: $0) }
            return IndexTable(memory, dimension: n)
        }
        let count = 4096, correction = 0.5 / (Double(count) * log(2))
        // Two bits, of a coordinate that takes four values, and none of one that follows from it.
        let indices = (0 ..< count).flatMap { [Int32($0 % 4), Int32(3 * ($0 % 4))] }
        XCTAssertEqual(try table(indices, 2).rate(), 2 + 3 * correction, accuracy: 1e-9)
        XCTAssertEqual(try table(indices, 2).chainedRate(), 1 + 2 * correction, accuracy: 1e-2)
        XCTAssertEqual(try table([Int32](repeating: -7, count: count), 4).rate(), 0)
        XCTAssertEqual(try table([Int32](repeating: -7, count: count), 4).chainedRate(), 0)
        // A Gaussian pair: the second coordinate costs less by the logarithm of what is left of its spread.
        let pair = gaussian(20000, 2) { $0 == $1 ? ($0 == 0 ? 20 : 4) : $0 < $1 ? 20 : 0 }.map { Int32($0.rounded()) }
        XCTAssertEqual(try table(pair, 2).rate() - table(pair, 2).chainedRate(), 0.25 * log2(1 + 25), accuracy: 0.02)
    }
}
