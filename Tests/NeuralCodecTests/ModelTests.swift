// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

/// Loading of model files: what they say of themselves, and what is refused.
final class ModelTests: XCTestCase {
    private var tiny: ModelFile!

    override func setUpWithError() throws { tiny = try ModelFile(TinyModel.bytes.get()) }

    func testDescription() throws {
        let model = try TinyModel.load()
        XCTAssertEqual(model.id, "tiny")
        XCTAssertEqual(model.architecture, "patch-checkerboard")
        XCTAssertEqual(model.description, tiny.metadata["description"])
        let weights = tiny.tensors.filter { $0.type.hasPrefix("F") && $0.name != "gaussian.thresholds" && !$0.name.hasPrefix("prior.") }
        XCTAssertGreaterThanOrEqual(model.parameterCount, weights.reduce(0) { $0 + $1.count })
        XCTAssertLessThanOrEqual(model.parameterCount, tiny.tensors.reduce(0) { $0 + $1.count })
    }

    // MARK: Hash

    func testHashIsTheOneOfTheTrainingPackage() throws {
        XCTAssertEqual(hexadecimal(try TinyModel.load().hash), tiny.metadata["hash"])
        XCTAssertEqual(try tiny.load().hash, try TinyModel.load().hash)
    }

    func testHashKeepsThroughDescriptionAndLayout() throws {
        let hash = try tiny.load().hash
        var other = tiny!
        other.metadata["id"] = "other"
        other.metadata["description"] = "something else"
        other.metadata["unknown"] = "x"
        other.tensors.reverse()
        let model = try other.load()
        XCTAssertEqual(model.hash, hash)
        XCTAssertEqual(model.id, "other")
        XCTAssertEqual(model.description, "something else")
    }

    func testHashFollowsEverythingElse() throws {
        let hash = try tiny.load().hash
        for name in ["embed.weight", "render_out.bias", "log_gain.table", "quality_map"] {
            var other = tiny!
            other.change(name) { $0.bytes[0] ^= 1 }
            XCTAssertNotEqual(try other.load().hash, hash, name)
        }
        var other = tiny!
        other.metadata["hyperparameters"]!.append(" ")
        XCTAssertNotEqual(try other.load().hash, hash)
        other = tiny
        other.tensors.append(.init(name: "zzz", type: "F32", shape: [1], bytes: [0, 0, 0, 0]))
        XCTAssertNotEqual(try other.load().hash, hash)
    }

    // MARK: Truncation

    func testEveryTruncation() throws {
        let bytes = try TinyModel.bytes.get()
        let header = 8 + Int(bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
        let lengths = Array(0 ... header + 40) + Array(stride(from: header + 41, to: bytes.count, by: 4093)) + [bytes.count - 2, bytes.count - 1]
        try bytes.withUnsafeBytes { whole in
            for length in lengths { assertThrows(.badModel, "", "\(length) bytes") { try Model(bytes: UnsafeRawBufferPointer(rebasing: whole[..<length])) } }
            XCTAssertNoThrow(try Model(bytes: whole))
        }
        assertThrows(.badModel) { try TinyModel.load(bytes + [0]) }
    }

    /// The loader must not touch what the header does not name; nothing here may trap.
    func testDamagedHeaders() throws {
        let bytes = try TinyModel.bytes.get()
        let header = Int(bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
        var numbers = Numbers(40)
        var refused = 0
        for _ in 0 ..< 1500 {
            var damaged = bytes
            for _ in 0 ... Int.random(in: 0 ... 3, using: &numbers) {
                let position = Int.random(in: 0 ..< 8 + header, using: &numbers)
                damaged[position] = Bool.random(using: &numbers) ? UInt8.random(in: 0 ... 255, using: &numbers) : Array("0123456789[]{},\"".utf8).randomElement(using: &numbers)!
            }
            do { _ = try TinyModel.load(damaged) } catch {
                XCTAssertEqual((error as? CodecError)?.status, .badModel)
                refused += 1
            }
        }
        XCTAssertGreaterThan(refused, 1000)
    }

    // MARK: Contents

    func testMetadataRefusals() throws {
        func refused(_ key: String, _ value: String?, _ text: String) {
            var other = tiny!
            other.metadata[key] = value
            assertThrows(.badModel, text, "\(key) = \(value ?? "none")") { try other.load() }
        }
        for value in [nil, "", "pt"] { refused("format", value, "not a neuralcodec model") }
        for value in [nil, "2", "1.0"] { refused("format_version", value, "format version") }
        for value in [nil, "", "transformer"] { refused("architecture", value, "architecture") }
        for value in [nil, "lattice"] { refused("quantizer", value, "quantizer") }
        for value in [nil, "reflect-64", "replicate-32"] { refused("padding", value, "padding") }
        for value in [nil, "", "ninechars", "sp ace", "tab\t", "\u{e4}", "null\u{0}", "a/b", "..", "a.b"] { refused("id", value, "id") }
        for value in [nil, "", "{", "[]", "1", "{}", "\u{0}"] { refused("hyperparameters", value, "hyperparameter") }
    }

    func testHyperparameterRefusals() throws {
        let json = try XCTUnwrap(tiny.metadata["hyperparameters"])
        for (name, values) in [
            ("latent_channels", [0, -16, 8, 33, 16, 4112, 1 << 62]), ("core_channels", [0, 24, 32, 4096]), ("hyper_channels", [0, 17, 32, 4096]),
            ("context_channels", [0, 32]), ("hidden_channels", [0, 40, 4096]), ("render_channels", [0, 32]), ("analysis_blocks", [-1, 2, 65]),
            ("synthesis_blocks", [-1, 2, 65, .max]), ("render_blocks", [-1, 64]), ("knots", [0, 1, 2, 4, 257]),
        ] {
            for value in values {
                var other = tiny!
                let range = try XCTUnwrap(json.range(of: #""\#(name)":\d+"#, options: .regularExpression))
                other.metadata["hyperparameters"] = json.replacingCharacters(in: range, with: "\"\(name)\":\(value)")
                assertThrows(.badModel, "", "\(name) = \(value)") { try other.load() }
            }
        }
    }

    func testNonFiniteWeights() throws {
        for tensor in tiny.tensors where tensor.type.hasPrefix("F") && (tensor.name != "prior.weights" && tensor.name != "prior.means" && tensor.name != "prior.log_scales") {
            for (half, single) in [(UInt16(0x7e00), Float.nan.bitPattern), (0xfc00, (-Float.infinity).bitPattern)] {
                var other = tiny!
                other.change(tensor.name) {
                    let last = $0.count - 1
                    if $0.type == "F16" { $0.bytes.put(half, 2 * last) } else { $0.bytes.put(single, 4 * last) }
                }
                assertThrows(.badModel, "not finite", tensor.name) { try other.load() }
            }
        }
    }

    func testMissingTensorsAndShapes() throws {
        for tensor in tiny.tensors where !["prior.weights", "prior.means", "prior.log_scales"].contains(tensor.name) {
            var other = tiny!
            other.tensors.removeAll { $0.name == tensor.name }
            assertThrows(.badModel, "lacks tensor '\(tensor.name)'", tensor.name) { try other.load() }
            // Another shape of the same size, and the same shape with one more in it.
            other = tiny
            other.change(tensor.name) { $0.shape += [1] }
            assertThrows(.badModel, tensor.name, tensor.name) { try other.load() }
            other = tiny
            other.change(tensor.name) { $0.shape[0] += 1; $0.bytes += Array(repeating: 0, count: $0.size * $0.shape.dropFirst().reduce(1, *)) }
            assertThrows(.badModel, "", tensor.name) { try other.load() }
            // Weights are floats, tables integers.
            other = tiny
            other.change(tensor.name) { $0.type = ["F16": "U16", "U16": "F16", "F32": "I32", "I32": "F32"][$0.type]! }
            assertThrows(.badModel, "has type", tensor.name) { try other.load() }
        }
    }

    func testTableRefusals() throws {
        func refused(_ name: String, _ comment: String, _ change: (inout ModelFile.Tensor) -> Void) {
            var other = tiny!
            other.change(name, change)
            assertThrows(.badModel, "", "\(name): \(comment)") { try other.load() }
        }
        refused("gaussian.frequencies", "sum") { $0.bytes[0] ^= 1 }
        refused("gaussian.frequencies", "escape of frequency zero") { $0.bytes.put(UInt16(0), $0.bytes.count - 2) }
        refused("prior.frequencies", "sum") { $0.bytes[2] ^= 1 }
        for value: Int32 in [-1, -2, .min, 8192, .max] {
            refused("gaussian.lengths", "\(value)") { $0.bytes.put(value, 4) }
            refused("prior.lengths", "\(value)") { $0.bytes.put(value, 4) }
        }
        for value: Int32 in [1 << 20 + 1, .min, .max] { refused("prior.offsets", "\(value)") { $0.bytes.put(value, 8) } }
        refused("gaussian.thresholds", "equal neighbours") { $0.bytes.replaceSubrange(4 ..< 8, with: $0.bytes[0 ..< 4]) }
        refused("gaussian.lengths", "none") { $0 = .init(name: $0.name, type: "I32", shape: [0], bytes: []) }
        refused("gaussian.lengths", "257") { $0 = .init(name: $0.name, type: "I32", shape: [257], bytes: Array(repeating: 0, count: 257 * 4)) }
        for (index, value): (Int, Int32) in [(0, -1), (10, 65536), (5, 0), (3, 65535)] { refused("quality_map", "\(value) at \(index)") { $0.bytes.put(value, 4 * index) } }
    }

    // MARK: Opening

    func testOpenByPath() throws {
        let path = testFile("goldens/tiny.safetensors").path
        XCTAssertEqual(try Model.open(path).id, "tiny")
        assertThrows(.modelNotFound, "No such file") { try Model.open(path + ".safetensors") }
        assertThrows(.modelNotFound, "not a regular file") { try Model.open("/dev/zero") }
        assertThrows(.modelNotFound) { try Model.open("/dev/null/x") }
        assertThrows(.badModel) { try Model.open(testFile("goldens/tiny_golden.safetensors").path) }
    }

    func testOpenByIdentifier() throws {
        let before = getenv("NEURALCODEC_MODEL_PATH").map { String(cString: $0) }
        defer { if let before { setenv("NEURALCODEC_MODEL_PATH", before, 1) } else { unsetenv("NEURALCODEC_MODEL_PATH") } }
        unsetenv("NEURALCODEC_MODEL_PATH")
        assertThrows(.modelNotFound, "no model 'tiny'") { try Model.open("tiny") }
        let file = try TestPicture.scene(40, 40).encoded(TinyModel.load(), .quality(20)).file
        assertThrows(.modelNotFound, "needs model 'tiny'") { try TestPicture.decoded(file, nil) }
        setenv("NEURALCODEC_MODEL_PATH", "/nowhere:\(testFile("goldens").path)", 1)
        XCTAssertEqual(try Model.open("tiny").hash, try TinyModel.load().hash)
        assertThrows(.modelNotFound, "no model 'none'") { try Model.open("none") }
        XCTAssertEqual(try TestPicture.decoded(file, nil), try TestPicture.decoded(file, TinyModel.load()))
    }

    /// A file decodes with the model it names only.
    func testAnotherModelIsRefused() throws {
        let file = try TestPicture.scene(40, 40).encoded(TinyModel.load(), .quality(20)).file
        var other = tiny!
        other.change("embed.weight") { $0.bytes[0] ^= 1 }
        other.metadata["id"] = "twin"
        let error = assertThrows(.modelNotFound, "needs model 'tiny' (hash \(hexadecimal(try TinyModel.load().hash.prefix(8)))...)") {
            try TestPicture.decoded(file, other.load())
        }
        XCTAssertTrue(error?.message.contains("'twin'") == true)
    }

    func testDefaultModelIsLoadedOnce() throws {
        let model = try Model.embedded()
        XCTAssertTrue(model === (try Model.embedded()))
        XCTAssertTrue(model === (try Model.open("default")))
        XCTAssertTrue(model === (try Model.open(model.id)))
        XCTAssertTrue(Model.available().contains { $0 === model })
    }
}

/// A model file taken apart, to be changed and put together again. Foundation reads it, not the parser under test.
struct ModelFile {
    struct Tensor {
        var name: String
        var type: String
        var shape: [Int]
        var bytes: [UInt8]

        var size: Int { ["F32": 4, "I32": 4, "F16": 2, "U16": 2, "U8": 1][type]! }
        var count: Int { shape.reduce(1, *) }

        func values<Value>(_ type: Value.Type) -> [Value] { bytes.withUnsafeBytes { Array($0.bindMemory(to: type)) } }
    }

    var metadata: [String: String]
    var tensors: [Tensor]

    init(_ file: [UInt8]) throws {
        let length = Int(file.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
        let header = try XCTUnwrap(JSONSerialization.jsonObject(with: Data(file[8 ..< 8 + length])) as? [String: Any])
        metadata = try XCTUnwrap(header["__metadata__"] as? [String: String])
        tensors = try header.filter { $0.key != "__metadata__" }.map { name, value in
            let value = try XCTUnwrap(value as? [String: Any])
            let offsets = try XCTUnwrap(value["data_offsets"] as? [Int])
            return Tensor(
                name: name, type: try XCTUnwrap(value["dtype"] as? String), shape: try XCTUnwrap(value["shape"] as? [Int]),
                bytes: Array(file[8 + length + offsets[0] ..< 8 + length + offsets[1]]))
        }.sorted { $0.name < $1.name }
    }

    init(tensors: [Tensor]) { (metadata, self.tensors) = ([:], tensors) }

    subscript(_ name: String) -> Tensor { tensors.first { $0.name == name }! }

    mutating func change(_ name: String, _ change: (inout Tensor) -> Void) { change(&tensors[tensors.firstIndex { $0.name == name }!]) }

    var bytes: [UInt8] {
        var header: [String: Any] = ["__metadata__": metadata]
        var data: [UInt8] = []
        for tensor in tensors {
            header[tensor.name] = ["dtype": tensor.type, "shape": tensor.shape, "data_offsets": [data.count, data.count + tensor.bytes.count]] as [String: Any]
            data += tensor.bytes
        }
        let text = try! JSONSerialization.data(withJSONObject: header)
        var length = [UInt8](repeating: 0, count: 8)
        length.put(UInt64(text.count), 0)
        return length + Array(text) + data
    }

    func load() throws -> Model { try TinyModel.load(bytes) }
}
