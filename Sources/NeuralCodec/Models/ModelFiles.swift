// SPDX-License-Identifier: Apache-2.0
import CPlatform
import Glibc

/// Where models are looked up by id: the folders of NEURALCODEC_MODEL_PATH, then PREFIX/share/neuralcodec/models beside the library.
enum ModelFolders {
    static var all: [String] {
        var folders: [String] = []
        if let path = getenv("NEURALCODEC_MODEL_PATH") {
            folders = String(cString: path).split(separator: ":").map(String.init)
        }
        if let own = ncp_own_path(), let resolved = realpath(own, nil) {
            defer { free(resolved) }
            let parts = String(cString: resolved).split(separator: "/")
            // PREFIX/lib/FILE or PREFIX/bin/FILE, and where Debian has libraries: PREFIX/lib/x86_64-linux-gnu/FILE.
            var prefixes = parts.count >= 3 ? [parts.dropLast(2)] : []
            if parts.count >= 4, parts[parts.count - 3] == "lib" { prefixes.append(parts.dropLast(3)) }
            folders += prefixes.map { "/" + $0.joined(separator: "/") + "/share/neuralcodec/models" }
        }
        return folders
    }

    static var described: String { all.isEmpty ? "any model folder" : all.joined(separator: ":") }
}

/// At most 8 ASCII letters, digits, "-" and "_": an id becomes part of a path, so nothing else may stand in it. May be empty, in files that need no model.
func isModelID(_ id: [UInt8]) -> Bool {
    id.count <= 8 && id.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }
}

/// Files, read without Foundation.
package enum FileBytes {
    /// Far above any model; a wrong path (a disk image, a device) must not fill the memory.
    private static let longest = 1 << 30

    static func exists(_ path: String) -> Bool { access(path, R_OK) == 0 }

    package static func read(_ path: String, orElse status: Status, _ kind: String) throws -> ByteBuffer {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw CodecError(status, "\(kind) '\(path)': \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG, information.st_size <= longest else {
            throw CodecError(status, "\(kind) '\(path)' is not a regular file of at most \(longest) bytes")
        }
        let buffer = try ByteBuffer(count: Int(information.st_size))
        var done = 0
        while done < buffer.count {
            let count = Glibc.read(descriptor, buffer.bytes.baseAddress! + done, buffer.count - done)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw CodecError(status, "\(kind) '\(path)' could not be read") }
            done += count
        }
        return buffer
    }

    /// Paths of the .safetensors files of a folder, by name.
    static func modelFiles(_ folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var paths: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(cString: $0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
            if name.hasSuffix(".safetensors") { paths.append("\(folder)/\(name)") }
        }
        return paths.sorted()
    }
}
