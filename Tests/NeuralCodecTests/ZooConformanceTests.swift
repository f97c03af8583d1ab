// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

/// A small random model for each kind of published network, which never changes (Tests/conformance/zoo). A new one is a row here, and one in conformance_models.py.
enum ZooModel {
    static let names = [
        "factorized", "factorized-relu", "scale", "mean-scale", "mean-scale-checkerboard", "mean-scale-autoregressive", "cheng2020-anchor",
        "cheng2020-attn-autoregressive", "swin", "swin-channel-wise-narrow", "tcm-checkerboard", "lattice-basis", "lattice-e8", "variable-rate",
    ]

    /// Those of one rate; and those of them without windows, slices or lattices, whose hyperparameters are few.
    static let ofOneRate = names.filter { $0 != "variable-rate" }
    static let plain = ofOneRate.filter { !["swin", "tcm", "lattice"].contains($0.prefix { $0 != "-" }) }

    static func bytes(_ name: String) throws -> [UInt8] { try testBytes("conformance/zoo/\(name).safetensors") }

    static func load(_ name: String) throws -> Model { try TinyModel.load(bytes(name)) }
}

/// Tests/conformance/zoo: as Tests/conformance, for the published networks. With NEURALCODEC_REGENERATE=1 in the environment the files are written anew first, but for the models.
final class ZooConformanceTests: XCTestCase {
    /// Of Tests/conformance: both are padded, one is gray.
    private static let pictures = ["scene-100x75.ppm", "scene-65x128.pgm"]

    /// A line of cases.json: the encoder's file and the SHA-256 of what it and the decoder compute, numbers as 32-bit little-endian, grids by (row, column, channel).
    private struct Case: Codable, Equatable {
        var model: String
        var picture: String
        var file: String
        var latents: String
        /// Those of hyperlatents, or of the latents of a factorized prior, then all others.
        var symbols: String
        /// Means, then scales; nothing where there is no hyperprior.
        var parameters: String
        /// The padded picture before it is rounded to samples.
        var reconstruction: String
        /// Decoded samples, rows without gaps.
        var pixels: String
    }

    private var cases: [Case] = []
    private var models: [String: Model] = [:]

    override class func setUp() {
        if ProcessInfo.processInfo.environment["NEURALCODEC_REGENERATE"] == "1" { try! regenerate() }
    }

    override func setUpWithError() throws {
        cases = try JSONDecoder().decode([Case].self, from: Data(testBytes("conformance/zoo/cases.json")))
        models = try Dictionary(uniqueKeysWithValues: ZooModel.names.map { ($0, try ZooModel.load($0)) })
    }

    func testFolderIsComplete() throws {
        XCTAssertEqual(cases.map { [$0.model, $0.picture] }, ZooModel.names.flatMap { model in Self.pictures.map { [model, $0] } })
        let listed = Set(cases.flatMap { ["\($0.model).safetensors", $0.file] } + ["cases.json"])
        XCTAssertEqual(Set(try FileManager.default.contentsOfDirectory(atPath: testFile("conformance/zoo").path)), listed)
        XCTAssertEqual(Set(models.values.map(\.hash)).count, ZooModel.names.count)
        for name in ZooModel.names { XCTAssertEqual(hexadecimal(models[name]!.hash), try ModelFile(ZooModel.bytes(name)).metadata["hash"]) }
    }

    func testDecoding() throws {
        for path in availablePaths {
            try withPath(path) {
                for item in cases {
                    let file = try testBytes("conformance/zoo/\(item.file)")
                    // Threads are for the quick paths.
                    for threads in path == "portable" ? [2] : [1, 2, 3, 8] {
                        let decoded = try TestPicture.decoded(file, models[item.model], threads: threads)
                        XCTAssertEqual(decoded.samples.withUnsafeBytes { sha256($0) }, item.pixels, "\(item.file) on \(path), \(threads) threads")
                    }
                }
            }
        }
    }

    func testEncoding() throws {
        for path in availablePaths {
            try withPath(path) {
                for item in cases {
                    let picture = try ConformanceTests.readPicture(item.picture)
                    for threads in path == "portable" ? [2] : [1, 2, 3, 8] {
                        var (file, found) = try Self.coded(item.model, models[item.model]!, item.picture, picture, threads: threads)
                        XCTAssertEqual(file, try testBytes("conformance/zoo/\(item.file)"), "\(item.file) on \(path), \(threads) threads")
                        // The pixels are the decoder's business.
                        found.pixels = item.pixels
                        XCTAssertEqual(found, item, "on \(path), \(threads) threads")
                    }
                }
            }
        }
    }

    /// Vectors of zeros would not tell much.
    func testLatentsAreLively() throws {
        for name in ZooModel.names {
            let (symbols, means) = try Self.pictures.reduce(into: ([Int32](), [Float]())) {
                let (_, trace) = try Self.traced(models[name]!, ConformanceTests.readPicture($1), threads: 2)
                $0.0 += name.hasPrefix("factorized") ? trace.hyperSymbols : trace.symbols
                $0.1 += trace.means
            }
            XCTAssertGreaterThan(Double(symbols.filter { $0 != 0 }.count), 0.3 * Double(symbols.count), name)
            XCTAssertGreaterThan(Set(symbols).count, 20, name)
            if !["factorized", "factorized-relu", "scale"].contains(name) { XCTAssertGreaterThan(Set(means).count, means.count / 2, name) }
        }
    }

    // MARK: Helpers

    private static func traced(_ model: Model, _ picture: TestPicture, threads: Int) throws -> (file: [UInt8], trace: LatentTrace) {
        var options = EncodeOptions()
        options.target = .psnr(1)  // which any picture reaches, and the encoder looks at it
        options.threads = threads
        let trace = LatentTrace()
        return (try picture.withView { try encode($0, model: model, options: options, trace: trace).file.withBytes([UInt8].init) }, trace)
    }

    private static func coded(_ name: String, _ model: Model, _ pictureName: String, _ picture: TestPicture, threads: Int) throws -> (file: [UInt8], item: Case) {
        let (file, trace) = try traced(model, picture, threads: threads)
        XCTAssertFalse(try file.withUnsafeBytes { try readInfo($0).stored }, "\(name) stores \(pictureName)")
        let factorized = name.hasPrefix("factorized")
        let item = Case(
            model: name, picture: pictureName, file: "\(name)-\(pictureName.dropLast(4)).nic", latents: ConformanceTests.hash(trace.latents),
            symbols: ConformanceTests.hash(trace.hyperSymbols + (factorized ? [] : trace.symbols)),
            parameters: ConformanceTests.hash(factorized ? [] : trace.means + trace.scales), reconstruction: ConformanceTests.hash(trace.picture), pixels: "")
        return (file, item)
    }

    private static func regenerate() throws {
        let folder = testFile("conformance/zoo")
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where !name.hasSuffix(".safetensors") {
            try FileManager.default.removeItem(at: folder.appendingPathComponent(name))
        }
        var cases: [Case] = []
        for name in ZooModel.names {
            let model = try ZooModel.load(name)
            for pictureName in pictures {
                var (file, item) = try coded(name, model, pictureName, ConformanceTests.readPicture(pictureName), threads: 1)
                item.pixels = try TestPicture.decoded(file, model, threads: 1).samples.withUnsafeBytes { sha256($0) }
                try Data(file).write(to: folder.appendingPathComponent(item.file))
                cases.append(item)
            }
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try (encoder.encode(cases) + Data("\n".utf8)).write(to: folder.appendingPathComponent("cases.json"))
    }
}
