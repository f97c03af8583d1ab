// SPDX-License-Identifier: Apache-2.0
import CPlatform
import XCTest

@testable import NeuralCodec

/// Pictures in, files out, and back: sizes, strides, threads, instruction sets, memory.
final class CodecTests: XCTestCase {
    private var model: Model!

    override func setUpWithError() throws { model = try TinyModel.load() }

    // MARK: Round trips

    func testSizesAndQualities() throws {
        for (width, height) in [(1, 1), (1, 65), (65, 1), (2, 2), (15, 17), (16, 16), (63, 64), (64, 65), (129, 127), (511, 513)] {
            for channels in [1, 3] {
                for quality in width > 500 ? [75] : [0, 33.3, 75, 100] {
                    let picture = TestPicture.scene(width, height, channels: channels)
                    let (file, summary) = try picture.encoded(model, .quality(quality))
                    let comment = "\(width) x \(height) x \(channels) at \(quality)"
                    XCTAssertLessThanOrEqual(file.count, picture.samples.count + 71, comment)
                    XCTAssertEqual(summary.size, file.count)
                    XCTAssertEqual(summary.quality, quality)
                    XCTAssertNil(summary.psnr)
                    let info = try file.withUnsafeBytes { try readInfo($0) }
                    XCTAssertEqual([info.width, info.height, info.channels, info.bitDepth], [width, height, channels, 8], comment)
                    XCTAssertEqual(info.payloadSize, file.count - 71)
                    let decoded = try TestPicture.decoded(file, model)
                    XCTAssertEqual([decoded.width, decoded.height, decoded.channels], [width, height, channels], comment)
                    if info.stored {
                        XCTAssertEqual(decoded, picture, comment)
                    } else {
                        XCTAssertEqual(info.modelID, "tiny")
                        XCTAssertEqual(info.modelHash, Array(model.hash.prefix(8)))
                        // The tiny model is no good codec, but the picture must be there.
                        if quality >= 75 { XCTAssertGreaterThan(decoded.psnr(picture), 19, comment) }
                    }
                }
            }
        }
    }

    func testQualityRaisesSizeAndFidelity() throws {
        let picture = TestPicture.scene(200, 150)
        var last = (size: 0, psnr: 0.0)
        for quality in stride(from: 0.0, through: 100, by: 20) {
            let file = try picture.encoded(model, .quality(quality)).file
            let psnr = try TestPicture.decoded(file, model).psnr(picture)
            XCTAssertGreaterThan(file.count, last.size)
            XCTAssertGreaterThan(psnr, last.psnr)
            last = (file.count, psnr)
        }
    }

    /// Pictures that a codec of photographs does not expect. What it cannot make smaller it stores, and then without loss.
    func testUnusualPictures() throws {
        let pictures: [(String, TestPicture)] = [
            ("black", .flat(100, 70, 0)), ("white", .flat(100, 70, 255)), ("gray", .flat(70, 100, 127, channels: 1)), ("checkerboard", .checkerboard(90, 90)),
            ("checkerboard, gray", .checkerboard(90, 90, channels: 1)), ("noise", .noise(90, 80)), ("noise, gray", .noise(90, 80, channels: 1)),
            ("text", .text(120, 90)), ("text, gray", .text(120, 90, channels: 1)), ("lines", TestPicture(80, 80) { x, _, c in (x + c) % 3 == 0 ? 255 : 0 }),
            ("one dot", TestPicture(80, 80) { x, y, _ in x == 40 && y == 41 ? 255 : 0 }), ("pure red", TestPicture(64, 64) { _, _, c in c == 0 ? 255 : 0 }),
        ]
        for (name, picture) in pictures {
            for quality in [0.0, 75, 100] {
                let file = try picture.encoded(model, .quality(quality)).file
                XCTAssertLessThanOrEqual(file.count, picture.samples.count + 71, name)
                let decoded = try TestPicture.decoded(file, model)
                let stored = try file.withUnsafeBytes { try readInfo($0).stored }
                if stored { XCTAssertEqual(decoded, picture, name) }
                XCTAssertEqual(decoded.samples.count, picture.samples.count, name)
            }
        }
        let noise = try TestPicture.noise(8, 8).encoded(model, .quality(100)).file
        XCTAssertTrue(try noise.withUnsafeBytes { try readInfo($0).stored })
    }

    /// A gray picture is coded as three equal colours, and comes back as one.
    func testGrayEqualsThreeEqualColours() throws {
        let gray = TestPicture.scene(70, 50, channels: 1)
        let colour = TestPicture(70, 50) { x, y, _ in Int(gray.samples[y * 70 + x]) }
        let (grayFile, colourFile) = (try gray.encoded(model).file, try colour.encoded(model).file)
        XCTAssertEqual(Array(grayFile[67...].dropLast(4)), Array(colourFile[67...].dropLast(4)))
        let (a, b) = (try TestPicture.decoded(grayFile, model), try TestPicture.decoded(colourFile, model))
        var compared = 0
        for pixel in 0 ..< 70 * 50 {
            let colours = b.samples[3 * pixel ..< 3 * pixel + 3].map(Int.init)
            // The mean is clamped last, the colours each for itself.
            guard colours.allSatisfy({ $0 > 0 && $0 < 255 }) else { continue }
            XCTAssertEqual(Double(a.samples[pixel]), Double(colours.reduce(0, +)) / 3, accuracy: 1.01)
            compared += 1
        }
        XCTAssertGreaterThan(compared, 2000)
    }

    func testRateParameterOfQualities() throws {
        let scale = QualityScale(map: model.network.qualityMap)
        XCTAssertEqual(scale.rate(0), model.network.qualityMap[0])
        XCTAssertEqual(scale.rate(100), model.network.qualityMap[10])
        let steep = QualityScale(map: [0, 10, 20, 1000, 2000, 2001, 2002, 30000, 40000, 50000, 65535])
        for map in [scale, steep] {
            XCTAssertEqual(stride(from: 0.0, through: 100, by: 10).map(map.rate), map.map)
            for rate in stride(from: map.map[0], through: map.map[10], by: 1) { XCTAssertEqual(map.rate(map.quality(rate)), rate) }
            XCTAssertEqual(map.rate(25), (map.map[2] + map.map[3]) / 2, accuracy: 1)
        }
    }

    // MARK: The same bytes

    func testThreads() throws {
        for picture in [TestPicture.scene(300, 200), .scene(33, 129, channels: 1), .noise(64, 64)] {
            let file = try picture.encoded(model, .quality(40), threads: 1).file
            let pixels = try TestPicture.decoded(file, model, threads: 1)
            for threads in [2, 3, 8, 0] {
                XCTAssertEqual(try picture.encoded(model, .quality(40), threads: threads).file, file, "\(threads) threads")
                XCTAssertEqual(try TestPicture.decoded(file, model, threads: threads), pixels, "\(threads) threads")
            }
        }
        for threads in [-1, 1025, .max, .min] {
            assertThrows(.invalidArgument, "threads") { try TestPicture.scene(64, 64).encoded(model, threads: threads) }
        }
    }

    func testInstructionSets() throws {
        for picture in [TestPicture.scene(128, 100), .scene(1, 1), .text(65, 64, channels: 1), .noise(128, 128), .checkerboard(50, 70), .flat(64, 64, 200)] {
            for quality in [0.0, 60, 100] {
                let results = try availablePaths.map { path in
                    try withPath(path) {
                        let file = try picture.encoded(model, .quality(quality)).file
                        return (file, try TestPicture.decoded(file, model))
                    }
                }
                for (path, result) in zip(availablePaths, results) {
                    XCTAssertTrue(result.0 == results[0].0 && result.1 == results[0].1, "\(path), \(picture.width) x \(picture.height) at \(quality)")
                }
            }
        }
        XCTAssertEqual(availablePaths.first, "portable")
    }

    /// Searches for a size or PSNR take the same way everywhere.
    func testTargetsOnInstructionSetsAndThreads() throws {
        let picture = TestPicture.scene(100, 90)
        for target in [RateTarget.size(3000), .psnr(20)] {
            let results = try availablePaths.flatMap { path in
                try withPath(path) { try [1, 3].map { try picture.encoded(model, target, threads: $0) } }
            }
            for result in results {
                XCTAssertEqual(result.file, results[0].file)
                XCTAssertEqual(result.summary.quality, results[0].summary.quality)
                XCTAssertEqual(result.summary.psnr, results[0].summary.psnr)
            }
        }
    }

    func testStrides() throws {
        for channels in [1, 3] {
            let picture = TestPicture.scene(37, 29, channels: channels)
            let file = try picture.encoded(model).file
            let row = 37 * channels
            for stride in [row + 1, row + 7, 4 * row] {
                // Rows apart, the last one ending with its last sample, and other bytes between them.
                var samples = [UInt8](repeating: 0xa7, count: stride * 28 + row)
                for y in 0 ..< 29 { samples.replaceSubrange(y * stride ..< y * stride + row, with: picture.samples[y * row ..< (y + 1) * row]) }
                let other = try withGuarded(samples) { bytes in
                    let view = PictureView(pixels: bytes.baseAddress!, width: 37, height: 29, channels: channels, stride: stride)
                    return try encode(view, model: model).file.withBytes([UInt8].init)
                }
                XCTAssertEqual(other, file, "stride \(stride)")
                // The same on the way out.
                var target = [UInt8](repeating: 0xa7, count: stride * 29 + 50)
                try target.withUnsafeMutableBytes { target in
                    try file.withUnsafeBytes { try decode(ParsedFile($0), model: model, options: DecodeOptions()) { (target.baseAddress!, stride) } }
                }
                let pixels = try TestPicture.decoded(file, model).samples
                for y in 0 ..< 29 { XCTAssertEqual(Array(target[y * stride ..< y * stride + row]), Array(pixels[y * row ..< (y + 1) * row])) }
                XCTAssertEqual(target.indices.filter { $0 % stride >= row || $0 / stride >= 29 }.filter { target[$0] != 0xa7 }, [])
            }
        }
    }

    func testInvalidPictures() throws {
        let samples = [UInt8](repeating: 0, count: 4096)
        func refused(_ status: Status, _ width: Int, _ height: Int, _ channels: Int, _ stride: Int, line: UInt = #line) {
            assertThrows(status, line: line) {
                try samples.withUnsafeBytes {
                    try encode(PictureView(pixels: $0.baseAddress!, width: width, height: height, channels: channels, stride: stride), model: model)
                }
            }
        }
        refused(.invalidArgument, 0, 8, 3, 24)
        refused(.invalidArgument, 8, 0, 3, 24)
        refused(.invalidArgument, -8, 8, 3, 24)
        refused(.invalidArgument, 8, -8, 3, 24)
        refused(.invalidArgument, 8, 8, 0, 24)
        refused(.invalidArgument, 8, 8, 5, 40)
        refused(.invalidArgument, 8, 8, -1, 24)
        refused(.invalidArgument, 8, 8, 2, 15)
        refused(.invalidArgument, 8, 8, 4, 31)
        refused(.invalidArgument, 8, 8, 3, 23)
        refused(.invalidArgument, 8, 8, 3, -24)
        refused(.limitExceeded, .max, .max, 3, .max)
        refused(.limitExceeded, .max / 3, 1, 3, .max)
        for quality in [-0.001, 100.001, .nan, .infinity, -.infinity] {
            assertThrows(.invalidArgument, "quality") { try TestPicture.scene(8, 8).encoded(model, .quality(quality)) }
        }
        for size in [0, -1, .min] { assertThrows(.invalidArgument, "target size") { try TestPicture.scene(8, 8).encoded(model, .size(size)) } }
        for psnr in [0, -3, 200.1, .nan, .infinity] { assertThrows(.invalidArgument, "PSNR") { try TestPicture.scene(8, 8).encoded(model, .psnr(psnr)) } }
    }

    // MARK: Memory between calls

    func testWorkspaceReuse() throws {
        let pictures = [TestPicture.noise(150, 40), .scene(64, 64), .checkerboard(10, 200, channels: 1), .scene(200, 170), .text(65, 65)]
        let fresh = try pictures.map { picture in
            let model = try TinyModel.load()
            let file = try picture.encoded(model, .quality(50)).file
            return (file, try TestPicture.decoded(file, TinyModel.load()))
        }
        var numbers = Numbers(60)
        for _ in 0 ..< 60 {
            let index = Int.random(in: pictures.indices, using: &numbers)
            if Bool.random(using: &numbers) {
                XCTAssertEqual(try pictures[index].encoded(model, .quality(50)).file, fresh[index].0)
            } else {
                XCTAssertEqual(try TestPicture.decoded(fresh[index].0, model), fresh[index].1)
            }
        }
    }

    /// What new memory holds never reaches a file or a pixel.
    func testLitteredMemory() throws {
        for picture in [TestPicture.scene(90, 70), .scene(17, 140, channels: 1)] {
            let file = try picture.encoded(model, .quality(50)).file
            let pixels = try TestPicture.decoded(file, model)
            let (sized, psnr) = (try picture.encoded(model, .size(file.count)).file, try picture.encoded(model, .psnr(20)).file)
            for byte: UInt8 in [0, 0x3f, 0x7f, 0xff] {
                try withLitter(byte) {
                    let model = try TinyModel.load()
                    XCTAssertEqual(try picture.encoded(model, .quality(50)).file, file)
                    XCTAssertEqual(try TestPicture.decoded(file, model), pixels)
                    XCTAssertEqual(try picture.encoded(model, .size(file.count)).file, sized)
                    XCTAssertEqual(try picture.encoded(model, .psnr(20)).file, psnr)
                }
            }
        }
    }

    func testConcurrentCalls() throws {
        let model = self.model!
        let pictures = (0 ..< 6).map { TestPicture.scene(60 + 17 * $0, 140 - 13 * $0, channels: $0 % 2 == 0 ? 3 : 1) }
        let files = try pictures.map { try $0.encoded(model, .quality(50)).file }
        let decoded = try files.map { try TestPicture.decoded($0, model) }
        let failures = Failures()
        let threads = (0 ..< 6).map { start in
            Thread {
                for round in 0 ..< 12 {
                    let index = (start + round * (start + 1)) % pictures.count
                    do {
                        if try pictures[index].encoded(model, .quality(50), threads: 1 + start % 3).file != files[index] { failures.add("file \(index)") }
                        if try TestPicture.decoded(files[index], model, threads: 1 + round % 2) != decoded[index] { failures.add("pixels \(index)") }
                    } catch { failures.add("\(error)") }
                }
                failures.done()
            }
        }
        threads.forEach { $0.start() }
        XCTAssertEqual(failures.wait(threads.count), [])
    }
}

/// What went wrong on other threads.
private final class Failures: @unchecked Sendable {
    private let condition = NSCondition()
    private var texts: [String] = []
    private var finished = 0

    func add(_ text: String) { condition.withLock { texts.append(text) } }

    func done() {
        condition.withLock {
            finished += 1
            condition.signal()
        }
    }

    func wait(_ count: Int) -> [String] {
        condition.withLock {
            while finished < count { condition.wait() }
            return texts
        }
    }
}
