// SPDX-License-Identifier: Apache-2.0

/// The part of JSON that a safetensors header uses; a key that appears twice is an error. Parsing is bounded and never traps, whatever the bytes.
indirect enum JSON {
    case object([(key: String, value: JSON)])
    case array([JSON])
    case string(String)
    case integer(Int)

    subscript(key: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    var string: String? { if case .string(let value) = self { value } else { nil } }
    var integer: Int? { if case .integer(let value) = self { value } else { nil } }
    var integers: [Int]? {
        guard case .array(let items) = self else { return nil }
        let numbers = items.compactMap(\.integer)
        return numbers.count == items.count ? numbers : nil
    }

    /// The value, or nil if the bytes are not exactly one value of this subset.
    init?(_ bytes: UnsafeRawBufferPointer) {
        var parser = Parser(bytes: bytes)
        guard let value = parser.value(depth: 0) else { return nil }
        parser.skipSpace()
        guard parser.position == bytes.count else { return nil }
        self = value
    }

    init?(_ text: String) {
        var copy = text
        guard let value = copy.withUTF8({ JSON(UnsafeRawBufferPointer($0)) }) else { return nil }
        self = value
    }

    private struct Parser {
        let bytes: UnsafeRawBufferPointer
        var position = 0
        static let deepest = 8

        init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

        var next: UInt8? { position < bytes.count ? bytes[position] : nil }

        mutating func skipSpace() {
            while let c = next, c == 0x20 || c == 0x0a || c == 0x0d || c == 0x09 { position += 1 }
        }

        mutating func take(_ character: Character) -> Bool {
            skipSpace()
            guard next == character.asciiValue else { return false }
            position += 1
            return true
        }

        mutating func value(depth: Int) -> JSON? {
            guard depth < Self.deepest else { return nil }
            skipSpace()
            switch next {
            case UInt8(ascii: "{"): return object(depth: depth)
            case UInt8(ascii: "["): return array(depth: depth)
            case UInt8(ascii: "\""): return text().map { .string($0) }
            default: return number()
            }
        }

        mutating func object(depth: Int) -> JSON? {
            var members: [(key: String, value: JSON)] = []
            var keys: Set<String> = []
            guard take("{") else { return nil }
            if take("}") { return .object(members) }
            repeat {
                skipSpace()
                guard let key = text(), keys.insert(key).inserted, take(":"), let value = value(depth: depth + 1) else { return nil }
                members.append((key, value))
            } while take(",")
            return take("}") ? .object(members) : nil
        }

        mutating func array(depth: Int) -> JSON? {
            var items: [JSON] = []
            guard take("[") else { return nil }
            if take("]") { return .array(items) }
            repeat {
                guard let value = value(depth: depth + 1) else { return nil }
                items.append(value)
            } while take(",")
            return take("]") ? .array(items) : nil
        }

        mutating func number() -> JSON? {
            let negative = next == UInt8(ascii: "-")
            if negative { position += 1 }
            var value = 0
            let start = position
            while let c = next, c >= 0x30, c <= 0x39 {
                let (product, overflow) = value.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(Int(c) - 0x30)
                guard !overflow, !carry else { return nil }
                value = sum
                position += 1
            }
            return position > start ? .integer(negative ? -value : value) : nil
        }

        mutating func text() -> String? {
            guard next == UInt8(ascii: "\"") else { return nil }
            position += 1
            var utf8: [UInt8] = []
            while let c = next {
                position += 1
                switch c {
                case UInt8(ascii: "\""): return String(validating: utf8, as: UTF8.self)
                case UInt8(ascii: "\\"):
                    guard let scalar = escape() else { return nil }
                    utf8.append(contentsOf: Array(String(scalar).utf8))
                case 0 ..< 0x20: return nil
                default: utf8.append(c)
                }
            }
            return nil
        }

        mutating func escape() -> Unicode.Scalar? {
            guard let c = next else { return nil }
            position += 1
            switch c {
            case UInt8(ascii: "n"): return "\n"
            case UInt8(ascii: "t"): return "\t"
            case UInt8(ascii: "r"): return "\r"
            case UInt8(ascii: "b"): return "\u{8}"
            case UInt8(ascii: "f"): return "\u{c}"
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(c)
            case UInt8(ascii: "u"):
                guard let high = hexadecimal() else { return nil }
                guard (0xd800 ..< 0xdc00).contains(high) else { return Unicode.Scalar(high) }
                guard next == UInt8(ascii: "\\") else { return nil }
                position += 1
                guard next == UInt8(ascii: "u") else { return nil }
                position += 1
                guard let low = hexadecimal(), (0xdc00 ..< 0xe000).contains(low) else { return nil }
                return Unicode.Scalar(0x10000 + (high - 0xd800) << 10 + (low - 0xdc00))
            default: return nil
            }
        }

        mutating func hexadecimal() -> UInt32? {
            guard position + 4 <= bytes.count else { return nil }
            var value: UInt32 = 0
            for _ in 0 ..< 4 {
                guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else { return nil }
                value = value << 4 | UInt32(digit)
                position += 1
            }
            return value
        }
    }
}
