// SPDX-License-Identifier: Apache-2.0

/// Where the taps of a convolution lie in its input, relative to the position that an output stands on, in the order of summation.
struct Taps {
    struct Position: Equatable {
        let row: Int32
        let column: Int32
    }

    /// Memory of the model.
    let positions: UnsafePointer<Position>
    let count: Int
    /// The list consists of runs of this many neighbours of one row. In a map without gaps between positions, a run's inputs follow each other
    /// in memory, and the run is summed as one tap with more inputs: the same terms in the same order, without a loop over few channels.
    let run: Int

    /// How far the taps reach from the position; a map has to have a halo of this at least.
    var reach: Int { (0 ..< count).reduce(0) { max($0, Int(abs(positions[$1].row)), Int(abs(positions[$1].column))) } }
}

/// A tap and the weight of the kernel that it takes.
struct WeightedTap {
    let position: Taps.Position
    /// kernel row * kernel size + kernel column
    let weight: Int

    init(row: Int, column: Int, weight: Int) {
        position = Taps.Position(row: Int32(row), column: Int32(column))
        self.weight = weight
    }

    /// All taps of a kernel, row by row, centred on the position.
    static func dense(kernelSize: Int) -> [WeightedTap] {
        let reach = kernelSize / 2
        return (0 ..< kernelSize * kernelSize).map { WeightedTap(row: $0 / kernelSize - reach, column: $0 % kernelSize - reach, weight: $0) }
    }

    /// Those of `dense` that lie before the centre in raster order: a masked convolution of type A (van den Oord et al., "Conditional Image Generation with
    /// PixelCNN Decoders", 2016), the context model of Minnen et al. (2018).
    static func causal(kernelSize: Int) -> [WeightedTap] { Array(dense(kernelSize: kernelSize).prefix(kernelSize * kernelSize / 2)) }

    /// Those of `dense` at an odd distance from the centre: what a non-anchor of a checkerboard sees of the anchors (He et al., CVPR 2021).
    static func checkerboard(kernelSize: Int) -> [WeightedTap] { dense(kernelSize: kernelSize).filter { ($0.position.row + $0.position.column) & 1 != 0 } }

    /// Those of a transposed convolution of stride `stride` and padding kernelSize / 2 that reach the outputs of one phase, output (stride p + row, stride q + column)
    /// for input position (p, q): kernel row k meets input row p + (row + padding - k) / stride where that is whole.
    static func transposed(kernelSize: Int, stride: Int, row: Int, column: Int) -> [WeightedTap] {
        func along(_ phase: Int) -> [(offset: Int, kernel: Int)] {
            (0 ..< kernelSize).compactMap { kernel in
                let distance = phase + kernelSize / 2 - kernel
                return distance % stride == 0 ? (distance / stride, kernel) : nil
            }
        }
        return along(row).flatMap { r in along(column).map { c in WeightedTap(row: r.offset, column: c.offset, weight: r.kernel * kernelSize + c.kernel) } }
    }
}

extension [Taps.Position] {
    /// The length of the runs of `Taps.run`.
    var run: Int {
        let breaks = indices.filter { index in
            index == 0 || self[index].row != self[index - 1].row || self[index].column != self[index - 1].column + 1
        }
        let lengths = Set(zip(breaks, breaks.dropFirst() + [count]).map { $1 - $0 })
        return lengths.count == 1 ? lengths.first! : 1
    }
}
