// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The smallest side for which `msSSIM` is defined: the window must still fit after four halvings.
public let msSSIMSmallestSide = 161

/// Multi-scale structural similarity, 0...1, of two pictures of the same size; nil when a side is below `msSSIMSmallestSide`.
///
/// Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment" (2003): five scales with their weights, an
/// 11 x 11 Gaussian window (sigma 1.5) without padding, peak 255, for each channel by itself, then the mean over channels. Where the paper leaves a
/// choice, pytorch-msssim's is taken, so that figures can be compared with published ones: negative terms count as zero, and between scales 2 x 2
/// samples are averaged, after a border of zeros around a plane's odd dimensions. Samples of 16 bits count as their 257th part; alpha does not count.
public func msSSIM(_ a: PictureView, _ b: PictureView) throws -> Double? {
    guard a.width == b.width, a.height == b.height, a.format.opaque == b.format.opaque else {
        throw CodecError(.invalidArgument, "MS-SSIM needs two pictures of the same size, colours and bit depth")
    }
    guard min(a.width, a.height) >= msSSIMSmallestSide else { return nil }

    let weights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
    let workspace = try SimilarityWorkspace(width: a.width, height: a.height)
    var sum = 0.0
    for channel in 0..<a.format.colours {
        workspace.load(a, b, channel: channel)
        var product = 1.0
        for (scale, weight) in weights.enumerated() {
            let (similarity, contrast) = workspace.similarity()
            let isLast = scale == weights.count - 1
            product *= pow(max(isLast ? similarity : contrast, 0), weight)
            if !isLast { workspace.halve() }
        }
        sum += product
    }
    return sum / Double(a.format.colours)
}

/// One channel of both pictures at one scale, and the rows that the sliding window needs.
private final class SimilarityWorkspace {
    private static let taps = 11
    /// exp(-k^2 / 4.5) for k = -5...5, divided by their sum.
    private static let window = [
        0.00102838008447911, 0.007598758135239185, 0.03600077212843083, 0.10936068950970002, 0.2130055377112537, 0.26601172486179436,
        0.2130055377112537, 0.10936068950970002, 0.03600077212843083, 0.007598758135239185, 0.00102838008447911,
    ]
    /// a, b, a^2, b^2 and a b, each filtered.
    private static let moments = 5

    private var width: Int
    private var height: Int
    private let memory: ByteBuffer
    private let planeA: UnsafeMutablePointer<Double>
    private let planeB: UnsafeMutablePointer<Double>
    /// The last `taps` rows filtered horizontally: row y of the plane stands in slot y % taps, its moments one after the other.
    private let filteredRows: UnsafeMutablePointer<Double>
    private let filteredStride: Int
    private let columns: UnsafeMutablePointer<Double>

    init(width: Int, height: Int) throws {
        self.width = width
        self.height = height
        // The second scale of odd sides is (side + 1) / 2, so the first one is the largest.
        let plane = width * height
        filteredStride = width * Self.moments
        memory = try ByteBuffer(count: (2 * plane + (Self.taps + 1) * filteredStride) * MemoryLayout<Double>.stride)
        let base = memory.bytes.baseAddress!.bindMemory(to: Double.self, capacity: memory.count / MemoryLayout<Double>.stride)
        planeA = base
        planeB = base + plane
        filteredRows = base + 2 * plane
        columns = filteredRows + Self.taps * filteredStride
    }

    func load(_ a: PictureView, _ b: PictureView, channel: Int) {
        width = a.width
        height = a.height
        for (view, plane) in [(a, planeA), (b, planeB)] {
            let unit = view.bitDepth == 16 ? 257.0 : 1
            for y in 0..<height {
                let row = view.pixels + y * view.stride
                for x in 0..<width { plane[y * width + x] = Double(sample(row, view, x, channel)) / unit }
            }
        }
    }

    /// Means over all window positions of the similarity and of its contrast-structure part.
    func similarity() -> (similarity: Double, contrast: Double) {
        let c1 = (0.01 * 255) * (0.01 * 255), c2 = (0.03 * 255) * (0.03 * 255)
        let outputWidth = width - Self.taps + 1, outputHeight = height - Self.taps + 1
        var similaritySum = 0.0, contrastSum = 0.0
        for y in 0..<height {
            filterRow(y, outputWidth: outputWidth)
            guard y >= Self.taps - 1 else { continue }
            filterColumns(top: y - Self.taps + 1, outputWidth: outputWidth)
            for x in 0..<outputWidth {
                let meanA = columns[x], meanB = columns[outputWidth + x]
                let varianceA = columns[2 * outputWidth + x] - meanA * meanA
                let varianceB = columns[3 * outputWidth + x] - meanB * meanB
                let covariance = columns[4 * outputWidth + x] - meanA * meanB
                let contrast = (2 * covariance + c2) / (varianceA + varianceB + c2)
                contrastSum += contrast
                similaritySum += contrast * (2 * meanA * meanB + c1) / (meanA * meanA + meanB * meanB + c1)
            }
        }
        let positions = Double(outputWidth) * Double(outputHeight)
        return (similaritySum / positions, contrastSum / positions)
    }

    /// Filters row y of the five moments horizontally into its slot.
    private func filterRow(_ y: Int, outputWidth: Int) {
        let a = planeA + y * width, b = planeB + y * width
        let slot = filteredRows + (y % Self.taps) * filteredStride
        slot.update(repeating: 0, count: Self.moments * outputWidth)
        for (tap, weight) in Self.window.enumerated() {
            for x in 0..<outputWidth {
                let p = a[x + tap], q = b[x + tap]
                slot[x] += weight * p
                slot[outputWidth + x] += weight * q
                slot[2 * outputWidth + x] += weight * (p * p)
                slot[3 * outputWidth + x] += weight * (q * q)
                slot[4 * outputWidth + x] += weight * (p * q)
            }
        }
    }

    /// Filters the slots of rows top...top + 10 vertically into `columns`.
    private func filterColumns(top: Int, outputWidth: Int) {
        let count = Self.moments * outputWidth
        columns.update(repeating: 0, count: count)
        for (tap, weight) in Self.window.enumerated() {
            let slot = filteredRows + ((top + tap) % Self.taps) * filteredStride
            for x in 0..<count { columns[x] += weight * slot[x] }
        }
    }

    /// Replaces both planes by their next scale, in place: a sample is written after the four it is made of were read.
    func halve() {
        let padX = width % 2, padY = height % 2
        let halfWidth = (width + 2 * padX) / 2, halfHeight = (height + 2 * padY) / 2
        for plane in [planeA, planeB] {
            for y in 0..<halfHeight {
                for x in 0..<halfWidth {
                    var sum = 0.0
                    for sourceY in max(2 * y - padY, 0)...(2 * y - padY + 1) {
                        for sourceX in max(2 * x - padX, 0)...(2 * x - padX + 1) { sum += plane[sourceY * width + sourceX] }
                    }
                    plane[y * halfWidth + x] = sum / 4
                }
            }
        }
        width = halfWidth
        height = halfHeight
    }
}
