// SPDX-License-Identifier: Apache-2.0

/// What the encoder computed on the way, kept for analysis, tests and measurements: grids of (row, column, channel).
package final class LatentTrace: @unchecked Sendable {
    package private(set) var rows = 0
    package private(set) var columns = 0
    package private(set) var channels = 0
    package var hyperSymbols: [Int32] { hyper?.withBytes { Array($0.bindMemory(to: Int32.self)) } ?? [] }
    /// Latents before gain.
    package var latents: [Float] { copy(latentGrid) }
    package var means: [Float] { copy(meanGrid) }
    /// Scales, or their natural logarithms, as the family has them.
    package var scales: [Float] { copy(scaleGrid) }
    package var symbols: [Int32] { copy(symbolGrid) }
    /// Latents with their gain, less their means: what is rounded to symbols.
    package var residuals: [Float] { copy(residualGrid) }

    /// The decoded picture before it is rounded to pixels (row, column, colour), of families that have it.
    package private(set) var picture: [Float] = []
    package private(set) var pictureColumns = 0

    // Threads write side by side into the grids; their spans never overlap.
    private var memory, hyper: ByteBuffer?
    private(set) var latentGrid, meanGrid, scaleGrid, residualGrid: UnsafeMutablePointer<Float>?
    private(set) var symbolGrid: UnsafeMutablePointer<Int32>?
    /// Of each latent's table.
    private(set) var indexGrid: UnsafeMutablePointer<UInt8>?

    package init() {}

    /// Of one grid.
    var count: Int { rows * columns * channels }

    private func copy<Value>(_ grid: UnsafeMutablePointer<Value>?) -> [Value] {
        withExtendedLifetime(self) { Array(UnsafeBufferPointer(start: grid, count: count)) }
    }

    /// Bytes that the grids of so many latents take.
    static func memory(_ latents: Int) -> Int { (4 * MemoryLayout<Float>.size + MemoryLayout<Int32>.size + 1) * latents }

    func keepLatents(_ map: FeatureMap) throws {
        (rows, columns, channels) = (map.rows, map.columns, map.channels)
        let memory = try ByteBuffer(count: Self.memory(count))
        memory.bytes.initializeMemory(as: UInt8.self, repeating: 0)
        let grids = (0 ..< 5).map { memory.bytes.baseAddress! + 4 * count * $0 }
        (latentGrid, meanGrid) = (grids[0].assumingMemoryBound(to: Float.self), grids[1].assumingMemoryBound(to: Float.self))
        (scaleGrid, residualGrid) = (grids[2].assumingMemoryBound(to: Float.self), grids[3].assumingMemoryBound(to: Float.self))
        symbolGrid = grids[4].assumingMemoryBound(to: Int32.self)
        indexGrid = (grids[4] + 4 * count).assumingMemoryBound(to: UInt8.self)
        self.memory = memory
        for row in 0 ..< rows { (latentGrid! + row * columns * channels).update(from: map.at(row, 0), count: columns * channels) }
    }

    func keepHyper(_ symbols: UnsafeBufferPointer<Int32>) throws {
        let copy = try ByteBuffer(count: 4 * symbols.count)
        copy.bytes.copyMemory(from: UnsafeRawBufferPointer(symbols))
        hyper = copy
    }

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
                let mean = means[position * meanStep + channel]
                meanGrid![target + channel] = mean
                scaleGrid![target + channel] = scales[position * scaleStep + channel] + (added?[channel] ?? 0)
                residualGrid![target + channel] = latentGrid![target + channel] * (gain?[channel] ?? 1) - mean
            }
        }
    }

    /// Symbols and the indices of their tables, without gaps.
    func keepSymbols(_ line: PositionLine, _ channels: Range<Int>, _ symbols: UnsafePointer<Int32>, _ indices: UnsafePointer<UInt8>) {
        for position in 0 ..< line.count {
            let target = index(line, position) + channels.lowerBound
            (symbolGrid! + target).update(from: symbols + position * channels.count, count: channels.count)
            (indexGrid! + target).update(from: indices + position * channels.count, count: channels.count)
        }
    }

    private func index(_ line: PositionLine, _ position: Int) -> Int {
        ((line.row + position * line.rowStep) * columns + line.column + position * line.columnStep) * channels
    }
}
