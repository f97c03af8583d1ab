// SPDX-License-Identifier: Apache-2.0
import CKernels

/// Frequency tables of Gaussians on a grid of scales, independent of any model: made on first use, the same on every machine.
enum GaussianTables {
    static let scales = Int(NCK_SCALES)

    private static let thresholds: [Float] = {
        var values = [Float](repeating: 0, count: scales - 1)
        nck_scale_thresholds(&values)
        return values
    }()

    /// The indices of the scales nearest to values / step, 2^((index - 37) / 10), in the logarithm: how many thresholds lie strictly below. NaN gives 0.
    static func scaleIndices(_ values: UnsafeBufferPointer<Float>, step: Float, into indices: UnsafeMutableBufferPointer<UInt8>) {
        nck_scale_indices(thresholds, values.baseAddress, step, values.count, indices.baseAddress)
    }

    private static let roundedTables = OnceLoaded<CodingTables>()
    private static let discreteTables = (0 ..< 8).map { _ in OnceLoaded<CodingTables>() }

    /// For each scale, the integers that a Gaussian rounds to.
    static func rounded() throws -> CodingTables {
        try roundedTables.value { try made(count: scales, nck_rounded_frequencies) }
    }

    /// For each width, a discrete Gaussian on the integers k, with the density at k + eighths / 8.
    static func discrete(eighths: Int) throws -> CodingTables {
        try discreteTables[eighths].value { try made(count: Int(NCK_TABLE_WIDTHS)) { nck_discrete_frequencies(Int32(eighths), $0, $1, $2) } }
    }

    private static func made(
        count: Int, _ fill: (Int, UnsafeMutablePointer<Int32>?, UnsafeMutablePointer<Int32>?) -> Int
    ) throws -> CodingTables {
        var offsets: [Int] = []
        var rows: [[Int]] = []
        var frequencies = [Int32](repeating: 0, count: Int(NCK_MOST_FREQUENCIES))
        for index in 0 ..< count {
            var offset: Int32 = 0
            let length = fill(index, &offset, &frequencies)
            offsets.append(Int(offset))
            rows.append(frequencies.prefix(length).map { Int($0) })
        }
        return try CodingTables(offsets: offsets, frequencies: rows, name: "Gaussian tables")
    }
}

/// Parts of the sums of a discrete Gaussian, for each width from `NCK_WIDTH_OCTAVE` on (those before are zero).
enum GaussianShares {
    static let all: [nck_shares] = (0 ..< Int(NCK_WIDTHS)).map { width in
        var shares = nck_shares()
        if width >= Int(NCK_WIDTH_OCTAVE) { nck_width_shares(width, &shares) }
        return shares
    }
}
