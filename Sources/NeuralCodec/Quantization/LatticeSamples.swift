// SPDX-License-Identifier: Apache-2.0

/// The samples a lattice is learned from, checked and split: every fifth is held out.
final class LatticeSamples {
    let n: Int
    let scale: Double
    /// Of the samples learned from, in units of the scale.
    let covariance: SquareMatrix
    private let values: UnsafeBufferPointer<Float>
    private let memory: ByteBuffer
    /// Vectors to learn from; in all.
    let count: Int
    /// Vectors held out, copied one after the other.
    let heldOutCount: Int

    private static let period = 5
    /// Coordinates of learned bases stay far from the 2^20 at which quantizers clamp them.
    private static let mostSteps = 0x1p16

    init(_ values: UnsafeBufferPointer<Float>, dimension n: Int, scale: Double, mostHeldOut: Int) throws {
        guard values.count % n == 0 else {
            throw CodecError(.invalidArgument, "\(values.count) values of samples are not a multiple of \(n), the dimension")
        }
        let count = values.count / n, least = max(8 * n, 20)
        guard count >= least else { throw CodecError(.invalidArgument, "\(count) samples are too few to learn \(n) dimensions from: at least \(least) are needed") }
        let scale = Double(try Quantizer.checked(scale: scale)), most = scale * Self.mostSteps
        for (place, value) in values.enumerated() where !(abs(Double(value)) <= most) {
            let problem = value.isFinite ? "more than 2^16 times the scale" : "not finite"
            throw CodecError(.invalidArgument, "the value \(value) in sample \(place / n) is \(problem)")
        }
        let heldOut = count / Self.period
        (self.n, self.scale, self.values, self.count, heldOutCount) = (n, scale, values, count - heldOut, min(heldOut, mostHeldOut))
        memory = try ByteBuffer(count: 4 * n * heldOutCount)
        let copy = memory.bytes.bindMemory(to: Float.self)
        // Spread over all that are held out, where that is more than are looked at.
        for index in 0 ..< heldOutCount {
            let from = (index * heldOut / heldOutCount * Self.period + Self.period - 1) * n
            for i in 0 ..< n { copy[index * n + i] = values[from + i] }
        }
        covariance = Self.covariance(values, n, count - heldOut, scale)
    }

    /// The `index`-th sample to learn from begins there.
    private static func place(_ index: Int) -> Int { index / (period - 1) * period + index % (period - 1) }

    /// Writes a sample to learn from, in units of the scale.
    func copy(_ index: Int, to vector: UnsafeMutablePointer<Double>) {
        let source = values.baseAddress! + Self.place(index) * n
        for i in 0 ..< n { vector[i] = Double(source[i]) / scale }
    }

    func withHeldOut<Result>(_ body: (UnsafeBufferPointer<Float>) throws -> Result) rethrows -> Result {
        try memory.withBytes { try body($0.bindMemory(to: Float.self)) }
    }

    /// Of at most 2^16 samples, spread over all.
    private static func covariance(_ values: UnsafeBufferPointer<Float>, _ n: Int, _ count: Int, _ scale: Double) -> SquareMatrix {
        let used = min(count, 1 << 16)
        var sums = [Double](repeating: 0, count: n), vector = sums, products = SquareMatrix(n)
        func each(_ body: () -> Void) {
            for index in 0 ..< used {
                let source = values.baseAddress! + place(index * count / used) * n
                for i in 0 ..< n { vector[i] = Double(source[i]) / scale }
                body()
            }
        }
        each { for i in 0 ..< n { sums[i] += vector[i] } }
        let mean = sums.map { $0 / Double(used) }
        each {
            for i in 0 ..< n { vector[i] -= mean[i] }
            products.addOuter(vector, vector)
        }
        return products * (1 / Double(used))
    }

    /// Of the coordinates, row by row; one that is always the same correlates with none.
    var correlation: [Float] {
        let deviations = (0 ..< n).map { covariance[$0, $0].squareRoot() }
        return (0 ..< n * n).map { place in
            let (i, j) = (place / n, place % n), product = deviations[i] * deviations[j]
            return i == j ? 1 : product > 0 ? Float(covariance[i, j] / product) : 0
        }
    }

    // MARK: - Canonical form

    /// The same lattice, with rows in a fixed order and of a fixed sign, as far as the search does not mind: for rounding by falling variance of the coordinates, for the exact
    /// search by rising length; the order decides what the nearest plane does, and stays. The greatest entry of each row is positive.
    func canonical(_ basis: SquareMatrix, _ options: LatticeLearning) -> SquareMatrix {
        var keys: [Double]
        switch options.search {
        case .nearestPlane: keys = (0 ..< n).map(Double.init)
        case .exact: keys = (0 ..< n).map { basis.product($0, $0) }
        case .babai:
            // Rows of the transposed inverse give the coordinates.
            let inverse = (basis.inverted()?.inverse ?? .identity(n)).transposed, spread = inverse * covariance
            keys = (0 ..< n).map { i in -(0 ..< n).reduce(0) { $0 + spread[i, $1] * inverse[i, $1] } }
        }
        var result = basis.reordered((0 ..< n).sorted { keys[$0] < keys[$1] || (keys[$0] == keys[$1] && $0 < $1) })
        for i in 0 ..< n {
            var greatest = 0
            for j in 0 ..< n where abs(result[i, j]) > abs(result[i, greatest]) { greatest = j }
            if result[i, greatest] < 0 { for j in 0 ..< n { result[i, j] = 0 - result[i, j] } }
        }
        return result
    }
}
