// SPDX-License-Identifier: Apache-2.0

/// What a file holds beside its pixels, byte for byte and not interpreted: views of memory that somebody else owns. Nil: not there.
public struct Metadata {
    /// Bytes that each may have at most.
    public static let limit = 1 << 24

    /// ICC colour profile.
    public var icc: UnsafeRawBufferPointer?
    /// Exif from its TIFF header ("II*\0" or "MM\0*") on.
    public var exif: UnsafeRawBufferPointer?
    /// XMP packet: XML in UTF-8.
    public var xmp: UnsafeRawBufferPointer?

    public init(icc: UnsafeRawBufferPointer? = nil, exif: UnsafeRawBufferPointer? = nil, xmp: UnsafeRawBufferPointer? = nil) {
        self.icc = icc
        self.exif = exif
        self.xmp = xmp
    }

    /// How Exif says the pixels are turned, 1...8; 1, upright, where it does not.
    public var orientation: Int { exif.flatMap(exifOrientation) ?? 1 }

    /// The kinds, in the order in which an encoder writes them.
    enum Kind: CaseIterable {
        case icc, exif, xmp

        var chunkType: UInt32 {
            switch self {
            case .icc: Container.fourCharacters("iccp")
            case .exif: Container.fourCharacters("exif")
            case .xmp: Container.fourCharacters("xmpp")
            }
        }

        init?(chunkType: UInt32) {
            guard let kind = Self.allCases.first(where: { $0.chunkType == chunkType }) else { return nil }
            self = kind
        }

        var name: String {
            switch self {
            case .icc: "ICC profile"
            case .exif: "Exif"
            case .xmp: "XMP"
            }
        }
    }

    subscript(kind: Kind) -> UnsafeRawBufferPointer? {
        get {
            switch kind {
            case .icc: icc
            case .exif: exif
            case .xmp: xmp
            }
        }
        set {
            switch kind {
            case .icc: icc = newValue
            case .exif: exif = newValue
            case .xmp: xmp = newValue
            }
        }
    }

    /// What an encoder writes: empty is as good as nil.
    var chunks: [(type: UInt32, bytes: UnsafeRawBufferPointer)] {
        Kind.allCases.compactMap { kind in self[kind].flatMap { $0.isEmpty ? nil : (kind.chunkType, $0) } }
    }

    /// Refuses what a file cannot hold.
    func check() throws {
        for kind in Kind.allCases {
            guard let bytes = self[kind], bytes.count > Self.limit else { continue }
            throw CodecError(.limitExceeded, "the \(kind.name) has \(bytes.count) bytes, and a file holds \(Self.limit)")
        }
        if let exif, !exif.isEmpty, ByteOrder(tiff: exif) == nil {
            throw CodecError(.invalidArgument, "the Exif does not begin with a TIFF header (II*\\0 or MM\\0*)")
        }
    }
}

/// Reads the metadata of a .nic file and verifies all its checksums, without decoding. It leads into `data`.
public func readMetadata(_ data: UnsafeRawBufferPointer) throws -> Metadata { try ParsedFile(data).metadata }

/// Tag 0x0112 of the first directory; nil where that is damaged or has none that is in 1...8.
private func exifOrientation(_ exif: UnsafeRawBufferPointer) -> Int? {
    guard let order = ByteOrder(tiff: exif), exif.count >= 8 else { return nil }
    let directory = order.uint32(exif, at: 4)
    guard directory + 2 <= exif.count else { return nil }
    for index in 0 ..< order.uint16(exif, at: directory) {
        let entry = directory + 2 + 12 * index
        guard entry + 12 <= exif.count else { return nil }
        guard order.uint16(exif, at: entry) == 0x0112 else { continue }
        // One value of type SHORT.
        guard order.uint16(exif, at: entry + 2) == 3, order.uint32(exif, at: entry + 4) == 1 else { return nil }
        let orientation = order.uint16(exif, at: entry + 8)
        return (1...8).contains(orientation) ? orientation : nil
    }
    return nil
}

/// Of the numbers in a TIFF structure.
private enum ByteOrder {
    case little, big

    init?(tiff bytes: UnsafeRawBufferPointer) {
        switch Array(bytes.prefix(4)) {
        case [0x49, 0x49, 0x2A, 0x00]: self = .little
        case [0x4D, 0x4D, 0x00, 0x2A]: self = .big
        default: return nil
        }
    }

    func uint16(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
        let (first, second) = (Int(bytes[offset]), Int(bytes[offset + 1]))
        return self == .little ? first | second << 8 : first << 8 | second
    }

    func uint32(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
        let (first, second) = (uint16(bytes, at: offset), uint16(bytes, at: offset + 2))
        return self == .little ? first | second << 16 : first << 16 | second
    }
}
