// SPDX-License-Identifier: Apache-2.0
import CKernels
import CPlatform

/// What a file says of itself.
public struct FileInfo {
    public let width: Int
    public let height: Int
    public let channels: Int
    public let bitDepth: Int
    /// Empty when the file needs no model.
    public let modelID: String
    /// The first 8 bytes of the model's hash.
    public let modelHash: [UInt8]
    public let rateParameter: Int
    /// The pixels are stored without loss, and no model is needed.
    public let stored: Bool
    public let formatVersion: Int
    public let arithmeticVersion: Int
    /// Bytes of entropy-coded or stored data.
    public let payloadSize: Int

    init(_ file: ParsedFile) {
        let header = file.header
        (width, height, channels, bitDepth) = (header.width, header.height, header.channels, header.bitDepth)
        modelID = String(decoding: header.modelID, as: UTF8.self)
        modelHash = header.modelHash
        rateParameter = header.rateParameter
        stored = header.coding == .stored
        (formatVersion, arithmeticVersion) = (file.formatVersion, file.arithmeticVersion)
        payloadSize = file.payload.count
    }
}

/// Reads the header of a .nic file and verifies all its checksums, without decoding.
public func readInfo(_ data: UnsafeRawBufferPointer) throws -> FileInfo { FileInfo(try ParsedFile(data)) }

/// Decodes a .nic file into new memory. `model` nil means the model that the file names.
public func decode(_ data: UnsafeRawBufferPointer, model: Model?, options: DecodeOptions = DecodeOptions()) throws -> Picture {
    let file = try ParsedFile(data)
    try options.limits.check(width: file.header.width, height: file.header.height)
    var picture: Picture?
    try decode(file, model: model, options: options) {
        let new = try Picture(width: file.header.width, height: file.header.height, channels: file.header.channels)
        picture = new
        return (new.buffer.bytes.baseAddress!, new.width * new.channels)
    }
    return picture!
}

/// Decodes into the memory that `target` gives (first pixel, and bytes from row to row); it is asked once nothing but damaged data can go wrong.
func decode(_ file: ParsedFile, model: Model?, options: DecodeOptions, target: () throws -> (UnsafeMutableRawPointer, Int)) throws {
    try withStandardFloatingPoint {
        let header = file.header
        try checkThreads(options.threads)
        _ = try Kernels.current()  // a wrong NEURALCODEC_ISA is an error even where the file needs no kernel
        try options.limits.check(width: header.width, height: header.height)
        let progress = ProgressTracker(options.progress)
        switch header.coding {
        case .stored:
            try copyStored(file, target)
            try progress.step(1)
        case .neural:
            let model = try Model.forFile(header, given: model)
            let call = try Call(
                model.network, model.workspaces, width: header.width, height: header.height, encoder: false, threads: options.threads, limits: options.limits,
                progress: progress, clock: options.clock)
            let (pixels, stride) = try target()
            try decode(file, call, into: pixels.assumingMemoryBound(to: UInt8.self), stride: stride)
        }
    }
}

/// Symbols to latents to pixels.
private func decode(_ file: ParsedFile, _ call: Call, into pixels: UnsafeMutablePointer<UInt8>, stride: Int) throws {
    call.clock?.mark(.container)
    call.progress.begin(upTo: 0.4)
    let checksum = try call.session.decode(rate: file.header.rateParameter, file.payload)
    #if !NEURALCODEC_FUZZING  // hardly any changed file would get beyond
        guard checksum == file.header.symbolChecksum else {
            throw CodecError(.decoderMismatch, "the decoded symbols are not the encoded ones: please report this file")
        }
    #endif
    call.progress.begin(upTo: 1)
    try call.session.synthesise(rate: file.header.rateParameter, into: pixels, stride: stride, channels: file.header.channels)
    call.clock?.mark(.synthesis)
}

private func copyStored(_ file: ParsedFile, _ target: () throws -> (UnsafeMutableRawPointer, Int)) throws {
    let header = file.header
    let (row, rowOverflow) = header.width.multipliedReportingOverflow(by: header.channels)
    let (size, overflow) = row.multipliedReportingOverflow(by: header.height)
    guard !rowOverflow, !overflow, size == file.payload.count else {
        throw CodecError(.badStream, "the stored picture has \(file.payload.count) bytes, which does not fit \(header.width) x \(header.height)")
    }
    #if !NEURALCODEC_FUZZING
        guard ncp_crc32c(0, file.payload.baseAddress, size) == header.symbolChecksum else {
            throw CodecError(.badStream, "the stored picture is damaged: its checksum does not match")
        }
    #endif
    let (pixels, stride) = try target()
    for y in 0 ..< header.height { (pixels + y * stride).copyMemory(from: file.payload.baseAddress! + y * row, byteCount: row) }
}
