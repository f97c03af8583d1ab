// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

/// A picture with what its file holds beside the pixels.
final class LoadedPicture {
    let picture: Picture
    private let icc, exif, xmp: ByteBuffer?

    init(_ picture: Picture, icc: ByteBuffer? = nil, exif: ByteBuffer? = nil, xmp: ByteBuffer? = nil) {
        self.picture = picture
        (self.icc, self.exif, self.xmp) = (icc, exif, xmp)
    }

    /// Views of the metadata, kept alive meanwhile.
    func withMetadata<Result>(_ body: (Metadata) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) {
            let view = { (buffer: ByteBuffer?) in buffer.map { UnsafeRawBufferPointer($0.bytes) } }
            return try body(Metadata(icc: view(icc), exif: view(exif), xmp: view(xmp)))
        }
    }
}

/// What --strip removes: a list of icc, exif and xmp, or all.
struct Strip: ExpressibleByArgument {
    private var icc = false, exif = false, xmp = false

    init?(argument: String) {
        for word in argument.split(separator: ",", omittingEmptySubsequences: false) {
            switch word {
            case "icc": icc = true
            case "exif": exif = true
            case "xmp": xmp = true
            case "all": (icc, exif, xmp) = (true, true, true)
            default: return nil
            }
        }
    }

    func callAsFunction(_ metadata: Metadata) -> Metadata {
        Metadata(icc: icc ? nil : metadata.icc, exif: exif ? nil : metadata.exif, xmp: xmp ? nil : metadata.xmp)
    }
}

/// What of a picture is kept, in either direction.
struct KeepOptions: ParsableArguments {
    @Option(help: ArgumentHelp("What becomes of an alpha channel: lossless keeps it exactly, none leaves it out.", valueName: "lossless|none"))
    var alpha = AlphaHandling.lossless

    @Option(help: ArgumentHelp("Metadata to leave out: icc, exif and xmp, separated by commas, or all.", valueName: "list"))
    var strip: Strip?

    func kept(_ metadata: Metadata) -> Metadata { strip.map { $0(metadata) } ?? metadata }
}

extension AlphaHandling: ExpressibleByArgument {
    public init?(argument: String) {
        switch argument {
        case "lossless": self = .lossless
        case "none": self = .none
        default: return nil
        }
    }

    public var defaultValueDescription: String { self == .lossless ? "lossless" : "none" }
}

/// For instance "RGB with alpha, 16 bits".
func describeFormat(_ format: PixelFormat) -> String {
    "\(format.colours == 1 ? "gray" : "RGB")\(format.hasAlpha ? " with alpha" : ""), \(format.bitDepth) bits"
}
