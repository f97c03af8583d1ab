// SPDX-License-Identifier: Apache-2.0
import CKernels
import XCTest

@testable import NeuralCodec

/// Every kernel of every path, the portable twin among them, against a plain computation in Swift, byte for byte over all the memory the kernel was given.
final class KernelTests: XCTestCase {
    private let counts = Array(1 ... 15) + [63, 64]
    private let kinds = Hostility.allCases

    // MARK: Selection

    func testSelection() throws {
        var kernels: UnsafePointer<nck_kernels>?
        XCTAssertEqual(nck_select("portable", &kernels), NCK_SELECTED)
        XCTAssertEqual(String(cString: try XCTUnwrap(kernels).pointee.name), "portable")
        XCTAssertEqual(nck_select("sse9", &kernels), NCK_UNKNOWN)
        XCTAssertEqual(nck_select("", &kernels), NCK_UNKNOWN)
        XCTAssertEqual(nck_select("AVX2", &kernels), NCK_UNKNOWN)
        for name in ["avx2", "avx512"] {
            kernels = nil
            let selection = nck_select(name, &kernels)
            #if arch(x86_64)
                XCTAssertTrue(selection == NCK_SELECTED ? kernels.map { String(cString: $0.pointee.name) } == name : selection == NCK_UNSUPPORTED && kernels == nil)
            #else
                XCTAssertEqual(selection, NCK_UNKNOWN)
            #endif
        }
        XCTAssertEqual(nck_select(nil, &kernels), NCK_SELECTED)
        XCTAssertEqual(String(cString: kernels!.pointee.name), ["avx512", "avx2", "neon", "portable"].first { availablePaths.contains($0) })
    }

    func testSelectionFollowsTheSystem() throws {
        #if arch(x86_64)
            let flags = try XCTUnwrap(String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8).split(separator: "\n").first { $0.hasPrefix("flags") })
                .split(separator: " ").map(String.init)
            XCTAssertEqual(availablePaths.contains("avx2"), ["avx2", "fma"].allSatisfy(flags.contains))
            XCTAssertEqual(availablePaths.contains("avx512"), ["avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"].allSatisfy(flags.contains))
        #else
            XCTAssertEqual(availablePaths, ["portable", "neon"])
        #endif
    }

    func testUnknownPathIsAnError() throws {
        let model = try TinyModel.load()
        let picture = TestPicture.scene(64, 64)
        let file = try picture.encoded(model).file
        withPath("quantum") {
            assertThrows(.cpuUnsupported, "quantum") { try picture.encoded(model) }
            assertThrows(.cpuUnsupported, "quantum") { try TestPicture.decoded(file, model) }
            XCTAssertEqual(Library.cpuInfo, "unsupported")
        }
        for path in availablePaths { withPath(path) { XCTAssertTrue(Library.cpuInfo.hasPrefix("\(path), ")) } }
        try withPath("") { XCTAssertEqual(try picture.encoded(model).file, file) }
    }

    // MARK: Dense convolution

    func testConvolution() {
        var numbers = Numbers(1)
        for (index, count) in counts.enumerated() {
            for outputs in [16, 32, 48, 64, 80, 112, 144] {
                for kernelSize in [1, 3, 5] where kernelSize < 5 || count < 4 {
                    for kind in kinds {
                        let inputs = [1, 3, 16, 32].randomElement(using: &numbers)!
                        let stride = kernelSize == 3 && index % 3 == 0 ? 2 : 1
                        convolution(kernelSize, inputs, outputs, count: count, stride: stride, kind, &numbers)
                    }
                }
            }
        }
    }

    private func convolution(_ kernelSize: Int, _ inputs: Int, _ outputs: Int, count: Int, stride: Int, _ kind: Hostility, _ numbers: inout Numbers) {
        let taps = kernelSize * kernelSize
        let tapStep = inputs + numbers.extra()
        let row = (count * stride + kernelSize) * tapStep + numbers.extra()
        let offsets = (0 ..< taps).map { $0 / kernelSize * row + $0 % kernelSize * tapStep }
        let weights = Values(taps * inputs * outputs, kind, &numbers), bias = Values(outputs, kind, &numbers)
        let input = Values(kernelSize * row, kind, &numbers)
        let inputStep = tapStep * stride
        let outputStep = outputs + numbers.extra()
        let slope: Float = Bool.random(using: &numbers) ? 1 : 0.1
        // The residual: none, apart, or the output itself, as residual blocks have it.
        let residual = Values(count * outputStep, kind, &numbers)
        let (hasResidual, inPlace) = [(false, false), (true, false), (true, true)].randomElement(using: &numbers)!
        var initial = Output<Float>(count * outputStep, mark: -777, &numbers)
        if inPlace { initial.fill(residual.all) }

        var expected = initial
        for p in 0 ..< count {
            for o in 0 ..< outputs {
                var sum = bias[o]
                for tap in 0 ..< taps {
                    for i in 0 ..< inputs {
                        sum = sum.addingProduct(weights[((o / 16 * taps + tap) * inputs + i) * 16 + o % 16], input[p * inputStep + offsets[tap] + i])
                    }
                }
                if hasResidual { sum = residual[p * outputStep + o] + sum }
                expected[p * outputStep + o] = leaky(sum, slope)
            }
        }
        onEachPath(initial, expected, "\(kernelSize) x \(kernelSize), \(inputs) -> \(outputs), \(count) positions, stride \(stride), \(kind), residual \(hasResidual)") { kernels, output in
            offsets.withUnsafeBufferPointer { offsets in
                weights.with { weights in bias.with { bias in input.with { input in residual.with { residual in
                    var convolution = nck_convolution(
                        weights: weights, bias: bias, tap_offsets: offsets.baseAddress, tap_lanes: nil, taps: taps, inputs: inputs, outputs: outputs)
                    let pointer = !hasResidual ? nil : inPlace ? UnsafePointer(output) : residual
                    kernels.convolve(
                        &convolution, input, inputStep, output, outputStep, count, nck_epilogue(operand: pointer, operand_step: outputStep, combination: NCK_ADD_BEFORE, activation: activation(slope)))
                } } } }
            }
        }
    }

    // MARK: Depthwise convolution

    func testDepthwise() {
        var numbers = Numbers(2)
        for count in counts {
            for size in [3, 5] {
                for channels in [16, 48] {
                    for kind in kinds { depthwise(size, channels, count, columnStep: 1 + (count & 1), kind, &numbers) }
                }
            }
        }
    }

    private func depthwise(_ size: Int, _ channels: Int, _ count: Int, columnStep: Int, _ kind: Hostility, _ numbers: inout Numbers) {
        let row = (count * columnStep + size) * channels + numbers.extra()
        let weights = Values(size * size * channels, kind, &numbers), bias = Values(channels, kind, &numbers)
        let input = Values(size * row, kind, &numbers)
        let (inputStep, outputStep) = (columnStep * channels, channels + numbers.extra())
        let slope: Float = Bool.random(using: &numbers) ? 1 : 0.1
        let initial = Output<Float>(count * outputStep, mark: -777, &numbers)
        var expected = initial
        for p in 0 ..< count {
            for c in 0 ..< channels {
                var sum = bias[c]
                for tap in 0 ..< size * size {
                    sum = sum.addingProduct(weights[tap * channels + c], input[p * inputStep + tap / size * row + tap % size * channels + c])
                }
                expected[p * outputStep + c] = leaky(sum, slope)
            }
        }
        onEachPath(initial, expected, "\(size) x \(size), \(channels) channels, \(count) positions, \(kind)") { kernels, output in
            weights.with { weights in bias.with { bias in input.with { input in
                kernels.depthwise(weights, bias, size, channels, input, row, inputStep, output, outputStep, count, activation(slope))
            } } }
        }
    }

    // MARK: Value by value

    func testActivate() {
        var numbers = Numbers(3)
        for count in counts {
            for kind in kinds {
                let channels = 16 * Int.random(in: 1 ... 5, using: &numbers)
                let (inputStep, outputStep) = (channels + numbers.extra(), channels + numbers.extra())
                let input = Values(count * inputStep, kind, &numbers)
                let slope: Float = Bool.random(using: &numbers) ? 1 : 0.1
                let initial = Output<Float>(count * outputStep, mark: -777, &numbers)
                var expected = initial
                for p in 0 ..< count { for c in 0 ..< channels { expected[p * outputStep + c] = leaky(input[p * inputStep + c], slope) } }
                onEachPath(initial, expected, "\(channels) channels, \(count) positions, \(kind)") { kernels, output in
                    input.with { kernels.activate(channels, $0, inputStep, output, outputStep, count, activation(slope)) }
                }
            }
        }
    }

    func testScale() {
        var numbers = Numbers(4)
        for count in counts {
            for kind in kinds {
                let channels = 16 * Int.random(in: 1 ... 5, using: &numbers)
                let (inputStep, outputStep) = (channels + numbers.extra(), channels + numbers.extra())
                let factor = Values(channels, kind, &numbers), input = Values(count * inputStep, kind, &numbers)
                let initial = Output<Float>(count * outputStep, mark: -777, &numbers)
                var expected = initial
                for p in 0 ..< count { for c in 0 ..< channels { expected[p * outputStep + c] = input[p * inputStep + c] * factor[c] } }
                onEachPath(initial, expected, "\(channels) channels, \(count) positions, \(kind)") { kernels, output in
                    factor.with { factor in input.with { kernels.scale(factor, channels, $0, inputStep, output, outputStep, count) } }
                }
                // In place, as synthesis has it.
                var start = Output<Float>(count * inputStep, mark: -777, &numbers)
                start.fill(input.all)
                var scaled = start
                for p in 0 ..< count { for c in 0 ..< channels { scaled[p * inputStep + c] = input[p * inputStep + c] * factor[c] } }
                onEachPath(start, scaled, "in place, \(count) positions, \(kind)") { kernels, output in
                    factor.with { kernels.scale($0, channels, output, inputStep, output, inputStep, count) }
                }
            }
        }
    }

    func testParameters() {
        var numbers = Numbers(5)
        for count in counts {
            for kind in kinds {
                let channels = 16 * Int.random(in: 1 ... 4, using: &numbers)
                let meanStep = channels + numbers.extra()
                let gain = Values(channels, kind, &numbers), logScale = Values(channels, .plain, &numbers)
                let raw = Values(count * 2 * channels, kind, &numbers)
                let used = [0, 1, 127, 254, 255].randomElement(using: &numbers)!
                let thresholds = (0 ..< 255).map { $0 < used ? -2.2 + Float($0) * 0.0334 : .infinity }
                let means = Output<Float>(count * meanStep, mark: -777, &numbers), indices = Output<UInt8>(count * channels, mark: 0xee, &numbers)
                var (expectedMeans, expectedIndices) = (means, indices)
                for p in 0 ..< count {
                    for c in 0 ..< channels {
                        expectedMeans[p * meanStep + c] = raw[2 * p * channels + c] * gain[c]
                        let value = raw[(2 * p + 1) * channels + c] + logScale[c]
                        expectedIndices[p * channels + c] = UInt8(thresholds.filter { $0 < value }.count)
                    }
                }
                onEachPath(means, expectedMeans, indices, expectedIndices, "\(channels) channels, \(count) positions, \(used) thresholds, \(kind)") {
                    kernels, means, indices in
                    gain.with { gain in logScale.with { logScale in raw.with { raw in
                        kernels.parameters(gain, logScale, thresholds, channels, raw, means, meanStep, indices, count)
                    } } }
                }
            }
        }
    }

    /// Values on a threshold, and its neighbours: equality does not count as below.
    func testThresholdsAreExact() {
        let thresholds = (0 ..< 255).map { Float($0) * 0.125 - 16 }
        let values = thresholds.flatMap { [$0.nextDown, $0, $0.nextUp] } + [-.infinity, .infinity, .nan]
        let channels = 16
        let positions = (values.count + channels - 1) / channels
        let zeros = [Float](repeating: 0, count: channels)
        var raw = [Float](repeating: 0, count: positions * 2 * channels)
        for (index, value) in values.enumerated() { raw[index / channels * 2 * channels + channels + index % channels] = value }
        for name in availablePaths {
            var means = [Float](repeating: 0, count: positions * channels), indices = [UInt8](repeating: 0, count: positions * channels)
            Self.kernels(name).parameters(zeros, zeros, thresholds, channels, raw, &means, channels, &indices, positions)
            for (index, value) in values.enumerated() { XCTAssertEqual(Int(indices[index]), thresholds.filter { $0 < value }.count, "\(value) on \(name)") }
        }
    }

    func testQuantizeAndReconstruct() {
        var numbers = Numbers(6)
        for count in counts {
            for kind in kinds {
                let channels = 16 * Int.random(in: 1 ... 4, using: &numbers)
                let (step, meanStep) = (channels + numbers.extra(), channels + numbers.extra())
                let gain = Values(channels, kind, &numbers, scale: 10), latents = Values(count * step, kind, &numbers, scale: 10)
                let meanValues = Values(count * meanStep, kind, &numbers)
                var means = Output<Float>(count * meanStep, mark: -777, &numbers)
                means.fill(meanValues.all)
                let symbols = Output<Int32>(count * channels, mark: -77_777, &numbers)
                var (expectedMeans, expectedSymbols) = (means, symbols)
                for p in 0 ..< count {
                    for c in 0 ..< channels {
                        let mean = meanValues[p * meanStep + c]
                        let symbol = rounded(latents[p * step + c] * gain[c] - mean)
                        expectedSymbols[p * channels + c] = symbol
                        expectedMeans[p * meanStep + c] = Float(symbol) + mean
                    }
                }
                let comment = "\(channels) channels, \(count) positions, \(kind)"
                onEachPath(means, expectedMeans, symbols, expectedSymbols, comment) { kernels, means, symbols in
                    gain.with { gain in latents.with { kernels.quantize(gain, channels, $0, step, means, meanStep, symbols, count) } }
                }
                // The decoder rebuilds the same from the symbols.
                onEachPath(means, expectedMeans, comment) { kernels, means in
                    expectedSymbols.with { kernels.reconstruct($0, channels, means, meanStep, count) }
                }
            }
        }
    }

    func testHyperlatents() {
        var numbers = Numbers(7)
        for count in counts {
            for kind in kinds {
                let channels = 16 * Int.random(in: 1 ... 4, using: &numbers)
                let median = Values(channels, kind, &numbers), latents = Values(count * channels, kind, &numbers, scale: 100)
                let symbols = Output<Int32>(count * channels, mark: -77_777, &numbers), rebuilt = Output<Float>(count * channels, mark: -777, &numbers)
                var (expectedSymbols, expectedRebuilt) = (symbols, rebuilt)
                for i in 0 ..< count * channels {
                    expectedSymbols[i] = rounded(latents[i] - median[i % channels])
                    expectedRebuilt[i] = Float(expectedSymbols[i]) + median[i % channels]
                }
                onEachPath(symbols, expectedSymbols, "\(count) positions, \(kind)") { kernels, symbols in
                    median.with { median in latents.with { kernels.quantize_hyper(median, channels, $0, symbols, count) } }
                }
                onEachPath(rebuilt, expectedRebuilt, "\(count) positions, \(kind)") { kernels, rebuilt in
                    median.with { median in expectedSymbols.with { kernels.reconstruct_hyper(median, channels, $0, rebuilt, count) } }
                }
            }
        }
    }

    /// Ties go to the even neighbour, everything beyond +-2^20 to the limit, NaN to 0, on every path.
    func testRounding() {
        let half: Float = 0.5, huge = Float.greatestFiniteMagnitude
        let values: [Float] = [
            0.5, 1.5, 2.5, -0.5, -1.5, -2.5, half.nextUp, half.nextDown, -half.nextUp, -half.nextDown, 0, -0.0, .leastNonzeroMagnitude, -.leastNormalMagnitude,
            524_287.5, 524_288.5, 1_048_575.5, 0x1p20, -0x1p20, 0x1.000002p20, -0x1.8p21, huge, -huge, .infinity, -.infinity, .nan, -.nan, 7.25, -7.75, 1, -1, 100,
        ]
        let wanted: [Int32] = [
            0, 2, 2, 0, -2, -2, 1, 0, -1, 0, 0, 0, 0, 0,
            524_288, 524_288, 1_048_576, 1 << 20, -1 << 20, 1 << 20, -1 << 20, 1 << 20, -1 << 20, 1 << 20, -1 << 20, 0, 0, 7, -8, 1, -1, 100,
        ]
        let channels = values.count
        let zeros = [Float](repeating: 0, count: channels), ones = [Float](repeating: 1, count: channels)
        for name in availablePaths {
            var symbols = [Int32](repeating: 9, count: channels), means = zeros
            Self.kernels(name).quantize_hyper(zeros, channels, values, &symbols, 1)
            XCTAssertEqual(symbols, wanted, name)
            Self.kernels(name).quantize(ones, channels, values, channels, &means, channels, &symbols, 1)
            XCTAssertEqual(symbols, wanted, name)
            XCTAssertEqual(means, wanted.map(Float.init), name)
        }
    }

    // MARK: Pictures in and out

    /// Reads nothing behind the last sample, and repeats the last column and row.
    func testPatches() {
        var numbers = Numbers(8)
        for (width, height) in [(1, 1), (16, 16), (17, 15), (40, 33), (5, 40), (70, 18)] {
            for channels in [1, 3] {
                let stride = width * channels + numbers.extra()
                let samples = (0 ..< (height - 1) * stride + width * channels).map { _ in UInt8.random(in: 0 ... 255, using: &numbers) }
                let columns = (width + 63) / 64 * 4
                for (row, column, count) in [(0, 0, 1), (0, 0, columns), ((height - 1) / 16, 1, columns - 1), ((height + 63) / 64 * 4 - 1, columns - 2, 2)] {
                    let initial = Output<Float>(count * 768, mark: -777, &numbers)
                    var expected = initial
                    for position in 0 ..< count * 768 {
                        let (cell, colour, y, x) = (position / 768, position % 768 / 256, position % 256 / 16, position % 16)
                        let sample = samples[min(row * 16 + y, height - 1) * stride + min((column + cell) * 16 + x, width - 1) * channels + (channels == 3 ? colour : 0)]
                        expected[position] = Float(-0.5).addingProduct(Float(sample), 0x1.010102p-8)
                    }
                    onEachPath(initial, expected, "\(width) x \(height) x \(channels), row \(row), column \(column), \(count) patches") { kernels, output in
                        withGuarded(samples) {
                            kernels.patches($0.bindMemory(to: UInt8.self).baseAddress!, stride, width, height, channels, row, column, output, count)
                        }
                    }
                }
            }
        }
    }

    /// Writes nothing outside the picture, whose gaps between rows keep what they hold.
    func testPixels() {
        var numbers = Numbers(9)
        for (width, height) in [(1, 1), (4, 4), (5, 3), (17, 9), (40, 33), (64, 4)] {
            for channels in [1, 3] {
                for kind in kinds {
                    let stride = width * channels + numbers.extra()
                    let cells = (width + 63) / 64 * 16
                    let baseStep = 48 + numbers.extra()
                    let base = Values(cells * baseStep, kind, &numbers), detail = Values(cells * 48, kind, &numbers, scale: 0.1)
                    for (row, column) in [(0, 0), ((height - 1) / 4, 0), ((height - 1) / 4, (width - 1) / 4), ((height + 3) / 4, 0), (0, (width + 3) / 4)] {
                        let count = max(1, cells - column)
                        let initial = Output<UInt8>(height * stride, mark: 0xa5, &numbers)
                        var expected = initial
                        for y in row * 4 ..< min(row * 4 + 4, max(height, row * 4)) {
                            for x in column * 4 ..< max(min((column + count) * 4, width), column * 4) {
                                let k = (x / 4 - column, y % 4 * 4 + x % 4)
                                let colours = (0 ..< 3).map { base[k.0 * baseStep + $0 * 16 + k.1] + detail[k.0 * 48 + $0 * 16 + k.1] }
                                if channels == 1 {
                                    expected[y * stride + x] = pixel(Float(127.5).addingProduct((colours[0] + colours[1]) + colours[2], 85))
                                } else {
                                    for c in 0 ..< 3 { expected[y * stride + x * 3 + c] = pixel(Float(127.5).addingProduct(colours[c], 255)) }
                                }
                            }
                        }
                        onEachPath(initial, expected, "\(width) x \(height) x \(channels), row \(row), column \(column), \(kind)") { kernels, output in
                            base.with { base in detail.with { kernels.pixels(base, baseStep, $0, row, column, count, output, stride, width, height, channels) } }
                        }
                    }
                }
            }
        }
    }

    /// Every 8-bit value survives the way in and out, and what lies beyond is clamped.
    func testEveryPixelValue() {
        for name in availablePaths {
            let kernels = Self.kernels(name)
            let picture = (0 ..< 256).map { UInt8($0) }
            var patch = [Float](repeating: 0, count: 768)
            kernels.patches(picture, 16, 16, 16, 1, 0, 0, &patch, 1)
            XCTAssertEqual(patch[0], -0.5)
            XCTAssertEqual(patch[255], 0.5, accuracy: 1e-7)  // the factor is 1/255, rounded
            let zeros = [Float](repeating: 0, count: 48)
            var out = [UInt8](repeating: 0, count: 256)
            for value in 0 ..< 256 {
                let cell = [Float](repeating: patch[value], count: 48)
                kernels.pixels(cell, 48, zeros, 0, 0, 1, &out, 12, 1, 1, 3)
                XCTAssertEqual(Array(out[0 ..< 3]), [UInt8](repeating: UInt8(value), count: 3))
                kernels.pixels(cell, 48, zeros, 0, 0, 1, &out, 12, 1, 1, 1)
                XCTAssertEqual(out[0], UInt8(value))
            }
            for (value, wanted) in [(Float(0.51), 255), (-0.51, 0), (.infinity, 255), (-.infinity, 0), (.nan, 0), (1e30, 255), (-1e30, 0), (0, 128), (-0.00001, 127)] {
                kernels.pixels([Float](repeating: value, count: 48), 48, zeros, 0, 0, 1, &out, 12, 1, 1, 3)
                XCTAssertEqual(out[1], UInt8(wanted), "\(value) on \(name)")
            }
        }
    }
}

// MARK: - The plain computations

private func activation(_ slope: Float) -> nck_activation { slope == 1 ? .none : .leakyReLU(slope: slope) }
private func leaky(_ value: Float, _ slope: Float) -> Float { value < 0 ? slope * value : value }

/// Half to even, clamped; NaN is 0.
private func rounded(_ value: Float) -> Int32 { value.isNaN ? 0 : Int32(max(-0x1p20, min(0x1p20, value)).rounded(.toNearestOrEven)) }

private func pixel(_ value: Float) -> UInt8 { value.isNaN ? 0 : UInt8(max(0, min(255, value)).rounded(.toNearestOrEven)) }

// MARK: - Inputs and outputs

/// What kinds of numbers a kernel gets.
private enum Hostility: CaseIterable {
    case plain
    /// Zeros of both signs, denormals, the smallest and the largest numbers.
    case extreme
    /// The same, with infinities and NaN.
    case nonFinite
}

extension Numbers {
    /// A small odd number, so that steps exceed the channels and rows lose their alignment.
    fileprivate mutating func extra() -> Int { [0, 1, 5, 16].randomElement(using: &self)! }

    fileprivate mutating func value(_ kind: Hostility, _ scale: Float) -> Float {
        let sign: Float = Bool.random(using: &self) ? 1 : -1
        if kind == .nonFinite, Int.random(in: 0 ..< 40, using: &self) == 0 { return sign * [Float.infinity, .nan].randomElement(using: &self)! }
        if kind == .plain || Int.random(in: 0 ..< 3, using: &self) == 0 { return float(-2 ... 2) * scale }
        let extremes: [Float] = [
            0, 0, .leastNonzeroMagnitude, Float(bitPattern: UInt32.random(in: 1 ..< 1 << 23, using: &self)), .leastNormalMagnitude, 0x1p-80, 1, 0.5, 1.5, 0x1p20, 0x1p40,
            .greatestFiniteMagnitude,
        ]
        return sign * extremes.randomElement(using: &self)!
    }
}

/// Input of a kernel, not aligned to a vector.
private struct Values {
    private let memory: [Float]
    private let lead: Int

    init(_ count: Int, _ kind: Hostility, _ numbers: inout Numbers, scale: Float = 1) {
        lead = Int.random(in: 0 ..< 16, using: &numbers)
        memory = (0 ..< lead + count).map { _ in numbers.value(kind, scale) }
    }

    subscript(_ index: Int) -> Float { memory[lead + index] }
    var all: [Float] { Array(memory[lead...]) }
    func with<Result>(_ body: (UnsafePointer<Float>) -> Result) -> Result { memory.withUnsafeBufferPointer { body($0.baseAddress! + lead) } }
}

/// Output of a kernel, with margins that it must not touch, not aligned to a vector.
private struct Output<Element: Number> {
    private(set) var memory: [Element]
    private let lead: Int
    private static var margin: Int { 40 }

    init(_ count: Int, mark: Element, _ numbers: inout Numbers) {
        lead = Self.margin + Int.random(in: 0 ..< 16, using: &numbers)
        memory = Array(repeating: mark, count: lead + count + Self.margin)
    }

    subscript(_ index: Int) -> Element {
        get { memory[lead + index] }
        set { memory[lead + index] = newValue }
    }

    mutating func fill(_ values: [Element]) { memory.replaceSubrange(lead ..< lead + values.count, with: values) }

    mutating func withMutable(_ body: (UnsafeMutablePointer<Element>) -> Void) { memory.withUnsafeMutableBufferPointer { body($0.baseAddress! + lead) } }

    func with<Result>(_ body: (UnsafePointer<Element>) -> Result) -> Result { memory.withUnsafeBufferPointer { body($0.baseAddress! + lead) } }

    /// Whether two outputs are the same to the bit, any NaN being the same as any other.
    func isSame(as other: Output) -> Bool { memory.elementsEqual(other.memory) { $0.bits == $1.bits } }

    func firstDifference(_ other: Output) -> String {
        let index = zip(memory, other.memory).enumerated().first { $1.0.bits != $1.1.bits }!.offset
        return "index \(index - lead): \(memory[index]) instead of \(other.memory[index])"
    }
}

private protocol Number { var bits: UInt32 { get } }
extension Float: Number { fileprivate var bits: UInt32 { isNaN ? 0x7fc0_0000 : bitPattern } }
extension Int32: Number { fileprivate var bits: UInt32 { UInt32(bitPattern: self) } }
extension UInt8: Number { fileprivate var bits: UInt32 { UInt32(self) } }

extension KernelTests {
    fileprivate static func kernels(_ name: String) -> nck_kernels { try! Kernels.named(name).table }

    fileprivate func onEachPath<Element: Number>(
        _ initial: Output<Element>, _ expected: Output<Element>, _ comment: @autoclosure () -> String, line: UInt = #line,
        _ run: (nck_kernels, UnsafeMutablePointer<Element>) -> Void
    ) {
        for name in availablePaths {
            var output = initial
            output.withMutable { run(Self.kernels(name), $0) }
            if !output.isSame(as: expected) { XCTFail("\(name), \(comment()): \(output.firstDifference(expected))", line: line) }
        }
    }

    fileprivate func onEachPath<First: Number, Second: Number>(
        _ first: Output<First>, _ expectedFirst: Output<First>, _ second: Output<Second>, _ expectedSecond: Output<Second>, _ comment: @autoclosure () -> String,
        line: UInt = #line, _ run: (nck_kernels, UnsafeMutablePointer<First>, UnsafeMutablePointer<Second>) -> Void
    ) {
        for name in availablePaths {
            var (a, b) = (first, second)
            a.withMutable { a in b.withMutable { b in run(Self.kernels(name), a, b) } }
            if !a.isSame(as: expectedFirst) { XCTFail("\(name), \(comment()): \(a.firstDifference(expectedFirst))", line: line) }
            if !b.isSame(as: expectedSecond) { XCTFail("\(name), \(comment()): \(b.firstDifference(expectedSecond))", line: line) }
        }
    }
}
