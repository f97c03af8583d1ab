// SPDX-License-Identifier: Apache-2.0
import NeuralCodec

/// Reads a binary PPM (P6), PGM (P5) or PAM (P7) picture of samples up to 255 or 65535. Of several pictures in one file the first is read.
func readNetpbm(_ bytes: UnsafeRawBufferPointer, name: String, limits: Limits) throws -> Picture {
    var header = NetpbmHeader(bytes: bytes, position: 2)
    let fields: NetpbmFields?
    switch bytes[1] {
    case UInt8(ascii: "5"): fields = header.plainFields(channels: 1)
    case UInt8(ascii: "6"): fields = header.plainFields(channels: 3)
    case UInt8(ascii: "7"): fields = header.namedFields()
    default:
        throw CodecError(
            .unsupported, "\(name) is a P\(bytes[1] - UInt8(ascii: "0")) netpbm file, which is unsupported: binary PPM (P6), PGM (P5) and PAM (P7) can be read")
    }
    guard let fields, fields.width > 0, fields.height > 0, (1...4).contains(fields.channels) else {
        throw CodecError(.badStream, "\(name): the PPM, PGM or PAM header is damaged")
    }
    guard let format = fields.format else {
        throw CodecError(.unsupported, "\(name) has the maximum value \(fields.maximum), which is unsupported: samples with the maximum 255 or 65535 can be read")
    }
    let (width, height) = (fields.width, fields.height)
    try check(width: width, height: height, name: name, limits: limits)
    let available = bytes.count - header.position
    let (row, rowOverflow) = width.multipliedReportingOverflow(by: format.pixelBytes)
    let (needed, overflow) = row.multipliedReportingOverflow(by: height)
    guard !rowOverflow, !overflow, needed <= available else {
        throw CodecError(.badStream, "\(name) is truncated: \(width) x \(height) pixels do not fit in \(bytes.count) bytes")
    }
    let picture = try Picture(width: width, height: height, channels: format.channels, bitDepth: format.bitDepth)
    picture.buffer.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[header.position..<header.position + needed]))
    if format.bitDepth == 16 { swapBytes(picture.buffer.bytes) }
    return picture
}

/// The picture as the bytes of a PPM file, of a PGM file if it is gray, or of a PAM file.
func netpbm(of picture: Picture, asPAM: Bool) throws -> ByteBuffer {
    let maximum = picture.format.peak
    let kinds = ["GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA"]
    let header = Array(
        (asPAM
            ? "P7\nWIDTH \(picture.width)\nHEIGHT \(picture.height)\nDEPTH \(picture.channels)\nMAXVAL \(maximum)\nTUPLTYPE \(kinds[picture.channels - 1])\nENDHDR\n"
            : "P\(picture.channels == 1 ? 5 : 6)\n\(picture.width) \(picture.height)\n\(maximum)\n").utf8)
    let file = try ByteBuffer(count: header.count + picture.buffer.count)
    file.bytes.copyBytes(from: header)
    let samples = UnsafeMutableRawBufferPointer(rebasing: file.bytes[header.count...])
    picture.buffer.withBytes { samples.copyMemory(from: $0) }
    if picture.bitDepth == 16 { swapBytes(samples) }
    return file
}

/// Between the machine's order of 16-bit samples, little-endian, and that of the files.
private func swapBytes(_ samples: UnsafeMutableRawBufferPointer) {
    for i in stride(from: 0, to: samples.count - 1, by: 2) { samples.swapAt(i, i + 1) }
}

func isNetpbmSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0D).contains(byte)
}

private struct NetpbmFields {
    var width = 0, height = 0, channels = 0, maximum = 0

    /// Nil: of a kind that is not read.
    var format: PixelFormat? {
        switch maximum {
        case 255: PixelFormat(channels: channels, bitDepth: 8)
        case 65535: PixelFormat(channels: channels, bitDepth: 16)
        default: nil
        }
    }
}

private struct NetpbmHeader {
    let bytes: UnsafeRawBufferPointer
    var position: Int

    /// Width, height and maximum value, one after the other.
    mutating func plainFields(channels: Int) -> NetpbmFields? {
        guard let width = number(), let height = number(), let maximum = number(), endsInSpace() else { return nil }
        return NetpbmFields(width: width, height: height, channels: channels, maximum: maximum)
    }

    /// Lines of a name and a value, up to ENDHDR. The tuple type says no more than the depth, for the kinds of pictures that are read.
    mutating func namedFields() -> NetpbmFields? {
        var fields = NetpbmFields()
        guard endsInSpace() else { return nil }
        while let line = line() {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let name = words.first, !name.hasPrefix("#") else { continue }
            if name == "ENDHDR" { return fields }
            if name == "TUPLTYPE" { continue }
            guard words.count == 2, let value = Int(words[1]), (0...Int(Int32.max)).contains(value) else { return nil }
            switch name {
            case "WIDTH": fields.width = value
            case "HEIGHT": fields.height = value
            case "DEPTH": fields.channels = value
            case "MAXVAL": fields.maximum = value
            default: return nil
            }
        }
        return nil
    }

    /// Up to a line end, which is passed; nil where there is none within reason.
    private mutating func line() -> String? {
        let rest = bytes[position..<min(position + 256, bytes.count)]
        guard let end = rest.firstIndex(of: 0x0A) else { return nil }
        defer { position = end + 1 }
        return String(decoding: bytes[position..<end], as: UTF8.self)
    }

    /// A decimal number after white space and comments.
    private mutating func number() -> Int? {
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
    private mutating func endsInSpace() -> Bool {
        guard position < bytes.count, isNetpbmSpace(bytes[position]) else { return false }
        position += 1
        return true
    }
}
