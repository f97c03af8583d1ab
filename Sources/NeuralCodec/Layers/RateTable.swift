// SPDX-License-Identifier: Apache-2.0
import CKernels

/// One value a channel, interpolated linearly over the rate parameter between equidistant knots: weights (knots, channels).
struct RateTable {
    let values: UnsafePointer<Float>
    let knots: Int
    let channels: Int
    /// Where a call keeps this table's values in `LayerContext.rates`.
    let offset: Int

    func evaluate(rate: Int, into rates: UnsafeMutablePointer<Float>) {
        nck_rate_table(values, knots, channels, UInt32(rate), rates + offset)
    }
}

/// A bias that is either a constant of the model or follows the rate parameter.
enum Bias {
    case fixed(UnsafePointer<Float>)
    case rate(RateTable)

    func pointer(_ context: LayerContext) -> UnsafePointer<Float> {
        switch self {
        case .fixed(let pointer): pointer
        case .rate(let table): UnsafePointer(context.rates + table.offset)
        }
    }
}
