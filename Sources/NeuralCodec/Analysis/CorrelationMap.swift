// SPDX-License-Identifier: Apache-2.0

/// Spatial correlation of normalized latents v, the measure of "Towards Efficient Image Compression Without Autoregressive Models" (NeurIPS 2023): E[v(p) v(p + d)] for each d
/// of a window, over all channels and all positions p whose neighbour p + d lies in the map. What is left beside the centre is rate that a better context could save.
public struct CorrelationMap: Sendable {
    /// Odd.
    public let window: Int
    /// window x window values, row by row, d = 0 in the middle; 0 where no two positions are so far apart. Symmetric about the middle.
    public let values: [Double]

    public static let windows = 3...31

    static func check(window: Int) throws {
        guard windows.contains(window), window % 2 == 1 else {
            throw CodecError(.invalidArgument, "a window of \(window) x \(window) is not possible: the side is odd, from \(windows.lowerBound) to \(windows.upperBound)")
        }
    }

    /// Mean magnitude of the values beside the middle.
    public var average: Double {
        let middle = values.count / 2
        let sum = values.indices.reduce(0) { $1 == middle ? $0 : $0 + values[$1].magnitude }
        return sum / Double(values.count - 1)
    }

    /// Of `plane` (channel, row, column). `finished` is called after each row of the window.
    init(_ plane: UnsafePointer<Float>, channels: Int, rows: Int, columns: Int, window: Int, team: ThreadTeam, finished: () throws -> Void) throws {
        let reach = window / 2
        var values = [Double](repeating: 0, count: window * window)
        let memory = try ByteBuffer(count: channels * window * MemoryLayout<Double>.size)
        let sums = memory.bytes.bindMemory(to: Double.self).baseAddress!
        // The map is symmetric: rows from the centre's on.
        for down in 0 ... reach {
            // Each channel adds up by itself, so that the result does not depend on threads.
            team.run(channels) { channel, _ in
                for right in -reach ... reach {
                    sums[channel * window + reach + right] = Self.sum(plane + channel * rows * columns, rows, columns, down: down, right: right)
                }
            }
            for right in -reach ... reach where down < rows && abs(right) < columns {
                let sum = (0 ..< channels).reduce(0) { $0 + sums[$1 * window + reach + right] }
                let mean = sum / Double(channels * (rows - down) * (columns - abs(right)))
                values[(reach + down) * window + reach + right] = mean
                values[(reach - down) * window + reach - right] = mean
            }
            try finished()
        }
        withExtendedLifetime(memory) {}
        (self.window, self.values) = (window, values)
    }

    /// Of v(p) v(p + d), one channel.
    private static func sum(_ values: UnsafePointer<Float>, _ rows: Int, _ columns: Int, down: Int, right: Int) -> Double {
        guard down < rows, abs(right) < columns else { return 0 }
        var sum = 0.0
        for row in 0 ..< rows - down {
            let here = values + row * columns, there = here + down * columns + right
            for column in max(0, -right) ..< columns - max(0, right) { sum += Double(here[column]) * Double(there[column]) }
        }
        return sum
    }
}
