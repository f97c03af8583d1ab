// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import NeuralCodec

/// Gray and RGB, with and without alpha, of 8 and 16 bits: colours, alpha and depth through the codec.
final class PixelTypeTests: XCTestCase {
    private var model: Model!

    override func setUpWithError() throws { model = try TinyModel.load() }

    // MARK: Round trips

    func testEveryTypeNeural() throws {
        for format in PixelFormat.all {
            let picture = TestPicture.sight(90, 70, format)
            let (file, _) = try picture.encoded(model, .quality(90))
            let info = try file.withUnsafeBytes { try readInfo($0) }
            XCTAssertEqual([info.width, info.height, info.channels, info.bitDepth], [90, 70, format.channels, format.bitDepth])
            XCTAssertFalse(info.stored)
            XCTAssertEqual(info.alphaSize != nil, format.hasAlpha)
            for path in availablePaths {
                let decoded = try withPath(path) { try TestPicture.decoded(file, model) }
                XCTAssertEqual(decoded.format, format)
                XCTAssertEqual(decoded.alpha, picture.alpha, "\(format) on \(path)")
                XCTAssertGreaterThan(decoded.psnr(picture), 18, "\(format) on \(path)")
            }
        }
    }

    /// The kernels of plain colours.
    func testEveryTypeInAPublishedNetwork() throws {
        let network = try TinyModel.load(testBytes("conformance/zoo/mean-scale.safetensors"))
        for format in PixelFormat.all {
            let picture = TestPicture.sight(90, 70, format)
            let file = try picture.encoded(network).file
            XCTAssertFalse(try file.withUnsafeBytes { try readInfo($0).stored })
            let decoded = try TestPicture.decoded(file, network)
            XCTAssertEqual(decoded.format, format)
            XCTAssertEqual(decoded.alpha, picture.alpha)
            // The network is random, so its pictures say nothing but this: alpha has no part in the colours, and gray is coded like three equal colours.
            XCTAssertEqual(decoded.withoutAlpha(), try TestPicture.decoded(picture.withoutAlpha().encoded(network).file, network))
            if format.colours == 1 {
                let values = picture.values
                let colours = TestPicture(90, 70, bitDepth: format.bitDepth) { x, y, _ in values[(y * 90 + x) * format.channels] }
                XCTAssertEqual(try colours.encoded(network).file.payload(), try file.payload())
            }
        }
    }

    func testEveryTypeStored() throws {
        for format in PixelFormat.all {
            for picture in [TestPicture.sight(1, 1, format), .sight(3, 2, format), .static(40, 30, format)] {
                let file = try picture.encoded(model, .size(.max)).file
                XCTAssertTrue(try file.withUnsafeBytes { try readInfo($0).stored })
                XCTAssertEqual(try TestPicture.decoded(file, nil), picture, "\(format)")
                // The bound that docs/format.md gives.
                let alpha = format.hasAlpha ? 13 : 0
                XCTAssertLessThanOrEqual(file.count, 71 + alpha + picture.samples.count)
            }
            let summary = try TestPicture.sight(3, 2, format).encoded(model, .psnr(200)).summary
            XCTAssertEqual(summary.psnr, .infinity)
        }
    }

    /// Alpha has no part in how colours are coded.
    func testColoursAreCodedAlike() throws {
        for format in PixelFormat.all where format.hasAlpha {
            let picture = TestPicture.sight(90, 70, format)
            let opaque = picture.withoutAlpha()
            for quality in [10.0, 60, 100] {
                let (file, plain) = (try picture.encoded(model, .quality(quality)).file, try opaque.encoded(model, .quality(quality)).file)
                XCTAssertEqual(try file.payload(), try plain.payload())
                XCTAssertEqual(try TestPicture.decoded(file, model).withoutAlpha(), try TestPicture.decoded(plain, model))
                // Left out by the encoder, or by the decoder.
                var options = EncodeOptions()
                (options.target, options.alpha) = (.quality(quality), .none)
                XCTAssertEqual(try picture.encoded(model, options).file, plain)
                var reading = DecodeOptions()
                reading.alpha = .none
                XCTAssertEqual(try TestPicture.decoded(file, model, reading), try TestPicture.decoded(plain, model))
            }
        }
    }

    /// The lower bytes matter: 256 steps of a slope that 8 bits do not show come out as more than a few.
    func test16BitsAreCodedFromFullPrecision() throws {
        for channels in [1, 3] {
            let picture = TestPicture(128, 128, channels: channels, bitDepth: 16) { x, y, _ in 30000 + 4 * x + 3 * y }
            let decoded = try TestPicture.decoded(picture.encoded(model, .quality(100)).file, model)
            XCTAssertGreaterThan(Set(decoded.values).count, 300)
            let lowered = TestPicture(128, 128, channels: channels, bitDepth: 16) { x, y, _ in (30000 + 4 * x + 3 * y) & 0xff00 }
            XCTAssertNotEqual(try lowered.encoded(model, .quality(100)).file, try picture.encoded(model, .quality(100)).file)
        }
    }

    /// The same picture in 8 and in 16 bits is the same to the eye.
    func testDepthsAgree() throws {
        for channels in 1...4 {
            let eight = TestPicture.sight(90, 70, PixelFormat(channels: channels, bitDepth: 8))
            let sixteen = TestPicture(90, 70, channels: channels, bitDepth: 16) { x, y, c in 257 * Int(eight.samples[(y * 90 + x) * channels + c]) }
            let a = try TestPicture.decoded(eight.encoded(model, .quality(80)).file, model)
            let b = try TestPicture.decoded(sixteen.encoded(model, .quality(80)).file, model)
            for (a, b) in zip(a.values, b.values) { XCTAssertLessThanOrEqual(abs(257 * a - b), 1000) }
        }
    }

    // MARK: Decoding to another format

    func testDecodingTo8Bits() throws {
        var options = DecodeOptions()
        options.bitDepth = 8
        for channels in 1...4 {
            for picture in [TestPicture.sight(90, 70, PixelFormat(channels: channels, bitDepth: 16)), .sight(4, 3, PixelFormat(channels: channels, bitDepth: 16))] {
                let file = try picture.encoded(model).file
                let (full, reduced) = (try TestPicture.decoded(file, model), try TestPicture.decoded(file, model, options))
                XCTAssertEqual(reduced.format, PixelFormat(channels: channels, bitDepth: 8))
                let stored = try file.withUnsafeBytes { try readInfo($0).stored }
                for (index, (fine, coarse)) in zip(full.values, reduced.values).enumerated() {
                    let exact = Double(fine) / 257
                    // Rounded once, from what 16 bits are rounded from too.
                    let isExact = stored || channels % 2 == 0 && index % channels == channels - 1
                    XCTAssertLessThanOrEqual(abs(exact - Double(coarse)), isExact ? 0.5 : 0.5 + 1.0 / 257)
                }
            }
        }
        let file = try TestPicture.scene(90, 70).encoded(model).file
        XCTAssertEqual(try TestPicture.decoded(file, model, options), try TestPicture.decoded(file, model))
        options.bitDepth = 16
        assertThrows(.unsupported, "8 bits") { try TestPicture.decoded(file, model, options) }
        options.bitDepth = 12
        assertThrows(.invalidArgument, "12") { try TestPicture.decoded(file, model, options) }
    }

    /// Every value of 16 bits to the nearest of 8.
    func testEverySampleTo8Bits() throws {
        let picture = TestPicture(256, 256, channels: 2, bitDepth: 16) { x, y, c in (x + 256 * y) ^ (c == 0 ? 0 : 0x5a5a) }
        var options = EncodeOptions()
        options.target = .size(.max)
        let file = try picture.encoded(model, options).file
        var reading = DecodeOptions()
        reading.bitDepth = 8
        XCTAssertEqual(try TestPicture.decoded(file, nil, reading).values, picture.values.map { Int((Double($0) / 257).rounded()) })
    }

    /// Rows and pixels of odd addresses, with gaps that stay as they are.
    func testStrides() throws {
        for format in PixelFormat.all {
            let picture = TestPicture.sight(37, 29, format)
            let file = try picture.encoded(model).file
            let row = 37 * format.pixelBytes
            for stride in [row, row + 1, 2 * row + 3] {
                var samples = [UInt8](repeating: 0xa7, count: stride * 28 + row)
                for y in 0 ..< 29 { samples.replaceSubrange(y * stride ..< y * stride + row, with: picture.samples[y * row ..< (y + 1) * row]) }
                let other = try withGuarded(samples) { bytes in
                    try encode(
                        PictureView(pixels: bytes.baseAddress!, width: 37, height: 29, channels: format.channels, bitDepth: format.bitDepth, stride: stride), model: model
                    ).file.withBytes([UInt8].init)
                }
                XCTAssertEqual(other, file, "\(format), stride \(stride)")
                var target = [UInt8](repeating: 0xa7, count: stride * 29 + 51)
                try target.withUnsafeMutableBytes { target in
                    try file.withUnsafeBytes { try decode(ParsedFile($0), model: model, options: DecodeOptions()) { (target.baseAddress! + 1, stride) } }
                }
                let pixels = try TestPicture.decoded(file, model).samples
                for y in 0 ..< 29 { XCTAssertEqual(Array(target[1 + y * stride ..< 1 + y * stride + row]), Array(pixels[y * row ..< (y + 1) * row])) }
                XCTAssertTrue(target.indices.allSatisfy { $0 > 0 && ($0 - 1) % stride < row && ($0 - 1) / stride < 29 || target[$0] == 0xa7 })
            }
        }
    }

    // MARK: Targets

    func testTargetSizeCountsEverything() throws {
        let profile = (0 ..< 700).map { UInt8($0 & 255) }
        for format in PixelFormat.all {
            let picture = TestPicture.sight(150, 120, format)
            try profile.withUnsafeBytes { profile in
                var options = EncodeOptions()
                options.metadata.icc = profile
                options.target = .quality(0)
                let smallest = try picture.encoded(model, options).file.count
                for target in [smallest, smallest + 200, 2 * smallest] {
                    options.target = .size(target)
                    let (file, summary) = try picture.encoded(model, options)
                    XCTAssertLessThanOrEqual(file.count, target)
                    XCTAssertEqual(summary.size, file.count)
                    let decoded = try TestPicture.decoded(file, model)
                    XCTAssertEqual(decoded.alpha, picture.alpha)
                }
                // Not even what stands beside the colours.
                let side = 712 + (format.hasAlpha ? try AlphaPlane.encode(picture.view()).count + 12 : 0)
                for target in [100, side, smallest - 1] {
                    options.target = .size(target)
                    let error = assertThrows(.targetUnreachable, "\(side) of them alpha and metadata") { try picture.encoded(model, options) }
                    XCTAssertEqual(error?.nearest?.size, smallest)
                }
            }
        }
    }

    func testTargetPSNR() throws {
        for format in PixelFormat.all {
            let picture = TestPicture.sight(150, 130, format)
            let low = try TestPicture.decoded(picture.encoded(model, .quality(10)).file, model).psnr(picture)
            let high = try TestPicture.decoded(picture.encoded(model, .quality(90)).file, model).psnr(picture)
            let target = (low + high) / 2
            let (file, summary) = try picture.encoded(model, .psnr(target))
            let reached = try TestPicture.decoded(file, model).psnr(picture)
            XCTAssertEqual(try XCTUnwrap(summary.psnr), reached, accuracy: 1e-9, "\(format)")
            XCTAssertGreaterThanOrEqual(reached, target)
            XCTAssertLessThan(reached, target + 0.1)
            let peak = Double(format.peak)
            XCTAssertEqual(reached, 10 * log10(peak * peak / picture.meanSquaredError(try TestPicture.decoded(file, model))), accuracy: 1e-9)
        }
    }

    /// What a call asks for stays within what the limit's message says.
    func testMemoryLimit() throws {
        let picture = TestPicture.static(160, 150, PixelFormat(channels: 4, bitDepth: 16))
        var options = EncodeOptions()
        (options.threads, options.limits.maxMemory) = (1, 1)
        let error = assertThrows(.limitExceeded, "and the limit is 1") { try picture.encoded(model, options) }
        let words = try XCTUnwrap(error).message.split(separator: " ")
        let bytes = try XCTUnwrap(Int(words[words.firstIndex(of: "needs")! + 1]))
        options.limits.maxMemory = bytes
        let fresh = try TinyModel.load()
        var size = 0
        let peak = try withPeakAllocator { size = try picture.encoded(fresh, options).file.count }
        XCTAssertLessThanOrEqual(peak, bytes + 4 * size + 8192)
    }
}

extension TestPicture {
    var format: PixelFormat { PixelFormat(channels: channels, bitDepth: bitDepth) }

    /// The samples as numbers.
    var values: [Int] { bitDepth == 8 ? samples.map(Int.init) : stride(from: 0, to: samples.count, by: 2).map { Int(samples[$0]) | Int(samples[$0 + 1]) << 8 } }

    /// Empty where there is none.
    var alpha: [Int] { format.hasAlpha ? values.enumerated().filter { $0.offset % channels == channels - 1 }.map(\.element) : [] }

    func withoutAlpha() -> TestPicture {
        let values = values
        return TestPicture(width, height, channels: format.colours, bitDepth: bitDepth) { x, y, c in values[(y * width + x) * channels + c] }
    }

    /// Over the colours.
    func meanSquaredError(_ other: TestPicture) -> Double {
        let (a, b) = (withoutAlpha().values, other.withoutAlpha().values)
        return zip(a, b).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) } / Double(a.count)
    }

    /// A view of a copy that lives for the rest of the process.
    func view() -> PictureView {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: samples.count, alignment: 1)
        copy.copyBytes(from: samples)
        return PictureView(pixels: copy.baseAddress!, width: width, height: height, channels: channels, bitDepth: bitDepth, stride: width * channels * bitDepth / 8)
    }

    /// A scene whose alpha channel is a soft-edged disc.
    static func sight(_ width: Int, _ height: Int, _ format: PixelFormat) -> TestPicture {
        let colours = scene(width, height, channels: format.colours)
        return TestPicture(width, height, channels: format.channels, bitDepth: format.bitDepth) { x, y, channel in
            if channel < format.colours {
                let value = Int(colours.samples[(y * width + x) * format.colours + channel])
                return format.bitDepth == 8 ? value : 257 * value + hash(x, y, 9) % 200
            }
            let distance = (2 * x - width) * (2 * x - width) + (2 * y - height) * (2 * y - height)
            return (height * height - distance) * format.peak / max(1, height * height / 2)
        }
    }

    /// Noise in every bit of every channel.
    static func `static`(_ width: Int, _ height: Int, _ format: PixelFormat) -> TestPicture {
        TestPicture(width, height, channels: format.channels, bitDepth: format.bitDepth) { x, y, c in
            format.bitDepth == 8 ? hash(x, y, c) : hash(x, y, c) << 8 | hash(x, y, c + 7)
        }
    }
}

extension [UInt8] {
    /// The payload of the TILE chunk.
    func payload() throws -> [UInt8] { try withUnsafeBytes { [UInt8](try ParsedFile($0).payload) } }
}
