// SPDX-License-Identifier: Apache-2.0
// Exports of "Encode". neuralcodec.h documents them.
import CNeuralCodec

@_cdecl("nc_encode_options_init")
public func exportEncodeOptionsInit(_ options: UnsafeMutablePointer<nc_encode_options>?) { options?.pointee = defaultEncodeOptions() }

@_cdecl("nc_encode")
public func exportEncode(
    _ model: OpaquePointer?, _ image: UnsafePointer<nc_image>?, _ options: UnsafePointer<nc_encode_options>?,
    _ data: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?, _ size: UnsafeMutablePointer<Int>?, _ result: UnsafeMutablePointer<nc_encode_result>?
) -> nc_status {
    boundary {
        let data = try required(data, "data")
        let size = try required(size, "size")
        if let result { try checkSize(result.pointee.struct_size, nc_encode_result.self, "result") }
        let picture = try view(try required(image, "image").pointee)
        let chosen = try EncodeOptions(options?.pointee ?? defaultEncodeOptions())
        let handle = try model.map(ModelHandle.from) ?? ModelHandle.embedded()
        do {
            let (file, summary) = try encode(picture, model: handle.model, options: chosen)
            size.pointee = file.count
            data.pointee = file.release()!.assumingMemoryBound(to: UInt8.self)
            result?.pointee.fill(summary)
        } catch let error as CodecError {
            if let nearest = error.nearest { result?.pointee.fill(nearest) }
            throw error
        }
    }
}

private func defaultEncodeOptions() -> nc_encode_options {
    var options = nc_encode_options()
    options.struct_size = MemoryLayout<nc_encode_options>.size
    options.quality = -1
    options.limits = nc_limits(Limits())
    return options
}

private func view(_ image: nc_image) throws -> PictureView {
    let pixels = try required(image.pixels, "image.pixels")
    try checkCount(image.width, "image.width")
    try checkCount(image.height, "image.height")
    try checkCount(image.channels, "image.channels")
    try checkCount(image.stride, "image.stride")
    let (row, overflow) = image.width.multipliedReportingOverflow(by: image.channels)
    guard !overflow else { throw CodecError(.invalidArgument, "image.width of \(image.width) is too large") }
    return PictureView(
        pixels: pixels, width: image.width, height: image.height, channels: image.channels, stride: image.stride == 0 ? row : image.stride)
}

extension EncodeOptions {
    init(_ options: nc_encode_options) throws {
        self.init()
        try checkSize(options.struct_size, nc_encode_options.self, "options")
        let wanted = [options.quality >= 0 || options.quality.isNaN, options.target_size != 0, options.target_psnr != 0].filter { $0 }.count
        guard wanted <= 1 else { throw CodecError(.invalidArgument, "quality, target_size and target_psnr exclude each other; \(wanted) are set") }
        if options.target_size != 0 {
            try checkCount(options.target_size, "options.target_size")
            target = .size(options.target_size)
        } else if options.target_psnr != 0 {
            target = .psnr(options.target_psnr)
        } else if !(options.quality < 0) {
            target = .quality(options.quality)
        }
        threads = Int(options.threads)
        limits = try Limits(options.limits)
        progress = callback(options.progress, options.progress_user)
    }
}

extension nc_encode_result {
    fileprivate mutating func fill(_ summary: EncodeSummary) {
        quality = summary.quality
        size = summary.size
        psnr = summary.psnr ?? .nan
    }
}

extension Limits {
    init(_ limits: nc_limits) throws {
        self.init()
        try checkCount(limits.max_pixels, "limits.max_pixels")
        try checkCount(limits.max_memory, "limits.max_memory")
        maxPixels = limits.max_pixels
        maxMemory = limits.max_memory
    }
}

extension nc_limits {
    init(_ limits: Limits) { self.init(max_pixels: limits.maxPixels, max_memory: limits.maxMemory) }
}

/// The C callback says with a non-zero value that it wants to stop.
func callback(_ progress: nc_progress?, _ user: UnsafeMutableRawPointer?) -> Progress? {
    progress.map { progress in { progress(user, $0) == 0 } }
}
