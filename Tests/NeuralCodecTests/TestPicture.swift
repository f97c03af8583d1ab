// SPDX-License-Identifier: Apache-2.0
@testable import NeuralCodec

/// A picture made by integer formulas, and its trips through the codec.
struct TestPicture: Equatable {
    let width, height, channels, bitDepth: Int
    /// Their bytes, those of 16 bits with the lower one first.
    var samples: [UInt8]

    init(_ width: Int, _ height: Int, channels: Int = 3, bitDepth: Int = 8, _ sample: (_ x: Int, _ y: Int, _ channel: Int) -> Int) {
        (self.width, self.height, self.channels, self.bitDepth) = (width, height, channels, bitDepth)
        samples = []
        samples.reserveCapacity(width * height * channels * bitDepth / 8)
        for y in 0 ..< height {
            for x in 0 ..< width {
                for channel in 0 ..< channels {
                    let value = sample(x, y, channel)
                    if bitDepth == 8 {
                        samples.append(UInt8(clamping: value))
                    } else {
                        samples += [UInt8(UInt16(clamping: value) & 255), UInt8(UInt16(clamping: value) >> 8)]
                    }
                }
            }
        }
    }

    init(_ picture: Picture) {
        (width, height, channels, bitDepth) = (picture.width, picture.height, picture.channels, picture.bitDepth)
        samples = picture.buffer.withBytes([UInt8].init)
    }

    /// Slopes, edges and a little noise.
    static func scene(_ width: Int, _ height: Int, channels: Int = 3) -> TestPicture {
        TestPicture(width, height, channels: channels) { x, y, channel in
            let slope = 60 + (x * (3 + channel) + y * (5 - channel)) / 4 % 120
            let disc = (x - 40) * (x - 40) + (y - 30) * (y - 30) < 500 ? 50 - 20 * channel : 0
            return slope + disc + hash(x, y, channel) % 7
        }
    }

    static func flat(_ width: Int, _ height: Int, _ value: Int, channels: Int = 3) -> TestPicture {
        TestPicture(width, height, channels: channels) { _, _, _ in value }
    }

    /// Black and white, pixel by pixel.
    static func checkerboard(_ width: Int, _ height: Int, channels: Int = 3) -> TestPicture {
        TestPicture(width, height, channels: channels) { x, y, _ in (x + y) % 2 * 255 }
    }

    static func noise(_ width: Int, _ height: Int, channels: Int = 3) -> TestPicture {
        TestPicture(width, height, channels: channels) { x, y, channel in hash(x, y, channel) }
    }

    /// Dark strokes one pixel wide in cells of 6 x 9, on white.
    static func text(_ width: Int, _ height: Int, channels: Int = 3) -> TestPicture {
        TestPicture(width, height, channels: channels) { x, y, _ in
            let (column, row) = (x % 6, y % 9)
            let letter = hash(x / 6, y / 9, 5)
            let stroke = column < 5 && row < 7 && (letter >> (column % 4) & 1 == 1 && row == letter % 7 || letter >> (row % 5) & 1 == 1 && column == letter % 5)
            return stroke ? 20 : 255
        }
    }

    /// What a photograph is made of: soft slopes, clouds of all sizes, texture, edges in all directions, and a little noise.
    static func landscape(_ width: Int, _ height: Int, channels: Int = 3) -> TestPicture {
        TestPicture(width, height, channels: channels) { x, y, channel in
            let colour = channels == 1 ? 1 : channel
            let ridge = height / 4 + clouds(x, 0, 1) * height / 640
            let (right, down) = (x - width * 3 / 4, y - height / 5)
            let value =
                if right * right + down * down < height * height / 180 {
                    [250, 225, 160][colour]
                } else if y < ridge {
                    [95, 140, 200][colour] + y * [110, 80, 30][colour] / ridge + max(0, clouds(x, 2 * y, 2) - 120) * [8, 7, 5][colour] / 8
                } else if y > ridge, (x + 2 * y) % 97 < 5 + (y - ridge) / 12 {
                    [182, 170, 150][colour] - clouds(x, y, 4) / 6
                } else {
                    [52, 74, 38][colour] + clouds(x, y, 3) * [90, 85, 60][colour] / 160 - [30, 20, 8][colour] * (y - ridge) / height
                }
            return value + hash(x, y, colour + 5) % 7 - 3
        }
    }

    /// 0 ... 255, smooth at five scales.
    private static func clouds(_ x: Int, _ y: Int, _ seed: Int) -> Int {
        func smooth(_ side: Int) -> Int {
            let (column, row, right, down) = (x / side, y / side, x % side, y % side)
            let top = hash(column, row, seed) * (side - right) + hash(column + 1, row, seed) * right
            let bottom = hash(column, row + 1, seed) * (side - right) + hash(column + 1, row + 1, seed) * right
            return (top * (side - down) + bottom * down) / (side * side)
        }
        return (8 * smooth(48) + 4 * smooth(24) + 2 * smooth(12) + smooth(6) + smooth(3)) / 16
    }

    static func hash(_ x: Int, _ y: Int, _ channel: Int) -> Int {
        var h = UInt32(truncatingIfNeeded: x &* 73_856_093 ^ y &* 19_349_663 ^ channel &* 83_492_791)
        h = (h ^ h >> 16) &* 0x7feb_352d
        h = (h ^ h >> 15) &* 0x846c_a68b
        return Int((h ^ h >> 16) & 255)
    }

    func withView<Result>(_ body: (PictureView) throws -> Result) rethrows -> Result {
        try samples.withUnsafeBytes {
            try body(
                PictureView(
                    pixels: $0.baseAddress!, width: width, height: height, channels: channels, bitDepth: bitDepth, stride: width * channels * bitDepth / 8))
        }
    }

    /// The file, and what the encoder says of it.
    func encoded(_ model: Model, _ target: RateTarget = .quality(75), threads: Int = 2) throws -> (file: [UInt8], summary: EncodeSummary) {
        var options = EncodeOptions()
        options.target = target
        options.threads = threads
        return try encoded(model, options)
    }

    func encoded(_ model: Model, _ options: EncodeOptions) throws -> (file: [UInt8], summary: EncodeSummary) {
        try withView { view in
            let (file, summary) = try encode(view, model: model, options: options)
            return (file.withBytes([UInt8].init), summary)
        }
    }

    static func decoded(_ file: [UInt8], _ model: Model?, threads: Int = 2) throws -> TestPicture {
        var options = DecodeOptions()
        options.threads = threads
        return try decoded(file, model, options)
    }

    static func decoded(_ file: [UInt8], _ model: Model?, _ options: DecodeOptions) throws -> TestPicture {
        try file.withUnsafeBytes { TestPicture(try decode($0, model: model, options: options)) }
    }

    func psnr(_ other: TestPicture) -> Double { withView { a in other.withView { b in NeuralCodec.psnr(a, b) } } }
}
