// SPDX-License-Identifier: Apache-2.0
import CKernels
import Glibc

/// Peak signal-to-noise ratio in decibels over all colour samples of two pictures of the same size; infinite when they are equal,
/// NaN when width, height, colours or bit depth differ. Alpha does not count.
public func psnr(_ a: PictureView, _ b: PictureView) -> Double {
    guard a.format.opaque == b.format.opaque else { return .nan }
    return psnr(a, b, 0 ..< a.format.colours)
}

/// The same of the alpha channels; NaN where a picture has none.
public func alphaPSNR(_ a: PictureView, _ b: PictureView) -> Double {
    guard a.format == b.format, a.format.hasAlpha else { return .nan }
    return psnr(a, b, a.format.colours ..< a.channels)
}

private func psnr(_ a: PictureView, _ b: PictureView, _ channels: Range<Int>) -> Double {
    guard a.width == b.width, a.height == b.height else { return .nan }
    let error = (0 ..< a.height).reduce(0.0) { $0 + Double(squaredError(a, b, row: $1, channels)) }
    let peak = Double(a.format.peak)
    return error == 0 ? .infinity : 10 * log10(peak * peak * Double(a.width) * Double(channels.count) * Double(a.height) / error)
}

private func squaredError(_ a: PictureView, _ b: PictureView, row: Int, _ channels: Range<Int>) -> UInt64 {
    let (p, q) = (a.pixels + row * a.stride, b.pixels + row * b.stride)
    if channels.count == a.channels, a.channels == b.channels {
        let rowError = a.bitDepth == 16 ? nck_squared_error_16 : nck_squared_error
        return rowError(p.assumingMemoryBound(to: UInt8.self), q.assumingMemoryBound(to: UInt8.self), a.width * a.channels)
    }
    var sum: UInt64 = 0
    for x in 0 ..< a.width {
        for channel in channels {
            let difference = sample(p, a, x, channel) - sample(q, b, x, channel)
            sum &+= UInt64(bitPattern: Int64(difference &* difference))
        }
    }
    return sum
}

/// Of a row of `picture`.
func sample(_ row: UnsafeRawPointer, _ picture: PictureView, _ x: Int, _ channel: Int) -> Int {
    let index = x * picture.channels + channel
    return picture.bitDepth == 16 ? Int(row.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)) : Int(row.load(fromByteOffset: index, as: UInt8.self))
}
