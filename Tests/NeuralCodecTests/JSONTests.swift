// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

final class JSONTests: XCTestCase {
    func testValues() throws {
        XCTAssertEqual(JSON("42")?.integer, 42)
        XCTAssertEqual(JSON(" \t\r\n-7 ")?.integer, -7)
        XCTAssertEqual(JSON("0")?.integer, 0)
        XCTAssertEqual(JSON("9223372036854775807")?.integer, .max)
        XCTAssertEqual(JSON("[]")?.integers, [])
        XCTAssertEqual(JSON("[1 , -2,3]")?.integers, [1, -2, 3])
        XCTAssertNil(JSON("[1,\"2\"]")?.integers)
        XCTAssertEqual(JSON("\"\"")?.string, "")
        XCTAssertEqual(JSON(#""a\"\\\/\b\f\n\r\t\u0041\u00e4\u20ac\ud83d\ude00""#)?.string, "a\"\\/\u{8}\u{c}\n\r\tA\u{e4}\u{20ac}\u{1f600}")
        XCTAssertEqual(JSON("\"\u{e4}\u{1f600}\"")?.string, "\u{e4}\u{1f600}")
        let object = try XCTUnwrap(JSON(#"{"a": 1, "b": {"c": [2]}, "": "x", "A": 3}"#))
        XCTAssertEqual(object["a"]?.integer, 1)
        XCTAssertEqual(object["A"]?.integer, 3)
        XCTAssertEqual(object["b"]?["c"]?.integers, [2])
        XCTAssertEqual(object[""]?.string, "x")
        XCTAssertNil(object["d"])
        XCTAssertNil(object["a"]?["a"])
        XCTAssertNotNil(JSON("{}"))
    }

    func testDepth() {
        func nested(_ depth: Int, _ open: String, _ close: String) -> String {
            String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
        }
        XCTAssertNotNil(JSON(nested(7, "[", "]")))
        XCTAssertNil(JSON(nested(8, "[", "]")))
        XCTAssertNotNil(JSON(nested(7, "{\"a\":", "}")))
        XCTAssertNil(JSON(nested(8, "{\"a\":", "}")))
        XCTAssertNil(JSON(nested(200_000, "[", "]")))
        XCTAssertNil(JSON(String(repeating: "[", count: 1_000_000)))
        XCTAssertNil(JSON(String(repeating: "{\"a\":", count: 200_000)))
    }

    func testRefusals() {
        let refused = [
            "", " ", "{", "}", "[", "]", "{]", "[}", "\"", "\"a", "\"\\", "\"\\\"", "-", "--1", "+1", "a", "true", "null", "nan", "[1,]", "[,1]", "[1 2]", "[1;2]", "{1:2}",
            #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{"a":1 "b":2}"#, #"{,}"#, #"{"a" 1}"#, "1 2", "{}{}", "[] x", "1.5", "1e3", "0x10", "9223372036854775808",
            "-9223372036854775808", "99999999999999999999999999", "-99999999999999999999999999", #""\x41""#, #""\u12""#, #""\u12g4""#, #""\ud800""#, #""\ud800x""#,
            #""\ud800\n""#, #""\ud800\u0041""#, #""\udc00""#, #""\ud83d\ud83d""#, "\"\n\"", "\"\u{0}\"", "\"\u{1f}\"", "'a'", #"{"a":1,"a":1}"#, #"{"a":1,"b":2,"a":3}"#,
            #"{"a":1,"\u0061":2}"#, #"[{"a":{"b":1,"b":1}}]"#,
        ]
        for text in refused { XCTAssertNil(JSON(text), text) }
    }

    func testInvalidUTF8() {
        let quote = UInt8(ascii: "\"")
        for bytes: [UInt8] in [[0x80], [0xff], [0xc3], [0xc0, 0x80], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x41, 0xbf]] {
            XCTAssertNil(withGuarded([quote] + bytes + [quote]) { JSON($0) }, "\(bytes)")
            XCTAssertNil(withGuarded(bytes) { JSON($0) }, "\(bytes)")
        }
    }

    /// Every beginning of a valid text, at the end of readable memory: refused, and not read beyond.
    func testTruncations() {
        let text = Array(#"{"weight":{"dtype":"F16","shape":[16,-3],"data_offsets":[0,9]},"\u00e4\ud83d\ude00":"\n\\"}"#.utf8)
        XCTAssertNotNil(withGuarded(text) { JSON($0) })
        for length in 0 ..< text.count { XCTAssertNil(withGuarded(text.prefix(length)) { JSON($0) }, "\(length)") }
    }

    func testNoise() {
        var numbers = Numbers(30)
        let alphabet = Array(#"{}[]":,\u0019-aé "#.utf8)
        var accepted = 0
        for _ in 0 ..< 20_000 {
            let text = (0 ..< Int.random(in: 0 ... 24, using: &numbers)).map { _ in alphabet.randomElement(using: &numbers)! }
            accepted += withGuarded(text) { JSON($0) == nil ? 0 : 1 }
        }
        XCTAssertGreaterThan(accepted, 0)
    }
}
