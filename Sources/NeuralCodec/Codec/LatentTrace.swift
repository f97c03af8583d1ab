// SPDX-License-Identifier: Apache-2.0

/// What the encoder computed on the way, kept for tests and measurements: grids of (row, column, channel).
package final class LatentTrace: @unchecked Sendable {
    package private(set) var rows = 0
    package private(set) var columns = 0
    package private(set) var channels = 0
    /// Latents before gain.
    package private(set) var latents: [Float] = []
    package private(set) var hyperSymbols: [Int32] = []
    package var means: [Float] { Array(meanValues) }
    /// Scales, or their natural logarithms, as the family has them.
    package var scales: [Float] { Array(scaleValues) }
    package var symbols: [Int32] { Array(symbolValues) }
    /// Latents with their gain, less their means: what is rounded to symbols.
    package var residuals: [Float] { Array(residualValues) }

    /// The decoded picture before it is rounded to pixels (row, column, colour), of families that have it.
    package private(set) var picture: [Float] = []
    package private(set) var pictureColumns = 0

    // Threads write side by side into these, which arrays do not allow; spans never overlap.
    private var meanValues = UnsafeMutableBufferPointer<Float>(start: nil, count: 0)
    private var scaleValues = UnsafeMutableBufferPointer<Float>(start: nil, count: 0)
    private var symbolValues = UnsafeMutableBufferPointer<Int32>(start: nil, count: 0)
    private var residualValues = UnsafeMutableBufferPointer<Float>(start: nil, count: 0)

    package init() {}

    deinit { free() }

    private func free() {
        meanValues.deallocate()
        scaleValues.deallocate()
        symbolValues.deallocate()
        residualValues.deallocate()
    }

    func keepLatents(_ map: FeatureMap) {
        (rows, columns, channels) = (map.rows, map.columns, map.channels)
        let count = rows * columns * channels
        latents.removeAll()
        for row in 0 ..< rows { latents.append(contentsOf: UnsafeBufferPointer(start: map.at(row, 0), count: columns * channels)) }
        free()
        meanValues = .allocate(capacity: count)
        meanValues.initialize(repeating: 0)
        scaleValues = .allocate(capacity: count)
        scaleValues.initialize(repeating: 0)
        symbolValues = .allocate(capacity: count)
        symbolValues.initialize(repeating: 0)
        residualValues = .allocate(capacity: count)
        residualValues.initialize(repeating: 0)
    }

    func keepHyper(_ symbols: UnsafeBufferPointer<Int32>) { hyperSymbols = Array(symbols) }

    func keepPicture(_ map: FeatureMap) {
        picture.removeAll()
        for row in 0 ..< map.rows { picture.append(contentsOf: UnsafeBufferPointer(start: map.at(row, 0), count: map.columns * map.channels)) }
        pictureColumns = map.columns
    }

    /// `scales` are natural logarithms of which `added` holds a part for each channel, or scales themselves, as the family has them.
    func keepParameters(
        _ line: PositionLine, _ channels: Range<Int>, means: UnsafePointer<Float>, meanStep: Int, scales: UnsafePointer<Float>, scaleStep: Int,
        adding added: UnsafePointer<Float>? = nil, gain: UnsafePointer<Float>? = nil
    ) {
        for position in 0 ..< line.count {
            let target = index(line, position) + channels.lowerBound
            for channel in 0 ..< channels.count {
                meanValues[target + channel] = means[position * meanStep + channel]
                scaleValues[target + channel] = scales[position * scaleStep + channel] + (added?[channel] ?? 0)
                residualValues[target + channel] = latents[target + channel] * (gain?[channel] ?? 1) - meanValues[target + channel]
            }
        }
    }

    func keepSymbols(_ line: PositionLine, _ channels: Range<Int>, _ symbols: UnsafePointer<Int32>) {
        for position in 0 ..< line.count {
            let target = index(line, position) + channels.lowerBound
            for channel in 0 ..< channels.count { symbolValues[target + channel] = symbols[position * channels.count + channel] }
        }
    }

    private func index(_ line: PositionLine, _ position: Int) -> Int {
        ((line.row + position * line.rowStep) * columns + line.column + position * line.columnStep) * channels
    }
}
