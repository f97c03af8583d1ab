// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Peak signal-to-noise ratio in decibels over all samples of two pictures of the same size; infinite when they are equal,
/// NaN when width, height or channels differ.
public func psnr(_ a: PictureView, _ b: PictureView) -> Double {
    guard a.width == b.width, a.height == b.height, a.channels == b.channels else { return .nan }
    let row = a.width * a.channels
    var squaredError: UInt64 = 0
    for y in 0..<a.height {
        let p = a.pixels + y * a.stride, q = b.pixels + y * b.stride
        // A sum of 32 bits holds 66000 squares.
        var x = 0
        while x < row {
            let end = min(x + 65536, row)
            var sum: UInt32 = 0
            while x < end {
                let difference = Int32(p.load(fromByteOffset: x, as: UInt8.self)) - Int32(q.load(fromByteOffset: x, as: UInt8.self))
                sum &+= UInt32(truncatingIfNeeded: difference &* difference)
                x += 1
            }
            squaredError += UInt64(sum)
        }
    }
    return squaredError == 0 ? .infinity : 10 * log10(255 * 255 * Double(row) * Double(a.height) / Double(squaredError))
}
