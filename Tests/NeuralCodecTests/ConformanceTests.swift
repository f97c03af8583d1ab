// SPDX-License-Identifier: Apache-2.0
import CPlatform
import XCTest

@testable import NeuralCodec

/// Tests/conformance: files that every decoder must decode to the same pixels, and every encoder must write, byte by byte. Its README says what is what.
/// With NEURALCODEC_REGENERATE=1 in the environment the folder is written anew first.
final class ConformanceTests: XCTestCase {
    private static let pictures: [(name: String, picture: TestPicture)] = [
        ("dot-1x1.ppm", TestPicture(1, 1) { _, _, c in 90 + 40 * c }), ("scene-100x75.ppm", .scene(100, 75)), ("scene-65x128.pgm", .scene(65, 128, channels: 1)),
        ("text-128x64.pgm", .text(128, 64, channels: 1)), ("noise-64x48.ppm", .noise(64, 48)), ("checkerboard-33x70.ppm", .checkerboard(33, 70)),
        ("landscape-200x136.ppm", .landscape(200, 136)), ("landscape-136x200.pgm", .landscape(136, 200, channels: 1)),
    ]

    /// What is coded. The qualities of the landscapes and of the loud model were found by search: they are where small mistakes, which mostly leave a file as it is, change it.
    private static let series: [(model: String, pictures: [String], qualities: [Double])] = [
        ("tiny", ["dot-1x1.ppm", "scene-100x75.ppm", "scene-65x128.pgm", "text-128x64.pgm", "noise-64x48.ppm", "checkerboard-33x70.ppm"], [0, 40, 75, 100]),
        ("tiny", ["landscape-200x136.ppm"], [11, 41, 75, 85]),
        ("tiny", ["landscape-136x200.pgm"], [1, 13, 23, 37, 89]),
        ("loud", ["scene-100x75.ppm"], [17.77, 33.561, 41.504, 88.2]),
        ("loud", ["text-128x64.pgm"], [66.6]),
        ("slim", ["scene-100x75.ppm", "text-128x64.pgm"], [20, 60]),
    ]

    /// A line of cases.json.
    private struct Case: Codable {
        var model: String
        var picture: String
        var quality: Double
        var file: String
        /// SHA-256 of the latents before their gain as little-endian binary32 values (row, column, channel); none in stored files.
        var latents: String?
        /// SHA-256 of the symbols as 32-bit little-endian integers in coding order; none in stored files.
        var symbols: String?
        /// SHA-256 of the decoded samples, rows without gaps.
        var pixels: String
    }

    private var models: [String: Model] = [:]
    private var cases: [Case] = []

    override class func setUp() {
        if ProcessInfo.processInfo.environment["NEURALCODEC_REGENERATE"] == "1" { try! regenerate() }
    }

    override func setUpWithError() throws {
        models = try Self.loadModels()
        cases = try JSONDecoder().decode([Case].self, from: Data(testBytes("conformance/cases.json")))
    }

    func testFolderIsComplete() throws {
        XCTAssertEqual(cases.count, Self.series.map { $0.pictures.count * $0.qualities.count }.reduce(0, +))
        let listed = Set(cases.flatMap { [$0.picture, $0.file] } + ["cases.json", "README.md", "zoo"])
        XCTAssertEqual(Set(try FileManager.default.contentsOfDirectory(atPath: testFile("conformance").path)), listed)
        let neural = cases.filter { $0.symbols != nil }.count
        XCTAssertTrue(neural > 15 && neural < cases.count, "both codings are there")
    }

    func testDecoding() throws {
        for path in availablePaths {
            try withPath(path) {
                for item in cases {
                    let decoded = try TestPicture.decoded(testBytes("conformance/\(item.file)"), models[item.model])
                    XCTAssertEqual(decoded.samples.withUnsafeBytes { sha256($0) }, item.pixels, "\(item.file) on \(path)")
                    let picture = try Self.readPicture(item.picture)
                    XCTAssertEqual([decoded.width, decoded.height, decoded.channels], [picture.width, picture.height, picture.channels])
                }
            }
        }
    }

    func testEncoding() throws {
        for path in availablePaths {
            try withPath(path) {
                for item in cases {
                    let (file, symbols, latents) = try Self.encoded(Self.readPicture(item.picture), item.quality, XCTUnwrap(models[item.model]))
                    XCTAssertEqual(file, try testBytes("conformance/\(item.file)"), "\(item.file) on \(path)")
                    XCTAssertEqual(symbols.map(Self.hash), item.symbols, "\(item.file) on \(path)")
                    XCTAssertEqual(latents.map(Self.hash), item.latents, "\(item.file) on \(path)")
                    // The file's own checksum of its symbols.
                    if let symbols { XCTAssertEqual(ncp_crc32c(0, symbols, 4 * symbols.count), file.word(18 + 33)) }
                }
            }
        }
    }

    func testLoudFilesReachTheLimits() throws {
        var distinct: Set<Int32> = []
        for item in cases where item.model == "loud" {
            try distinct.formUnion(XCTUnwrap(Self.encoded(Self.readPicture(item.picture), item.quality, XCTUnwrap(models["loud"])).symbols))
        }
        XCTAssertEqual([distinct.min(), distinct.max()], [-(1 << 20), 1 << 20], "clamped")
        for side: Int32 in [-1, 1] {
            XCTAssertTrue(distinct.contains { 1 << 17 < side * $0 && side * $0 < 1 << 20 }, "escapes of more than 16 bits, not clamped")
        }
    }

    // MARK: Helpers

    private static func loadModels() throws -> [String: Model] { try ["tiny": TinyModel.load(), "loud": TinyModel.load(TinyModel.loudBytes.get()), "slim": TinyModel.load(TinyModel.slimBytes.get())] }

    /// The file and, unless it is stored, its symbols in coding order (hyperlatents, then the latents whose row + column is even, then the others) and
    /// its latents before their gain.
    private static func encoded(_ picture: TestPicture, _ quality: Double, _ model: Model) throws -> (file: [UInt8], symbols: [Int32]?, latents: [Float]?) {
        var options = EncodeOptions()
        options.target = .quality(quality)
        options.threads = 1
        let trace = LatentTrace()
        let file = try picture.withView { try encode($0, model: model, options: options, trace: trace).file.withBytes([UInt8].init) }
        if try file.withUnsafeBytes({ try readInfo($0).stored }) { return (file, nil, nil) }
        var symbols = trace.hyperSymbols
        for pass in 0 ..< 2 {
            for position in 0 ..< trace.rows * trace.columns where (position / trace.columns + position % trace.columns) % 2 == pass {
                symbols += trace.symbols[position * trace.channels ..< (position + 1) * trace.channels]
            }
        }
        return (file, symbols, trace.latents)
    }

    static func hash(_ symbols: [Int32]) -> String { symbols.map(\.littleEndian).withUnsafeBytes { sha256($0) } }

    static func hash(_ latents: [Float]) -> String { latents.map(\.bitPattern.littleEndian).withUnsafeBytes { sha256($0) } }

    /// A binary PPM or PGM file without comments.
    static func readPicture(_ name: String) throws -> TestPicture {
        let bytes = try testBytes("conformance/\(name)")
        let fields = String(decoding: bytes.prefix(20), as: Unicode.ASCII.self).split(maxSplits: 4, whereSeparator: \.isWhitespace)
        let (width, height) = (try XCTUnwrap(Int(fields[1])), try XCTUnwrap(Int(fields[2])))
        let channels = fields[0] == "P6" ? 3 : 1
        let samples = bytes.suffix(width * height * channels)
        return TestPicture(width, height, channels: channels) { x, y, c in Int(samples[samples.startIndex + (y * width + x) * channels + c]) }
    }

    private static func regenerate() throws {
        let folder = testFile("conformance")
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where !["README.md", "zoo"].contains(name) {
            try FileManager.default.removeItem(at: folder.appendingPathComponent(name))
        }
        let models = try loadModels()
        let pictures = Dictionary(uniqueKeysWithValues: pictures.map { ($0.name, $0.picture) })
        for (name, picture) in pictures {
            let header = "\(picture.channels == 3 ? "P6" : "P5")\n\(picture.width) \(picture.height)\n255\n"
            try Data(Array(header.utf8) + picture.samples).write(to: folder.appendingPathComponent(name))
        }
        var cases: [Case] = []
        for (modelName, names, qualities) in series {
            let model = models[modelName]!
            for name in names {
                for quality in qualities {
                    let (file, symbols, latents) = try encoded(pictures[name]!, quality, model)
                    let number = quality == quality.rounded() ? "\(Int(quality))" : "\(quality)"
                    let fileName = "\(modelName == "tiny" ? "" : modelName + "-")\(name.dropLast(4))-q\(number).nic"
                    try Data(file).write(to: folder.appendingPathComponent(fileName))
                    let pixels = try TestPicture.decoded(file, model).samples.withUnsafeBytes { sha256($0) }
                    cases.append(
                        Case(
                            model: modelName, picture: name, quality: quality, file: fileName, latents: latents.map(hash), symbols: symbols.map(hash),
                            pixels: pixels))
                }
            }
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try (encoder.encode(cases) + Data("\n".utf8)).write(to: folder.appendingPathComponent("cases.json"))
    }
}
