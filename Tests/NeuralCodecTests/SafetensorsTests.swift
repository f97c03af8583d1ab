// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

final class SafetensorsTests: XCTestCase {
    func testValidFile() throws {
        let header =
            #"{"__metadata__":{"a":"1","b":"ä"},"y":{"dtype":"F16","shape":[3],"data_offsets":[8,14]},"x":{"dtype":"I32","shape":[2,1],"data_offsets":[0,8]},"#
            + #""e":{"shape":[0,7],"data_offsets":[8,8],"dtype":"F32"}}"#
        try withGuarded(container(header, data: Array(0 ..< 14))) { file in
            let tensors = try Safetensors(file)
            XCTAssertEqual(tensors.metadata, ["a": "1", "b": "ä"])
            XCTAssertEqual(Set(tensors.tensors.keys), ["x", "y", "e"])
            let x = try XCTUnwrap(tensors.tensors["x"])
            XCTAssertEqual(x.name, "x")
            XCTAssertEqual(x.type, "I32")
            XCTAssertEqual(x.shape, [2, 1])
            XCTAssertEqual(x.count, 2)
            XCTAssertEqual(Array(x.bytes), Array(0 ..< 8))
            XCTAssertEqual(Array(try XCTUnwrap(tensors.tensors["y"]).bytes), Array(8 ..< 14))
            XCTAssertEqual(try XCTUnwrap(tensors.tensors["e"]).count, 0)
        }
    }

    func testNoTensors() throws {
        let tensors = try withGuarded(container("{}", data: [])) { try Safetensors($0) }
        XCTAssertTrue(tensors.tensors.isEmpty && tensors.metadata.isEmpty)
    }

    /// Headers for eight bytes of data.
    func testHostileHeaders() {
        func one(_ description: String) -> String { #"{"w":{\#(description)}}"# }
        let good = #""dtype":"F32","shape":[2],"data_offsets":[0,8]"#
        XCTAssertNoThrow(try parse(one(good)))
        let hostile = [
            // No header of the right form.
            "", "[]", "1", "\"x\"", "{", "{} x", String(repeating: "[", count: 9000), #"{"__metadata__":1}"#, #"{"__metadata__":[]}"#, #"{"__metadata__":{"a":1}}"#,
            #"{"__metadata__":{"a":{}}}"#, #"{"__metadata__":{"a":"1","a":"2"}}"#, #"{"__metadata__":{},"__metadata__":{}}"#, #"{"w":1}"#, #"{"w":[]}"#, #"{"w":"x"}"#,
            // Members that are missing, of another kind, or there twice.
            one(""), one(#""dtype":"F32","shape":[2]"#), one(#""dtype":"F32","data_offsets":[0,8]"#), one(#""shape":[2],"data_offsets":[0,8]"#), one(good + #","dtype":"F32""#),
            one(#""dtype":4,"shape":[2],"data_offsets":[0,8]"#), one(#""dtype":"F32","shape":2,"data_offsets":[0,8]"#), one(#""dtype":"F32","shape":["2"],"data_offsets":[0,8]"#),
            one(#""dtype":"F32","shape":[2],"data_offsets":8"#), one(#""dtype":"F32","shape":[2],"data_offsets":[8]"#), one(#""dtype":"F32","shape":[2],"data_offsets":[0,8,8]"#),
            // Types.
            one(#""dtype":"F64","shape":[1],"data_offsets":[0,8]"#), one(#""dtype":"BF16","shape":[4],"data_offsets":[0,8]"#), one(#""dtype":"","shape":[2],"data_offsets":[0,8]"#),
            one(#""dtype":"f32","shape":[2],"data_offsets":[0,8]"#),
            // Offsets and shapes that do not agree, leave the file, or overflow.
            one(#""dtype":"F32","shape":[3],"data_offsets":[0,8]"#), one(#""dtype":"F32","shape":[1],"data_offsets":[0,8]"#), one(#""dtype":"F32","shape":[3],"data_offsets":[0,12]"#),
            one(#""dtype":"F32","shape":[2],"data_offsets":[8,0]"#), one(#""dtype":"F32","shape":[2],"data_offsets":[-8,0]"#), one(#""dtype":"F32","shape":[2],"data_offsets":[0,-8]"#),
            one(#""dtype":"F32","shape":[-2],"data_offsets":[0,8]"#), one(#""dtype":"F32","shape":[-1,-2],"data_offsets":[0,8]"#), one(#""dtype":"F32","shape":[-2],"data_offsets":[8,0]"#),
            one(#""dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]"#), one(#""dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]"#),
            one(#""dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]"#), one(#""dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]"#),
            one(#""dtype":"F32","shape":[2],"data_offsets":[9223372036854775800,9223372036854775807]"#), one(#""dtype":"F32","shape":[2],"data_offsets":[4,12]"#),
            one(#""dtype":"F32","shape":[2],"data_offsets":[0.0,8.0]"#), one(#""dtype":"F32","shape":[2],"data_offsets":[18446744073709551616,8]"#),
            // Data that no tensor has, that two have, and a name that two have.
            one(#""dtype":"F32","shape":[1],"data_offsets":[0,4]"#), one(#""dtype":"F32","shape":[1],"data_offsets":[4,8]"#), "{}",
            #"{"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
            #"{"v":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F16","shape":[3],"data_offsets":[2,8]}}"#,
            #"{"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}"#,
            #"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            #"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\u0077":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
        ]
        for header in hostile { assertThrows(.badModel, "the model file is damaged", header.prefix(200).description) { try parse(header) } }
    }

    func testHostileLengths() {
        let good = container("{}", data: [])
        for length: UInt64 in [3, 9, 1 << 20, 1 << 20 + 1, 1 << 32, 1 << 63, .max, .max - 7] {
            var file = good
            file.put(length, 0)
            assertThrows(.badModel, "", "\(length)") { try withGuarded(file) { try Safetensors($0) } }
        }
        for count in 0 ..< 8 { assertThrows(.badModel, "shorter than its header") { try withGuarded(Array(repeating: 0, count: count)) { try Safetensors($0) } } }
        // A header beyond the longest, even though the file has it.
        let long = container("{}" + String(repeating: " ", count: 1 << 20), data: [])
        assertThrows(.badModel, "does not fit") { try withGuarded(long) { try Safetensors($0) } }
    }

    private func container(_ header: String, data: [UInt8]) -> [UInt8] {
        var file = [UInt8](repeating: 0, count: 8)
        file.put(UInt64(header.utf8.count), 0)
        return file + Array(header.utf8) + data
    }

    private func parse(_ header: String) throws {
        try withGuarded(container(header, data: Array(repeating: 0, count: 8))) { _ = try Safetensors($0) }
    }
}
