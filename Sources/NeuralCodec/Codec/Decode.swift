// SPDX-License-Identifier: Apache-2.0
import CKernels
import CPlanes
import CPlatform

/// What a file says of itself.
public struct FileInfo {
    public let width: Int
    public let height: Int
    /// 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGB, alpha).
    public let channels: Int
    /// Bits of a sample: 8 or 16.
    public let bitDepth: Int
    /// Empty when the file needs no model.
    public let modelID: String
    /// The first 8 bytes of the model's hash.
    public let modelHash: [UInt8]
    public let rateParameter: Int
    /// The colours are stored without loss, and no model is needed.
    public let stored: Bool
    public let formatVersion: Int
    public let arithmeticVersion: Int
    /// Bytes of entropy-coded or stored colours.
    public let payloadSize: Int
    /// Bytes of the coded alpha channel; nil: there is none.
    public let alphaSize: Int?
    /// As Exif numbers them, 1...8; 1, upright, where the file does not say. The library never turns pixels.
    public let orientation: Int
    /// Bytes of the metadata; 0: not there.
    public let iccSize, exifSize, xmpSize: Int

    init(_ file: ParsedFile) {
        let header = file.header
        (width, height, channels, bitDepth) = (header.width, header.height, header.format.channels, header.format.bitDepth)
        modelID = String(decoding: header.modelID, as: UTF8.self)
        modelHash = header.modelHash
        rateParameter = header.rateParameter
        stored = header.coding == .stored
        (formatVersion, arithmeticVersion) = (file.formatVersion, file.arithmeticVersion)
        payloadSize = file.payload.count
        alphaSize = file.alpha?.count
        orientation = file.metadata.orientation
        (iccSize, exifSize, xmpSize) = (file.metadata.icc?.count ?? 0, file.metadata.exif?.count ?? 0, file.metadata.xmp?.count ?? 0)
    }
}

/// Reads the header of a .nic file and verifies all its checksums, without decoding.
public func readInfo(_ data: UnsafeRawBufferPointer) throws -> FileInfo { FileInfo(try ParsedFile(data)) }

/// Decodes a .nic file into new memory. `model` nil means the model that the file names.
public func decode(_ data: UnsafeRawBufferPointer, model: Model?, options: DecodeOptions = DecodeOptions()) throws -> Picture {
    let file = try ParsedFile(data)
    try options.limits.check(width: file.header.width, height: file.header.height)
    let format = try options.format(file.header.format)
    var picture: Picture?
    try decode(file, model: model, options: options) {
        let new = try Picture(width: file.header.width, height: file.header.height, channels: format.channels, bitDepth: format.bitDepth)
        picture = new
        return (new.buffer.bytes.baseAddress!, new.target.stride)
    }
    return picture!
}

extension DecodeOptions {
    /// What the pixels of a file come as.
    func format(_ file: PixelFormat) throws -> PixelFormat {
        let bits = bitDepth ?? file.bitDepth
        guard bits == 8 || bits == 16 else { throw CodecError(.invalidArgument, "samples have 8 or 16 bits, not \(bits)") }
        guard bits <= file.bitDepth else { throw CodecError(.unsupported, "the file has samples of \(file.bitDepth) bits, which do not become \(bits)") }
        return PixelFormat(channels: alpha == .none ? file.colours : file.channels, bitDepth: bits)
    }
}

/// Decodes into the memory that `target` gives (first pixel, and bytes from row to row); it is asked once nothing but damaged data can go wrong.
func decode(_ file: ParsedFile, model: Model?, options: DecodeOptions, target: () throws -> (UnsafeMutableRawPointer, Int)) throws {
    try withStandardFloatingPoint {
        let header = file.header
        try checkThreads(options.threads)
        _ = try Kernels.current()  // a wrong NEURALCODEC_ISA is an error even where the file needs no kernel
        try options.limits.check(width: header.width, height: header.height)
        let format = try options.format(header.format)
        let progress = ProgressTracker(options.progress)
        let reserved = format.hasAlpha ? AlphaPlane.decoderMemory(width: header.width, header.format) : 0
        func place() throws -> PictureTarget {
            let (pixels, stride) = try target()
            return PictureTarget(pixels: pixels.assumingMemoryBound(to: UInt8.self), stride: stride, format: format)
        }
        switch header.coding {
        case .stored:
            try options.limits.check(memory: reserved, width: header.width, height: header.height)
            try checkStored(file)
            let target = try place()
            copyStored(file, to: target)
            try decodeAlpha(file, to: target)
            try progress.step(1)
        case .neural:
            let model = try Model.forFile(header, given: model)
            let call = try Call(
                model.network, model.workspaces, width: header.width, height: header.height, encoder: false, threads: options.threads, limits: options.limits,
                reserved: reserved, progress: progress, clock: options.clock)
            let target = try place()
            // First, as it is soon done and may be damaged; the colours leave it alone.
            try decodeAlpha(file, to: target)
            try decode(file, call, into: target)
        }
    }
}

private func decodeAlpha(_ file: ParsedFile, to target: PictureTarget) throws {
    guard target.format.hasAlpha, let alpha = file.alpha else { return }
    let header = file.header
    try AlphaPlane.decode(alpha, width: header.width, height: header.height, sampleBytes: header.format.sampleBytes, to: target)
}

/// Symbols to latents to pixels.
private func decode(_ file: ParsedFile, _ call: Call, into target: PictureTarget) throws {
    call.clock?.mark(.container)
    call.progress.begin(upTo: 0.4)
    let checksum = try call.session.decode(rate: file.header.rateParameter, file.payload)
    #if !NEURALCODEC_FUZZING  // hardly any changed file would get beyond
        guard checksum == file.header.symbolChecksum else {
            throw CodecError(.decoderMismatch, "the decoded symbols are not the encoded ones: please report this file")
        }
    #endif
    call.progress.begin(upTo: 1)
    try call.session.synthesise(rate: file.header.rateParameter, into: target)
    call.clock?.mark(.synthesis)
}

private func checkStored(_ file: ParsedFile) throws {
    let header = file.header
    let (row, rowOverflow) = header.width.multipliedReportingOverflow(by: header.format.colourBytes)
    let (size, overflow) = row.multipliedReportingOverflow(by: header.height)
    guard !rowOverflow, !overflow, size == file.payload.count else {
        throw CodecError(.badStream, "the stored picture has \(file.payload.count) bytes, which does not fit \(header.width) x \(header.height)")
    }
    #if !NEURALCODEC_FUZZING
        guard ncp_crc32c(0, file.payload.baseAddress, size) == header.symbolChecksum else {
            throw CodecError(.badStream, "the stored picture is damaged: its checksum does not match")
        }
    #endif
}

private func copyStored(_ file: ParsedFile, to target: PictureTarget) {
    let (header, format) = (file.header, target.format)
    let stored = header.format.colourBytes
    for y in 0 ..< header.height {
        let from = file.payload.baseAddress!.assumingMemoryBound(to: UInt8.self) + y * header.width * stored
        let to = target.pixels + y * target.stride
        if format.bitDepth < header.format.bitDepth {
            ncl_narrow(to, format.pixelBytes, from, format.colours, header.width)
        } else {
            ncl_copy_groups(to, format.pixelBytes, from, stored, stored, header.width)
        }
    }
}
