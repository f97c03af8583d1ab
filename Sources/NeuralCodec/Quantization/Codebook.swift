// SPDX-License-Identifier: Apache-2.0
import CKernels

/// Codewords to choose from: general vector quantization.
struct Codebook {
    let size: Int
    let dimension: Int
    /// `size` rows of `dimension` values, then the same packed for the search.
    private let memory: ByteBuffer
    private let packed: nck_codebook

    /// `rows`: `size` codewords one after the other; each value is multiplied with `scale`.
    init(rows: UnsafeBufferPointer<Float>, size: Int, dimension: Int, scale: Float) throws {
        guard (1...Int(NCK_CODEBOOK_DIMENSION)).contains(dimension), (1...Int(NCK_MOST_CODEWORDS)).contains(size) else {
            throw CodecError(
                .invalidArgument,
                "a codebook of \(size) codewords of \(dimension) values: 1 to \(NCK_MOST_CODEWORDS) codewords of 1 to \(NCK_CODEBOOK_DIMENSION) values are possible")
        }
        self.size = size
        self.dimension = dimension
        memory = try ByteBuffer(count: 4 * (size * dimension + nck_codebook_size(dimension, size)))
        let own = memory.bytes.baseAddress!.assumingMemoryBound(to: Float.self)
        for index in 0 ..< size * dimension { own[index] = rows[index] * scale }
        var codebook = nck_codebook()
        guard nck_codebook_pack(own, dimension, size, own + size * dimension, &codebook) == NCK_CODEBOOK_PACKED else {
            throw CodecError(.invalidArgument, "a codeword holds a value that is not finite, or beyond 2^50")
        }
        packed = codebook
    }

    func withRows<Result>(_ body: (UnsafeBufferPointer<Float>) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(memory) { try body(UnsafeBufferPointer(start: packed.rows, count: size * dimension)) }
    }

    func quantize(
        _ kernels: nck_kernels, _ vectors: UnsafePointer<Float>, _ count: Int, _ points: UnsafeMutablePointer<Float>?, _ indices: UnsafeMutablePointer<Int32>?
    ) {
        withExtendedLifetime(memory) {
            var codebook = packed
            kernels.quantizers.codebook(&codebook, vectors, indices, points, nil, count)
        }
    }

    func dequantize(_ indices: UnsafePointer<Int32>, _ count: Int, _ points: UnsafeMutablePointer<Float>) {
        withExtendedLifetime(memory) {
            for vector in 0 ..< count { (points + vector * dimension).update(from: packed.rows + Int(indices[vector]) * dimension, count: dimension) }
        }
    }
}

extension Quantizer {
    /// A quantizer on `count` codewords of `dimension` values each, after multiplication with `scale`.
    public convenience init(codebook rows: UnsafeBufferPointer<Float>, count: Int, dimension: Int, scale: Double = 1) throws {
        let (length, overflow) = count.multipliedReportingOverflow(by: dimension)
        guard !overflow, rows.count == length else {
            throw CodecError(.invalidArgument, "a codebook of \(count) codewords of \(dimension) values does not have \(rows.count) values")
        }
        let scale = try Self.checked(scale: scale)
        let form = try Codebook(rows: rows, size: count, dimension: dimension, scale: scale)
        self.init(name: "codebook", dimension: dimension, indexCount: 1, scale: scale, form: .codebook(form))
    }

    /// Codewords of a codebook; nil for lattices.
    public var codewordCount: Int? { if case .codebook(let codebook) = form { codebook.size } else { nil } }

    /// Codewords, one after the other; none for lattices.
    public var codewords: [Float] { if case .codebook(let codebook) = form { codebook.withRows { Array($0) } } else { [] } }
}

/// How a codebook is trained (Linde, Buzo and Gray, 1980).
public struct CodebookTraining {
    public var seed: UInt64 = 1
    /// Rounds at most, and at least 1; training ends earlier when a round lowers the distortion by no more than `tolerance` of it.
    public var rounds = 50
    public var tolerance = 1e-4
    public var threads = 0
    /// Called with the fraction of the rounds done; false cancels.
    public var progress: ((Double) -> Bool)?

    public init() {}
}

extension Quantizer {
    /// A codebook of `size` codewords for `samples`, which holds vectors of `dimension` values one after the other, at least as many as codewords. The same samples and
    /// seed give the same codebook on every machine. Values that are NaN count as 0.
    public static func training(
        _ samples: UnsafeBufferPointer<Float>, dimension: Int, size: Int, options: CodebookTraining = CodebookTraining()
    ) throws -> Quantizer {
        guard dimension > 0, samples.count % dimension == 0 else {
            throw CodecError(.invalidArgument, "\(samples.count) values of samples are not a multiple of \(dimension), the dimension")
        }
        let count = samples.count / dimension
        guard (1...Int(NCK_MOST_CODEWORDS)).contains(size), count >= size, let source = samples.baseAddress else {
            throw CodecError(.invalidArgument, "a codebook of \(size) codewords from \(count) samples: at least as many samples as codewords are needed, and a codeword")
        }
        guard dimension <= Int(NCK_CODEBOOK_DIMENSION) else { throw CodecError(.invalidArgument, "\(dimension) dimensions: at most \(NCK_CODEBOOK_DIMENSION) are possible") }
        guard options.rounds >= 1 else { throw CodecError(.invalidArgument, "\(options.rounds) rounds of training: at least 1 is needed") }
        guard options.tolerance >= 0, options.tolerance.isFinite else {
            throw CodecError(.invalidArgument, "a tolerance of \(options.tolerance): it must be finite and not negative")
        }
        try checkThreads(options.threads)
        let rows = try ByteBuffer(count: 4 * size * dimension)
        let indices = try ByteBuffer(count: 4 * count)
        let scratch = try ByteBuffer(count: nck_codebook_improve_scratch(dimension, size))
        let codewords = rows.bytes.baseAddress!.assumingMemoryBound(to: Float.self)
        let assigned = indices.bytes.baseAddress!.assumingMemoryBound(to: Int32.self)
        defer { withExtendedLifetime((rows, indices, scratch)) {} }
        _ = nck_codebook_draw(source, count, dimension, size, options.seed, codewords)
        var last = Double.infinity
        for round in 1...options.rounds {
            let current = try Quantizer(codebook: UnsafeBufferPointer(start: codewords, count: size * dimension), count: size, dimension: dimension)
            try current.quantize(samples, points: nil, indices: assigned, threads: options.threads)
            var moved = 0
            let distortion = nck_codebook_improve(source, assigned, count, dimension, size, codewords, scratch.bytes.baseAddress, &moved)
            let ended = round == options.rounds || (moved == 0 && last - distortion <= options.tolerance * distortion)
            if let progress = options.progress, !progress(ended ? 1 : Double(round) / Double(options.rounds)) { throw CodecError(.cancelled, "cancelled") }
            if ended { break }
            last = distortion
        }
        return try Quantizer(codebook: UnsafeBufferPointer(start: codewords, count: size * dimension), count: size, dimension: dimension)
    }
}
