// SPDX-License-Identifier: Apache-2.0
import NeuralCodec

/// Reads a binary PPM (P6) or PGM (P5) picture of 8-bit samples. Of several pictures in one file the first is read.
func readNetpbm(_ bytes: UnsafeRawBufferPointer, name: String, limits: Limits) throws -> Picture {
    let channels: Int
    switch bytes[1] {
    case UInt8(ascii: "5"): channels = 1
    case UInt8(ascii: "6"): channels = 3
    default: throw CodecError(.unsupported, "\(name) is a P\(bytes[1] - UInt8(ascii: "0")) netpbm file, which is unsupported: binary PPM (P6) and PGM (P5) can be read")
    }
    var header = NetpbmHeader(bytes: bytes, position: 2)
    guard let width = header.number(), let height = header.number(), let maximum = header.number(), header.endsInSpace(), width > 0, height > 0 else {
        throw CodecError(.badStream, "\(name): the PPM or PGM header is damaged")
    }
    guard maximum == 255 else {
        let depth = maximum > 255 ? " (16-bit samples)" : ""
        throw CodecError(.unsupported, "\(name) has the maximum value \(maximum)\(depth), which is unsupported: 8-bit samples with the maximum 255 can be read")
    }
    try check(width: width, height: height, name: name, limits: limits)
    let available = bytes.count - header.position
    let (row, rowOverflow) = width.multipliedReportingOverflow(by: channels)
    let (needed, overflow) = row.multipliedReportingOverflow(by: height)
    guard !rowOverflow, !overflow, needed <= available else {
        throw CodecError(.badStream, "\(name) is truncated: \(width) x \(height) pixels do not fit in \(bytes.count) bytes")
    }
    let picture = try Picture(width: width, height: height, channels: channels)
    picture.buffer.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[header.position..<header.position + needed]))
    return picture
}

/// The picture as the bytes of a PPM file, or of a PGM file if it is gray.
func netpbm(of picture: Picture) throws -> ByteBuffer {
    let header = Array("P\(picture.channels == 1 ? 5 : 6)\n\(picture.width) \(picture.height)\n255\n".utf8)
    let file = try ByteBuffer(count: header.count + picture.buffer.count)
    file.bytes.copyBytes(from: header)
    picture.buffer.withBytes { UnsafeMutableRawBufferPointer(rebasing: file.bytes[header.count...]).copyMemory(from: $0) }
    return file
}

func isNetpbmSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0D).contains(byte)
}

private struct NetpbmHeader {
    let bytes: UnsafeRawBufferPointer
    var position: Int

    /// A decimal number after white space and comments.
    mutating func number() -> Int? {
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "#") {
                while position < bytes.count, bytes[position] != 0x0A { position += 1 }
            } else if isNetpbmSpace(bytes[position]) {
                position += 1
            } else {
                break
            }
        }
        var value = 0
        let start = position
        while position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) {
            value = value * 10 + Int(bytes[position] - UInt8(ascii: "0"))
            guard value <= Int32.max else { return nil }
            position += 1
        }
        return position > start ? value : nil
    }

    /// The single white-space byte between header and pixels.
    mutating func endsInSpace() -> Bool {
        guard position < bytes.count, isNetpbmSpace(bytes[position]) else { return false }
        position += 1
        return true
    }
}
