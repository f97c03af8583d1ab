// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

/// Model files of the published networks that are wrong: each is refused, and the error names the tensor or the field.
final class TransformCodingModelTests: XCTestCase {
    private var files: [(name: String, file: ModelFile)] = []

    override func setUpWithError() throws { files = try ZooModel.plain.map { ($0, try ModelFile(ZooModel.bytes($0))) } }

    private func file(_ name: String) -> ModelFile { files.first { $0.name == name }!.file }

    /// The tensors to try; of networks with many alike, some.
    private func tried(_ file: ModelFile) -> [ModelFile.Tensor] {
        let step = max(1, file.tensors.count / 25)
        return file.tensors.enumerated().filter { $0.offset % step == 0 || $0.element.name.hasPrefix("prior.") || $0.element.name.hasPrefix("gaussian.") }.map(\.element)
    }

    // MARK: Tensors

    func testMissingTensors() throws {
        for (name, file) in files {
            for tensor in tried(file) {
                var other = file
                other.tensors.removeAll { $0.name == tensor.name }
                assertThrows(.badModel, "lacks tensor '\(tensor.name)'", name) { try other.load() }
            }
        }
    }

    func testFurtherTensors() throws {
        for (name, file) in files {
            for further in ["g_a.0.weights", "h_a.9.bias", "context_prediction.mask", "zzz"] {
                var other = file
                other.tensors.append(.init(name: further, type: "F32", shape: [1], bytes: [0, 0, 0, 0]))
                assertThrows(.badModel, "tensor '\(further)' does not belong", name) { try other.load() }
            }
        }
        // The tensors of another network.
        var other = file("mean-scale-autoregressive")
        other.set("context", "none")
        assertThrows(.badModel, "tensor 'context_prediction.bias' does not belong") { try other.load() }
        other = file("scale")
        other.set("hyper", "none")
        assertThrows(.badModel, "tensor 'gaussian.frequencies' does not belong") { try other.load() }
    }

    func testShapesAndTypes() throws {
        for (name, file) in files {
            for tensor in tried(file) {
                var other = file
                other.change(tensor.name) { $0.shape += [1] }
                assertThrows(.badModel, "tensor '\(tensor.name)'", name) { try other.load() }
                other = file
                other.change(tensor.name) { $0.type = ["F16": "U16", "U16": "F16", "F32": "I32", "I32": "F32"][$0.type]! }
                assertThrows(.badModel, "tensor '\(tensor.name)' has type", name) { try other.load() }
                guard tensor.type.hasPrefix("F") else { continue }
                other = file
                other.change(tensor.name) {
                    $0.shape[0] += 1
                    $0.bytes += Array(repeating: 0, count: $0.size * $0.shape.dropFirst().reduce(1, *))
                }
                // One more threshold needs one more table.
                assertThrows(.badModel, tensor.name == "gaussian.thresholds" ? "" : "tensor '\(tensor.name)' has shape", name) { try other.load() }
            }
        }
    }

    func testNonFiniteWeights() throws {
        for (name, file) in files {
            for tensor in tried(file) where tensor.type.hasPrefix("F") {
                var other = file
                other.change(tensor.name) {
                    let last = $0.count - 1
                    if $0.type == "F16" { $0.bytes.put(UInt16(0x7e00), 2 * last) } else { $0.bytes.put((-Float.infinity).bitPattern, 4 * last) }
                }
                assertThrows(.badModel, "tensor '\(tensor.name)' holds values that are not finite", name) { try other.load() }
            }
        }
    }

    func testTables() throws {
        for (name, file) in files {
            for (tensor, change): (String, (inout ModelFile.Tensor) -> Void) in [
                ("prior.frequencies", { $0.bytes[2] ^= 1 }), ("prior.lengths", { $0.bytes.put(Int32(-1), 4) }), ("prior.lengths", { $0.bytes.put(Int32.max, 4) }),
                ("prior.offsets", { $0.bytes.put(Int32.min, 8) }), ("prior.lengths", { $0 = .init(name: $0.name, type: "I32", shape: [0], bytes: []) }),
                ("gaussian.frequencies", { $0.bytes[0] ^= 1 }), ("gaussian.lengths", { $0.bytes.put(Int32(8192), 4) }),
                ("gaussian.thresholds", { $0.bytes.replaceSubrange(4 ..< 8, with: $0.bytes[0 ..< 4]) }),
            ] where file.tensors.contains(where: { $0.name == tensor }) {
                var other = file
                other.change(tensor, change)
                assertThrows(.badModel, tensor.prefix { $0 != "." } + ".", "\(name), \(tensor)") { try other.load() }
            }
        }
    }

    /// What belongs to windows, slices, levels of the rate and lattices.
    func testFurtherHyperparameters() throws {
        for (name, key, value, text) in [
            ("swin", "depths", [1, 2, 1], "hyperparameter 'depths' is not a list of 4 numbers"), ("swin", "window", 3, "hyperparameter 'window' (3) is odd"),
            ("swin", "window", 18, "hyperparameter 'window' is not in 2...16"), ("swin", "head_channels", 6, "heads of 6 channels do not make 16"),
            ("swin", "stage_channels", [32, 16, 16, 16], "'stage_channels' does not begin with 'channels' (16)"), ("swin", "hyper_window", nil, "hyperparameter 'hyper_window'"),
            ("swin", "slices", [16], "hyperparameter 'slices' is unknown, or does not belong"), ("swin-channel-wise-narrow", "slices", [16], "does not add up to 32"),
            ("swin-channel-wise-narrow", "slices", [8, 24], "not a list of multiples of 16"), ("swin-channel-wise-narrow", "max_support_slices", -1, "not in 0...256"),
            ("tcm-checkerboard", "head_channels", [8, 16, 4, 8, 16, 7], "heads of 7 channels do not make 16"), ("tcm-checkerboard", "hyper_channels", 24, "'hyper_channels'"),
            ("variable-rate", "gain", 1, "hyperparameter 'gain' is not in 2...4096"), ("variable-rate", "gain", nil, "tensor 'prior.offsets' has shape [6, 16] instead of [16]"),
            ("variable-rate", "gain", 7, "tensor 'vbr.gains' has shape [6] instead of [7]"), ("variable-rate", "variable_step", 2, "'variable_step' is not in 0...1"),
        ] as [(String, String, Any?, String)] {
            var file = try ModelFile(ZooModel.bytes(name))
            file.set(key, value)
            assertThrows(.badModel, text, "\(name), \(key)") { try file.load() }
        }
        var file = try ModelFile(ZooModel.bytes("mean-scale"))
        file.metadata["quantizer"] = "lattice"
        assertThrows(.badModel, "lacks hyperparameter 'lattice'") { try file.load() }
        for (lattice, text) in [("k12", "known are 'e8'"), ("leech", "16 channels are no whole vectors of the lattice 'leech'"), ("e8", "tensor 'lattice.scale'")] {
            file.set("lattice", lattice)
            if lattice == "leech" { file.tensors.append(.init(name: "lattice.scale", type: "F32", shape: [1], bytes: [0, 0, 128, 63])) }
            if lattice == "e8" { file.change("lattice.scale") { $0.bytes = [0, 0, 0, 0] } }
            assertThrows(.badModel, text, lattice) { try file.load() }
        }
        file = try ModelFile(ZooModel.bytes("mean-scale"))
        file.metadata["quantizer"] = "lattice"
        file.set("lattice", "basis")
        file.set("lattice_search", "babai")
        file.tensors.append(.init(name: "lattice.basis", type: "F32", shape: [1, 2, 2], bytes: [UInt8](repeating: 0, count: 16)))
        assertThrows(.badModel, "tensor 'lattice.basis': the basis is singular") { try file.load() }
        file.change("lattice.basis") { $0.shape = [3, 2, 2]; $0.bytes = [UInt8](repeating: 0, count: 48) }
        assertThrows(.badModel, "has 3 bases, and 16 channels make 8 groups of 2") { try file.load() }
    }

    // MARK: Metadata

    func testMetadata() throws {
        for (name, file) in files {
            let padding = name.hasPrefix("factorized") ? "replicate-16" : "replicate-64"
            for (key, value, text) in [
                ("format_version", "2", "format version 2, and this library reads version 1"), ("format_version", nil, "format version none"),
                ("architecture", "transform-coding-2", "architecture 'transform-coding-2' is unknown"), ("quantizer", "vector", "quantizer 'vector' is unknown"),
                ("quantizer", nil, "quantizer '' is unknown"), ("padding", "reflect-64", "padding rule is 'reflect-64', and its network needs '\(padding)'"),
                ("padding", "replicate-32", "padding rule is 'replicate-32'"), ("padding", nil, "padding rule is ''"),
                ("hyperparameters", "[]", "hyperparameter 'channels'"), ("hyperparameters", "{", "no valid hyperparameters"), ("hyperparameters", nil, "hyperparameters"),
            ] as [(String, String?, String)] {
                var other = file
                other.metadata[key] = value
                assertThrows(.badModel, text, "\(name), \(key) \(value ?? "missing")") { try other.load() }
            }
        }
    }

    func testHyperparametersOneByOne() throws {
        for (name, file) in files {
            for (key, values) in [
                ("channels", [nil, 0, -16, 8, 24, 4112, 1 << 62, -(1 << 62), Int.max]), ("latent_channels", [nil, 0, -16, 17, 4112, 1 << 40]),
            ] as [(String, [Int?])] {
                for value in values {
                    var other = file
                    other.set(key, value)
                    assertThrows(.badModel, "hyperparameter '\(key)' is not a multiple of 16 in 16...4096", "\(name), \(key) \(value.map(String.init) ?? "missing")") {
                        try other.load()
                    }
                }
                // Possible widths that are not those of the tensors: nothing is allocated for them.
                for value in [32, 4096] {
                    var other = file
                    other.set(key, value)
                    let text = name.hasPrefix("cheng") ? "hyperparameters 'channels'" : "has shape"
                    assertThrows(.badModel, text, "\(name), \(key) \(value)") { try other.load() }
                }
                var other = file
                other.set(key, "16")
                assertThrows(.badModel, "hyperparameter '\(key)'", name) { try other.load() }
            }
            for key in ["transform", "hyper", "context"] {
                for value in ["", "None", "unet", "balle2018 ", "mean-scale-2", "checkerboard\u{0}"] {
                    var other = file
                    other.set(key, value)
                    assertThrows(.badModel, "hyperparameter '\(key)' is '\(value)', and known are '", name) { try other.load() }
                }
                for value in [nil, 3] as [Int?] {
                    var other = file
                    other.set(key, value)
                    assertThrows(.badModel, "hyperparameter '\(key)' is missing, or no text, and known are '", name) { try other.load() }
                }
            }
            // Of a network that this library does not know, or of another one.
            for key in ["groups", "slices", "transform2"] {
                var other = file
                other.set(key, 2)
                assertThrows(.badModel, "hyperparameter '\(key)' is unknown", name) { try other.load() }
            }
        }
    }

    func testContradictions() throws {
        func refused(_ name: String, _ changes: [String: String], _ text: String) {
            var other = file(name)
            for (key, value) in changes { other.set(key, value) }
            assertThrows(.badModel, text, "\(name), \(changes)") { try other.load() }
        }
        for context in ["checkerboard", "autoregressive", "channel-wise"] {
            refused("factorized", ["context": context], "hyperparameter 'context' is '\(context)', and there is no hyperprior")
            refused("scale", ["context": context], "hyperparameter 'hyper' is 'scale', which has no means for a context model")
        }
        refused("mean-scale", ["hyper": "none"], "does not belong")
        refused("factorized", ["hyper": "mean-scale"], "lacks tensor 'h_a.0.weight'")
        refused("mean-scale", ["hyper": "cheng2020"], "tensor 'h_a.2.weight' has shape")
        refused("mean-scale", ["hyper": "scale"], "tensor 'h_s.2.weight' has shape")
        refused("mean-scale", ["context": "checkerboard"], "lacks tensor 'context_prediction.weight'")
        refused("mean-scale", ["context": "channel-wise"], "hyperparameter 'slices'")
        refused("factorized", ["transform": "balle2018-relu"], "tensor 'g_a.1.beta' does not belong")
        refused("factorized-relu", ["transform": "balle2018"], "lacks tensor 'g_a.1.beta'")
        refused("cheng2020-anchor", ["transform": "balle2018"], "lacks tensor 'g_a.0.weight'")
        refused("cheng2020-anchor", ["transform": "cheng2020-attn"], "tensor 'g_a.3.")
        refused("factorized", ["transform": "cheng2020-anchor"], "lacks tensor 'g_a.0.conv1.weight'")
        var other = file("cheng2020-anchor")
        other.set("latent_channels", 32)
        assertThrows(.badModel, "'channels' (16) and 'latent_channels' (32) of a cheng2020 transform differ") { try other.load() }
    }

    /// Nothing traps, whatever happens to a header.
    func testDamagedHeaders() throws {
        var numbers = Numbers(90)
        for name in ["factorized", "mean-scale-checkerboard"] {
            let bytes = try ZooModel.bytes(name)
            let header = Int(bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
            var refused = 0
            for _ in 0 ..< 300 {
                var damaged = bytes
                for _ in 0 ... Int.random(in: 0 ... 2, using: &numbers) {
                    damaged[Int.random(in: 8 ..< 8 + header, using: &numbers)] = Array("0123456789[]{},\"-az".utf8).randomElement(using: &numbers)!
                }
                do { _ = try TinyModel.load(damaged) } catch {
                    XCTAssertEqual((error as? CodecError)?.status, .badModel)
                    refused += 1
                }
            }
            XCTAssertGreaterThan(refused, 150)
        }
    }
}

extension ModelFile {
    /// Sets a hyperparameter, or takes it away.
    fileprivate mutating func set(_ key: String, _ value: Any?) {
        var object = try! JSONSerialization.jsonObject(with: Data(metadata["hyperparameters"]!.utf8)) as! [String: Any]
        object[key] = value
        metadata["hyperparameters"] = String(decoding: try! JSONSerialization.data(withJSONObject: object, options: .sortedKeys), as: UTF8.self)
    }
}
