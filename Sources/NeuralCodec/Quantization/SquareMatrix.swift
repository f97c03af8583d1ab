// SPDX-License-Identifier: Apache-2.0

/// A square matrix of binary64 values, row by row, at most 64 x 64. Every operation is one sequence of IEEE operations, none fused and none of the C library, so that what is
/// learned with it is the same on every machine.
struct SquareMatrix {
    let n: Int
    var values: [Double]

    /// All zeros.
    init(_ n: Int) {
        self.n = n
        values = [Double](repeating: 0, count: n * n)
    }

    init(_ n: Int, values: [Double]) {
        self.n = n
        self.values = values
    }

    static func identity(_ n: Int) -> SquareMatrix {
        var matrix = SquareMatrix(n)
        for i in 0 ..< n { matrix[i, i] = 1 }
        return matrix
    }

    subscript(_ row: Int, _ column: Int) -> Double {
        get { values[row * n + column] }
        set { values[row * n + column] = newValue }
    }

    static func * (a: SquareMatrix, b: SquareMatrix) -> SquareMatrix {
        let n = a.n
        var product = SquareMatrix(n)
        product.values.withUnsafeMutableBufferPointer { out in
            b.values.withUnsafeBufferPointer { b in
                for i in 0 ..< n {
                    for k in 0 ..< n {
                        let factor = a.values[i * n + k]
                        for j in 0 ..< n { out[i * n + j] += factor * b[k * n + j] }
                    }
                }
            }
        }
        return product
    }

    static func * (a: SquareMatrix, factor: Double) -> SquareMatrix { SquareMatrix(a.n, values: a.values.map { $0 * factor }) }

    static func + (a: SquareMatrix, b: SquareMatrix) -> SquareMatrix { SquareMatrix(a.n, values: zip(a.values, b.values).map { $0 + $1 }) }

    static func - (a: SquareMatrix, b: SquareMatrix) -> SquareMatrix { SquareMatrix(a.n, values: zip(a.values, b.values).map { $0 - $1 }) }

    var transposed: SquareMatrix {
        var result = SquareMatrix(n)
        for i in 0 ..< n {
            for j in 0 ..< n { result[j, i] = self[i, j] }
        }
        return result
    }

    var trace: Double { (0 ..< n).reduce(0) { $0 + self[$1, $1] } }

    /// Scalar product of two rows.
    func product(_ i: Int, _ j: Int) -> Double { (0 ..< n).reduce(0) { $0 + values[i * n + $1] * values[j * n + $1] } }

    /// Gauss and Jordan's elimination with the greatest pivot of each column; nil where a pivot vanishes.
    func inverted() -> (inverse: SquareMatrix, determinant: Double)? {
        var left = self, right = SquareMatrix.identity(n), determinant = 1.0
        for column in 0 ..< n {
            var pivot = column
            for i in column ..< n where abs(left[i, column]) > abs(left[pivot, column]) { pivot = i }
            let value = left[pivot, column]
            guard value != 0, value.isFinite else { return nil }
            if pivot != column {
                left.swapRows(pivot, column)
                right.swapRows(pivot, column)
                determinant = -determinant
            }
            determinant *= value
            left.divideRow(column, by: value)
            right.divideRow(column, by: value)
            for i in 0 ..< n where i != column {
                let factor = left[i, column]
                guard factor != 0 else { continue }
                left.take(factor, of: column, from: i)
                right.take(factor, of: column, from: i)
            }
        }
        return (right, determinant)
    }

    /// Whether a symmetric matrix is positive definite: all pivots of its Cholesky factorization are positive.
    var isPositive: Bool {
        var rest = self
        for j in 0 ..< n {
            guard rest[j, j] > 0 else { return false }
            for i in j + 1 ..< max(n, j + 1) { rest.take(rest[i, j] / rest[j, j], of: j, from: i) }
        }
        return true
    }

    private mutating func swapRows(_ a: Int, _ b: Int) { for j in 0 ..< n { values.swapAt(a * n + j, b * n + j) } }

    private mutating func divideRow(_ row: Int, by value: Double) { for j in 0 ..< n { values[row * n + j] /= value } }

    /// Row `row` -= factor * row `other`.
    mutating func take(_ factor: Double, of other: Int, from row: Int) {
        values.withUnsafeMutableBufferPointer { values in
            for j in 0 ..< n { values[row * n + j] -= factor * values[other * n + j] }
        }
    }

    /// self += column * row
    mutating func addOuter(_ column: UnsafePointer<Double>, _ row: UnsafePointer<Double>) {
        values.withUnsafeMutableBufferPointer { values in
            for i in 0 ..< n {
                let factor = column[i]
                for j in 0 ..< n { values[i * n + j] += factor * row[j] }
            }
        }
    }

    /// result = vector * self
    func apply(_ vector: UnsafePointer<Double>, _ result: UnsafeMutablePointer<Double>) {
        values.withUnsafeBufferPointer { values in
            for j in 0 ..< n { result[j] = 0 }
            for i in 0 ..< n {
                let factor = vector[i]
                for j in 0 ..< n { result[j] += factor * values[i * n + j] }
            }
        }
    }

    /// The same shape with |det| = 1; nil for a singular matrix.
    func unitVolume() -> SquareMatrix? {
        guard let (_, determinant) = inverted(), abs(determinant) > 0x1p-900, abs(determinant) < 0x1p900 else { return nil }
        return self * (1 / root(abs(determinant), n))
    }

    /// self = triangle * axes: orthonormal rows from the first to the last, and the lower triangle of what the rows have along them (Gram and Schmidt, twice, so that rounding
    /// leaves nothing). nil where a row lies in the span of those before it.
    func orthogonalized() -> (triangle: SquareMatrix, axes: SquareMatrix)? {
        var axes = self, triangle = SquareMatrix(n)
        for k in 0 ..< n {
            for _ in 0 ..< 2 {
                for j in 0 ..< k {
                    let part = axes.product(k, j)
                    axes.take(part, of: j, from: k)
                    triangle[k, j] += part
                }
            }
            let length = axes.product(k, k).squareRoot()
            guard length > 0x1p-40 * product(k, k).squareRoot() else { return nil }
            triangle[k, k] = length
            axes.divideRow(k, by: length)
        }
        return (triangle, axes)
    }

    /// turn * self has orthogonal rows, whose lengths are the singular values; turn is orthogonal (one-sided Jacobi, Hestenes 1958). The rows of `turn` are eigenvectors where
    /// the matrix is symmetric.
    func diagonalized() -> (turn: SquareMatrix, rows: SquareMatrix, lengths: [Double]) {
        var rows = self, turn = SquareMatrix.identity(n), turned = true, sweeps = 0
        while turned && sweeps < 60 {
            turned = false
            sweeps += 1
            for p in 0 ..< n {
                for q in p + 1 ..< max(n, p + 1) {
                    let pp = rows.product(p, p), qq = rows.product(q, q), pq = rows.product(p, q)
                    if pq * pq <= 0x1p-100 * pp * qq { continue }
                    let zeta = (qq - pp) / (2 * pq), size = abs(zeta) + (1 + zeta * zeta).squareRoot()
                    let tangent = (zeta < 0 ? -1 : 1) / size, cosine = 1 / (1 + tangent * tangent).squareRoot()
                    rows.turn(p, q, cosine, cosine * tangent)
                    turn.turn(p, q, cosine, cosine * tangent)
                    turned = true
                }
            }
        }
        return (turn, rows, (0 ..< n).map { rows.product($0, $0).squareRoot() })
    }

    private mutating func turn(_ p: Int, _ q: Int, _ cosine: Double, _ sine: Double) {
        values.withUnsafeMutableBufferPointer { values in
            for j in 0 ..< n {
                let a = values[p * n + j], b = values[q * n + j]
                values[p * n + j] = cosine * a - sine * b
                values[q * n + j] = sine * a + cosine * b
            }
        }
    }

    /// The rows in another order.
    func reordered(_ order: [Int]) -> SquareMatrix { SquareMatrix(n, values: order.flatMap { values[$0 * n ..< ($0 + 1) * n] }) }
}

/// value^(1/n) for a positive value, by halving an interval.
func root(_ value: Double, _ n: Int) -> Double {
    var low = min(value, 1), high = max(value, 1)
    // Until two neighbours are left: every round halves the interval, in the logarithm first where it is wide.
    for _ in 0 ..< 1100 {
        let middle = high > 4 * low ? low.squareRoot() * high.squareRoot() : 0.5 * (low + high)
        if middle <= low || middle >= high { break }
        var power = 1.0
        for _ in 0 ..< n { power *= middle }
        if power <= value { low = middle } else { high = middle }
    }
    return low
}

/// log2 of a positive number, to a few units of the last place: the exponent, and the series of artanh for a significand between sqrt(1/2) and sqrt(2).
func strictLog2(_ value: Double) -> Double {
    var exponent = Double(value.exponent), significand = value.significand
    if significand > 0x1.6a09e667f3bcdp0 {
        significand *= 0.5
        exponent += 1
    }
    let s = (significand - 1) / (significand + 1), square = s * s
    var sum = 0.0
    for k in (0 ... 11).reversed() { sum = sum * square + 1 / Double(2 * k + 1) }
    return exponent + 2 * s * sum * 0x1.71547652b82fep0
}
