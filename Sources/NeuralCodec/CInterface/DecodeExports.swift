// SPDX-License-Identifier: Apache-2.0
// Exports of "Decode". neuralcodec.h documents them.
import CNeuralCodec

@_cdecl("nc_decode_options_init")
public func exportDecodeOptionsInit(_ options: UnsafeMutablePointer<nc_decode_options>?) { options?.pointee = defaultDecodeOptions() }

@_cdecl("nc_read_info")
public func exportReadInfo(_ data: UnsafeRawPointer?, _ size: Int, _ info: UnsafeMutablePointer<nc_info>?) -> nc_status {
    boundary {
        let info = try required(info, "info")
        try checkSize(info.pointee.struct_size, nc_info.self, "info")
        info.pointee.fill(try readInfo(try inputBytes(data, size, "data")))
    }
}

@_cdecl("nc_decode")
public func exportDecode(
    _ model: OpaquePointer?, _ data: UnsafeRawPointer?, _ size: Int, _ options: UnsafePointer<nc_decode_options>?,
    _ pixels: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?, _ info: UnsafeMutablePointer<nc_info>?
) -> nc_status {
    boundary {
        let pixels = try required(pixels, "pixels")
        if let info { try checkSize(info.pointee.struct_size, nc_info.self, "info") }
        let bytes = try inputBytes(data, size, "data")
        let picture = try decode(bytes, model: model.map { ModelHandle.from($0).model }, options: DecodeOptions(options?.pointee ?? defaultDecodeOptions()))
        info?.pointee.fill(try readInfo(bytes))
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
        let chosen = try DecodeOptions(options?.pointee ?? defaultDecodeOptions())
        try chosen.limits.check(width: file.header.width, height: file.header.height)
        let rowStride = try checkBuffer(file.header, size: bufferSize, stride: stride)
        try decode(file, model: model.map { ModelHandle.from($0).model }, options: chosen) { (buffer, rowStride) }
    }
}

private func defaultDecodeOptions() -> nc_decode_options {
    var options = nc_decode_options()
    options.struct_size = MemoryLayout<nc_decode_options>.size
    options.limits = nc_limits(Limits())
    return options
}

/// The stride to use; the last row needs no gap behind it.
private func checkBuffer(_ header: Header, size: Int, stride: Int) throws -> Int {
    let row = header.width * header.channels
    let rowStride = stride == 0 ? row : stride
    let (before, overflow) = rowStride.multipliedReportingOverflow(by: header.height - 1)
    guard rowStride >= row, !overflow, size >= row, before <= size - row else {
        throw CodecError(
            .bufferTooSmall,
            "a picture of \(header.width) x \(header.height) with \(header.channels) channels does not fit a buffer of \(size) bytes with a stride of \(rowStride)")
    }
    return rowStride
}

extension DecodeOptions {
    init(_ options: nc_decode_options) throws {
        self.init()
        try checkSize(options.struct_size, nc_decode_options.self, "options")
        threads = Int(options.threads)
        limits = try Limits(options.limits)
        progress = callback(options.progress, options.progress_user)
    }
}

extension nc_info {
    fileprivate mutating func fill(_ info: FileInfo) {
        (width, height, channels, bit_depth) = (info.width, info.height, info.channels, info.bitDepth)
        withUnsafeMutableBytes(of: &model_id) { bytes in
            bytes.initializeMemory(as: UInt8.self, repeating: 0)
            bytes.copyBytes(from: info.modelID.utf8)
        }
        withUnsafeMutableBytes(of: &model_hash) { $0.copyBytes(from: info.modelHash + [UInt8](repeating: 0, count: 8 - info.modelHash.count)) }
        rate_parameter = UInt16(info.rateParameter)
        stored = info.stored ? 1 : 0
        (format_version, arithmetic_version) = (UInt32(info.formatVersion), UInt32(info.arithmeticVersion))
        payload_size = info.payloadSize
    }
}
