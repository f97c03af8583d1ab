// SPDX-License-Identifier: Apache-2.0
import CPlatform

/// Writes little-endian numbers one after the other; the caller has made room.
struct ByteWriter {
    private let bytes: UnsafeMutableRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }

    mutating func put(_ value: some FixedWidthInteger & BitwiseCopyable) {
        let value = value.littleEndian
        withUnsafeBytes(of: value) { skip($0.count).copyMemory(from: $0) }
    }

    mutating func skip(_ count: Int) -> UnsafeMutableRawBufferPointer {
        defer { position += count }
        return UnsafeMutableRawBufferPointer(rebasing: bytes[position ..< position + count])
    }

    /// Starts a chunk and returns its position for `endChunk`.
    mutating func beginChunk(_ type: UInt32, _ length: Int) -> Int {
        let start = position
        put(UInt32(length))
        put(type)
        return start
    }

    mutating func putChunk(_ type: UInt32, _ payload: UnsafeRawBufferPointer) {
        let start = beginChunk(type, payload.count)
        skip(payload.count).copyMemory(from: payload)
        endChunk(start)
    }

    /// Appends the checksum of the chunk that began at `start`.
    mutating func endChunk(_ start: Int) {
        put(ncp_crc32c(0, bytes.baseAddress! + start, position - start))
    }
}

/// Reads little-endian numbers one after the other; the caller has checked the length.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func take<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type) -> Value {
        defer { position += MemoryLayout<Value>.size }
        return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: type))
    }

    mutating func take(bytes count: Int) -> UnsafeRawBufferPointer {
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position ..< position + count])
    }
}
