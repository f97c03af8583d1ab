// SPDX-License-Identifier: Apache-2.0
import Glibc
import NeuralCodec
import Synchronization

/// How messages name a file argument, where "-" is a standard stream.
func displayName(_ path: String, standard: String) -> String {
    path == "-" ? standard : path
}

/// The whole content of a file, or of standard input for "-".
func readFile(_ path: String) throws -> ByteBuffer {
    let name = displayName(path, standard: "standard input")
    let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure("cannot open \(name)", errno: errno) }
    defer { if path != "-" { close(descriptor) } }

    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Failure("cannot read \(name)", errno: errno) }
    // One byte more than a regular file has, so that its end is met without growing.
    var buffer = try ByteBuffer(count: max(Int(status.st_size) + 1, 65536))
    var count = 0
    while true {
        if count == buffer.count {
            let grown = try ByteBuffer(count: 2 * count)
            buffer.withBytes { grown.bytes.copyMemory(from: $0) }
            buffer = grown
        }
        let received = read(descriptor, buffer.bytes.baseAddress! + count, buffer.count - count)
        if received == 0 { break }
        if received > 0 {
            count += received
        } else if errno != EINTR {
            throw Failure("cannot read \(name)", errno: errno)
        } else if Interruption.signal != nil {
            throw CodecError(.cancelled, "interrupted")
        }
    }
    buffer.truncate(to: count)
    return buffer
}

/// Replaces a file by the bytes, or writes them to standard output for "-". They go to a temporary file in the same folder, which takes the final name
/// only when it is complete: a failure leaves what was there before.
func writeFile(_ path: String, _ bytes: UnsafeRawBufferPointer) throws {
    if path == "-" { return try writeAll(bytes, to: STDOUT_FILENO, name: "standard output") }

    // A device or pipe cannot be replaced, and a link keeps pointing where it does.
    var target = path
    var status = stat()
    var mode: mode_t?
    if stat(path, &status) == 0 {
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            mode = status.st_mode & 0o777
        case S_IFDIR:
            throw Failure("cannot write \(path)", errno: EISDIR)
        default:
            let descriptor = open(path, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw Failure("cannot write \(path)", errno: errno) }
            defer { close(descriptor) }
            return try writeAll(bytes, to: descriptor, name: path)
        }
        if let resolved = realpath(path, nil) {
            target = String(cString: resolved)
            free(resolved)
        }
    }

    let (descriptor, temporary) = try createTemporary(beside: target, for: path)
    do {
        do {
            if let mode { _ = fchmod(descriptor, mode) }
            try writeAll(bytes, to: descriptor, name: path)
        } catch {
            close(descriptor)
            throw error
        }
        // A full disk or quota may show only here.
        guard close(descriptor) == 0 || errno == EINTR, rename(temporary, target) == 0 else { throw Failure("cannot write \(path)", errno: errno) }
    } catch {
        unlink(temporary)
        throw error
    }
}

/// A new, empty file in the target's folder. Its permissions are the usual ones: mkstemp's would have to be changed by umask, which is no matter of one thread.
private func createTemporary(beside target: String, for path: String) throws -> (descriptor: Int32, name: String) {
    let folder = target.lastIndex(of: "/").map { target[...$0] } ?? ""
    while true {
        let number = temporaries.wrappingAdd(1, ordering: .relaxed).newValue
        let name = "\(folder).neuralcodec-\(getpid())-\(number)"
        let descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        if descriptor >= 0 { return (descriptor, name) }
        guard errno == EEXIST else { throw Failure("cannot write \(path)", errno: errno) }
    }
}

/// Temporary files created so far.
private let temporaries = Atomic<Int>(0)

/// Writes text to standard output.
func printOutput(_ text: String) throws {
    var text = text
    try text.withUTF8 { try writeAll(UnsafeRawBufferPointer($0), to: STDOUT_FILENO, name: "standard output") }
}

private func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, name: String) throws {
    var written = 0
    while written < bytes.count {
        let count = write(descriptor, bytes.baseAddress! + written, bytes.count - written)
        if count >= 0 {
            written += count
        } else if errno != EINTR {
            throw Failure("cannot write \(name)", errno: errno)
        } else if Interruption.signal != nil {
            throw CodecError(.cancelled, "interrupted")
        }
    }
}
