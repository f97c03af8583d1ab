// SPDX-License-Identifier: Apache-2.0

/// What a model makes of a picture before it is coded: its latents and what is predicted of them, the correlation that is left, and the bits of each latent. Immutable.
public final class LatentAnalysis: @unchecked Sendable {
    /// A float for each latent (channel, row, column). The raw values are the numbers of `nc_plane` in `neuralcodec.h`.
    public enum Plane: UInt32, CaseIterable, Sendable {
        /// y, with the gain of its rate; in the coordinates of a learned basis where the model quantizes in one.
        case latent
        /// Predicted by the decoder from what it has by then, in the units of `latent`; so is the scale.
        case mean
        case scale
        /// (y - mean) / scale.
        case normalized
        /// The same after quantization: symbol * step / scale.
        case quantized
        /// What coding it takes.
        case bits
    }

    public let channels, rows, columns: Int
    /// Quality and the rate parameter it stands for.
    public let quality: Double
    public let rate: Int
    /// For each pixel of the picture, padding not counted; the sum over channels.
    public let latentBits: Double
    public let hyperlatentBits: Double
    /// For each pixel, one value a channel.
    public let channelBits: [Double]
    /// Of the normalized latents, and of the quantized ones.
    public let correlation, quantizedCorrelation: CorrelationMap
    private let memory: ByteBuffer

    init(_ grids: LatentGrids, quality: Double, rate: Int, hyperBits: Double, pixels: Int, correlation: CorrelationMap, quantizedCorrelation: CorrelationMap) {
        (channels, rows, columns) = (grids.channels, grids.rows, grids.columns)
        (self.quality, self.rate) = (quality, rate)
        channelBits = grids.channelBits.map { $0 / Double(pixels) }
        latentBits = grids.channelBits.reduce(0, +) / Double(pixels)
        hyperlatentBits = hyperBits / Double(pixels)
        (self.correlation, self.quantizedCorrelation) = (correlation, quantizedCorrelation)
        memory = grids.memory
    }

    /// Channels from the one of most bits to that of least; of equal ones the first comes first.
    public var channelsByRate: [Int] { channelBits.indices.sorted { (channelBits[$1], $0) < (channelBits[$0], $1) } }

    /// All values of a plane, with the analysis kept alive meanwhile.
    public func withPlane<Result>(_ plane: Plane, _ body: (UnsafeBufferPointer<Float>) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(UnsafeBufferPointer(start: pointer(plane), count: channels * rows * columns)) }
    }

    /// Valid while the analysis lives.
    func pointer(_ plane: Plane) -> UnsafePointer<Float> {
        UnsafePointer(memory.bytes.baseAddress!.assumingMemoryBound(to: Float.self)) + Int(plane.rawValue) * channels * rows * columns
    }
}

public struct AnalysisOptions {
    /// 0 ... 100; no matter to models of one rate.
    public var quality = 75.0
    /// Side of the correlation maps: odd, in `CorrelationMap.windows`.
    public var window = 5
    /// 0: all cores. Never changes the result.
    public var threads = 0
    public var limits = Limits()
    public var progress: Progress?

    public init() {}
}

/// Encodes a picture's colours at one quality and keeps what the entropy model saw. A picture that `encode` would store without loss is analysed like any other.
/// - Throws: `CodecError`; `.unsupported` for a model without hyperprior, whose latents have no means and scales.
public func analyze(_ picture: PictureView, model: Model, options: AnalysisOptions = AnalysisOptions()) throws -> LatentAnalysis {
    try withStandardFloatingPoint {
        try checkThreads(options.threads)
        try picture.check(options.limits)
        try RateTarget.quality(options.quality).check()
        try CorrelationMap.check(window: options.window)
        let network = model.network
        let rate = QualityScale(map: network.qualityMap).rate(options.quality)
        let units: LatentUnits
        do { units = try network.latentUnits(rate: rate) } catch let error as CodecError where error.status == .unsupported {
            throw CodecError(.unsupported, "model '\(model.id)' cannot be analysed: \(error.message)")
        }
        let progress = ProgressTracker(options.progress)
        let trace = LatentTrace()
        let call = try Call(
            network, model.workspaces, width: picture.width, height: picture.height, encoder: true, threads: options.threads, limits: options.limits,
            reserved: network.analysisMemory(width: picture.width, height: picture.height), progress: progress, trace: trace)
        progress.begin(upTo: 0.5)
        try call.session.analyse(picture)
        let symbols = try call.session.quantize(rate: rate)
        progress.begin(upTo: 1)
        try progress.step(0.4)
        let hyperBits = symbols.hyper.indices.reduce(0) {
            $0 + network.hyperTables.bits(of: symbols.hyper[$1], symbols.firstHyperTable + $1 % symbols.hyperChannels)
        }
        let team = try ThreadTeam(threads: options.threads)
        let grids = try LatentGrids(trace, units, tables: network.latentTables, lattice: symbols.lattice, kernels: Kernels.current().table, team: team)
        var done = 0.0
        func correlation(_ plane: LatentAnalysis.Plane) throws -> CorrelationMap {
            try CorrelationMap(
                grids[plane], channels: grids.channels, rows: grids.rows, columns: grids.columns, window: options.window, team: team
            ) {
                done += 1
                try progress.step(0.6 + 0.4 * done / Double(2 * (options.window / 2 + 1)))
            }
        }
        try progress.step(0.6)
        return LatentAnalysis(
            grids, quality: options.quality, rate: rate, hyperBits: hyperBits, pixels: picture.width * picture.height, correlation: try correlation(.normalized),
            quantizedCorrelation: try correlation(.quantized))
    }
}

extension Network {
    /// Bytes that an analysis takes beside the workspace, about.
    fileprivate func analysisMemory(width: Int, height: Int) -> Int {
        let side = { (pixels: Int) in (pixels + self.padding - 1) / self.padding * self.padding / self.latentSide }
        let latents = side(width) * side(height) * latentChannels
        return LatentTrace.memory(latents) + LatentGrids.memory(latents)
    }
}
