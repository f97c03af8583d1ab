// SPDX-License-Identifier: Apache-2.0
import CPlanes
import CPlatform
import Glibc

/// Encodes a picture into a .nic file.
/// - Throws: `CodecError`; `.targetUnreachable` carries the nearest result that can be had.
public func encode(_ picture: PictureView, model: Model, options: EncodeOptions = EncodeOptions()) throws -> (file: ByteBuffer, summary: EncodeSummary) {
    try encode(picture, model: model, options: options, trace: nil)
}

package func encode(
    _ picture: PictureView, model: Model, options: EncodeOptions, trace: LatentTrace?
) throws -> (file: ByteBuffer, summary: EncodeSummary) {
    try withStandardFloatingPoint {
        try checkThreads(options.threads)
        try picture.check(options.limits)
        try options.target.check()
        try options.metadata.check()
        let progress = ProgressTracker(options.progress)
        let keepsAlpha = picture.format.hasAlpha && options.alpha == .lossless
        let decoded = if case .psnr = options.target { picture.width * picture.height * picture.format.pixelBytes } else { 0 }
        let reserved = decoded + (keepsAlpha ? AlphaPlane.encoderMemory(picture) : 0)
        let call = try Call(
            model.network, model.workspaces, width: picture.width, height: picture.height, encoder: true, threads: options.threads, limits: options.limits,
            reserved: reserved, progress: progress, clock: options.clock, trace: trace)
        let side = SideChunks(metadata: options.metadata, alpha: keepsAlpha ? try AlphaPlane.encode(picture) : nil)
        progress.begin(upTo: 0.5)
        let encoder = try PictureEncoder(model.network, picture, call)
        call.clock?.mark(.analysis)
        defer { call.clock?.mark(.container) }
        return try FileEncoder(model: model, picture: picture, side: side, encoder: encoder, progress: progress).encode(options.target)
    }
}

/// Chooses the rate parameter for a target, and between neural and stored coding.
private struct FileEncoder {
    let model: Model
    let picture: PictureView
    let side: SideChunks
    let encoder: PictureEncoder
    let progress: ProgressTracker

    private var scale: QualityScale { QualityScale(map: model.network.qualityMap) }
    /// Of colours.
    private var samples: Int { picture.width * picture.height * picture.format.colours }
    /// What every file of this picture takes.
    private var overhead: Int { Container.overhead + side.size }
    /// Colours stored as they are: never larger than this, which also bounds what any picture can cost.
    private var storedSize: Int { overhead + samples * picture.format.sampleBytes }
    private func fileSize(_ coded: PictureEncoder.Coded) -> Int { overhead + coded.payload.size }

    func encode(_ target: RateTarget) throws -> (file: ByteBuffer, summary: EncodeSummary) {
        switch target {
        case .quality(let quality): try encode(quality: quality)
        case .size(let bytes): try encode(size: bytes)
        case .psnr(let decibels): try encode(psnr: decibels)
        }
    }

    private func encode(quality: Double) throws -> (file: ByteBuffer, summary: EncodeSummary) {
        progress.begin(upTo: 1)
        let coded = try encoder.code(rate: scale.rate(quality))
        let file = fileSize(coded) < storedSize ? try neural(coded) : try stored()
        try progress.step(1)
        return (file, EncodeSummary(quality: quality, size: file.count, psnr: nil))
    }

    private func encode(size: Int) throws -> (file: ByteBuffer, summary: EncodeSummary) {
        if storedSize <= size { return try finish(stored(), quality: 100, psnr: nil) }
        var best: PictureEncoder.Coded?
        var smallest = storedSize
        let rate = try RateSearch.highest(bound: size, enough: size - size / 200, among: 0...scale.highestRate) { rate in
            progress.begin(upTo: halfway)
            let coded = try encoder.code(rate: rate)
            if fileSize(coded) <= size, coded.rate >= best?.rate ?? 0 { best = coded }
            smallest = min(smallest, fileSize(coded))
            return fileSize(coded)
        }
        guard rate != nil, let best else {
            let nearest = EncodeSummary(quality: 0, size: smallest, psnr: nil)
            let besides = side.size == 0 ? "" : ", \(side.size) of them alpha and metadata"
            throw CodecError(
                .targetUnreachable, "a target size of \(size) bytes cannot be reached: the smallest file of this picture takes \(smallest) bytes\(besides)",
                nearest: nearest)
        }
        return try finish(neural(best), quality: scale.quality(best.rate), psnr: nil)
    }

    private func encode(psnr: Double) throws -> (file: ByteBuffer, summary: EncodeSummary) {
        let decoded = try Picture(width: picture.width, height: picture.height, channels: picture.channels, bitDepth: picture.bitDepth)
        encoder.prepare(decoded)
        // The cost that must not be exceeded falls with the rate, so the search runs on negated rates' errors: the smallest rate that suffices.
        let allowed = Int(min((squaredPeak * Double(samples) / powerOfTen(psnr / 10)).rounded(.down), 0x1p62))
        var best: (coded: PictureEncoder.Coded, error: UInt64)?
        var least = UInt64.max
        func error(_ rate: Int) throws -> Int {
            progress.begin(upTo: halfway)
            let coded = try encoder.code(rate: rate)
            let error = try encoder.squaredError(of: coded, into: decoded)
            if error <= UInt64(allowed), rate <= best?.coded.rate ?? .max { best = (coded, error) }
            least = min(least, error)
            return Int(clamping: error)
        }
        _ = try RateSearch.highest(bound: allowed, enough: allowed - allowed / 400, among: 0...scale.highestRate) { try error(scale.highestRate - $0) }
        guard let best else {
            if storedSize <= fileSize(try encoder.code(rate: scale.highestRate)) { return try finish(stored(), quality: 100, psnr: .infinity) }
            let nearest = EncodeSummary(quality: 100, size: 0, psnr: decibels(least))
            throw CodecError(
                .targetUnreachable, "a PSNR of \(rounded(psnr)) dB cannot be reached: the best of this picture is \(rounded(decibels(least))) dB", nearest: nearest)
        }
        if storedSize <= fileSize(best.coded) { return try finish(stored(), quality: 100, psnr: .infinity) }
        return try finish(neural(best.coded), quality: scale.quality(best.coded.rate), psnr: decibels(best.error))
    }

    private func finish(_ file: ByteBuffer, quality: Double, psnr: Double?) throws -> (file: ByteBuffer, summary: EncodeSummary) {
        progress.begin(upTo: 1)
        try progress.step(1)
        return (file, EncodeSummary(quality: quality, size: file.count, psnr: psnr))
    }

    /// How many steps a search takes is not known: each takes a share of what is left.
    private var halfway: Double { progress.position + (1 - progress.position) * 0.15 }

    private var squaredPeak: Double { Double(picture.format.peak * picture.format.peak) }

    private func decibels(_ error: UInt64) -> Double { error == 0 ? .infinity : 10 * log10(squaredPeak * Double(samples) / Double(error)) }

    /// Of the file, which keeps alpha or not.
    private var format: PixelFormat { side.alpha == nil ? picture.format.opaque : picture.format }

    private func neural(_ coded: PictureEncoder.Coded) throws -> ByteBuffer {
        let header = Header(
            width: picture.width, height: picture.height, format: format, coding: .neural, rateParameter: coded.rate, modelID: Array(model.id.utf8),
            modelHash: Array(model.hash.prefix(8)), symbolChecksum: coded.checksum)
        return try writeContainer(header, side, payloadSize: coded.payload.size) { coded.payload.write(to: $0) }
    }

    private func stored() throws -> ByteBuffer {
        let (pixel, colours) = (picture.format.pixelBytes, picture.format.colourBytes)
        let row = picture.width * colours
        func copyRow(_ y: Int, to row: UnsafeMutableRawPointer) {
            let from = (picture.pixels + y * picture.stride).assumingMemoryBound(to: UInt8.self)
            ncl_copy_groups(row.assumingMemoryBound(to: UInt8.self), colours, from, pixel, colours, picture.width)
        }
        // The checksum stands before what it covers.
        var checksum: UInt32 = 0
        let scratch = try ByteBuffer(count: row)
        for y in 0 ..< picture.height {
            copyRow(y, to: scratch.bytes.baseAddress!)
            checksum = ncp_crc32c(checksum, scratch.bytes.baseAddress, row)
        }
        let header = Header(
            width: picture.width, height: picture.height, format: format, coding: .stored, rateParameter: 0, modelID: [], modelHash: [], symbolChecksum: checksum)
        return try writeContainer(header, side, payloadSize: row * picture.height) { payload in
            for y in 0 ..< picture.height { copyRow(y, to: payload.baseAddress! + y * row) }
        }
    }
}

/// A number with two decimals, for messages.
private func rounded(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e9 else { return "\(value)" }
    let hundredths = Int((abs(value) * 100).rounded())
    let fraction = hundredths % 100
    return "\(value < 0 ? "-" : "")\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
}

extension PictureView {
    func check(_ limits: Limits) throws {
        guard width > 0, height > 0 else { throw CodecError(.invalidArgument, "a picture of \(width) x \(height) has no pixels") }
        guard (1...4).contains(channels) else {
            throw CodecError(.invalidArgument, "a picture has 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGB, alpha) channels, not \(channels)")
        }
        guard [8, 16].contains(bitDepth) else { throw CodecError(.invalidArgument, "samples have 8 or 16 bits, not \(bitDepth)") }
        try limits.check(width: width, height: height)
        guard width <= Int(UInt32.max), height <= Int(UInt32.max) else {
            throw CodecError(.limitExceeded, "a picture of \(width) x \(height) is beyond what a file can hold")
        }
        let row = width * format.pixelBytes
        guard stride >= row else { throw CodecError(.invalidArgument, "a stride of \(stride) bytes does not hold a row of \(row)") }
    }
}

extension RateTarget {
    func check() throws {
        switch self {
        case .quality(let quality) where !(0...100).contains(quality):
            throw CodecError(.invalidArgument, "quality \(quality) is not in 0...100")
        case .size(let bytes) where bytes <= 0:
            throw CodecError(.invalidArgument, "a target size of \(bytes) bytes is impossible")
        case .psnr(let decibels) where !(decibels > 0 && decibels <= 200):
            throw CodecError(.invalidArgument, "a target PSNR of \(decibels) dB is not in 0...200")
        default: break
        }
    }
}
