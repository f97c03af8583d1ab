// SPDX-License-Identifier: Apache-2.0

/// Sizes of the maps of one picture.
struct Geometry {
    let width, height: Int
    /// Latent grid: 1/16 of the padded picture; both sides are multiples of 4.
    let rows, columns: Int

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
        let perSide = PatchCheckerboard.padding / PatchCheckerboard.patchSide
        rows = (height + PatchCheckerboard.padding - 1) / PatchCheckerboard.padding * perSide
        columns = (width + PatchCheckerboard.padding - 1) / PatchCheckerboard.padding * perSide
    }

    /// Hyperlatent grid: 1/64 of the padded picture.
    var hyperRows: Int { rows / 4 }
    var hyperColumns: Int { columns / 4 }
    /// Rendering grid: 1/4 of the padded picture.
    var cellRows: Int { rows * 4 }
    var cellColumns: Int { columns * 4 }
    /// Positions of one checkerboard pass in one row.
    var passColumns: Int { columns / 2 }

    /// The first column of a pass in a row: pass 0 has the positions whose row + column is even (the anchors).
    func firstColumn(pass: Int, row: Int) -> Int { (row + pass) & 1 }
}
