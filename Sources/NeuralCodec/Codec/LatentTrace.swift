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
    package var logScales: [Float] { Array(logScaleValues) }
    package var symbols: [Int32] { Array(symbolValues) }
    /// Latents with their gain, less their means: what is rounded to symbols.
    package var residuals: [Float] { Array(residualValues) }

    // Threads write side by side into these, which arrays do not allow; spans never overlap.
    private var meanValues = UnsafeMutableBufferPointer<Float>(start: nil, count: 0)
    private var logScaleValues = UnsafeMutableBufferPointer<Float>(start: nil, count: 0)
    private var symbolValues = UnsafeMutableBufferPointer<Int32>(start: nil, count: 0)
    private var residualValues = UnsafeMutableBufferPointer<Float>(start: nil, count: 0)

    package init() {}

    deinit { free() }

    private func free() {
        meanValues.deallocate()
        logScaleValues.deallocate()
        symbolValues.deallocate()
        residualValues.deallocate()
    }

    func keepLatents(_ call: Call) {
        let map = call.workspace[call.plan.latents!]
        (rows, columns, channels) = (map.rows, map.columns, map.channels)
        let count = rows * columns * channels
        latents = Array(UnsafeBufferPointer(start: map.origin, count: count))
        hyperSymbols = Array(UnsafeBufferPointer(start: call.workspace[call.plan.hyperSymbols], count: call.plan.hyperSymbols.count))
        free()
        meanValues = .allocate(capacity: count)
        logScaleValues = .allocate(capacity: count)
        symbolValues = .allocate(capacity: count)
        residualValues = .allocate(capacity: count)
    }

    func keepParameters(_ part: PassSpan, _ factors: RateFactors, _ meanMap: FeatureMap) {
        for position in 0 ..< part.span.count {
            let target = index(part, position)
            let mean = meanMap.at(part.span.row, part.column + 2 * position)
            let raw = part.rawParameters + (2 * position + 1) * channels
            for channel in 0 ..< channels {
                meanValues[target + channel] = mean[channel]
                logScaleValues[target + channel] = raw[channel] + factors.logScale[channel]
                residualValues[target + channel] = latents[target + channel] * factors.gain[channel] - mean[channel]
            }
        }
    }

    func keepSymbols(_ part: PassSpan, _ passSymbols: UnsafePointer<Int32>) {
        for position in 0 ..< part.span.count {
            let target = index(part, position)
            for channel in 0 ..< channels { symbolValues[target + channel] = passSymbols[part.offset + position * channels + channel] }
        }
    }

    private func index(_ part: PassSpan, _ position: Int) -> Int { (part.span.row * columns + part.column + 2 * position) * channels }
}
