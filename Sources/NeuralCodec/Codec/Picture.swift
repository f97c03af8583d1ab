// SPDX-License-Identifier: Apache-2.0

/// 8-bit pixels that somebody else owns: rows from top to bottom, channels interleaved, 1 (gray) or 3 (RGB) of them.
public struct PictureView {
    public let pixels: UnsafeRawPointer
    public let width: Int
    public let height: Int
    public let channels: Int
    /// Bytes from one row to the next.
    public let stride: Int

    public init(pixels: UnsafeRawPointer, width: Int, height: Int, channels: Int, stride: Int) {
        self.pixels = pixels
        self.width = width
        self.height = height
        self.channels = channels
        self.stride = stride
    }
}

/// Owned 8-bit pixels without gaps between the rows (height, width, channels).
public final class Picture {
    public let width: Int
    public let height: Int
    public let channels: Int
    public let buffer: ByteBuffer

    /// Uninitialised pixels.
    public init(width: Int, height: Int, channels: Int) throws {
        let (row, rowOverflow) = width.multipliedReportingOverflow(by: channels)
        let (count, overflow) = row.multipliedReportingOverflow(by: height)
        guard width > 0, height > 0, channels > 0, !rowOverflow, !overflow else {
            throw CodecError(.invalidArgument, "a picture of \(width) x \(height) with \(channels) channels is impossible")
        }
        self.width = width
        self.height = height
        self.channels = channels
        buffer = try ByteBuffer(count: count)
    }

    /// A view of the pixels, with the picture kept alive meanwhile.
    public func withView<Result>(_ body: (PictureView) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(view) }
    }

    /// Valid while the picture lives; `withView` sees to that.
    public var view: PictureView {
        PictureView(pixels: UnsafeRawPointer(buffer.bytes.baseAddress!), width: width, height: height, channels: channels, stride: width * channels)
    }
}
