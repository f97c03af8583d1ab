// SPDX-License-Identifier: Apache-2.0
import CPNG
import Glibc
import NeuralCodec

/// Expands palettes and low depths; gray stays gray. Refuses what a .nic file cannot hold yet: alpha and 16 bits. `onColourProfile` hears of a colour
/// profile, which is not read.
func readPNG(_ bytes: UnsafeRawBufferPointer, name: String, limits: Limits, onColourProfile: () -> Void) throws -> Picture {
    var header = ncpng_header()
    let reader = try reportingPNGError(name) { ncpng_open(bytes.baseAddress, bytes.count, &header, $0) }
    defer { ncpng_close(reader) }

    let found = header.alpha ? "an alpha channel" : header.transparency ? "transparency (a tRNS chunk)" : header.bit_depth == 16 ? "16-bit samples" : nil
    if let found {
        throw CodecError(.unsupported, "\(name) has \(found), which is unsupported: 8-bit gray and RGB pictures can be encoded")
    }
    let width = Int(header.width), height = Int(header.height)
    try check(width: width, height: height, name: name, limits: limits)
    if header.colour_profile { onColourProfile() }
    let picture = try Picture(width: width, height: height, channels: Int(header.channels))
    _ = try reportingPNGError(name) { ncpng_read(reader, picture.buffer.bytes.baseAddress, $0) ? true : nil }
    return picture
}

/// The picture as the bytes of a PNG file.
func withPNG(of picture: Picture, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    var data: UnsafeMutablePointer<UInt8>?
    var size = 0
    try picture.withView { view in
        _ = try reportingPNGError("PNG") {
            ncpng_write(view.pixels, UInt32(view.width), UInt32(view.height), Int32(view.channels), &data, &size, $0) ? true : nil
        }
    }
    defer { free(data) }
    try body(UnsafeRawBufferPointer(start: data, count: size))
}

/// Runs a call of CPNG that answers nil on failure, and throws its message.
private func reportingPNGError<Result>(_ name: String, _ call: (UnsafeMutablePointer<CChar>) -> Result?) throws -> Result {
    try withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NCPNG_MESSAGE_SIZE)) { message in
        message.initialize(repeating: 0)
        guard let result = call(message.baseAddress!) else {
            throw CodecError(.badStream, "\(name): PNG: \(String(cString: message.baseAddress!))")
        }
        return result
    }
}
