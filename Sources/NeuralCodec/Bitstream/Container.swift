// SPDX-License-Identifier: Apache-2.0
import CPlatform

/// The .nic container (docs/format.md, "Container"): signature, versions, then length-prefixed chunks with checksums. All numbers little-endian.
///
///     8E 4E 49 43 0D 0A 1A 0A | format version (1) | arithmetic version (1) | chunk | chunk ...
///     chunk: payload length (4) | type (4) | payload | CRC-32C over length, type and payload (4)
enum Container {
    static let signature: [UInt8] = [0x8e, 0x4e, 0x49, 0x43, 0x0d, 0x0a, 0x1a, 0x0a]
    static let formatVersion: UInt8 = 1
    static let arithmeticVersion: UInt8 = 1
    static let prefixSize = signature.count + 2
    /// Length, type and checksum of a chunk.
    static let chunkOverhead = 12
    static let headerSize = 37
    /// Bytes of a file beside its payload.
    static let overhead = prefixSize + 2 * chunkOverhead + headerSize

    static let headType = fourCharacters("HEAD")
    static let alphaType = fourCharacters("ALPH")
    static let tileType = fourCharacters("TILE")

    static func fourCharacters(_ text: StaticString) -> UInt32 {
        text.withUTF8Buffer { $0.reversed().reduce(0) { $0 << 8 | UInt32($1) } }
    }
}

/// What the HEAD chunk holds.
///
///     width (4) | height (4) | channels (1: 1 to 4) | bit depth (1: 8 or 16) | coding (1) | rate parameter (2) | tile columns (2) | tile rows (2)
///     | model id (8, zero-padded) | first bytes of the model hash (8) | CRC-32C of the symbols (4)
struct Header {
    enum Coding: UInt8 {
        case neural = 0
        /// The payload is the colours themselves.
        case stored = 1
    }

    var width: Int
    var height: Int
    var format: PixelFormat
    var coding: Coding
    var rateParameter: Int
    var modelID: [UInt8]
    var modelHash: [UInt8]
    /// Over the symbols as 32-bit integers in coding order; of stored files over the payload.
    var symbolChecksum: UInt32
}

/// What a file has between its header and its colours: metadata, and a coded alpha channel.
struct SideChunks {
    let metadata: Metadata
    let alpha: ByteBuffer?

    /// Bytes in the file.
    var size: Int {
        metadata.chunks.reduce(0) { $0 + Container.chunkOverhead + $1.bytes.count } + (alpha.map { Container.chunkOverhead + $0.count } ?? 0)
    }

    fileprivate func write(_ writer: inout ByteWriter) {
        for (type, bytes) in metadata.chunks { writer.putChunk(type, bytes) }
        alpha?.withBytes { writer.putChunk(Container.alphaType, $0) }
    }
}

/// A whole file around a payload.
func writeContainer(_ header: Header, _ side: SideChunks, payloadSize: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) throws -> ByteBuffer {
    guard max(payloadSize, side.alpha?.count ?? 0) <= Int(UInt32.max) else {
        throw CodecError(.unsupported, "the coded picture takes \(max(payloadSize, side.alpha?.count ?? 0)) bytes; a chunk holds at most \(UInt32.max)")
    }
    let file = try ByteBuffer(count: Container.overhead + side.size + payloadSize)
    var writer = ByteWriter(file.bytes)
    for byte in Container.signature { writer.put(byte) }
    writer.put(Container.formatVersion)
    writer.put(Container.arithmeticVersion)
    let head = writer.beginChunk(Container.headType, Container.headerSize)
    writer.put(UInt32(header.width))
    writer.put(UInt32(header.height))
    writer.put(UInt8(header.format.channels))
    writer.put(UInt8(header.format.bitDepth))
    writer.put(header.coding.rawValue)
    writer.put(UInt16(header.rateParameter))
    writer.put(UInt16(1))
    writer.put(UInt16(1))
    for index in 0 ..< 8 { writer.put(index < header.modelID.count ? header.modelID[index] : 0) }
    for index in 0 ..< 8 { writer.put(index < header.modelHash.count ? header.modelHash[index] : 0) }
    writer.put(header.symbolChecksum)
    writer.endChunk(head)
    side.write(&writer)
    let tile = writer.beginChunk(Container.tileType, payloadSize)
    fill(writer.skip(payloadSize))
    writer.endChunk(tile)
    return file
}

/// Header and payloads of a file; everything is checked but the payloads' meaning.
struct ParsedFile {
    let header: Header
    let payload: UnsafeRawBufferPointer
    /// Of the alpha channel, if the header says that there is one.
    let alpha: UnsafeRawBufferPointer?
    let metadata: Metadata
    let formatVersion: Int
    let arithmeticVersion: Int

    init(_ data: UnsafeRawBufferPointer) throws {
        guard data.count >= Container.prefixSize, data.prefix(Container.signature.count).elementsEqual(Container.signature) else {
            throw Self.notAFile(data)
        }
        formatVersion = Int(data[Container.signature.count])
        arithmeticVersion = Int(data[Container.signature.count + 1])
        guard formatVersion == Container.formatVersion else {
            throw CodecError(.unsupported, "the file has format version \(formatVersion), and this library reads version \(Container.formatVersion)")
        }
        guard arithmeticVersion == Container.arithmeticVersion else {
            throw CodecError(
                .unsupported, "the file needs arithmetic version \(arithmeticVersion), and this library has version \(Container.arithmeticVersion)")
        }
        var chunks = ChunkReader(data, from: Container.prefixSize)
        guard let first = try chunks.next() else { throw CodecError(.badStream, "the file is truncated after \(data.count) bytes") }
        guard first.type == Container.headType else { throw CodecError(.badStream, "the file does not begin with a header chunk") }
        header = try Self.header(first.payload)
        var (tile, alpha): (UnsafeRawBufferPointer?, UnsafeRawBufferPointer?)
        var metadata = Metadata()
        while let chunk = try chunks.next() {
            if chunk.type == Container.tileType, tile == nil {
                tile = chunk.payload
            } else if chunk.type == Container.alphaType, header.format.hasAlpha, alpha == nil, tile == nil {
                alpha = chunk.payload
            } else if let kind = Metadata.Kind(chunkType: chunk.type) {
                try Self.take(chunk, kind, into: &metadata)
            } else if chunk.isCritical {
                throw CodecError(.unsupported, "the file has a chunk of type '\(chunk.name)' that this library does not know or expect")
            }
        }
        guard let tile else { throw CodecError(.badStream, "the file is truncated: its picture data is missing") }
        guard !header.format.hasAlpha || alpha != nil else { throw CodecError(.badStream, "the file is damaged: its alpha channel is missing") }
        payload = tile
        self.alpha = alpha
        self.metadata = metadata
    }

    private static func take(_ chunk: Chunk, _ kind: Metadata.Kind, into metadata: inout Metadata) throws {
        guard metadata[kind] == nil else { throw CodecError(.badStream, "the file has its \(kind.name) twice") }
        guard (1...Metadata.limit).contains(chunk.payload.count) else {
            throw CodecError(.badStream, "the file's \(kind.name) has \(chunk.payload.count) bytes; 1 to \(Metadata.limit) are possible")
        }
        metadata[kind] = chunk.payload
    }

    private static func notAFile(_ data: UnsafeRawBufferPointer) -> CodecError {
        let matching = zip(data, Container.signature).prefix { $0 == $1 }.count
        if data.count < Container.prefixSize, matching == min(data.count, Container.signature.count), matching > 0 {
            return CodecError(.badStream, "the file is truncated after \(data.count) bytes")
        }
        if matching >= 4 { return CodecError(.badStream, "the file was damaged by a text-mode transfer: its line ends were changed") }
        return CodecError(.badStream, "not a .nic file: the signature is missing")
    }

    private static func header(_ bytes: UnsafeRawBufferPointer) throws -> Header {
        guard bytes.count == Container.headerSize else { throw CodecError(.badStream, "the header has \(bytes.count) bytes instead of \(Container.headerSize)") }
        var reader = ByteReader(bytes)
        let (width, height) = (Int(reader.take(UInt32.self)), Int(reader.take(UInt32.self)))
        let (channels, depth, coding) = (Int(reader.take(UInt8.self)), Int(reader.take(UInt8.self)), reader.take(UInt8.self))
        let rate = Int(reader.take(UInt16.self))
        let (tileColumns, tileRows) = (Int(reader.take(UInt16.self)), Int(reader.take(UInt16.self)))
        let id = Array(reader.take(bytes: 8).prefix { $0 != 0 })
        let hash = Array(reader.take(bytes: 8))
        guard width > 0, height > 0 else { throw CodecError(.badStream, "the header gives a size of \(width) x \(height)") }
        let format = PixelFormat(channels: channels, bitDepth: depth)
        guard PixelFormat.all.contains(format) else {
            throw CodecError(.unsupported, "the file has \(channels) channels of \(depth) bits; this library decodes 1 to 4 of 8 or 16")
        }
        guard let coding = Header.Coding(rawValue: coding) else { throw CodecError(.unsupported, "the file uses coding \(coding), which this library does not know") }
        guard tileColumns == 1, tileRows == 1 else {
            throw CodecError(.unsupported, "the file has \(tileColumns) x \(tileRows) tiles; this library decodes one")
        }
        guard isModelID(id) else { throw CodecError(.badStream, "the header's model id is not one") }
        return Header(
            width: width, height: height, format: format, coding: coding, rateParameter: rate, modelID: id, modelHash: hash,
            symbolChecksum: reader.take(UInt32.self))
    }
}

/// A chunk whose checksum holds.
struct Chunk {
    let type: UInt32
    let payload: UnsafeRawBufferPointer

    /// The first letter is a capital: a decoder that does not know it must give up.
    var isCritical: Bool { type & 0x20 == 0 }

    var name: String {
        String((0 ..< 4).map { index in
            let byte = UInt8(truncatingIfNeeded: type >> UInt32(8 * index))
            return byte > 0x20 && byte < 0x7f ? Character(Unicode.Scalar(byte)) : "?"
        })
    }
}

private struct ChunkReader {
    private let data: UnsafeRawBufferPointer
    private var position: Int

    init(_ data: UnsafeRawBufferPointer, from position: Int) {
        self.data = data
        self.position = position
    }

    /// The next chunk, or nil at the end of the file.
    mutating func next() throws -> Chunk? {
        let left = data.count - position
        guard left > 0 else { return nil }
        guard left >= Container.chunkOverhead else { throw Self.truncated(data.count) }
        let length = Int(UInt32(littleEndian: data.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
        guard length <= left - Container.chunkOverhead else { throw Self.truncated(data.count) }
        let covered = UnsafeRawBufferPointer(rebasing: data[position ..< position + 8 + length])
        let stored = UInt32(littleEndian: data.loadUnaligned(fromByteOffset: position + 8 + length, as: UInt32.self))
        let chunk = Chunk(
            type: UInt32(littleEndian: covered.loadUnaligned(fromByteOffset: 4, as: UInt32.self)), payload: UnsafeRawBufferPointer(rebasing: covered[8...]))
        try verify(stored, covered, chunk)
        position += Container.chunkOverhead + length
        return chunk
    }

    private func verify(_ stored: UInt32, _ covered: UnsafeRawBufferPointer, _ chunk: Chunk) throws {
        #if !NEURALCODEC_FUZZING  // a fuzzer cannot guess checksums, and what lies behind them is what it should reach
            guard ncp_crc32c(0, covered.baseAddress, covered.count) == stored else {
                throw CodecError(.badStream, "the file is damaged: the checksum of its '\(chunk.name)' chunk does not match")
            }
        #endif
    }

    private static func truncated(_ size: Int) -> CodecError {
        CodecError(.badStream, "the file is truncated or damaged: a chunk reaches beyond its \(size) bytes")
    }
}
