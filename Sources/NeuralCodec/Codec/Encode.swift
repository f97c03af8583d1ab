// SPDX-License-Identifier: Apache-2.0
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
        let progress = ProgressTracker(options.progress)
        let reserved = if case .psnr = options.target { picture.width * picture.height * picture.channels } else { 0 }
        let call = try Call(
            model.network, model.workspaces, width: picture.width, height: picture.height, encoder: true, threads: options.threads, limits: options.limits,
            reserved: reserved, progress: progress, clock: options.clock, trace: trace)
        progress.begin(upTo: 0.5)
        let encoder = try PictureEncoder(model.network, picture, call)
        call.clock?.mark(.analysis)
        defer { call.clock?.mark(.container) }
        return try FileEncoder(model: model, picture: picture, encoder: encoder, progress: progress).encode(options.target)
    }
}

/// Chooses the rate parameter for a target, and between neural and stored coding.
private struct FileEncoder {
    let model: Model
    let picture: PictureView
    let encoder: PictureEncoder
    let progress: ProgressTracker

    private var scale: QualityScale { QualityScale(map: model.network.qualityMap) }
    private var samples: Int { picture.width * picture.height * picture.channels }
    /// Pixels stored as they are: never larger than this, which also bounds what any picture can cost.
    private var storedSize: Int { Container.overhead + samples }

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
        let file = coded.fileSize < storedSize ? try neural(coded) : try stored()
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
            if coded.fileSize <= size, coded.rate >= best?.rate ?? 0 { best = coded }
            smallest = min(smallest, coded.fileSize)
            return coded.fileSize
        }
        guard rate != nil, let best else {
            let nearest = EncodeSummary(quality: 0, size: smallest, psnr: nil)
            throw CodecError(
                .targetUnreachable, "a target size of \(size) bytes cannot be reached: the smallest file of this picture takes \(smallest) bytes", nearest: nearest)
        }
        return try finish(neural(best), quality: scale.quality(best.rate), psnr: nil)
    }

    private func encode(psnr: Double) throws -> (file: ByteBuffer, summary: EncodeSummary) {
        let decoded = try Picture(width: picture.width, height: picture.height, channels: picture.channels)
        // The cost that must not be exceeded falls with the rate, so the search runs on negated rates' errors: the smallest rate that suffices.
        let allowed = Int(min((65025 * Double(samples) / powerOfTen(psnr / 10)).rounded(.down), 0x1p62))
        var best: (coded: PictureEncoder.Coded, error: UInt64)?
        var least = UInt64.max
        func error(_ rate: Int) throws -> Int {
            progress.begin(upTo: halfway)
            let coded = try encoder.code(rate: rate)
            let error = try encoder.squaredError(of: coded, into: decoded)
            if error <= UInt64(allowed), rate <= best?.coded.rate ?? .max { best = (coded, error) }
            least = min(least, error)
            return Int(error)
        }
        _ = try RateSearch.highest(bound: allowed, enough: allowed - allowed / 400, among: 0...scale.highestRate) { try error(scale.highestRate - $0) }
        guard let best else {
            if storedSize <= (try encoder.code(rate: scale.highestRate)).fileSize { return try finish(stored(), quality: 100, psnr: .infinity) }
            let nearest = EncodeSummary(quality: 100, size: 0, psnr: decibels(least))
            throw CodecError(
                .targetUnreachable, "a PSNR of \(rounded(psnr)) dB cannot be reached: the best of this picture is \(rounded(decibels(least))) dB", nearest: nearest)
        }
        if storedSize <= best.coded.fileSize { return try finish(stored(), quality: 100, psnr: .infinity) }
        return try finish(neural(best.coded), quality: scale.quality(best.coded.rate), psnr: decibels(best.error))
    }

    private func finish(_ file: ByteBuffer, quality: Double, psnr: Double?) throws -> (file: ByteBuffer, summary: EncodeSummary) {
        progress.begin(upTo: 1)
        try progress.step(1)
        return (file, EncodeSummary(quality: quality, size: file.count, psnr: psnr))
    }

    /// How many steps a search takes is not known: each takes a share of what is left.
    private var halfway: Double { progress.position + (1 - progress.position) * 0.15 }

    private func decibels(_ error: UInt64) -> Double { error == 0 ? .infinity : 10 * log10(65025 * Double(samples) / Double(error)) }

    private func neural(_ coded: PictureEncoder.Coded) throws -> ByteBuffer {
        let header = Header(
            width: picture.width, height: picture.height, channels: picture.channels, coding: .neural, rateParameter: coded.rate,
            modelID: Array(model.id.utf8), modelHash: Array(model.hash.prefix(8)), symbolChecksum: coded.checksum)
        return try writeContainer(header, payloadSize: coded.payload.size) { coded.payload.write(to: $0) }
    }

    private func stored() throws -> ByteBuffer {
        let row = picture.width * picture.channels
        var checksum: UInt32 = 0
        for y in 0 ..< picture.height { checksum = ncp_crc32c(checksum, picture.pixels + y * picture.stride, row) }
        let header = Header(
            width: picture.width, height: picture.height, channels: picture.channels, coding: .stored, rateParameter: 0, modelID: [], modelHash: [],
            symbolChecksum: checksum)
        return try writeContainer(header, payloadSize: samples) { payload in
            for y in 0 ..< picture.height { (payload.baseAddress! + y * row).copyMemory(from: picture.pixels + y * picture.stride, byteCount: row) }
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
    fileprivate func check(_ limits: Limits) throws {
        guard width > 0, height > 0 else { throw CodecError(.invalidArgument, "a picture of \(width) x \(height) has no pixels") }
        switch channels {
        case 1, 3: break
        case 2, 4: throw CodecError(.unsupported, "pictures with alpha (\(channels) channels) are not supported yet; remove the alpha channel first")
        default: throw CodecError(.invalidArgument, "a picture has 1 (gray) or 3 (RGB) channels, not \(channels)")
        }
        try limits.check(width: width, height: height)
        guard width <= Int(UInt32.max), height <= Int(UInt32.max) else {
            throw CodecError(.limitExceeded, "a picture of \(width) x \(height) is beyond what a file can hold")
        }
        guard stride >= width * channels else { throw CodecError(.invalidArgument, "a stride of \(stride) bytes does not hold a row of \(width * channels)") }
    }
}

extension RateTarget {
    fileprivate func check() throws {
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
