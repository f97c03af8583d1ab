// SPDX-License-Identifier: Apache-2.0
import CPlanes

/// The alpha channel in a file (docs/format.md, "Alpha"): a byte that says how it is coded, then the coded samples.
enum AlphaPlane {
    enum Coding: UInt8 {
        /// As they are.
        case samples = 0
        /// Scanlines of PNG in a zlib stream.
        case scanlines = 1
        /// All are equal; there is one.
        case constant = 2
    }

    /// Bytes of working memory that an encoder, and a decoder, need at most.
    static func encoderMemory(_ picture: PictureView) -> Int { 2 * (1 + size(picture.width, picture.height, picture.format)) + rows(picture.width, picture.format) + 1 << 19 }
    static func decoderMemory(width: Int, _ format: PixelFormat) -> Int { rows(width, format) + 1 << 17 }

    private static func rows(_ width: Int, _ format: PixelFormat) -> Int { 4 * (width * format.sampleBytes + 1) }
    private static func size(_ width: Int, _ height: Int, _ format: PixelFormat) -> Int { width * height * format.sampleBytes }

    /// The coded channel, by whatever takes the least.
    static func encode(_ picture: PictureView) throws -> ByteBuffer {
        let format = picture.format
        var source = ncl_source(
            first: (picture.pixels + format.colourBytes).assumingMemoryBound(to: UInt8.self), step: format.pixelBytes, stride: picture.stride, width: picture.width,
            height: picture.height, sample_bytes: format.sampleBytes)
        if ncl_is_constant(&source) {
            source.width = 1
            source.height = 1
            return try samples(source, .constant)
        }
        let size = size(picture.width, picture.height, format)
        let filtered = try scanlines(source, filtered: true, atMost: size - 1)
        // Shorter than that, or nothing.
        let plain = try scanlines(source, filtered: false, atMost: filtered.map { $0.count - 2 } ?? size - 1)
        return try plain ?? filtered ?? samples(source, .samples)
    }

    private static func samples(_ source: ncl_source, _ coding: Coding) throws -> ByteBuffer {
        let coded = try ByteBuffer(count: 1 + source.width * source.height * source.sample_bytes)
        coded.bytes[0] = coding.rawValue
        withUnsafePointer(to: source) { ncl_write_samples($0, coded.bytes.baseAddress!.assumingMemoryBound(to: UInt8.self) + 1) }
        return coded
    }

    /// Nil: the stream would be longer.
    private static func scanlines(_ source: ncl_source, filtered: Bool, atMost capacity: Int) throws -> ByteBuffer? {
        guard capacity > 0 else { return nil }
        let coded = try ByteBuffer(count: 1 + capacity)
        coded.bytes[0] = Coding.scanlines.rawValue
        var size = 0
        let status = withUnsafePointer(to: source) {
            ncl_deflate($0, filtered, coded.bytes.baseAddress!.assumingMemoryBound(to: UInt8.self) + 1, capacity, &size)
        }
        guard status != NCL_OUT_OF_MEMORY else { throw outOfMemory }
        guard status == NCL_OK else { return nil }
        coded.truncate(to: 1 + size)
        return coded
    }

    /// Writes the channel of a picture of `width` x `height` whose file has samples of `sampleBytes` bytes; nothing else of the target changes.
    static func decode(_ payload: UnsafeRawBufferPointer, width: Int, height: Int, sampleBytes: Int, to target: PictureTarget) throws {
        var plane = ncl_target(
            first: target.pixels + target.format.colourBytes, step: target.format.pixelBytes, stride: target.stride, width: width, height: height,
            sample_bytes: sampleBytes, target_bytes: target.format.sampleBytes)
        guard let first = payload.first else { throw damaged("it is empty") }
        guard let coding = Coding(rawValue: first) else {
            throw CodecError(.unsupported, "the alpha channel uses coding \(first), which this library does not know")
        }
        let data = payload.baseAddress!.assumingMemoryBound(to: UInt8.self) + 1
        let size = payload.count - 1
        switch coding {
        case .constant:
            guard size == sampleBytes else { throw damaged("it has \(size) bytes instead of one sample") }
            ncl_read_constant(data, &plane)
        case .samples:
            guard size == width * height * sampleBytes else { throw damaged("it has \(size) bytes, which does not fit \(width) x \(height)") }
            ncl_read_samples(data, &plane)
        case .scanlines:
            let status = ncl_inflate(data, size, &plane)
            guard status != NCL_OUT_OF_MEMORY else { throw outOfMemory }
            guard status == NCL_OK else { throw damaged("its scanlines do not fit \(width) x \(height)") }
        }
    }

    private static func damaged(_ how: String) -> CodecError { CodecError(.badStream, "the alpha channel is damaged: \(how)") }
    private static var outOfMemory: CodecError { CodecError(.outOfMemory, "out of memory: the alpha channel could not be coded") }
}
