// SPDX-License-Identifier: Apache-2.0
import CPlatform

/// Memory from the library's allocator, whose size follows the input; freed when the last reference goes.
/// Swift arrays would trap where this throws `.outOfMemory`.
public final class ByteBuffer {
    public private(set) var bytes: UnsafeMutableRawBufferPointer

    /// Uninitialised memory of `count` bytes, aligned to 64.
    public init(count: Int) throws {
        guard let pointer = ncp_allocate(max(count, 1)) else {
            throw CodecError(.outOfMemory, "out of memory: \(count) bytes could not be allocated")
        }
        bytes = UnsafeMutableRawBufferPointer(start: pointer, count: count)
    }

    deinit {
        if let pointer = bytes.baseAddress { ncp_free(pointer) }
    }

    public var count: Int { bytes.count }

    /// The bytes, with the buffer kept alive meanwhile: Swift may free an object after its last use, before the last use of a pointer into it.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(UnsafeRawBufferPointer(bytes)) }
    }

    /// Drops the bytes after the first `count`, without moving the rest.
    public func truncate(to count: Int) {
        bytes = UnsafeMutableRawBufferPointer(start: bytes.baseAddress, count: min(count, bytes.count))
    }

    /// Hands the memory to the caller, who frees it with `nc_free`.
    func release() -> UnsafeMutableRawPointer? {
        let pointer = bytes.baseAddress
        bytes = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        return pointer
    }
}
