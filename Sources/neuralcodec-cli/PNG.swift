// SPDX-License-Identifier: Apache-2.0
import CPNG
import Glibc
import NeuralCodec

/// Expands palettes and low depths, and transparency to alpha; gray stays gray and 16 bits stay 16. `onLoss` hears of what is in the file and cannot be kept.
func readPNG(_ bytes: UnsafeRawBufferPointer, name: String, limits: Limits, onLoss: (String) -> Void) throws -> LoadedPicture {
    var header = ncpng_header()
    let reader = try reportingPNGError(name) { ncpng_open(bytes.baseAddress, bytes.count, &header, $0) }
    defer { ncpng_close(reader) }
    let width = Int(header.width), height = Int(header.height)
    try check(width: width, height: height, name: name, limits: limits)
    let picture = try Picture(width: width, height: height, channels: Int(header.channels), bitDepth: Int(header.bit_depth))
    _ = try reportingPNGError(name) { ncpng_read(reader, picture.buffer.bytes.baseAddress, $0) ? true : nil }
    if let lost = ncpng_lost(reader) { onLoss(String(cString: lost)) }
    let found = ncpng_get_metadata(reader)
    return LoadedPicture(
        picture, icc: try copy(found.icc, found.icc_size), exif: try copy(found.exif, found.exif_size), xmp: try copy(found.xmp, found.xmp_size))
}

private func copy(_ bytes: UnsafeMutablePointer<UInt8>?, _ count: Int) throws -> ByteBuffer? {
    guard let bytes else { return nil }
    let buffer = try ByteBuffer(count: count)
    buffer.bytes.copyMemory(from: UnsafeRawBufferPointer(start: bytes, count: count))
    return buffer
}

/// The picture as the bytes of a PNG file, its metadata in the usual chunks or as raw profiles, for ImageMagick.
func withPNG(of picture: Picture, _ metadata: Metadata, rawProfiles: Bool, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    var data: UnsafeMutablePointer<UInt8>?
    var size = 0
    var header = ncpng_header(
        width: UInt32(picture.width), height: UInt32(picture.height), channels: Int32(picture.channels), bit_depth: Int32(picture.bitDepth))
    var beside = ncpng_metadata(
        icc: pointer(metadata.icc), exif: pointer(metadata.exif), xmp: pointer(metadata.xmp), icc_size: metadata.icc?.count ?? 0,
        exif_size: metadata.exif?.count ?? 0, xmp_size: metadata.xmp?.count ?? 0)
    try picture.withView { view in
        _ = try reportingPNGError("PNG") { ncpng_write(view.pixels, &header, &beside, rawProfiles, &data, &size, $0) ? true : nil }
    }
    defer { free(data) }
    try body(UnsafeRawBufferPointer(start: data, count: size))
}

/// For CPNG, which only reads there.
private func pointer(_ bytes: UnsafeRawBufferPointer?) -> UnsafeMutablePointer<UInt8>? {
    UnsafeMutableRawPointer(mutating: bytes?.baseAddress)?.assumingMemoryBound(to: UInt8.self)
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
