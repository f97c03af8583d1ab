// SPDX-License-Identifier: Apache-2.0
// Exports of "Decode". neuralcodec.h documents them.
import CNeuralCodec

@_cdecl("nc_decode_options_init")
public func exportDecodeOptionsInit(_ options: UnsafeMutablePointer<nc_decode_options>?) { options?.pointee = defaultDecodeOptions() }

@_cdecl("nc_read_info")
public func exportReadInfo(_ data: UnsafeRawPointer?, _ size: Int, _ info: UnsafeMutablePointer<nc_info>?) -> nc_status {
    boundary {
        let info = try required(info, "info")
        try checkInfo(info)
        write(nc_info(try readInfo(try inputBytes(data, size, "data"))), to: info)
    }
}

@_cdecl("nc_read_metadata")
public func exportReadMetadata(_ data: UnsafeRawPointer?, _ size: Int, _ metadata: UnsafeMutablePointer<nc_metadata>?) -> nc_status {
    boundary {
        let metadata = try required(metadata, "metadata")
        try checkSize(metadata.pointee.struct_size, nc_metadata.self, "metadata")
        let found = try readMetadata(try inputBytes(data, size, "data"))
        metadata.pointee = nc_metadata(
            struct_size: MemoryLayout<nc_metadata>.size, icc: found.icc?.baseAddress, icc_size: found.icc?.count ?? 0, exif: found.exif?.baseAddress,
            exif_size: found.exif?.count ?? 0, xmp: found.xmp?.baseAddress, xmp_size: found.xmp?.count ?? 0)
    }
}

@_cdecl("nc_decode")
public func exportDecode(
    _ model: OpaquePointer?, _ data: UnsafeRawPointer?, _ size: Int, _ options: UnsafePointer<nc_decode_options>?,
    _ pixels: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?, _ info: UnsafeMutablePointer<nc_info>?
) -> nc_status {
    boundary {
        let pixels = try required(pixels, "pixels")
        if let info { try checkInfo(info) }
        let bytes = try inputBytes(data, size, "data")
        let picture = try decode(bytes, model: model.map { ModelHandle.from($0).model }, options: decodeOptions(options))
        if let info { write(nc_info(try readInfo(bytes), as: picture.format), to: info) }
        pixels.pointee = picture.buffer.release()!.assumingMemoryBound(to: UInt8.self)
    }
}

@_cdecl("nc_decode_into")
public func exportDecodeInto(
    _ model: OpaquePointer?, _ data: UnsafeRawPointer?, _ size: Int, _ options: UnsafePointer<nc_decode_options>?,
    _ buffer: UnsafeMutableRawPointer?, _ bufferSize: Int, _ stride: Int
) -> nc_status {
    boundary {
        guard let buffer else { throw CodecError(.invalidArgument, "argument 'buffer' is null") }
        try checkCount(bufferSize, "buffer_size")
        try checkCount(stride, "stride")
        let file = try ParsedFile(try inputBytes(data, size, "data"))
        let chosen = try decodeOptions(options)
        try chosen.limits.check(width: file.header.width, height: file.header.height)
        let rowStride = try checkBuffer(file.header, try chosen.format(file.header.format), size: bufferSize, stride: stride)
        try decode(file, model: model.map { ModelHandle.from($0).model }, options: chosen) { (buffer, rowStride) }
    }
}

private func defaultDecodeOptions() -> nc_decode_options {
    var options = nc_decode_options()
    options.struct_size = MemoryLayout<nc_decode_options>.size
    options.limits = nc_limits(Limits())
    return options
}

private func decodeOptions(_ given: UnsafePointer<nc_decode_options>?) throws -> DecodeOptions {
    try DecodeOptions(read(given, defaultDecodeOptions(), "options", before: \.alpha))
}

private func checkInfo(_ info: UnsafeMutablePointer<nc_info>) throws {
    try checkSize(UnsafeRawPointer(info).load(as: Int.self), nc_info.self, "info", before: \.alpha)
}

/// The stride to use; the last row needs no gap behind it.
private func checkBuffer(_ header: Header, _ format: PixelFormat, size: Int, stride: Int) throws -> Int {
    let row = header.width * format.pixelBytes
    let rowStride = stride == 0 ? row : stride
    let (before, overflow) = rowStride.multipliedReportingOverflow(by: header.height - 1)
    guard rowStride >= row, !overflow, size >= row, before <= size - row else {
        throw CodecError(
            .bufferTooSmall,
            "a picture of \(header.width) x \(header.height) with \(format.channels) channels of \(format.bitDepth) bits does not fit a buffer of \(size) bytes with a stride of \(rowStride)")
    }
    return rowStride
}

extension DecodeOptions {
    fileprivate init(_ options: nc_decode_options) throws {
        self.init()
        threads = Int(options.threads)
        limits = try Limits(options.limits)
        progress = callback(options.progress, options.progress_user)
        alpha = try AlphaHandling(options.alpha)
        bitDepth = options.bit_depth == 0 ? nil : Int(options.bit_depth)
    }
}

extension nc_info {
    /// What is said of pixels may differ from the file's, where they were decoded to another format.
    fileprivate init(_ info: FileInfo, as format: PixelFormat? = nil) {
        self.init()
        let format = format ?? PixelFormat(channels: info.channels, bitDepth: info.bitDepth)
        (width, height, channels, bit_depth) = (info.width, info.height, format.channels, format.bitDepth)
        withUnsafeMutableBytes(of: &model_id) { $0.copyBytes(from: info.modelID.utf8) }
        withUnsafeMutableBytes(of: &model_hash) { $0.copyBytes(from: info.modelHash) }
        rate_parameter = UInt16(info.rateParameter)
        stored = info.stored ? 1 : 0
        (format_version, arithmetic_version) = (UInt32(info.formatVersion), UInt32(info.arithmeticVersion))
        payload_size = info.payloadSize
        alpha = format.hasAlpha ? 1 : 0
        orientation = UInt32(info.orientation)
        alpha_size = info.alphaSize ?? 0
        (icc_size, exif_size, xmp_size) = (info.iccSize, info.exifSize, info.xmpSize)
    }
}
