// SPDX-License-Identifier: Apache-2.0
// What several test files need. The tests are XCTest cases, which run one after the other: some change process-wide state (environment, allocator).
import CKernels
import CPlatform
import XCTest

@testable import NeuralCodec

/// A file or folder of Tests/.
func testFile(_ path: String) -> URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(path)
}

func testBytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: testFile(path))) }

/// The conformance models, which never change.
enum TinyModel {
    static let bytes: Result<[UInt8], Error> = Result { try testBytes("goldens/tiny.safetensors") }

    /// The tiny model with the tensors of loud_tensors.safetensors in place of its own, and another id.
    static let loudBytes: Result<[UInt8], Error> = Result {
        let changes = try testBytes("goldens/loud_tensors.safetensors")
        var file = try bytes.get()
        let (old, new) = (Array(#""id":"tiny""#.utf8), Array(#""id":"loud""#.utf8))
        file.replaceSubrange(try XCTUnwrap(file.firstRange(of: old)), with: new)
        try changes.withUnsafeBytes { changes in
            try file.withUnsafeMutableBytes { file in
                let tensors = try Safetensors(UnsafeRawBufferPointer(file)).tensors
                for change in try Safetensors(changes).tensors.values {
                    let tensor = try XCTUnwrap(tensors[change.name])
                    XCTAssertTrue(tensor.type == change.type && tensor.shape == change.shape, change.name)
                    UnsafeMutableRawBufferPointer(mutating: tensor.bytes).copyMemory(from: change.bytes)
                }
            }
        }
        return file
    }

    /// Its like with the parts that make a receiver cheaper.
    static let slimBytes: Result<[UInt8], Error> = Result { try testBytes("goldens/slim.safetensors") }

    static func load() throws -> Model { try load(bytes.get()) }

    static func load(_ bytes: [UInt8]) throws -> Model { try bytes.withUnsafeBytes { try Model(bytes: $0) } }
}

/// Numbers that look random and are the same everywhere.
struct Numbers: RandomNumberGenerator {
    private var source: SplitMix64

    init(_ seed: UInt64) { source = SplitMix64(seed) }

    mutating func next() -> UInt64 { source.next() }

    mutating func float(_ range: ClosedRange<Float>) -> Float { Float.random(in: range, using: &self) }
}

/// Fails unless `body` throws a `CodecError` of this status (nil: any) whose message holds `text`.
@discardableResult
func assertThrows<Value>(
    _ status: Status?, _ text: String = "", _ comment: @autoclosure () -> String = "", file: StaticString = #filePath, line: UInt = #line,
    _ body: () throws -> Value
) -> CodecError? {
    do {
        _ = try body()
        XCTFail("no error; wanted \(status.map { "\($0)" } ?? "one"). \(comment())", file: file, line: line)
    } catch let error as CodecError {
        if let status, error.status != status { XCTFail("\(error.status) (\(error.message)) instead of \(status). \(comment())", file: file, line: line) }
        if !text.isEmpty, !error.message.contains(text) { XCTFail("'\(error.message)' does not say '\(text)'. \(comment())", file: file, line: line) }
        return error
    } catch {
        XCTFail("\(error) is no CodecError. \(comment())", file: file, line: line)
    }
    return nil
}

/// The instruction sets of this machine, "portable" among them.
let availablePaths: [String] = ["portable", "avx2", "avx512", "neon"].filter { (try? Kernels.named($0)) != nil }

/// Runs `body` with NEURALCODEC_ISA set, or without it, and puts it back.
func withPath<Result>(_ name: String?, _ body: () throws -> Result) rethrows -> Result {
    let before = getenv("NEURALCODEC_ISA").map { String(cString: $0) }
    func set(_ value: String?) { if let value { setenv("NEURALCODEC_ISA", value, 1) } else { unsetenv("NEURALCODEC_ISA") } }
    set(name)
    defer { set(before) }
    return try body()
}

func sha256(_ bytes: UnsafeRawBufferPointer) -> String {
    var state = ncp_sha256()
    ncp_sha256_init(&state)
    ncp_sha256_update(&state, bytes.baseAddress, bytes.count)
    var digest = [UInt8](repeating: 0, count: 32)
    ncp_sha256_final(&state, &digest)
    return hexadecimal(digest)
}

/// Runs `body` with a copy of the bytes whose end is the end of readable memory: reading one byte further, or writing at all, ends the process.
func withGuarded<Result>(_ contents: some Collection<UInt8>, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    let page = sysconf(Int32(_SC_PAGESIZE))
    let readable = (contents.count + page - 1) / page * page
    let mapping = mmap(nil, readable + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
    precondition(mapping != MAP_FAILED)
    defer { munmap(mapping, readable + page) }
    let start = mapping + readable - contents.count
    UnsafeMutableRawBufferPointer(start: start, count: contents.count).copyBytes(from: contents)
    precondition(mprotect(mapping, readable, PROT_READ) == 0 && mprotect(mapping + readable, page, PROT_NONE) == 0)
    return try body(UnsafeRawBufferPointer(start: start, count: contents.count))
}

/// A chunk of a .nic file.
func chunk(_ type: String, _ payload: [UInt8]) -> [UInt8] {
    var chunk = [UInt8](repeating: 0, count: 4) + Array(type.utf8) + payload
    chunk.put(UInt32(payload.count), 0)
    return chunk + slowChecksum(chunk)
}

/// CRC-32C bit by bit.
func slowChecksum(_ bytes: [UInt8]) -> [UInt8] {
    var crc = UInt32.max
    for byte in bytes {
        crc ^= UInt32(byte)
        for _ in 0 ..< 8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0x82f6_3b78 : 0) }
    }
    return withUnsafeBytes(of: (~crc).littleEndian) { Array($0) }
}

extension [UInt8] {
    /// A .nic file with the checksums of its chunks made right.
    func repaired() -> [UInt8] {
        var file = self
        var position = Container.prefixSize
        while position + Container.chunkOverhead <= count {
            let length = Int(word(position))
            let end = position + 8 + length
            guard end + 4 <= count else { break }
            let checksum = file[position ..< end].withUnsafeBytes { ncp_crc32c(0, $0.baseAddress, $0.count) }
            file.put(checksum, end)
            position = end + 4
        }
        return file
    }

    func word(_ position: Int) -> UInt32 { withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: UInt32.self)) } }

    mutating func put(_ value: some FixedWidthInteger & BitwiseCopyable, _ position: Int) {
        let value = value.littleEndian
        Swift.withUnsafeBytes(of: value) { replaceSubrange(position ..< position + $0.count, with: $0) }
    }
}
