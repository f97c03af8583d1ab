// SPDX-License-Identifier: Apache-2.0
import Glibc

/// One picture of a batch.
struct BatchItem: Sendable {
    let source: String
    let output: String
}

/// Which files a batch reads and writes. Two sources of one output are an error, as is a file that would be both read and written.
struct BatchPlan {
    private(set) var items: [BatchItem] = []
    /// What was wrong with folders that cannot be read.
    private(set) var unreadable: [String] = []
    /// Files in folders with other endings, and what is neither file nor folder.
    private(set) var passedOver = 0

    private let endings: Set<String>
    private let outputEnding: String
    private let outputFolder: String?

    /// - Parameters:
    ///   - paths: files, whatever their endings, folders, and patterns for the names of either
    ///   - endings: of files that count in folders, in small letters
    ///   - what: those files, for messages
    ///   - outputFolder: nil writes beside the sources
    init(_ paths: [String], endings: Set<String>, what: String, outputEnding: String, under outputFolder: String?) throws {
        self.endings = endings
        self.outputEnding = outputEnding
        self.outputFolder = outputFolder
        for path in try paths.flatMap(expand) {
            if isFolder(path) {
                walk(path, below: "")
            } else {
                add(path, below: "")
            }
        }
        try removeRepetitionsAndFindCollisions()
        if items.isEmpty, unreadable.isEmpty { throw Failure("no \(what) in \(paths.joined(separator: ", "))") }
    }

    /// `relative` is the place below the folder that was given, empty or with a "/" at the end.
    private mutating func add(_ source: String, below relative: String) {
        let (folder, name) = split(source)
        items.append(BatchItem(source: source, output: (outputFolder.map { slashed($0) + relative } ?? folder) + replacingEnding(of: name, by: outputEnding)))
    }

    /// In the order of names. Hidden files are left out, links to folders are not followed.
    private mutating func walk(_ folder: String, below relative: String) {
        guard let names = entries(of: folder) else { return unreadable.append(Failure("cannot read the folder \(folder)", errno: errno).message) }
        for name in names {
            let path = slashed(folder) + name
            var own = stat(), target = stat()
            guard lstat(path, &own) == 0 else { continue }  // deleted meanwhile
            if own.st_mode & S_IFMT == S_IFDIR {
                walk(path, below: "\(relative)\(name)/")
            } else if let ending = ending(of: name), endings.contains(ending.lowercased()), stat(path, &target) != 0 || target.st_mode & S_IFMT == S_IFREG {
                add(path, below: relative)
            } else {
                passedOver += 1
            }
        }
    }

    private mutating func removeRepetitionsAndFindCollisions() throws {
        var sources: [String: String] = [:]  // by output
        let read = Set(items.map { identity($0.source) })
        var kept: [BatchItem] = [], collisions: [String] = []
        for item in items {
            let output = identity(item.output), source = identity(item.source)
            if read.contains(output) {
                collisions.append("\(item.output) would be both read and written")
            } else if let other = sources[output] {
                if identity(other) != source { collisions.append("\(other) and \(item.source) would both become \(item.output)") }
            } else {
                sources[output] = item.source
                kept.append(item)
            }
        }
        if let first = collisions.first {
            throw Failure(first + (collisions.count > 1 ? " (and \(collisions.count - 1) more such)" : "") + "; nothing was written")
        }
        items = kept
    }
}

// MARK: Names

/// The folder with its "/", or "", and the name.
private func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return ("", path) }
    return (String(path[...slash]), String(path[slash...].dropFirst()))
}

private func slashed(_ folder: String) -> String { folder.hasSuffix("/") ? folder : folder + "/" }

/// Without the dot; nil for a name without one, or with one at its beginning only.
private func ending(of name: String) -> Substring? {
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return nil }
    return name[dot...].dropFirst()
}

private func replacingEnding(of name: String, by ending: String) -> String {
    let stem = neuralcodec_cli.ending(of: name).map { name.dropLast($0.count + 1) } ?? Substring(name)
    return "\(stem).\(ending)"
}

/// One name for a file, however its folder is written. The folder need not exist.
private func identity(_ path: String) -> String {
    let (folder, name) = split(path)
    if let resolved = realpath(folder.isEmpty ? "." : folder, nil) {
        defer { free(resolved) }
        return slashed(String(cString: resolved)) + name
    }
    guard folder.count > 1 else { return path }  // the working folder was deleted
    return slashed(identity(String(folder.dropLast()))) + name
}

// MARK: Files

/// A pattern that names no file itself becomes the files that it matches.
private func expand(_ path: String) throws -> [String] {
    guard access(path, F_OK) != 0, path.contains(where: { "*?[".contains($0) }) else { return [path] }
    var found = glob_t()
    defer { globfree(&found) }
    guard glob(path, 0, nil, &found) == 0 else { throw Failure("no file matches \(path)") }
    return (0..<Int(found.gl_pathc)).map { String(cString: found.gl_pathv[$0]!) }
}

private func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// Names in a folder, sorted by their bytes, without hidden ones; nil, with `errno`, if it cannot be read.
private func entries(of folder: String) -> [String]? {
    guard let directory = opendir(folder) else { return nil }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(cString: $0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}

/// Makes the folders that a file is to stand in.
func makeFolders(of path: String) throws {
    let folder = split(path).folder
    var end = folder.startIndex
    while let slash = folder[end...].firstIndex(of: "/") {
        end = folder.index(after: slash)
        let part = String(folder[..<end])
        guard mkdir(part, 0o777) == 0 || errno == EEXIST || isFolder(part) else { throw Failure("cannot make the folder \(part)", errno: errno) }
    }
}

/// Whether a file is there and was changed after another.
func isNewer(_ path: String, than other: String) -> Bool {
    var own = stat(), others = stat()
    guard stat(path, &own) == 0, own.st_mode & S_IFMT == S_IFREG, stat(other, &others) == 0 else { return false }
    return (own.st_mtim.tv_sec, own.st_mtim.tv_nsec) > (others.st_mtim.tv_sec, others.st_mtim.tv_nsec)
}

/// 0 for a file that is not there.
func fileSize(_ path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
}
