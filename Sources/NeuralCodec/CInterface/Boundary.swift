// SPDX-License-Identifier: Apache-2.0
import CNeuralCodec
import CPlatform

/// Runs the body of an export: clears the thread's last error, and turns a Swift error into a status and a message.
func boundary(_ body: () throws -> Void) -> nc_status {
    ncp_error_clear()
    do {
        try body()
        return NC_OK
    } catch let error as CodecError {
        record(error.message)
        return nc_status(rawValue: error.status.rawValue)
    } catch {
        record("internal error: \(error)")
        return NC_INTERNAL
    }
}

private func record(_ message: String) {
    var message = message
    message.withUTF8 { bytes in
        bytes.withMemoryRebound(to: CChar.self) { ncp_error_set($0.baseAddress, $0.count) }
    }
}

/// The argument `name` must not be null.
func required<Pointee>(_ pointer: UnsafePointer<Pointee>?, _ name: StaticString) throws -> UnsafePointer<Pointee> {
    guard let pointer else { throw CodecError(.invalidArgument, "argument '\(name)' is null") }
    return pointer
}

func required<Pointee>(_ pointer: UnsafeMutablePointer<Pointee>?, _ name: StaticString) throws -> UnsafeMutablePointer<Pointee> {
    guard let pointer else { throw CodecError(.invalidArgument, "argument '\(name)' is null") }
    return pointer
}

func required(_ pointer: UnsafeRawPointer?, _ name: StaticString) throws -> UnsafeRawPointer {
    guard let pointer else { throw CodecError(.invalidArgument, "argument '\(name)' is null") }
    return pointer
}

/// A structure begins with its size; there is one size so far.
func checkSize<Structure>(_ size: Int, _ type: Structure.Type, _ name: StaticString) throws {
    guard size == MemoryLayout<Structure>.size else {
        throw CodecError(.invalidArgument, "\(name).struct_size is \(size), and this library knows \(MemoryLayout<Structure>.size); use the init function")
    }
}

/// size_t arrives as Int: what does not fit is refused.
func checkCount(_ value: Int, _ name: StaticString) throws {
    guard value >= 0 else { throw CodecError(.invalidArgument, "\(name) is too large") }
}

/// Bytes that the caller passed in.
func inputBytes(_ data: UnsafeRawPointer?, _ size: Int, _ name: StaticString) throws -> UnsafeRawBufferPointer {
    try checkCount(size, "size")
    guard size > 0 else { return UnsafeRawBufferPointer(start: data, count: 0) }
    return UnsafeRawBufferPointer(start: try required(data, name), count: size)
}
