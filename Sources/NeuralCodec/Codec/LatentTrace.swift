// SPDX-License-Identifier: Apache-2.0

/// What the encoder computed on the way, kept for tests and measurements: grids of (row, column, channel).
package final class LatentTrace: @unchecked Sendable {
    package private(set) var rows = 0
    package private(set) var columns = 0
    package private(set) var channels = 0
    /// Latents before gain.
    package private(set) var latents: [Float] = []
    package private(set) var hyperSymbols: [Int32] = []
    package private(set) var means: [Float] = []
    package private(set) var logScales: [Float] = []
    package private(set) var symbols: [Int32] = []

    package init() {}

    func keepLatents(_ call: Call) {
        let map = call.workspace[call.plan.latents!]
        (rows, columns, channels) = (map.rows, map.columns, map.channels)
        let count = rows * columns * channels
        latents = Array(UnsafeBufferPointer(start: map.origin, count: count))
        hyperSymbols = Array(UnsafeBufferPointer(start: call.workspace[call.plan.hyperSymbols], count: call.plan.hyperSymbols.count))
        means = Array(repeating: 0, count: count)
        logScales = means
        symbols = Array(repeating: 0, count: count)
    }

    /// Spans never overlap, so threads may write side by side once the arrays exist.
    func keepParameters(_ part: PassSpan, _ factors: RateFactors, _ meanMap: FeatureMap) {
        means.withUnsafeMutableBufferPointer { means in
            logScales.withUnsafeMutableBufferPointer { logScales in
                for position in 0 ..< part.span.count {
                    let target = index(part, position)
                    let mean = meanMap.at(part.span.row, part.column + 2 * position)
                    let raw = part.rawParameters + (2 * position + 1) * channels
                    for channel in 0 ..< channels {
                        means[target + channel] = mean[channel]
                        logScales[target + channel] = raw[channel] + factors.logScale[channel]
                    }
                }
            }
        }
    }

    func keepSymbols(_ part: PassSpan, _ passSymbols: UnsafePointer<Int32>) {
        symbols.withUnsafeMutableBufferPointer { symbols in
            for position in 0 ..< part.span.count {
                let target = index(part, position)
                for channel in 0 ..< channels { symbols[target + channel] = passSymbols[part.offset + position * channels + channel] }
            }
        }
    }

    private func index(_ part: PassSpan, _ position: Int) -> Int { (part.span.row * columns + part.column + 2 * position) * channels }
}
