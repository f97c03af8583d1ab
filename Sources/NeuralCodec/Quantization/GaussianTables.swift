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
    private static let shiftedTables = OnceLoaded<CodingTables>()
    private static let discreteTables = (0 ..< 8).map { _ in OnceLoaded<CodingTables>() }

    /// For each scale, the integers that a Gaussian rounds to.
    static func rounded() throws -> CodingTables {
        try roundedTables.value { try made((0 ..< scales).map { ($0, 0) }, nck_rounded_frequencies) }
    }

    /// The same for means that are not 0: the tables of each scale follow one another from `firstOfScale` on, for shifts of 0 to 1/2 in steps of 1 / nck_shifts.
    static func shifted() throws -> CodingTables {
        try shiftedTables.value {
            let kinds = (0 ..< scales).flatMap { scale in stride(from: 0, through: mostShifts / 2, by: mostShifts / nck_shifts(scale)).map { (scale, Int32($0)) } }
            return try made(kinds, nck_rounded_frequencies)
        }
    }

    static let firstOfScale: [Int] = (0 ..< scales).reduce(into: [0]) { first, scale in first.append(first[scale] + nck_shifts(scale) / 2 + 1) }

    /// Index among the shifted tables for |shift| / 32.
    @inline(__always)
    static func shifted(_ scale: Int, _ shift: Int32) -> Int { firstOfScale[scale] + Int(shift.magnitude) * nck_shifts(scale) / mostShifts }

    private static let mostShifts = Int(NCK_MOST_SHIFTS)

    /// For each width, a discrete Gaussian on the integers k, with the density at k + eighths / 8.
    static func discrete(eighths: Int) throws -> CodingTables {
        try discreteTables[eighths].value { try made((0 ..< Int(NCK_TABLE_WIDTHS)).map { ($0, Int32(eighths)) }) { nck_discrete_frequencies($1, $0, $2, $3) } }
    }

    /// A table for each width, or scale, and its shift.
    private static func made(
        _ kinds: [(Int, Int32)], _ fill: (Int, Int32, UnsafeMutablePointer<Int32>?, UnsafeMutablePointer<Int32>?) -> Int
    ) throws -> CodingTables {
        var offsets: [Int] = []
        var rows: [[Int]] = []
        var frequencies = [Int32](repeating: 0, count: Int(NCK_MOST_FREQUENCIES))
        for (width, shift) in kinds {
            var offset: Int32 = 0
            let length = fill(width, shift, &offset, &frequencies)
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
