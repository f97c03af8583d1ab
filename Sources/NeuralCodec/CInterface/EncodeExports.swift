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
        let given = try read(options, defaultEncodeOptions(), "options", before: \.alpha)
        let picture = try view(try required(image, "image").pointee, bitDepth: Int(given.bit_depth))
        let chosen = try EncodeOptions(given)
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

/// A bit depth of 0 stands for 8.
func view(_ image: nc_image, bitDepth: Int) throws -> PictureView {
    guard [0, 8, 16].contains(bitDepth) else { throw CodecError(.invalidArgument, "options.bit_depth is \(bitDepth); 8 and 16 are possible") }
    let bitDepth = bitDepth == 0 ? 8 : bitDepth
    let pixels = try required(image.pixels, "image.pixels")
    try checkCount(image.width, "image.width")
    try checkCount(image.height, "image.height")
    try checkCount(image.channels, "image.channels")
    try checkCount(image.stride, "image.stride")
    let (samples, overflow) = image.width.multipliedReportingOverflow(by: image.channels)
    guard !overflow, samples <= Int.max / 2 else { throw CodecError(.invalidArgument, "image.width of \(image.width) is too large") }
    return PictureView(
        pixels: pixels, width: image.width, height: image.height, channels: image.channels, bitDepth: bitDepth,
        stride: image.stride == 0 ? samples * bitDepth / 8 : image.stride)
}

extension EncodeOptions {
    init(_ options: nc_encode_options) throws {
        self.init()
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
        alpha = try AlphaHandling(options.alpha)
        if let metadata = options.metadata { self.metadata = try Metadata(metadata.pointee) }
    }
}

extension AlphaHandling {
    init(_ alpha: nc_alpha) throws {
        switch alpha {
        case NC_ALPHA_LOSSLESS: self = .lossless
        case NC_ALPHA_NONE: self = .none
        default: throw CodecError(.invalidArgument, "options.alpha is \(alpha.rawValue), which is no nc_alpha")
        }
    }
}

extension Metadata {
    fileprivate init(_ metadata: nc_metadata) throws {
        self.init()
        try checkSize(metadata.struct_size, nc_metadata.self, "metadata")
        icc = try Self.bytes(metadata.icc, metadata.icc_size, "metadata.icc")
        exif = try Self.bytes(metadata.exif, metadata.exif_size, "metadata.exif")
        xmp = try Self.bytes(metadata.xmp, metadata.xmp_size, "metadata.xmp")
    }

    private static func bytes(_ data: UnsafeRawPointer?, _ size: Int, _ name: StaticString) throws -> UnsafeRawBufferPointer? {
        size == 0 ? nil : try inputBytes(data, size, name)
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
