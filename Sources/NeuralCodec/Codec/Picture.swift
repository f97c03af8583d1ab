// SPDX-License-Identifier: Apache-2.0

/// Pixels that somebody else owns: rows from top to bottom, channels interleaved, 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGB, alpha) of them. Samples have
/// 8 bits, or 16 in the machine's byte order, not necessarily aligned. Alpha is straight, not multiplied into the colours.
public struct PictureView {
    public let pixels: UnsafeRawPointer
    public let width: Int
    public let height: Int
    public let channels: Int
    /// Bits of a sample: 8 or 16.
    public let bitDepth: Int
    /// Bytes from one row to the next.
    public let stride: Int

    public init(pixels: UnsafeRawPointer, width: Int, height: Int, channels: Int, bitDepth: Int = 8, stride: Int) {
        self.pixels = pixels
        self.width = width
        self.height = height
        self.channels = channels
        self.bitDepth = bitDepth
        self.stride = stride
    }

    public var format: PixelFormat { PixelFormat(channels: channels, bitDepth: bitDepth) }
}

/// What a pixel is made of.
public struct PixelFormat: Equatable, Sendable {
    /// 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGB, alpha).
    public var channels: Int
    /// Bits of a sample: 8 or 16.
    public var bitDepth: Int

    public init(channels: Int, bitDepth: Int) {
        self.channels = channels
        self.bitDepth = bitDepth
    }

    public var hasAlpha: Bool { channels % 2 == 0 }
    /// Channels without alpha.
    public var colours: Int { channels < 3 ? 1 : 3 }
    public var sampleBytes: Int { bitDepth / 8 }
    /// Bytes of a pixel, and of its colours.
    public var pixelBytes: Int { channels * sampleBytes }
    var colourBytes: Int { colours * sampleBytes }
    /// The greatest sample.
    public var peak: Int { 1 << bitDepth - 1 }
    /// The same without alpha.
    public var opaque: PixelFormat { PixelFormat(channels: colours, bitDepth: bitDepth) }

    static let all = [8, 16].flatMap { depth in (1...4).map { PixelFormat(channels: $0, bitDepth: depth) } }
}

/// Where decoded pixels go.
struct PictureTarget {
    let pixels: UnsafeMutablePointer<UInt8>
    /// Bytes from one row to the next.
    let stride: Int
    let format: PixelFormat
}

/// Owned pixels without gaps between the rows (height, width, channels).
public final class Picture {
    public let width: Int
    public let height: Int
    public let format: PixelFormat
    public let buffer: ByteBuffer

    public var channels: Int { format.channels }
    public var bitDepth: Int { format.bitDepth }

    /// Uninitialised pixels.
    public init(width: Int, height: Int, channels: Int, bitDepth: Int = 8) throws {
        let (row, rowOverflow) = width.multipliedReportingOverflow(by: channels * bitDepth / 8)
        let (count, overflow) = row.multipliedReportingOverflow(by: height)
        guard width > 0, height > 0, PixelFormat.all.contains(PixelFormat(channels: channels, bitDepth: bitDepth)), !rowOverflow, !overflow else {
            throw CodecError(.invalidArgument, "a picture of \(width) x \(height) with \(channels) channels of \(bitDepth) bits is impossible")
        }
        self.width = width
        self.height = height
        format = PixelFormat(channels: channels, bitDepth: bitDepth)
        buffer = try ByteBuffer(count: count)
    }

    /// A view of the pixels, with the picture kept alive meanwhile.
    public func withView<Result>(_ body: (PictureView) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(view) }
    }

    /// Valid while the picture lives; `withView` sees to that.
    public var view: PictureView {
        PictureView(
            pixels: UnsafeRawPointer(buffer.bytes.baseAddress!), width: width, height: height, channels: channels, bitDepth: bitDepth,
            stride: width * format.pixelBytes)
    }

    /// The same, to be written.
    var target: PictureTarget {
        PictureTarget(pixels: buffer.bytes.baseAddress!.assumingMemoryBound(to: UInt8.self), stride: width * format.pixelBytes, format: format)
    }
}
