// SPDX-License-Identifier: Apache-2.0
// Exports of "Quantizers" that code indices. neuralcodec.h documents them.
import CNeuralCodec

/// `count` values that the caller passed in.
private func values<Value>(_ pointer: UnsafePointer<Value>?, _ count: Int, _ name: StaticString) throws -> UnsafeBufferPointer<Value> {
    guard (0...Int.max / 16).contains(count) else { throw CodecError(.invalidArgument, "the number of '\(name)' is too large") }
    return UnsafeBufferPointer(start: count == 0 ? nil : try required(pointer, name), count: count)
}

@_cdecl("nc_quantizer_rate")
public func exportQuantizerRate(
    _ quantizer: OpaquePointer?, _ indices: UnsafePointer<Int32>?, _ length: Int, _ scales: UnsafePointer<Float>?, _ scaleCount: Int,
    _ vectorBits: UnsafeMutablePointer<Double>?, _ bits: UnsafeMutablePointer<Double>?
) -> nc_status {
    boundary {
        let quantizer = try QuantizerHandle.from(quantizer).quantizer
        let bits = try required(bits, "bits")
        let indices = try values(indices, length, "indices"), scales = try values(scales, scaleCount, "scales")
        bits.pointee = try withStandardFloatingPoint { try quantizer.rate(indices, scales: scales, vectors: vectorBits) }
    }
}

@_cdecl("nc_quantizer_encode")
public func exportQuantizerEncode(
    _ quantizer: OpaquePointer?, _ indices: UnsafePointer<Int32>?, _ length: Int, _ scales: UnsafePointer<Float>?, _ scaleCount: Int,
    _ data: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?, _ size: UnsafeMutablePointer<Int>?
) -> nc_status {
    boundary {
        let quantizer = try QuantizerHandle.from(quantizer).quantizer
        let data = try required(data, "data"), size = try required(size, "size")
        let indices = try values(indices, length, "indices"), scales = try values(scales, scaleCount, "scales")
        let coded = try withStandardFloatingPoint { try quantizer.encode(indices, scales: scales) }
        size.pointee = coded.count
        data.pointee = coded.release()!.assumingMemoryBound(to: UInt8.self)
    }
}

@_cdecl("nc_quantizer_decode")
public func exportQuantizerDecode(
    _ quantizer: OpaquePointer?, _ data: UnsafeRawPointer?, _ size: Int, _ scales: UnsafePointer<Float>?, _ scaleCount: Int,
    _ indices: UnsafeMutablePointer<Int32>?, _ length: Int
) -> nc_status {
    boundary {
        let quantizer = try QuantizerHandle.from(quantizer).quantizer
        let coded = try inputBytes(data, size, "data"), scales = try values(scales, scaleCount, "scales")
        let room = UnsafeMutableBufferPointer(mutating: try values(UnsafePointer(indices), length, "indices"))
        try withStandardFloatingPoint { try quantizer.decode(coded, scales: scales, into: room) }
    }
}
