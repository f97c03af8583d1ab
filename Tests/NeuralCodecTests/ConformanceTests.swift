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
        ("sight-61x47-la8.pam", .sight(61, 47, PixelFormat(channels: 2, bitDepth: 8))), ("sight-61x47-rgba8.pam", .sight(61, 47, PixelFormat(channels: 4, bitDepth: 8))),
        ("sight-61x47-l16.pgm", .sight(61, 47, PixelFormat(channels: 1, bitDepth: 16))), ("sight-61x47-la16.pam", .sight(61, 47, PixelFormat(channels: 2, bitDepth: 16))),
        ("sight-61x47-rgb16.ppm", .sight(61, 47, PixelFormat(channels: 3, bitDepth: 16))),
        ("sight-61x47-rgba16.pam", .sight(61, 47, PixelFormat(channels: 4, bitDepth: 16))), ("static-5x4-la16.pam", .static(5, 4, PixelFormat(channels: 2, bitDepth: 16))),
        ("static-5x4-rgba8.pam", .static(5, 4, PixelFormat(channels: 4, bitDepth: 8))),
        ("opaque-40x20-rgba16.pam", TestPicture(40, 20, channels: 4, bitDepth: 16) { x, y, c in c == 3 ? 65535 : 700 * x + 900 * y + c }),
    ]

    /// What is coded. The qualities of landscape and loud files were found by search: they are where small mistakes, which mostly leave a file as it is, change it.
    private static let series: [(model: String, pictures: [String], qualities: [Double])] = [
        ("tiny", ["dot-1x1.ppm", "scene-100x75.ppm", "scene-65x128.pgm", "text-128x64.pgm", "noise-64x48.ppm", "checkerboard-33x70.ppm"], [0, 40, 75, 100]),
        ("tiny", ["landscape-200x136.ppm"], [11, 41, 75, 85]),
        ("tiny", ["landscape-136x200.pgm"], [1, 13, 23, 37, 89]),
        (
            "tiny",
            [
                "sight-61x47-la8.pam", "sight-61x47-rgba8.pam", "sight-61x47-l16.pgm", "sight-61x47-la16.pam", "sight-61x47-rgb16.ppm", "sight-61x47-rgba16.pam",
                "static-5x4-la16.pam", "static-5x4-rgba8.pam", "opaque-40x20-rgba16.pam",
            ], [45]
        ),
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
        /// SHA-256 of the decoded samples, rows without gaps, those of 16 bits little-endian.
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
                    XCTAssertEqual([decoded.width, decoded.height], [picture.width, picture.height])
                    XCTAssertEqual(decoded.format, picture.format)
                    XCTAssertEqual(decoded.alpha, picture.alpha)
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

    /// A binary PPM, PGM or PAM file as `netpbm` writes it.
    static func readPicture(_ name: String) throws -> TestPicture {
        let bytes = try testBytes("conformance/\(name)")
        let fields = String(decoding: bytes.prefix(60), as: Unicode.ASCII.self).split(maxSplits: 9, whereSeparator: \.isWhitespace)
        let numbers = try (fields[0] == "P7" ? [2, 4, 6, 8] : [1, 2, 1, 3]).map { try XCTUnwrap(Int(fields[$0])) }
        let (width, height, bitDepth) = (numbers[0], numbers[1], numbers[3] == 255 ? 8 : 16)
        let channels = fields[0] == "P7" ? numbers[2] : fields[0] == "P6" ? 3 : 1
        let samples = Array(bytes.suffix(width * height * channels * bitDepth / 8))
        return TestPicture(width, height, channels: channels, bitDepth: bitDepth) { x, y, c in
            let index = (y * width + x) * channels + c
            return bitDepth == 8 ? Int(samples[index]) : Int(samples[2 * index]) << 8 | Int(samples[2 * index + 1])
        }
    }

    private static func netpbm(_ picture: TestPicture) -> [UInt8] {
        let maximum = picture.format.peak
        let kind = ["GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA"][picture.channels - 1]
        let header =
            picture.format.hasAlpha
            ? "P7\nWIDTH \(picture.width)\nHEIGHT \(picture.height)\nDEPTH \(picture.channels)\nMAXVAL \(maximum)\nTUPLTYPE \(kind)\nENDHDR\n"
            : "\(picture.channels == 3 ? "P6" : "P5")\n\(picture.width) \(picture.height)\n\(maximum)\n"
        let samples = picture.bitDepth == 8 ? picture.samples : picture.values.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
        return Array(header.utf8) + samples
    }

    private static func regenerate() throws {
        let folder = testFile("conformance")
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where !["README.md", "zoo"].contains(name) {
            try FileManager.default.removeItem(at: folder.appendingPathComponent(name))
        }
        let models = try loadModels()
        let pictures = Dictionary(uniqueKeysWithValues: pictures.map { ($0.name, $0.picture) })
        for (name, picture) in pictures {
            try Data(netpbm(picture)).write(to: folder.appendingPathComponent(name))
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
