// SPDX-License-Identifier: Apache-2.0

/// Indices of quantized vectors, and what it takes to code them.
struct IndexTable {
    private let memory: ByteBuffer
    private let n: Int
    private let count: Int

    init(_ memory: ByteBuffer, dimension: Int) {
        self.memory = memory
        n = dimension
        count = memory.count / 4 / dimension
    }

    /// Bits a value: the entropy of each coordinate by itself, from frequencies.
    func rate() throws -> Double {
        try withColumns { indices, column in
            var sum = 0.0
            for i in 0 ..< n {
                for vector in 0 ..< count { column[vector] = Int64(indices[vector * n + i]) }
                sum += entropy(column, count)
            }
            return sum / Double(n)
        }
    }

    /// Bits a value where coordinate i is predicted from those before it (least squares, a constant included). The prediction, rounded to quarters, leaves an integer to be coded
    /// given the prediction's fraction: an order of coding that a decoder can follow. The coefficients are fitted to the indices themselves, for which 1 / (2 count) nats each
    /// are added, as for fitted frequencies in `entropy`.
    func chainedRate() throws -> Double {
        try withColumns { indices, column in
            let (means, coefficients) = prediction(indices)
            // Innovations: what each coordinate's prediction leaves.
            let memory = try ByteBuffer(count: 8 * count * n)
            let rest = memory.bytes.bindMemory(to: Double.self)
            var sum = 0.0
            for i in 0 ..< n {
                for vector in 0 ..< count {
                    let here = rest.baseAddress! + vector * n, index = indices[vector * n + i]
                    var predicted = means[i]
                    for j in 0 ..< i { predicted += coefficients[i, j] * here[j] }
                    here[i] = Double(index) - predicted
                    column[vector] = 4 * Int64(index) - Int64((4 * predicted).rounded(.toNearestOrEven))
                }
                let fitted = (0 ..< i).reduce(0) { $0 + (coefficients[i, $1] == 0 ? 0 : 1) }
                sum += entropy(column, count) + Double(fitted) * 0x1.71547652b82fep0 / Double(2 * count)
                for vector in 0 ..< count { column[vector] &= 3 }
                sum -= entropy(column, count)
            }
            withExtendedLifetime(memory) {}
            return max(0, sum / Double(n))
        }
    }

    private func withColumns(_ body: (UnsafePointer<Int32>, UnsafeMutableBufferPointer<Int64>) throws -> Double) throws -> Double {
        let column = try ByteBuffer(count: 8 * count)
        return try memory.withBytes { indices in
            defer { withExtendedLifetime(column) {} }
            return try body(indices.bindMemory(to: Int32.self).baseAddress!, column.bytes.bindMemory(to: Int64.self))
        }
    }

    /// Means, and the unit lower triangle L of covariance = L D L^T: coordinate i is the mean + sum of L_ij times the innovations j < i + its own.
    private func prediction(_ indices: UnsafePointer<Int32>) -> ([Double], SquareMatrix) {
        var means = [Double](repeating: 0, count: n), vector = means, covariance = SquareMatrix(n)
        for place in 0 ..< count * n { means[place % n] += Double(indices[place]) }
        for i in 0 ..< n { means[i] /= Double(count) }
        for first in stride(from: 0, to: count * n, by: n) {
            for i in 0 ..< n { vector[i] = Double(indices[first + i]) - means[i] }
            covariance.addOuter(vector, vector)
        }
        var lower = SquareMatrix.identity(n), diagonal = [Double](repeating: 0, count: n)
        for i in 0 ..< n {
            for j in 0 ... i {
                let rest = (0 ..< j).reduce(covariance[i, j]) { $0 - lower[i, $1] * lower[j, $1] * diagonal[$1] }
                if i == j {
                    diagonal[i] = rest
                } else {
                    // A coordinate that those before it determine tells nothing more.
                    lower[i, j] = diagonal[j] > 0x1p-30 * covariance[j, j] ? rest / diagonal[j] : 0
                }
            }
        }
        return (means, lower)
    }
}

/// Entropy in bits of values, which are sorted by it: from their frequencies, with the correction of Miller and Madow (1955) for what few values make too small.
private func entropy(_ values: UnsafeMutableBufferPointer<Int64>, _ count: Int) -> Double {
    var values = values
    values.sort()
    var sum = 0.0, kinds = 0, first = 0
    while first < count {
        var end = first + 1
        while end < count && values[end] == values[first] { end += 1 }
        let share = Double(end - first) / Double(count)
        sum -= share * strictLog2(share)
        kinds += 1
        first = end
    }
    return sum + Double(kinds - 1) * 0x1.71547652b82fep0 / Double(2 * count)
}
