// SPDX-License-Identifier: Apache-2.0
import CKernels
import XCTest

@testable import NeuralCodec

/// The chain of a basis: `QuantizerCodingTests` has what is the same for all quantizers.
final class ChainCoderTests: XCTestCase {
    private static let searches: [LatticeSearch] = [.babai, .nearestPlane, .exact(nodeLimit: 2000)]

    /// Rows of a volume near 1 that are far from orthogonal.
    private func randomBasis(_ n: Int, _ numbers: inout Numbers) -> SquareMatrix {
        while true {
            var rows = SquareMatrix(n)
            for i in 0 ..< n * n { rows.values[i] = numbers.gaussian() }
            if let basis = rows.unitVolume(), basis.diagonalized().lengths.min()! > 0.01 { return basis }
        }
    }

    /// Of neighbours.
    private func correlation(_ n: Int, _ strength: Double) -> SquareMatrix {
        SquareMatrix(n, values: (0 ..< n * n).map { pow(strength, Double(abs($0 / n - $0 % n))) })
    }

    private func quantizer(_ rows: SquareMatrix, scale: Double = 1, _ search: LatticeSearch, _ correlation: SquareMatrix? = nil) throws -> Quantizer {
        try Quantizer(basis: rows.values.map(Float.init), dimension: rows.n, scale: scale, search: search, correlation: correlation?.values.map(Float.init))
    }

    /// Gaussian vectors of that correlation, the deviations of their coordinates after one another.
    private func vectors(_ deviations: [Float], _ n: Int, _ correlation: SquareMatrix?, _ numbers: inout Numbers) -> [Float] {
        let root = cholesky(correlation ?? .identity(n))
        return stride(from: 0, to: deviations.count, by: n).flatMap { first in
            let z = (0 ..< n).map { _ in numbers.gaussian() }
            return (0 ..< n).map { i in deviations[first + i] * Float((0 ... i).reduce(0) { $0 + root[i, $1] * z[$1] }) }
        }
    }

    private func cholesky(_ matrix: SquareMatrix) -> SquareMatrix {
        let n = matrix.n
        var root = SquareMatrix(n)
        for i in 0 ..< n {
            for j in 0 ... i {
                let rest = (0 ..< j).reduce(matrix[i, j]) { $0 - root[i, $1] * root[j, $1] }
                root[i, j] = i == j ? rest.squareRoot() : rest / root[j, j]
            }
        }
        return root
    }

    private func indices(_ quantizer: Quantizer, _ vectors: [Float]) throws -> [Int32] {
        var indices = [Int32](repeating: 0, count: vectors.count)
        try vectors.withUnsafeBufferPointer { try quantizer.quantize($0, points: nil, indices: &indices) }
        return indices
    }

    /// Random deviations between 1/4 and 4 for each coordinate.
    private func deviations(_ count: Int, _ numbers: inout Numbers) -> [Float] { (0 ..< count).map { _ in Float(exp2(Double.random(in: -2 ... 2, using: &numbers))) } }

    // MARK: - The model

    /// The textbook's formulas: the conditional mean and variance of a Gaussian coordinate from the inverse of the covariance of u, to which the search's errors are added; the
    /// probability by erfc.
    private func slowRate(_ u: [Int32], _ n: Int, _ covariance: SquareMatrix, _ errors: SquareMatrix) -> Double {
        let all = covariance + errors
        var bits = 0.0
        for i in 0 ..< n {
            let later = Array(i + 1 ..< n), m = later.count
            let inverse = SquareMatrix(m, values: later.flatMap { row in later.map { all[row, $0] } }).inverted()?.inverse ?? SquareMatrix(0)
            let weights = (0 ..< m).map { k in (0 ..< m).reduce(0) { $0 + all[i, later[$1]] * inverse[$1, k] } }
            let variance = all[i, i] - (0 ..< m).reduce(0) { $0 + weights[$1] * all[i, later[$1]] } - 1.0 / 12
            let deviation = max(variance, 0).squareRoot() * 2.0.squareRoot()
            for first in stride(from: 0, to: u.count, by: n) {
                let mean = (0 ..< m).reduce(0) { $0 + weights[$1] * Double(u[first + later[$1]]) }, distance = abs(Double(u[first + i]) - mean)
                bits -= log2(0.5 * (erfc((distance - 0.5) / deviation) - erfc((distance + 0.5) / deviation)))
            }
        }
        return bits
    }

    func testTheModelIsTheTextbooks() throws {
        var numbers = Numbers(70)
        for n in [1, 2, 3, 6] {
            for search in Self.searches {
                for strength in [0, 0.6] {
                    let rows = randomBasis(n, &numbers), matrix = correlation(n, strength), deviations = deviations(n, &numbers).map { 1.5 * $0 }
                    let quantizer = try quantizer(rows, search, strength == 0 ? nil : matrix)
                    let scales = (0 ..< 800).flatMap { _ in deviations }, given = try indices(quantizer, vectors(scales, n, matrix, &numbers))
                    // The basis whose coordinates are coded, and theirs: for the exact search the reduced one.
                    var basis = SquareMatrix(n, values: quantizer.basis!.map(Double.init)), u = given
                    if case .exact = search, case .basis(let form) = quantizer.form {
                        basis = form.reducedRows
                        let turn = SquareMatrix(n, values: quantizer.basis!.map(Double.init)) * basis.inverted()!.inverse
                        u = stride(from: 0, to: given.count, by: n).flatMap { first in
                            (0 ..< n).map { j in Int32((0 ..< n).reduce(0) { $0 + Double(given[first + $1]) * turn[$1, j] }.rounded()) }
                        }
                    }
                    let inverse = basis.inverted()!.inverse, (triangle, _) = basis.orthogonalized()!
                    var sides = SquareMatrix(n), errors = SquareMatrix.identity(n), spread = SquareMatrix(n)
                    for i in 0 ..< n { (sides[i, i], spread[i, i]) = (triangle[i, i], Double(deviations[i])) }
                    if case .babai = search {} else {
                        let part = sides * triangle.inverted()!.inverse
                        errors = part.transposed * part
                    }
                    let covariance = inverse.transposed * spread * matrix * spread * inverse
                    let expected = slowRate(u, n, covariance, errors * (1.0 / 12)), rate = try quantizer.rated(given, scales)
                    XCTAssertEqual(rate, expected, accuracy: 0.003 * expected + 0.003 * Double(given.count), "\(n), \(search), \(strength)")
                }
            }
        }
    }

    /// Where rows are orthogonal and coordinates independent, there is nothing to know: the tables are those of scalars.
    func testOrthogonalRowsAreScalars() throws {
        var numbers = Numbers(71)
        for n in [1, 4, 24] {
            let integers = try Quantizer(name: "zn", dimension: n, scale: 0.5), scales = deviations(300 * n, &numbers)
            let x = vectors(scales, n, nil, &numbers), rate = try integers.rated(try indices(integers, x), scales)
            for search in Self.searches {
                let basis = try quantizer(.identity(n), scale: 0.5, search), u = try indices(basis, x)
                XCTAssertEqual(try basis.rated(u, scales), rate, accuracy: 1e-9 * rate, "\(search)")
                XCTAssertEqual(try basis.encoded(u, scales).count, try integers.encoded(u, scales).count)
            }
        }
        // Of different lengths, too: each row like a scalar quantizer of its step.
        let steps = [0.25, 1, 4] as [Double], x = vectors([Float](repeating: 1, count: 3000), 3, nil, &numbers)
        var rows = SquareMatrix(3), sum = 0.0
        for i in 0 ..< 3 {
            rows[i, i] = steps[i]
            let scalar = try Quantizer(name: "scalar", scale: steps[i]), own = try indices(scalar, stride(from: i, to: x.count, by: 3).map { x[$0] })
            sum += try scalar.rated(own, [1])
        }
        for search in Self.searches {
            let basis = try quantizer(rows, search)
            XCTAssertEqual(try basis.rated(indices(basis, x), [1]), sum, accuracy: 1e-9 * sum, "\(search)")
        }
    }

    /// A lattice by name as a basis: at small steps the chain costs what the exact model does, at large ones more, and never less than the entropy.
    func testAgainstTheExactModel() throws {
        var numbers = Numbers(72)
        for (name, n) in [("d4", 4), ("e8", 8), ("barnes-wall", 16)] {
            let unit = try Quantizer(name: name), side = pow(unit.volume!, 1 / Double(n))
            let x = vectors([Float](repeating: 1, count: 32_000), n, nil, &numbers)
            for (step, least, most) in [(0.1, -0.001, 0.002), (0.5, -0.001, 0.01), (1, -0.001, 0.02), (2, -0.001, 0.08), (4, -0.001, 0.08)] {
                let exact = try Quantizer(name: name, scale: step / side)
                let basis = try Quantizer(basis: unit.basis!, dimension: n, scale: step / side, search: .exact(nodeLimit: 0))
                let difference = try (basis.rated(indices(basis, x), [1]) - exact.rated(indices(exact, x), [1])) / Double(x.count)
                XCTAssertGreaterThan(difference, least, "\(name), \(step)")
                XCTAssertLessThan(difference, most, "\(name), \(step)")
            }
        }
    }

    /// The entropy of vectors of that correlation, less the logarithm of the volume, is what small steps cost: with every search and any basis.
    func testSmallStepsCostWhatTheVolumeSays() throws {
        var numbers = Numbers(73)
        let gaussian = 0.5 * log2(2 * Double.pi * M_E)
        for n in [2, 7, 16] {
            let matrix = correlation(n, 0.9), determinant = matrix.inverted()!.determinant, x = vectors([Float](repeating: 1, count: 4000 * n), n, matrix, &numbers)
            let expected = gaussian + 0.5 * log2(determinant) / Double(n) - log2(0.02)
            for rows in [randomBasis(n, &numbers), randomBasis(n, &numbers)] {
                for search in Self.searches {
                    let knowing = try quantizer(rows, scale: 0.02, search, matrix), u = try indices(knowing, x)
                    let rate = try knowing.rated(u, [1]) / Double(x.count)
                    XCTAssertEqual(rate, expected, accuracy: 0.03, "\(n), \(search)")
                    XCTAssertGreaterThan(try quantizer(rows, scale: 0.02, search).rated(u, [1]) / Double(x.count), rate + 0.2, "correlation is worth something")
                }
            }
        }
        let hexagonal = try Quantizer(name: "a2", scale: 0.05), x = vectors([Float](repeating: 1, count: 20_000), 2, nil, &numbers)
        let rate = try hexagonal.rated(indices(hexagonal, x), [1]) / 20_000
        XCTAssertEqual(rate, gaussian - 0.5 * log2(hexagonal.volume!), accuracy: 0.02)
    }

    /// What is learned from correlated samples brings their correlation along, and costs about what the report says that it could.
    func testLearnedQuantizersKnowTheCorrelation() throws {
        var numbers = Numbers(74)
        let n = 4, matrix = correlation(n, 0.9), deviations: [Float] = [1, 2, 0.5, 1]
        let scales = (0 ..< 5000).flatMap { _ in deviations }, samples = vectors(scales, n, matrix, &numbers)
        for search in [LatticeSearch.babai, .exact(nodeLimit: 0)] {
            var options = LatticeLearning()
            (options.search, options.scale, options.steps, options.starts) = (search, 0.25, 60, 3)
            let learned = try samples.withUnsafeBufferPointer { try Quantizer.learning($0, dimension: n, options: options) }
            let found = learned.quantizer.correlation!
            for i in 0 ..< n * n { XCTAssertEqual(Double(found[i]), matrix.values[i], accuracy: 0.02) }
            let fresh = vectors(scales, n, matrix, &numbers), rate = try learned.quantizer.rated(indices(learned.quantizer, fresh), scales) / Double(fresh.count)
            let figures = if case .babai = search { learned.report.babai } else { learned.report.exact }
            XCTAssertEqual(rate, figures.chainedRate, accuracy: 0.03)
        }
    }

    // MARK: - Bytes

    func testRoundTrips() throws {
        var numbers = Numbers(75)
        for n in [1, 2, 3, 5, 8, 13, 24, 33, 64] {
            let rows = randomBasis(n, &numbers), matrix = n % 2 == 0 ? correlation(n, 0.7) : nil
            for search in Self.searches {
                if case .exact = search, n > 24 { continue }  // the reduced basis of 64 dimensions has its turn below
                let quantizer = try quantizer(rows, scale: 0.5, search, matrix), count = 40 + 1200 / n
                for scales in [[1.3], deviations(count, &numbers), deviations(count * n, &numbers)] as [[Float]] {
                    let each = scales.count == count * n ? scales : (0 ..< count * n).map { scales[scales.count == 1 ? 0 : $0 / n] }
                    let u = try indices(quantizer, vectors(each, n, matrix, &numbers)), data = try quantizer.encoded(u, scales), rate = try quantizer.rated(u, scales)
                    XCTAssertTrue(try quantizer.decoded(data, u.count, scales) == u, "\(n), \(search)")
                    XCTAssertEqual(try quantizer.encoded(u, each), data)
                    XCTAssertEqual(try quantizer.vectorRates(u, scales).reduce(0, +), rate, accuracy: 1e-9 * rate)
                    XCTAssertEqual(8 * Double(data.count - 16), rate, accuracy: 0.005 * rate + 8 * 16, "\(n), \(search)")
                }
            }
        }
        for n in [9, 64] {
            let quantizer = try Quantizer(name: "an", dimension: n, scale: 0.4), scales = deviations(100 * n, &numbers)
            let u = try indices(quantizer, vectors(scales, n, nil, &numbers))
            XCTAssertEqual(try quantizer.decoded(quantizer.encoded(u, scales), u.count, scales), u)
        }
    }

    /// Another basis of the same lattice, far from reduced: for the exact search only the lattice counts.
    func testABasisThatIsFarFromReduced() throws {
        var numbers = Numbers(76)
        let n = 6, rows = randomBasis(n, &numbers)
        var skewed = rows
        for i in 1 ..< n { skewed.take(-Double(2 * i - 5), of: i - 1, from: i) }
        let x = vectors([Float](repeating: 3, count: 600 * n), n, nil, &numbers)
        let one = try quantizer(rows, .exact(nodeLimit: 0)), other = try quantizer(skewed, .exact(nodeLimit: 0))
        let (u, v) = (try indices(one, x), try indices(other, x)), rate = try one.rated(u, [3])
        XCTAssertEqual(try other.rated(v, [3]), rate, accuracy: 0.01 * rate)
        XCTAssertEqual(try other.decoded(other.encoded(v, [3]), v.count, [3]), v)
        // In rows as they are given, what comes of rounding is anything but small.
        let rounding = try quantizer(skewed, .babai), far = try indices(rounding, x)
        XCTAssertEqual(try rounding.decoded(rounding.encoded(far, [3]), far.count, [3]), far)
    }

    func testChangesOfBasis() throws {
        let transform: [Int64] = [1, 0, 0, 5, 1, 0, -3, 1_000_000, 1]
        let change = try XCTUnwrap(BasisChange(transform, 3)), u: [Int32] = [3, -4, 5]
        var v = [Int32](repeating: 0, count: 3), again = v
        XCTAssertTrue(change.toGiven(u, largest: 1 << 30, into: &v))
        XCTAssertEqual(v, [3 - 20 - 15, -4 + 5_000_000, 5])
        XCTAssertTrue(change.toReduced(v, largest: 1 << 30, into: &again))
        XCTAssertEqual(again, u)
        XCTAssertFalse(change.toGiven(u, largest: 1000, into: &v))
        XCTAssertNil(BasisChange([2, 0, 0, 1], 2), "not unimodular")
        XCTAssertNil(BasisChange([1, 1, 1, 1], 2), "singular")
        XCTAssertNil(BasisChange([1, 1 << 29, 0, 1], 2), "too large")
        XCTAssertNil(BasisChange([1, 0, 0, 1 << 20, 1, 0, 0, 1 << 20, 1], 3), "the inverse is too large")
    }

    // MARK: - Tables

    /// Against erfc: the probabilities of a rounded Gaussian whose mean is not 0.
    func testShiftedTables() throws {
        let tables = try GaussianTables.shifted(), plain = try GaussianTables.rounded()
        XCTAssertEqual(tables.count, GaussianTables.firstOfScale.last)
        for scale in 0 ..< 128 {
            let sigma = scaleOf(scale), parts = nck_shifts(scale)
            XCTAssertTrue(parts == 1 ? sigma > 15.9 : parts == 32 || 0.5 / Double(parts) <= sigma / 32 * 1.001, "half a part is at most 1/32 of the deviation")
            for part in 0 ... parts / 2 {
                let table = tables.tables[GaussianTables.shifted(scale, Int32(part * 32 / parts))], mean = Double(part) / Double(parts)
                func frequency(_ k: Int) -> Double { Double(tables.cumulative[Int(table.start) + k + 1] &- tables.cumulative[Int(table.start) + k]) }
                if part == 0 {
                    XCTAssertEqual([table.offset, table.length], [plain.tables[scale].offset, plain.tables[scale].length])
                    let same = plain.cumulative + Int(plain.tables[scale].start)
                    XCTAssertTrue((0 ... Int(table.length)).allSatisfy { frequency($0) == Double(same[$0 + 1] &- same[$0]) })
                }
                var inside = 0.0
                for k in 0 ..< Int(table.length) {
                    let unit = sigma * 2.0.squareRoot(), from = (Double(k + Int(table.offset)) - 0.5 - mean) / unit, p = 0.5 * (erfc(from) - erfc(from + 1 / unit))
                    inside += p
                    XCTAssertEqual(frequency(k), p * 65536, accuracy: 1 + 0.02 * p * 65536, "\(scale), \(part), \(k)")
                }
                XCTAssertLessThan(1 - inside, 2e-5)
            }
        }
    }

    // MARK: - Bad input

    func testCorrelationsThatAreNone() throws {
        let rows: [Float] = [1, 0, 0, 1]
        for (values, problem) in [
            ([1, 0, 0], "has 4 values, not 3"), ([1, .nan, .nan, 1], "not finite"), ([1, 0.5, 0.4, 1], "not symmetric"), ([2, 0, 0, 1], "diagonal"),
            ([1, 1.1, 1.1, 1], "impossible"),
        ] as [([Float], String)] {
            assertThrows(.invalidArgument, problem) { try Quantizer(basis: rows, dimension: 2, correlation: values) }
        }
        // Each pair could be, not all three.
        let three: [Float] = [1, -0.6, -0.6, -0.6, 1, -0.6, -0.6, -0.6, 1]
        assertThrows(.invalidArgument, "impossible") { try Quantizer(basis: [1, 0, 0, 0, 1, 0, 0, 0, 1], dimension: 3, correlation: three) }
        // At the edge: coordinates that are the same.
        let equal = try Quantizer(basis: rows, dimension: 2, scale: 0.1, correlation: [1, 1, 1, 1]), u: [Int32] = [7, 7, -3, -3, 0, 0, 12, 11]
        XCTAssertEqual(try equal.decoded(equal.encoded(u, [1]), 8, [1]), u)
        XCTAssertLessThan(try equal.rated(Array(u.prefix(6)), [1]), 0.7 * (try Quantizer(basis: rows, dimension: 2, scale: 0.1).rated(Array(u.prefix(6)), [1])))
        XCTAssertEqual(equal.correlation, [1, 1, 1, 1])
        XCTAssertEqual(try Quantizer(name: "d4").correlation, SquareMatrix.identity(4).values.map(Float.init))
    }

    /// Whatever the scales: it decodes, and takes no longer than for others.
    func testStrangeScales() throws {
        var numbers = Numbers(77)
        let strange: [Float] = [0, -1, .nan, .infinity, 1e-40, 1e-30, 1e30, .greatestFiniteMagnitude, 1, 0.01]
        for search in Self.searches {
            for strength in [0, 0.99] {
                let n = 5, quantizer = try quantizer(randomBasis(n, &numbers), search, correlation(n, strength))
                let u = (0 ..< 200 * n).map { _ in Int32.random(in: -40 ... 40, using: &numbers) }
                let scales = (0 ..< 200 * n).map { _ in strange.randomElement(using: &numbers)! }
                XCTAssertEqual(try quantizer.decoded(quantizer.encoded(u, scales), u.count, scales), u)
                XCTAssertTrue(try quantizer.rated(u, scales).isFinite)
            }
        }
    }

    func testExtremeBasesAndIndices() throws {
        var numbers = Numbers(78)
        for factor in [0x1p-90, 1, 0x1p90] {
            for search in Self.searches {
                // Singular values 2^18 apart.
                let quantizer = try quantizer(SquareMatrix(3, values: [1, 0.3, 0, 0, 0x1p-9, 0.001, 0, 0, 0x1p9]) * factor, search)
                for scale in [0, Float(factor), .greatestFiniteMagnitude] {
                    // Those on the reduced basis are up to 10^5 times as large.
                    let u = (0 ..< 90).map { _ in Int32.random(in: -2 ... 2, using: &numbers) }
                    XCTAssertEqual(try quantizer.decoded(quantizer.encoded(u, [scale]), u.count, [scale]), u, "\(factor), \(search), \(scale)")
                }
            }
        }
        let plane = try quantizer(SquareMatrix(2, values: [1, 0, 0.4, 1]), .nearestPlane), most = Int32(1 << 19)
        for u in [[most, most], [-most, most], [most, -most], [0, -most]] as [[Int32]] { XCTAssertEqual(try plane.decoded(plane.encoded(u, [1]), 2, [1]), u) }
        for u in [[most + 1, 0], [0, -most - 1], [.min, 0], [0, .max]] as [[Int32]] { assertThrows(.invalidArgument, "vector 0") { try plane.encoded(u, [1]) } }
        // On the reduced basis it is further away than the indices say.
        let skewed = try quantizer(SquareMatrix(2, values: [1, 0, 1000, 1]), .exact(nodeLimit: 0))
        assertThrows(.invalidArgument, "vector 1") { try skewed.encoded([0, 0, 0, 1 << 18], [1]) }
    }

    /// No bytes make it do anything but refuse or give indices that can be coded.
    func testNoise() throws {
        var numbers = Numbers(79), decoded = 0
        for search in Self.searches {
            let n = 4, quantizer = try quantizer(randomBasis(n, &numbers), search, correlation(n, 0.8)), wide = deviations(8 * n, &numbers)
            // Scales so small that most values are escapes, whose raw bits stand for each other.
            let scales = wide.map { $0 / 64 }, good = try quantizer.encoded(indices(quantizer, vectors(wide.map { 64 * $0 }, n, nil, &numbers)), scales)
            for round in 0 ..< 3000 {
                var data = (0 ..< 4 * Int.random(in: 0 ..< 20, using: &numbers)).map { _ in UInt8.random(in: 0 ... 255, using: &numbers) }
                if round % 2 == 0 {
                    data = good
                    for _ in 0 ... round % 3 { data[Int.random(in: 0 ..< data.count, using: &numbers)] = UInt8.random(in: 0 ... 255, using: &numbers) }
                }
                guard let u = try? quantizer.decoded(data, 8 * n, scales) else { continue }
                decoded += 1
                XCTAssertEqual(try quantizer.decoded(quantizer.encoded(u, scales), 8 * n, scales), u)
            }
        }
        XCTAssertGreaterThan(decoded, 20)
    }

    // MARK: - Determinism

    /// A change here makes old data undecodable. No function of the C library takes part.
    func testBytesNeverChange() throws {
        var numbers = Numbers(80), bytes: [UInt8] = []
        func uniform() -> Double { Double.random(in: -1 ... 1, using: &numbers) }
        for n in [1, 2, 5, 8, 16, 64] {
            var rows = SquareMatrix.identity(n), matrix = SquareMatrix.identity(n)
            for i in 0 ..< n {
                for j in 0 ..< n where j != i {
                    rows[i, j] = 0.6 * uniform() / Double(1 + abs(i - j))
                    if j < i { matrix[i, j] = 0.3 * uniform() / Double((i - j) * (i - j)) }
                }
            }
            for i in 0 ..< n { for j in i + 1 ..< max(n, i + 1) { matrix[i, j] = matrix[j, i] } }
            for search in [LatticeSearch.babai, .nearestPlane, .exact(nodeLimit: 300)] {
                let quantizer = try quantizer(rows, scale: 0.5, search, matrix)
                let x = (0 ..< 30 * n).map { _ in Float((0 ..< 6).reduce(0) { sum, _ in sum + uniform() }) }, u = try indices(quantizer, x)
                for scales in [[1], (0 ..< 30 * n).map { Float($0 % 50 + 1) / 16 }] as [[Float]] { bytes += try quantizer.encoded(u, scales) }
            }
        }
        XCTAssertEqual(bytes.withUnsafeBytes { sha256($0) }, "fcb4bb8ebaf23f480bd8ba7d5b86dd747f5ad4137bde102136188f09b0eea4c6")
    }
}
