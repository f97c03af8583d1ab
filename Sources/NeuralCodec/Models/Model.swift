// SPDX-License-Identifier: Apache-2.0
import CDefaultModel
import CPlatform

/// A trained network with its coding tables. Immutable, and may be used by many calls on many threads at once.
public final class Model: @unchecked Sendable {
    /// Short name that files carry, at most 8 ASCII characters.
    public let id: String
    /// Family, for instance "patch-checkerboard".
    public let architecture: String
    /// One line on training data and terms.
    public let description: String
    /// SHA-256 over everything that can change bytes or pixels (docs/format.md, "Model files"); files carry the first 8 bytes.
    public let hash: [UInt8]
    public let parameterCount: Int
    /// Widths and choices of the network: a JSON object.
    public let hyperparameters: String
    /// How latents become integers, for instance "scalar".
    public let quantizer: String

    let network: any Network
    let workspaces = WorkspacePool()

    /// Loads a model from the bytes of a safetensors file; they may go afterwards.
    public convenience init(bytes: UnsafeRawBufferPointer) throws {
        let file = try Safetensors(bytes)
        try self.init(file: file, hash: modelHash(file))
    }

    private static let families: [String: @Sendable (_ loader: WeightLoader, _ hyperparameters: JSON, _ quantizer: String) throws -> any Network] = [
        PatchCheckerboard.architecture: { try PatchCheckerboard($0, $1, quantizer: $2) },
        TransformCoding.architecture: { try TransformCoding($0, $1, quantizer: $2) },
    ]

    private init(file: Safetensors, hash: [UInt8]) throws {
        let metadata = file.metadata
        guard metadata["format"] == "neuralcodec-model" else { throw CodecError(.badModel, "the file is a safetensors file but not a neuralcodec model") }
        guard metadata["format_version"] == "1" else {
            throw CodecError(.badModel, "the model has format version \(metadata["format_version"] ?? "none"), and this library reads version 1")
        }
        guard let architecture = metadata["architecture"], let load = Self.families[architecture] else {
            let known = Self.families.keys.sorted().map { "'\($0)'" }.joined(separator: " and ")
            throw CodecError(.badModel, "the model's architecture '\(metadata["architecture"] ?? "")' is unknown; known are \(known)")
        }
        guard let id = metadata["id"], !id.isEmpty, isModelID(Array(id.utf8)) else {
            throw CodecError(.badModel, "the model's id is not 1 to 8 ASCII letters, digits, '-' and '_'")
        }
        guard let text = metadata["hyperparameters"], let hyperparameters = JSON(text) else { throw CodecError(.badModel, "the model has no valid hyperparameters") }
        self.id = id
        self.architecture = architecture
        description = metadata["description"] ?? ""
        self.hash = hash
        let loader = WeightLoader(file)
        network = try withStandardFloatingPoint { try load(loader, hyperparameters, metadata["quantizer"] ?? "") }
        guard metadata["padding"] == "replicate-\(network.padding)" else {
            throw CodecError(.badModel, "the model's padding rule is '\(metadata["padding"] ?? "")', and its network needs 'replicate-\(network.padding)'")
        }
        parameterCount = loader.parameterCount
        self.hyperparameters = text
        quantizer = metadata["quantizer"] ?? ""
    }

    /// Multiply-accumulates for each pixel: to encode at a given rate, and to decode.
    public var macsPerPixel: (encode: Double, decode: Double) { network.macsPerPixel }
    /// All rates from one model; otherwise quality does not matter.
    public var hasVariableRate: Bool { !network.qualityMap.isEmpty }

    /// The default model, part of the library; loaded once a process. A load that failed, for want of memory, is tried again.
    public static func embedded() throws -> Model {
        try embeddedCache.value {
            let file = try Safetensors(UnsafeRawBufferPointer(start: ncd_default_model_data(), count: ncd_default_model_size()))
            // Part of the library, so the hash its file states is taken at its word (a test compares): computing it would double the start-up time.
            return try Model(file: file, hash: bytes(hexadecimal: file.metadata["hash"] ?? ""))
        }
    }

    private static let embeddedCache = OnceLoaded<Model>()

    /// A model by "default", by the path of a .safetensors file, or by an id that is looked up in the model folders.
    public static func open(_ nameOrPath: String) throws -> Model {
        if nameOrPath == "default" { return try embedded() }
        if nameOrPath.utf8.contains(UInt8(ascii: "/")) || nameOrPath.hasSuffix(".safetensors") { return try load(nameOrPath) }
        if let model = try usable(embedded), model.id == nameOrPath { return model }
        for folder in ModelFolders.all {
            let path = "\(folder)/\(nameOrPath).safetensors"
            if FileBytes.exists(path) { return try load(path) }
        }
        throw CodecError(.modelNotFound, "no model '\(nameOrPath)' in the library or in \(ModelFolders.described)")
    }

    private static func load(_ path: String) throws -> Model {
        let bytes = try FileBytes.read(path, orElse: .modelNotFound, "model file")
        return try bytes.withBytes(Model.init(bytes:))
    }

    /// The embedded model, then all that the model folders hold; files that are no models are left out.
    public static func available() -> [Model] {
        var models: [Model] = []
        if let model = try? embedded() { models.append(model) }
        for path in ModelFolders.all.flatMap(FileBytes.modelFiles) {
            if let model = try? load(path), !models.contains(where: { $0.hash == model.hash }) { models.append(model) }
        }
        return models
    }

    /// A model that may be missing or damaged; want of memory is no reason to look elsewhere.
    private static func usable(_ load: () throws -> Model) throws -> Model? {
        do { return try load() } catch let error as CodecError where error.status != .outOfMemory { return nil }
    }

    /// The model a file needs: the one given, if it is that one, or the one found by the file's id and hash.
    static func forFile(_ header: Header, given: Model?) throws -> Model {
        let id = String(decoding: header.modelID, as: UTF8.self)
        let needed = "the file needs model '\(id)' (hash \(hexadecimal(header.modelHash))...)"
        if let given {
            guard given.hash.starts(with: header.modelHash) else {
                throw CodecError(.modelNotFound, "\(needed), and the model given is '\(given.id)' (hash \(hexadecimal(given.hash.prefix(8)))...)")
            }
            return given
        }
        let embedded = try embedded()
        if embedded.hash.starts(with: header.modelHash) { return embedded }
        for folder in ModelFolders.all {
            if let model = try usable({ try load("\(folder)/\(id).safetensors") }), model.hash.starts(with: header.modelHash) { return model }
        }
        throw CodecError(.modelNotFound, "\(needed), which is not in the library or in \(ModelFolders.described)")
    }
}
