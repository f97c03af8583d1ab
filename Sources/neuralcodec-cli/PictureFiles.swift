// SPDX-License-Identifier: Apache-2.0
import NeuralCodec

/// What a file is, by its first bytes.
enum FileKind {
    case png, netpbm, nic, other(String?)

    init(_ bytes: UnsafeRawBufferPointer) {
        func begins(_ signature: [UInt8], at offset: Int = 0) -> Bool {
            bytes.count >= offset + signature.count && bytes[offset..<offset + signature.count].elementsEqual(signature)
        }
        let letters: (String) -> [UInt8] = { Array($0.utf8) }
        if begins([0x89] + letters("PNG\r\n\u{1A}\n")) {
            self = .png
        } else if bytes.count >= 4, begins(letters("NIC"), at: 1), bytes[0] >= 0x80 {
            self = .nic
        } else if bytes.count >= 3, bytes[0] == UInt8(ascii: "P"), (UInt8(ascii: "1")...UInt8(ascii: "7")).contains(bytes[1]),
            isNetpbmSpace(bytes[2]) || bytes[2] == UInt8(ascii: "#")
        {
            self = .netpbm
        } else if begins([0xFF, 0xD8, 0xFF]) {
            self = .other("a JPEG file")
        } else if begins(letters("GIF8")) {
            self = .other("a GIF file")
        } else if begins(letters("RIFF")), begins(letters("WEBP"), at: 8) {
            self = .other("a WebP file")
        } else if begins(letters("ftypavi"), at: 4) {
            self = .other("an AVIF file")
        } else if begins(letters("II*\0")) || begins(letters("MM\0*")) {
            self = .other("a TIFF file")
        } else if begins(letters("BM")) {
            self = .other("a BMP file")
        } else {
            self = .other(bytes.isEmpty ? "empty" : nil)
        }
    }
}

/// The formats that pictures are written in.
enum PictureFormat: String, CaseIterable {
    case png, ppm, pam

    /// By the ending of a file name.
    init?(path: String) {
        guard let dot = path.lastIndex(of: "."), !path[dot...].contains("/") else { return nil }
        switch path[dot...].dropFirst().lowercased() {
        case "png": self = .png
        case "ppm", "pgm", "pnm": self = .ppm
        case "pam": self = .pam
        default: return nil
        }
    }
}

/// Reads a PNG, PPM, PGM or PAM picture; `name` is for messages. `onLoss` hears of what is in the file and cannot be kept ("gamma").
func readPicture(_ bytes: UnsafeRawBufferPointer, name: String, limits: Limits, onLoss: (String) -> Void = { _ in }) throws -> LoadedPicture {
    switch FileKind(bytes) {
    case .png: return try readPNG(bytes, name: name, limits: limits, onLoss: onLoss)
    case .netpbm: return LoadedPicture(try readNetpbm(bytes, name: name, limits: limits))
    case .nic: throw Failure("\(name) is a .nic file already; PNG, PPM, PGM and PAM pictures can be encoded")
    case .other(let kind): throw Failure("\(name) is \(kind ?? "not a picture of a known kind"); PNG, PPM, PGM and PAM pictures can be read")
    }
}

/// Writes a picture to a file, or to standard output for "-". Only PNG holds metadata, if wanted as raw profiles.
func writePicture(_ picture: Picture, _ metadata: Metadata, to path: String, format: PictureFormat, rawProfiles: Bool) throws {
    switch format {
    case .png: try withPNG(of: picture, metadata, rawProfiles: rawProfiles) { try writeFile(path, $0) }
    case .ppm where picture.format.hasAlpha:
        throw Failure("the picture has an alpha channel, which PPM and PGM files cannot hold: write a .png or .pam file, or leave it out with --alpha none")
    case .ppm, .pam: try netpbm(of: picture, asPAM: format == .pam).withBytes { try writeFile(path, $0) }
    }
}

/// Refuses a picture before memory for it is allocated.
func check(width: Int, height: Int, name: String, limits: Limits) throws {
    let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
    if limits.maxPixels != 0, overflow || pixels > limits.maxPixels {
        throw CodecError(
            .limitExceeded, "\(name) has \(width) x \(height)\(overflow ? "" : " = \(pixels)") pixels, more than --max-pixels \(limits.maxPixels)")
    }
}
