// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The entropy coder by itself, for measurements.
extension Model {
    /// Index of the table for a natural logarithm of a scale.
    package func scaleIndex(logScale: Float) -> Int { (0 ..< 255).reduce(0) { $0 + (network.thresholds[$1] < logScale ? 1 : 0) } }

    package func encodeLatents(_ symbols: [Int32], _ indices: [UInt8]) throws -> ByteBuffer {
        let tables = network.latentTables
        var bits = 0
        for i in 0 ..< symbols.count { bits += RANSEncoder.bitBound(symbols[i], tables, Int(indices[i])) }
        var encoder = try RANSEncoder(bits: bits, symbols: symbols.count)
        symbols.withUnsafeBufferPointer { symbols in
            indices.withUnsafeBufferPointer { indices in
                encoder.put(symbols.count, tables, from: symbols.baseAddress!) { Int(indices[$0]) }
            }
        }
        let payload = try ByteBuffer(count: encoder.payloadSize)
        encoder.write(to: payload.bytes)
        return payload
    }

    package func decodeLatents(_ payload: UnsafeRawBufferPointer, _ indices: [UInt8]) throws -> [Int32] {
        var decoder = try RANSDecoder(payload)
        return try [Int32](unsafeUninitializedCapacity: indices.count) { symbols, count in
            indices.withUnsafeBufferPointer { indices in
                decoder.take(indices.count, network.latentTables, into: symbols.baseAddress!) { Int(indices[$0]) }
            }
            count = indices.count
            try decoder.finish()
        }
    }

    /// Sum of -log2(frequency / 2^16), escapes with their raw bits.
    package func tableBits(_ symbols: [Int32], _ indices: [UInt8]) -> Double {
        zip(symbols, indices).reduce(0) { $0 + network.latentTables.bits(of: $1.0, Int($1.1)) }
    }
}

extension CodingTables {
    /// -log2(frequency / 2^16) of a value in one of the tables; of an escaped one, that of the escape and its raw bits.
    func bits(of value: Int32, _ index: Int) -> Double {
        let table = tables[index]
        let relative = value &- table.offset
        let escapes = relative < 0 || relative >= table.length
        let position = Int(table.start) + Int(escapes ? table.length : relative)
        let frequency = cumulative[position + 1] &- cumulative[position]
        guard escapes else { return 16 - log2(Double(frequency)) }
        return 16 - log2(Double(frequency)) + Double(RANS.escapeLengthBits + 31 - escapeDistance(value, table).distance.leadingZeroBitCount + 1)
    }
}
