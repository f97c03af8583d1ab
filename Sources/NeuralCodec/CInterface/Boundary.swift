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

/// A structure begins with its size: the present one, or that of an earlier version, which ended before the member `added`.
func checkSize<Structure>(_ size: Int, _ type: Structure.Type, _ name: StaticString, before added: PartialKeyPath<Structure>? = nil) throws {
    let known = [MemoryLayout<Structure>.size] + (added.flatMap(MemoryLayout<Structure>.offset(of:)).map { [$0] } ?? [])
    guard known.contains(size) else {
        throw CodecError(.invalidArgument, "\(name).struct_size is \(size), and this library knows \(known[0]); use the init function")
    }
}

/// Options that the caller gave, in the defaults' place as far as they go.
func read<Options>(_ given: UnsafePointer<Options>?, _ defaults: Options, _ name: StaticString, before added: PartialKeyPath<Options>) throws -> Options {
    guard let given else { return defaults }
    let size = UnsafeRawPointer(given).load(as: Int.self)
    try checkSize(size, Options.self, name, before: added)
    var options = defaults
    withUnsafeMutableBytes(of: &options) { $0.copyMemory(from: UnsafeRawBufferPointer(start: given, count: size)) }
    return options
}

/// Fills as much of a structure of the caller, whose size has been checked, as it has room for.
func write<Structure>(_ value: Structure, to target: UnsafeMutablePointer<Structure>) {
    var value = value
    let size = UnsafeRawPointer(target).load(as: Int.self)
    withUnsafeMutableBytes(of: &value) {
        $0.storeBytes(of: size, as: Int.self)
        UnsafeMutableRawPointer(target).copyMemory(from: $0.baseAddress!, byteCount: size)
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
