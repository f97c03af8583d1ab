// SPDX-License-Identifier: Apache-2.0
// Exports of "Latent analysis". neuralcodec.h documents them.
import CNeuralCodec

private func defaultAnalysisOptions() -> nc_analysis_options {
    let defaults = AnalysisOptions()
    var options = nc_analysis_options()
    options.struct_size = MemoryLayout<nc_analysis_options>.size
    options.quality = defaults.quality
    options.window = defaults.window
    options.limits = nc_limits(defaults.limits)
    return options
}

extension AnalysisOptions {
    fileprivate init(_ options: nc_analysis_options) throws {
        self.init()
        quality = options.quality
        window = options.window
        threads = Int(options.threads)
        limits = try Limits(options.limits)
        progress = callback(options.progress, options.progress_user)
    }
}

extension LatentAnalysis {
    /// What an `nc_analysis *` points to.
    fileprivate static func from(_ pointer: OpaquePointer?) throws -> LatentAnalysis {
        guard let pointer else { throw CodecError(.invalidArgument, "argument 'analysis' is null") }
        return Unmanaged<LatentAnalysis>.fromOpaque(UnsafeRawPointer(pointer)).takeUnretainedValue()
    }
}

extension LatentAnalysis.Plane {
    fileprivate init(_ plane: nc_plane) throws {
        guard let known = Self(rawValue: plane.rawValue) else { throw CodecError(.invalidArgument, "plane is \(plane.rawValue), which is no nc_plane") }
        self = known
    }
}

/// Copies `values` to the caller's `target`, which has room for `count`.
private func copy(_ values: [Double], _ what: String, to target: UnsafeMutablePointer<Double>, _ count: Int) throws {
    try checkCount(count, "count")
    guard count >= values.count else { throw CodecError(.bufferTooSmall, "\(what) has \(values.count) values, and there is room for \(count)") }
    target.update(from: values, count: values.count)
}

@_cdecl("nc_analysis_options_init")
public func exportAnalysisOptionsInit(_ options: UnsafeMutablePointer<nc_analysis_options>?) { options?.pointee = defaultAnalysisOptions() }

@_cdecl("nc_analyze")
public func exportAnalyze(
    _ model: OpaquePointer?, _ image: UnsafePointer<nc_image>?, _ options: UnsafePointer<nc_analysis_options>?, _ analysis: UnsafeMutablePointer<OpaquePointer?>?
) -> nc_status {
    boundary {
        let analysis = try required(analysis, "analysis")
        let given = options?.pointee ?? defaultAnalysisOptions()
        try checkSize(given.struct_size, nc_analysis_options.self, "options")
        let picture = try view(try required(image, "image").pointee, bitDepth: Int(given.bit_depth))
        let handle = try model.map(ModelHandle.from) ?? ModelHandle.embedded()
        let found = try analyze(picture, model: handle.model, options: try AnalysisOptions(given))
        analysis.pointee = OpaquePointer(Unmanaged.passRetained(found).toOpaque())
    }
}

@_cdecl("nc_analysis_get_info")
public func exportAnalysisGetInfo(_ analysis: OpaquePointer?, _ info: UnsafeMutablePointer<nc_analysis_info>?) -> nc_status {
    boundary {
        let info = try required(info, "info")
        try checkSize(info.pointee.struct_size, nc_analysis_info.self, "info")
        let analysis = try LatentAnalysis.from(analysis)
        info.pointee = nc_analysis_info(
            struct_size: info.pointee.struct_size, channels: analysis.channels, height: analysis.rows, width: analysis.columns,
            window: analysis.correlation.window, quality: analysis.quality, rate_parameter: UInt16(analysis.rate), latent_bpp: analysis.latentBits,
            hyperlatent_bpp: analysis.hyperlatentBits, average_correlation: analysis.correlation.average,
            average_correlation_quantized: analysis.quantizedCorrelation.average)
    }
}

@_cdecl("nc_analysis_get_correlation")
public func exportAnalysisGetCorrelation(
    _ analysis: OpaquePointer?, _ plane: nc_plane, _ correlation: UnsafeMutablePointer<Double>?, _ count: Int
) -> nc_status {
    boundary {
        let analysis = try LatentAnalysis.from(analysis)
        let map: CorrelationMap
        switch try LatentAnalysis.Plane(plane) {
        case .normalized: map = analysis.correlation
        case .quantized: map = analysis.quantizedCorrelation
        default: throw CodecError(.invalidArgument, "only NC_PLANE_NORMALIZED and NC_PLANE_QUANTIZED have a correlation map")
        }
        try copy(map.values, "the correlation map", to: try required(correlation, "correlation"), count)
    }
}

@_cdecl("nc_analysis_get_channel_bpp")
public func exportAnalysisGetChannelBPP(_ analysis: OpaquePointer?, _ bpp: UnsafeMutablePointer<Double>?, _ count: Int) -> nc_status {
    boundary { try copy(LatentAnalysis.from(analysis).channelBits, "the list of channels", to: try required(bpp, "bpp"), count) }
}

@_cdecl("nc_analysis_get_plane")
public func exportAnalysisGetPlane(_ analysis: OpaquePointer?, _ plane: nc_plane, _ values: UnsafeMutablePointer<UnsafePointer<Float>?>?) -> nc_status {
    boundary {
        let values = try required(values, "values")
        values.pointee = try LatentAnalysis.from(analysis).pointer(try LatentAnalysis.Plane(plane))
    }
}

@_cdecl("nc_analysis_close")
public func exportAnalysisClose(_ analysis: UnsafeMutablePointer<OpaquePointer?>?) {
    guard let analysis, let pointer = analysis.pointee else { return }
    Unmanaged<LatentAnalysis>.fromOpaque(UnsafeRawPointer(pointer)).release()
    analysis.pointee = nil
}
