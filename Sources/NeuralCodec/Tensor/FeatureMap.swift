// SPDX-License-Identifier: Apache-2.0

/// A map of float vectors in NHWC order (rows, columns, channels), surrounded by `halo` positions of zeros on every side, which a
/// convolution reads as its padding. A view: the memory belongs to a workspace.
struct FeatureMap {
    /// Channel 0 of position (0, 0), inside the halo.
    let origin: UnsafeMutablePointer<Float>
    let rows: Int
    let columns: Int
    let channels: Int
    let halo: Int

    /// Floats from one position to the next of its row; the channels of a map are contiguous.
    var step: Int { channels }
    var rowStride: Int { (columns + 2 * halo) * channels }

    /// Position (row, column), which may lie up to `halo` outside.
    @inline(__always)
    func at(_ row: Int, _ column: Int) -> UnsafeMutablePointer<Float> {
        origin + (row * rowStride + column * channels)
    }

    /// Zeroes the halo; the inside stays as it is.
    func clearHalo() {
        guard halo > 0 else { return }
        let side = halo * channels
        for row in -halo ..< rows + halo {
            if row < 0 || row >= rows {
                at(row, -halo).update(repeating: 0, count: rowStride)
            } else {
                at(row, -halo).update(repeating: 0, count: side)
                at(row, columns).update(repeating: 0, count: side)
            }
        }
    }
}
