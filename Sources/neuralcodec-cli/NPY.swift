// SPDX-License-Identifier: Apache-2.0
import NeuralCodec

/// Types of the values in the .npy files that the command reads and writes, as numpy names them there.
enum NPYType: String {
    case float32 = "<f4", float64 = "<f8", int32 = "<i4"

    var size: Int { self == .float64 ? 8 : 4 }

    var name: String {
        switch self {
        case .float32: "float32"
        case .float64: "float64"
        case .int32: "int32"
        }
    }
}

/// An array of a .npy file (numpy.lib.format, versions 1.0 to 3.0): little-endian values in C order.
struct NPYArray {
    let type: NPYType
    let shape: [Int]
    let count: Int
    private let file: ByteBuffer
    private let start: Int

    /// `name` is for messages, `types` are those the caller can use.
    init(_ file: ByteBuffer, name: String, types: [NPYType]) throws {
        let (header, start) = try file.withBytes { try NPYHeader.read($0, name: name) }
        guard let type = header.descr.flatMap(NPYType.init), types.contains(type) else {
            let found = header.descr.map { "'\($0)'" } ?? "of a structure"
            let wanted = types.map { "\($0.name) ('\($0.rawValue)')" }.joined(separator: " and ")
            throw CodecError(.unsupported, "\(name) holds values of the type \(found), which is unsupported here: \(wanted) can be read")
        }
        guard !header.fortranOrder || header.shape.count < 2 else {
            throw CodecError(.unsupported, "\(name) is in Fortran order, which is unsupported: save numpy.ascontiguousarray(array)")
        }
        var count = 1
        for length in header.shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: length)
            guard !overflow, product <= Int.max / 8 else { throw CodecError(.badStream, "\(name): the shape \(describe(header.shape)) is impossible") }
            count = product
        }
        let (needed, present) = (count * type.size, file.count - start)
        guard needed <= present else {
            throw CodecError(.badStream, "\(name) is truncated: its shape \(describe(header.shape)) needs \(needed) bytes, and \(present) are there")
        }
        guard needed == present else { throw CodecError(.badStream, "\(name) has \(present - needed) bytes more than its shape \(describe(header.shape)) needs") }
        (self.type, self.shape, self.count, self.file, self.start) = (type, header.shape, count, file, start)
    }

    /// Calls `body` with each value of a float32 or float64 array and its place.
    func forEach(_ body: (Int, Double) -> Void) {
        file.withBytes { bytes in
            if type == .float64 {
                for i in 0..<count { body(i, bytes.loadUnaligned(fromByteOffset: start + 8 * i, as: Double.self)) }
            } else {
                for i in 0..<count { body(i, Double(bytes.loadUnaligned(fromByteOffset: start + 4 * i, as: Float.self))) }
            }
        }
    }

    /// The values of a float32 or float64 array, rounded to float32.
    func copyFloats(to floats: UnsafeMutableBufferPointer<Float>) {
        if type == .float64 {
            forEach { floats[$0] = Float($1) }
        } else {
            copyBytes(to: UnsafeMutableRawBufferPointer(floats))
        }
    }

    func copyBytes(to bytes: UnsafeMutableRawBufferPointer) { file.withBytes { bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start...])) } }
}

/// A .npy file in the making: the header of version 1.0, then room for the values.
struct NPYFile {
    let file: ByteBuffer
    private let start: Int
    private let count: Int

    init(_ type: NPYType, shape: [Int]) throws {
        let text = "{'descr': '\(type.rawValue)', 'fortran_order': False, 'shape': \(describe(shape)), }"
        start = (10 + text.utf8.count + 1 + 63) / 64 * 64
        count = shape.reduce(1, *)
        file = try ByteBuffer(count: start + type.size * count)
        let length = start - 10
        let header = NPYHeader.signature + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)] + Array(text.utf8)
        file.bytes.copyBytes(from: header + [UInt8](repeating: 0x20, count: start - header.count - 1) + [0x0A])
    }

    /// The values. Valid while the file is.
    func values<Value>(as type: Value.Type) -> UnsafeMutableBufferPointer<Value> {
        UnsafeMutableBufferPointer(start: (file.bytes.baseAddress! + start).assumingMemoryBound(to: type), count: count)
    }
}

/// A shape as Python writes a tuple.
func describe(_ shape: [Int]) -> String { "(" + shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? ",)" : ")") }

/// The header's dictionary, a Python literal.
private struct NPYHeader {
    static let signature: [UInt8] = [0x93] + Array("NUMPY".utf8)

    /// nil: a structure.
    var descr: String?
    var fortranOrder = false
    var shape: [Int] = []

    /// The header, and where the values begin.
    static func read(_ bytes: UnsafeRawBufferPointer, name: String) throws -> (NPYHeader, start: Int) {
        guard bytes.count >= 10, bytes.starts(with: signature) else { throw Failure("\(name) is not a .npy file") }
        let (major, minor) = (bytes[6], bytes[7])
        guard (1...3).contains(major), minor == 0 else {
            throw CodecError(.unsupported, "\(name) is a .npy file of version \(major).\(minor), which is unsupported: 1.0, 2.0 and 3.0 can be read")
        }
        let lengthSize = major == 1 ? 2 : 4
        guard bytes.count >= 8 + lengthSize else { throw CodecError(.badStream, "\(name): the .npy header is damaged") }
        let length = (0..<lengthSize).reduce(0) { $0 | Int(bytes[8 + $1]) << (8 * $1) }
        let start = 8 + lengthSize + length
        guard start <= bytes.count else { throw CodecError(.badStream, "\(name) is truncated in its .npy header") }
        var parser = PythonLiteral(bytes: UnsafeRawBufferPointer(rebasing: bytes[8 + lengthSize..<start]))
        guard let header = NPYHeader(&parser) else { throw CodecError(.badStream, "\(name): the .npy header is damaged") }
        return (header, start)
    }

    private init?(_ parser: inout PythonLiteral) {
        var seen: Set<String> = []
        guard parser.take("{") else { return nil }
        while !parser.take("}") {
            guard let key = parser.string(), seen.insert(key).inserted, parser.take(":") else { return nil }
            switch key {
            case "descr":
                if let text = parser.string() {
                    descr = text
                } else if !parser.skipList() {
                    return nil
                }
            case "fortran_order":
                guard let value = parser.boolean() else { return nil }
                fortranOrder = value
            case "shape":
                guard let value = parser.tuple(), value.count <= 64 else { return nil }
                shape = value
            default: return nil
            }
            if !parser.take(",") {
                guard parser.take("}") else { return nil }
                break
            }
        }
        guard seen.count == 3, parser.isAtEnd else { return nil }
    }
}

/// The few literals of Python that a .npy header is made of.
private struct PythonLiteral {
    let bytes: UnsafeRawBufferPointer
    var position = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private mutating func skipSpace() {
        while position < bytes.count, bytes[position] == 0x20 || (0x09...0x0D).contains(bytes[position]) { position += 1 }
    }

    var isAtEnd: Bool {
        mutating get {
            skipSpace()
            return position == bytes.count
        }
    }

    mutating func take(_ text: String) -> Bool {
        skipSpace()
        guard bytes[position...].starts(with: text.utf8) else { return false }
        position += text.utf8.count
        return true
    }

    /// Without escapes, which names of types and of the three keys do not have.
    mutating func string() -> String? {
        skipSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: "'") || bytes[position] == UInt8(ascii: "\"") else { return nil }
        guard let end = bytes[(position + 1)...].firstIndex(of: bytes[position]) else { return nil }
        let text = bytes[position + 1..<end]
        guard text.allSatisfy({ (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "\\") }) else { return nil }
        position = end + 1
        return String(decoding: text, as: UTF8.self)
    }

    mutating func boolean() -> Bool? { take("True") ? true : take("False") ? false : nil }

    /// A tuple of numbers that are not negative. Python 2 put an L behind them.
    mutating func tuple() -> [Int]? {
        guard take("(") else { return nil }
        var numbers: [Int] = []
        while !take(")") {
            skipSpace()
            var value = 0
            let start = position
            while position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) {
                let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
                let (sum, carry) = tenfold.addingReportingOverflow(Int(bytes[position] - UInt8(ascii: "0")))
                guard !overflow, !carry else { return nil }
                value = sum
                position += 1
            }
            guard position > start else { return nil }
            _ = take("L")
            numbers.append(value)
            if !take(",") {
                guard take(")") else { return nil }
                break
            }
        }
        return numbers
    }

    /// Goes past a list, which describes a structure, to its closing bracket.
    mutating func skipList() -> Bool {
        guard take("[") else { return false }
        var depth = 1
        while position < bytes.count, depth > 0 {
            if bytes[position] == UInt8(ascii: "[") { depth += 1 }
            if bytes[position] == UInt8(ascii: "]") { depth -= 1 }
            position += 1
        }
        return depth == 0
    }
}
