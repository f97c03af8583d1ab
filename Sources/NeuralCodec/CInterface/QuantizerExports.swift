// SPDX-License-Identifier: Apache-2.0
// Exports of "Quantizers". neuralcodec.h documents them.
import CNeuralCodec
import Glibc

/// What an `nc_quantizer *` points to: a quantizer, and its name as a C string.
final class QuantizerHandle: @unchecked Sendable {
    let quantizer: Quantizer
    let name: UnsafeMutablePointer<CChar>?

    init(_ quantizer: Quantizer) {
        self.quantizer = quantizer
        name = strdup(quantizer.name)
    }

    deinit { free(name) }

    static func from(_ pointer: OpaquePointer?) throws -> QuantizerHandle {
        guard let pointer else { throw CodecError(.invalidArgument, "argument 'quantizer' is null") }
        return Unmanaged<QuantizerHandle>.fromOpaque(UnsafeRawPointer(pointer)).takeUnretainedValue()
    }
}

/// Stores a new handle in *quantizer once nothing can fail any more.
func openQuantizer(_ quantizer: UnsafeMutablePointer<OpaquePointer?>?, _ make: () throws -> Quantizer) -> nc_status {
    boundary {
        let quantizer = try required(quantizer, "quantizer")
        let handle = try withStandardFloatingPoint { QuantizerHandle(try make()) }
        quantizer.pointee = OpaquePointer(Unmanaged.passRetained(handle).toOpaque())
    }
}

private func create(
    _ quantizer: UnsafeMutablePointer<OpaquePointer?>?, _ options: UnsafePointer<nc_quantizer_options>?, scalar: Bool = false, basis: Bool = false,
    _ make: (nc_quantizer_options) throws -> Quantizer
) -> nc_status {
    openQuantizer(quantizer) {
        let options = options?.pointee ?? defaultOptions()
        try checkSize(options.struct_size, nc_quantizer_options.self, "options")
        guard scalar || (options.offset == 0 && options.dead_zone == 0) else {
            throw CodecError(.invalidArgument, "only the quantizer 'scalar' has an offset and a dead zone")
        }
        guard basis || options.correlation == nil else { throw CodecError(.invalidArgument, "options.correlation is for a basis") }
        return try make(options)
    }
}

private func defaultOptions() -> nc_quantizer_options {
    var options = nc_quantizer_options()
    options.struct_size = MemoryLayout<nc_quantizer_options>.size
    options.scale = 1
    return options
}

extension LatticeSearch {
    init(_ search: nc_search, nodeLimit: UInt64) throws {
        switch search {
        case NC_SEARCH_BABAI: self = .babai
        case NC_SEARCH_NEAREST_PLANE: self = .nearestPlane
        case NC_SEARCH_EXACT: self = .exact(nodeLimit: nodeLimit)
        default: throw CodecError(.invalidArgument, "options.search is \(search.rawValue), which is no nc_search")
        }
    }
}

/// `rows` times `columns` floats that the caller passed in.
func matrix(_ values: UnsafePointer<Float>?, _ rows: Int, _ columns: Int, _ name: StaticString) throws -> UnsafeBufferPointer<Float> {
    try checkCount(rows, "the number of rows")
    try checkCount(columns, "dimension")
    let (count, overflow) = rows.multipliedReportingOverflow(by: columns)
    guard !overflow, count <= Int.max / 8 else { throw CodecError(.invalidArgument, "\(rows) rows of \(columns) values are too many") }
    return UnsafeBufferPointer(start: count == 0 ? nil : try required(values, name), count: count)
}

@_cdecl("nc_quantizer_options_init")
public func exportQuantizerOptionsInit(_ options: UnsafeMutablePointer<nc_quantizer_options>?) { options?.pointee = defaultOptions() }

@_cdecl("nc_quantizer_create")
public func exportQuantizerCreate(
    _ name: UnsafePointer<CChar>?, _ dimension: Int, _ options: UnsafePointer<nc_quantizer_options>?, _ quantizer: UnsafeMutablePointer<OpaquePointer?>?
) -> nc_status {
    create(quantizer, options, scalar: true) { options in
        try checkCount(dimension, "dimension")
        return try Quantizer(
            name: String(cString: try required(name, "name")), dimension: dimension, scale: options.scale, offset: options.offset, deadZone: options.dead_zone)
    }
}

@_cdecl("nc_quantizer_create_basis")
public func exportQuantizerCreateBasis(
    _ basis: UnsafePointer<Float>?, _ dimension: Int, _ options: UnsafePointer<nc_quantizer_options>?, _ quantizer: UnsafeMutablePointer<OpaquePointer?>?
) -> nc_status {
    create(quantizer, options, basis: true) { options in
        guard (1...64).contains(dimension) else { throw CodecError(.invalidArgument, "a basis of \(dimension) dimensions: 1 to 64 are possible") }
        return try Quantizer(
            basis: Array(try matrix(basis, dimension, dimension, "basis")), dimension: dimension, scale: options.scale,
            search: LatticeSearch(options.search, nodeLimit: options.node_limit),
            correlation: options.correlation.map { Array(UnsafeBufferPointer(start: $0, count: dimension * dimension)) })
    }
}

@_cdecl("nc_quantizer_create_codebook")
public func exportQuantizerCreateCodebook(
    _ codewords: UnsafePointer<Float>?, _ count: Int, _ dimension: Int, _ options: UnsafePointer<nc_quantizer_options>?,
    _ quantizer: UnsafeMutablePointer<OpaquePointer?>?
) -> nc_status {
    create(quantizer, options) { options in
        try Quantizer(codebook: try matrix(codewords, count, dimension, "codewords"), count: count, dimension: dimension, scale: options.scale)
    }
}

private func defaultCodebookOptions() -> nc_codebook_options {
    let defaults = CodebookTraining()
    var options = nc_codebook_options()
    options.struct_size = MemoryLayout<nc_codebook_options>.size
    options.seed = defaults.seed
    options.tolerance = defaults.tolerance
    options.rounds = UInt32(defaults.rounds)
    return options
}

extension CodebookTraining {
    fileprivate init(_ options: nc_codebook_options) throws {
        self.init()
        try checkSize(options.struct_size, nc_codebook_options.self, "options")
        seed = options.seed
        tolerance = options.tolerance
        rounds = Int(options.rounds)
        threads = Int(options.threads)
        progress = callback(options.progress, options.progress_user)
    }
}

@_cdecl("nc_codebook_options_init")
public func exportCodebookOptionsInit(_ options: UnsafeMutablePointer<nc_codebook_options>?) { options?.pointee = defaultCodebookOptions() }

@_cdecl("nc_quantizer_train_codebook")
public func exportQuantizerTrainCodebook(
    _ samples: UnsafePointer<Float>?, _ count: Int, _ dimension: Int, _ size: Int, _ options: UnsafePointer<nc_codebook_options>?,
    _ quantizer: UnsafeMutablePointer<OpaquePointer?>?
) -> nc_status {
    openQuantizer(quantizer) {
        let options = try CodebookTraining(options?.pointee ?? defaultCodebookOptions())
        try checkCount(size, "size")
        return try Quantizer.training(try matrix(samples, count, dimension, "samples"), dimension: dimension, size: size, options: options)
    }
}

@_cdecl("nc_quantizer_get_info")
public func exportQuantizerGetInfo(_ quantizer: OpaquePointer?, _ info: UnsafeMutablePointer<nc_quantizer_info>?) -> nc_status {
    boundary {
        let info = try required(info, "info")
        try checkSize(info.pointee.struct_size, nc_quantizer_info.self, "info")
        let handle = try QuantizerHandle.from(quantizer)
        let quantizer = handle.quantizer
        info.pointee.name = UnsafePointer(handle.name)
        info.pointee.dimension = quantizer.dimension
        info.pointee.index_count = quantizer.indexCount
        info.pointee.codewords = quantizer.codewordCount ?? 0
        info.pointee.scale = Double(quantizer.scale)
        (info.pointee.volume, info.pointee.nsm) = withStandardFloatingPoint { (quantizer.volume ?? .nan, quantizer.normalizedSecondMoment ?? .nan) }
    }
}

@_cdecl("nc_quantizer_get_basis")
public func exportQuantizerGetBasis(_ quantizer: OpaquePointer?, _ basis: UnsafeMutablePointer<Float>?, _ count: Int) -> nc_status {
    boundary {
        let quantizer = try QuantizerHandle.from(quantizer).quantizer
        try checkCount(count, "count")
        let basis = try required(basis, "basis")
        try withStandardFloatingPoint {
            try quantizer.withRows { rows in
                guard count >= rows.count else { throw CodecError(.bufferTooSmall, "the rows have \(rows.count) values, and there is room for \(count)") }
                basis.update(from: rows.baseAddress!, count: rows.count)
            }
        }
    }
}

@_cdecl("nc_quantizer_get_correlation")
public func exportQuantizerGetCorrelation(_ quantizer: OpaquePointer?, _ correlation: UnsafeMutablePointer<Float>?, _ count: Int) -> nc_status {
    boundary {
        let quantizer = try QuantizerHandle.from(quantizer).quantizer
        try checkCount(count, "count")
        let target = try required(correlation, "correlation")
        guard let values = withStandardFloatingPoint({ quantizer.correlation }) else {
            throw CodecError(.unsupported, "a codebook has no correlation: its indices cannot be coded")
        }
        guard count >= values.count else { throw CodecError(.bufferTooSmall, "the correlation has \(values.count) values, and there is room for \(count)") }
        target.update(from: values, count: values.count)
    }
}

@_cdecl("nc_quantizer_quantize")
public func exportQuantizerQuantize(
    _ quantizer: OpaquePointer?, _ vectors: UnsafePointer<Float>?, _ length: Int, _ points: UnsafeMutablePointer<Float>?, _ indices: UnsafeMutablePointer<Int32>?,
    _ proven: UnsafeMutablePointer<UInt8>?, _ threads: UInt32
) -> nc_status {
    boundary {
        let quantizer = try QuantizerHandle.from(quantizer).quantizer
        let vectors = try matrix(vectors, length, 1, "vectors")
        try withStandardFloatingPoint { try quantizer.quantize(vectors, points: points, indices: indices, proven: proven, threads: Int(threads)) }
    }
}

@_cdecl("nc_quantizer_dequantize")
public func exportQuantizerDequantize(
    _ quantizer: OpaquePointer?, _ indices: UnsafePointer<Int32>?, _ length: Int, _ points: UnsafeMutablePointer<Float>?, _ threads: UInt32
) -> nc_status {
    boundary {
        let quantizer = try QuantizerHandle.from(quantizer).quantizer
        try checkCount(length, "length")
        guard length > 0 else { return }
        let indices = UnsafeBufferPointer(start: try required(indices, "indices"), count: length)
        let points = try required(points, "points")
        try withStandardFloatingPoint { try quantizer.dequantize(indices, points: points, threads: Int(threads)) }
    }
}

@_cdecl("nc_quantizer_close")
public func exportQuantizerClose(_ quantizer: UnsafeMutablePointer<OpaquePointer?>?) {
    guard let quantizer, let pointer = quantizer.pointee else { return }
    Unmanaged<QuantizerHandle>.fromOpaque(UnsafeRawPointer(pointer)).release()
    quantizer.pointee = nil
}
