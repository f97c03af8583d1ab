// SPDX-License-Identifier: Apache-2.0
import CKernels
import XCTest

@testable import NeuralCodec

/// The layers that place kernels on maps, against their definitions in scalar binary32: equal to the bit, on every path.
final class LayerTests: XCTestCase {
    /// PyTorch's definition, scattered from the input: input (r, c) reaches output (2r + i - 2, 2c + j - 2) through weight (input, output, i, j).
    /// The order of the terms of one output is kernel row, kernel column, input channel, ascending.
    func testTransposedConvolution() throws {
        for (kernelSize, rows, columns) in [(5, 3, 5), (3, 4, 2), (5, 1, 1)] {
            let case_ = try TransposedCase(kernelSize: kernelSize, inputs: 7, outputs: 16, rows: rows, columns: columns)
            let expected = case_.expected()
            try case_.onEachPath { context, loader, input, output, _ in
                let layer = try loader.transposed("layer", 7, 16, kernelSize: kernelSize, stride: 2)
                context.team.runSpans(rows: rows, columns: columns) { span, _ in layer.apply(context, span, from: input, to: output) }
            } check: { XCTAssertEqual($0, expected, "kernel \(kernelSize), \(rows) x \(columns), \($1)") }
        }
    }

    /// All phases of few channels in one vector: the same bits as each phase for itself.
    func testNarrowTransposedConvolution() throws {
        for (kernelSize, outputs, rows, columns) in [(5, 3, 4, 70), (5, 1, 2, 3), (3, 4, 3, 3), (5, 3, 1, 1)] {
            let case_ = try TransposedCase(kernelSize: kernelSize, inputs: 16, outputs: outputs, rows: rows, columns: columns)
            let expected = case_.expected()
            try case_.onEachPath { context, loader, input, output, scratch in
                let layer = try loader.narrowTransposed("layer", 16, outputs, kernelSize: kernelSize, stride: 2)
                context.team.runSpans(rows: rows, columns: columns) { span, worker in
                    layer.apply(context, span, from: input, output: scratch[worker])
                    context.kernels.pixel_shuffle(
                        2, outputs, scratch[worker], NCK_LANES, output.at(2 * span.row, 2 * span.start), output.rowStride, output.step, span.count)
                }
            } check: { XCTAssertEqual($0, expected, "kernel \(kernelSize), \(outputs) outputs, \(rows) x \(columns), \($1)") }
        }
    }

    func testTapLists() {
        XCTAssertEqual(WeightedTap.causal(kernelSize: 5).count, 12)
        XCTAssertTrue(WeightedTap.causal(kernelSize: 5).allSatisfy { $0.position.row < 0 || $0.position.row == 0 && $0.position.column < 0 })
        XCTAssertEqual(WeightedTap.checkerboard(kernelSize: 5).count, 12)
        XCTAssertTrue(WeightedTap.checkerboard(kernelSize: 5).allSatisfy { ($0.position.row + $0.position.column) % 2 != 0 })
        XCTAssertEqual((0 ..< 4).map { WeightedTap.transposed(kernelSize: 5, stride: 2, row: $0 / 2, column: $0 % 2).count }, [9, 6, 6, 4])
        XCTAssertEqual(WeightedTap.dense(kernelSize: 5).map(\.position).run, 5)
        XCTAssertEqual(WeightedTap.dense(kernelSize: 1).map(\.position).run, 1)
        XCTAssertEqual(WeightedTap.causal(kernelSize: 5).map(\.position).run, 1)
        XCTAssertEqual(WeightedTap.transposed(kernelSize: 5, stride: 2, row: 0, column: 0).map(\.position).run, 1)
    }

    func testMaskedConvolution() throws {
        let (inputs, outputs, rows, columns) = (5, 16, 6, 9)
        var numbers = Numbers(3)
        let weights = (0 ..< outputs * inputs * 25).map { _ in numbers.float(-1 ... 1) }
        let bias = (0 ..< outputs).map { _ in numbers.float(-1 ... 1) }
        let values = (0 ..< rows * columns * inputs).map { _ in numbers.float(-1 ... 1) }
        let taps = WeightedTap.causal(kernelSize: 5)
        var expected = [Float](repeating: 0, count: rows * columns * outputs)
        for r in 0 ..< rows { for c in 0 ..< columns { for o in 0 ..< outputs {
            var sum = bias[o]
            for tap in taps { for i in 0 ..< inputs {
                let (y, x) = (r + Int(tap.position.row), c + Int(tap.position.column))
                let value = (0 ..< rows).contains(y) && (0 ..< columns).contains(x) ? values[(y * columns + x) * inputs + i] : 0
                sum.addProduct(weights[(o * inputs + i) * 25 + tap.weight], value)
            } }
            expected[(r * columns + c) * outputs + o] = sum
        } } }
        try onEachPath(
            ["layer.weight": ([outputs, inputs, 5, 5], weights), "layer.bias": ([outputs], bias)], values, rows, columns, inputs, (rows, columns, outputs)
        ) { context, loader, input, output, _ in
            let layer = try loader.masked("layer", inputs, outputs, kernelSize: 5, taps: taps)
            context.team.runSpans(rows: rows, columns: columns) { span, _ in layer.apply(context, span, from: input, to: output) }
        } check: { XCTAssertEqual($0, expected, $1) }
    }

    func testGroupedConvolution() throws {
        let (groups, perGroup, outputs, rows, columns) = (3, 4, 48, 3, 4)
        var numbers = Numbers(4)
        let weights = (0 ..< outputs * perGroup * 9).map { _ in numbers.float(-1 ... 1) }
        let bias = (0 ..< outputs).map { _ in numbers.float(-1 ... 1) }
        let inputs = groups * perGroup
        let values = (0 ..< rows * columns * inputs).map { _ in numbers.float(-1 ... 1) }
        var expected = [Float](repeating: 0, count: rows * columns * outputs)
        for r in 0 ..< rows { for c in 0 ..< columns { for o in 0 ..< outputs {
            var sum = bias[o]
            let first = o / (outputs / groups) * perGroup
            for tap in WeightedTap.dense(kernelSize: 3) { for i in 0 ..< perGroup {
                let (y, x) = (r + Int(tap.position.row), c + Int(tap.position.column))
                let value = (0 ..< rows).contains(y) && (0 ..< columns).contains(x) ? values[(y * columns + x) * inputs + first + i] : 0
                sum.addProduct(weights[(o * perGroup + i) * 9 + tap.weight], value)
            } }
            expected[(r * columns + c) * outputs + o] = sum
        } } }
        try onEachPath(
            ["layer.weight": ([outputs, perGroup, 3, 3], weights), "layer.bias": ([outputs], bias)], values, rows, columns, inputs, (rows, columns, outputs)
        ) { context, loader, input, output, _ in
            let layer = try loader.grouped("layer", inputs, outputs, groups: groups, kernelSize: 3)
            context.team.runSpans(rows: rows, columns: columns) { span, _ in layer.apply(context, span, from: input, to: output) }
        } check: { XCTAssertEqual($0, expected, $1) }
    }

    func testGDN() throws {
        let (channels, rows, columns) = (16, 2, 67)
        var numbers = Numbers(5)
        let stored = (beta: (0 ..< channels).map { _ in numbers.float(-0.5 ... 1.5) }, gamma: (0 ..< channels * channels).map { _ in numbers.float(-0.2 ... 0.4) })
        let values = (0 ..< rows * columns * channels).map { _ in numbers.float(-3 ... 3) }
        func effective(_ v: Float, minimum: Float) -> Float {
            let bound = (minimum + 0x1p-36).squareRoot()
            let w = max(v, bound)
            return w * w - 0x1p-36
        }
        for inverse in [false, true] {
            var expected = values
            for p in 0 ..< rows * columns { for o in 0 ..< channels {
                var norm = effective(stored.beta[o], minimum: 1e-6)
                for c in 0 ..< channels {
                    let x = values[p * channels + c]
                    norm.addProduct(effective(stored.gamma[o * channels + c], minimum: 0), x * x)
                }
                let x = values[p * channels + o]
                expected[p * channels + o] = inverse ? x * norm.squareRoot() : x / norm.squareRoot()
            } }
            try onEachPath(
                ["layer.beta": ([channels], stored.beta), "layer.gamma": ([channels, channels], stored.gamma)], values, rows, columns, channels, (rows, columns, channels)
            ) { context, loader, input, output, scratch in
                let layer = try loader.gdn("layer", channels, inverse: inverse)
                context.team.runSpans(rows: rows, columns: columns) { span, worker in
                    layer.apply(
                        context, input: input.at(span.row, span.start), inputStep: input.step, output: output.at(span.row, span.start), outputStep: output.step,
                        count: span.count, squares: scratch[worker])
                }
            } check: { XCTAssertEqual($0, expected, "inverse \(inverse), \($1)") }
        }
    }
}

// MARK: - Support

private struct TransposedCase {
    let kernelSize, inputs, outputs, rows, columns: Int
    let weights, bias, values: [Float]

    init(kernelSize: Int, inputs: Int, outputs: Int, rows: Int, columns: Int) throws {
        (self.kernelSize, self.inputs, self.outputs, self.rows, self.columns) = (kernelSize, inputs, outputs, rows, columns)
        var numbers = Numbers(UInt64(kernelSize * 100 + columns))
        weights = (0 ..< inputs * outputs * kernelSize * kernelSize).map { _ in numbers.float(-1 ... 1) }
        bias = (0 ..< outputs).map { _ in numbers.float(-1 ... 1) }
        values = (0 ..< rows * columns * inputs).map { _ in numbers.float(-1 ... 1) }
    }

    func expected() -> [Float] {
        let padding = kernelSize / 2
        var result = [Float](repeating: 0, count: 4 * rows * columns * outputs)
        for y in 0 ..< 2 * rows { for x in 0 ..< 2 * columns { for o in 0 ..< outputs {
            var sum = bias[o]
            for i in 0 ..< kernelSize { for j in 0 ..< kernelSize {
                let (r, c) = (y + padding - i, x + padding - j)
                guard r & 1 == 0, c & 1 == 0 else { continue }  // the tap belongs to another phase
                let inside = r >= 0 && c >= 0 && r / 2 < rows && c / 2 < columns
                for channel in 0 ..< inputs {
                    let value = inside ? values[(r / 2 * columns + c / 2) * inputs + channel] : 0
                    sum.addProduct(weights[((channel * outputs + o) * kernelSize + i) * kernelSize + j], value)
                }
            } }
            result[(y * 2 * columns + x) * outputs + o] = sum
        } } }
        return result
    }

    func onEachPath(
        _ run: (LayerContext, WeightLoader, FeatureMap, FeatureMap, WorkerScratch) throws -> Void, check: ([Float], String) -> Void
    ) throws {
        try NeuralCodecTests.onEachPath(
            ["layer.weight": ([inputs, outputs, kernelSize, kernelSize], weights), "layer.bias": ([outputs], bias)], values, rows, columns, inputs,
            (2 * rows, 2 * columns, outputs), run, check: check)
    }
}

/// Loads layers from `tensors`, runs them on `values` (rows, columns, channels) on every path with one and with three threads, and hands over the output.
private func onEachPath(
    _ tensors: [String: (shape: [Int], values: [Float])], _ values: [Float], _ rows: Int, _ columns: Int, _ channels: Int, _ output: (rows: Int, columns: Int, channels: Int),
    _ run: (LayerContext, WeightLoader, FeatureMap, FeatureMap, WorkerScratch) throws -> Void, check: ([Float], String) -> Void
) throws {
    let scratchCount = 4096
    let file = ModelFile(tensors: tensors.map { name, tensor in
        ModelFile.Tensor(name: name, type: "F32", shape: tensor.shape, bytes: tensor.values.withUnsafeBytes(Array.init))
    })
    for name in availablePaths {
        for threads in [1, 3] {
            try file.bytes.withUnsafeBytes { bytes in
                let loader = WeightLoader(try Safetensors(bytes))
                let rates = [Float](repeating: 0, count: 1)
                var plan = WorkspacePlan()
                let (input, result) = (plan.map(rows, columns, channels, halo: 2), plan.map(output.rows, output.columns, output.channels, halo: 1))
                let scratch = plan.reserve(Float.self, scratchCount * threads)
                let workspace = Workspace()
                try workspace.prepare(plan.size)
                let (inputMap, outputMap) = (workspace[input], workspace[result])
                inputMap.clearHalo()
                for row in 0 ..< rows {
                    values.withUnsafeBufferPointer { inputMap.at(row, 0).update(from: $0.baseAddress! + row * columns * channels, count: columns * channels) }
                }
                try rates.withUnsafeBufferPointer { rates in
                    let context = LayerContext(
                        kernels: try Kernels.named(name).table, team: try ThreadTeam(threads: threads), rates: UnsafeMutablePointer(mutating: rates.baseAddress!))
                    try run(context, loader, inputMap, outputMap, WorkerScratch(base: workspace[scratch], floatsPerWorker: scratchCount))
                }
                check((0 ..< output.rows).flatMap { row in UnsafeBufferPointer(start: outputMap.at(row, 0), count: output.columns * output.channels) }, "\(name), \(threads) threads")
            }
        }
    }
}
