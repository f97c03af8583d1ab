// SPDX-License-Identifier: Apache-2.0
import CKernels

/// Takes layers by name out of a model file, checks their shapes, and packs their weights for the kernels.
final class WeightLoader {
    private let file: Safetensors
    /// Memory of all packed weights; the model keeps it.
    private(set) var memory: [ByteBuffer] = []
    private(set) var rateTables: [RateTable] = []
    private var rateCount = 0
    private(set) var parameterCount = 0

    init(_ file: Safetensors) { self.file = file }

    func tensor(_ name: String, _ type: [String], _ shape: [Int]?) throws -> Safetensors.Tensor {
        guard let tensor = file.tensors[name] else { throw CodecError(.badModel, "the model file lacks tensor '\(name)'") }
        guard type.contains(tensor.type) else { throw CodecError(.badModel, "tensor '\(name)' has type \(tensor.type) instead of \(type.joined(separator: " or "))") }
        if let shape, tensor.shape != shape { throw CodecError(.badModel, "tensor '\(name)' has shape \(tensor.shape) instead of \(shape)") }
        return tensor
    }

    /// The values as binary32, kept with the model; non-finite ones are refused.
    func floats(_ name: String, _ shape: [Int]) throws -> UnsafeMutablePointer<Float> {
        let tensor = try tensor(name, ["F32", "F16"], shape)
        let values = try allocate(Float.self, tensor.count)
        try read(tensor, into: values)
        return values
    }

    /// As `floats`, in memory that goes when it is packed.
    private func temporary(_ name: String, _ shape: [Int]) throws -> (memory: ByteBuffer, values: UnsafeMutablePointer<Float>) {
        let tensor = try tensor(name, ["F32", "F16"], shape)
        let memory = try ByteBuffer(count: 4 * tensor.count)
        let values = memory.bytes.baseAddress!.assumingMemoryBound(to: Float.self)
        try read(tensor, into: values)
        return (memory, values)
    }

    private func read(_ tensor: Safetensors.Tensor, into values: UnsafeMutablePointer<Float>) throws {
        if tensor.type == "F16" {
            let half = try ByteBuffer(count: tensor.bytes.count)
            half.bytes.copyMemory(from: tensor.bytes)
            half.withBytes { nck_from_half($0.baseAddress!.assumingMemoryBound(to: UInt16.self), values, tensor.count) }
        } else {
            UnsafeMutableRawBufferPointer(start: values, count: tensor.bytes.count).copyMemory(from: tensor.bytes)
        }
        guard nck_all_finite(values, tensor.count) == 1 else { throw CodecError(.badModel, "tensor '\(tensor.name)' holds values that are not finite") }
        parameterCount += tensor.count
    }

    func integers(_ name: String, _ count: Int?) throws -> [Int] {
        let tensor = try tensor(name, ["I32", "U16"], count.map { [$0] })
        guard tensor.shape.count == 1 else { throw CodecError(.badModel, "tensor '\(name)' is not a list") }
        return (0 ..< tensor.count).map {
            tensor.type == "U16"
                ? Int(tensor.bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self))
                : Int(tensor.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self))
        }
    }

    func allocate<Element>(_ type: Element.Type, _ count: Int) throws -> UnsafeMutablePointer<Element> {
        let buffer = try ByteBuffer(count: max(1, count * MemoryLayout<Element>.stride))
        memory.append(buffer)
        return buffer.bytes.baseAddress!.assumingMemoryBound(to: Element.self)
    }

    func rateTable(_ name: String, _ knots: Int, _ channels: Int) throws -> RateTable {
        let table = RateTable(values: try floats(name, [knots, channels]), knots: knots, channels: channels, offset: rateCount)
        rateTables.append(table)
        rateCount += channels
        return table
    }

    /// Floats a call needs for the values of all rate tables.
    var rateValueCount: Int { rateCount }

    /// NAME.weight (outputs, inputs, k, k), and NAME.bias, or NAME.bias.table where the bias follows the rate parameter.
    /// `bias` takes the place of the file's.
    func dense(_ name: String, _ inputs: Int, _ outputs: Int, kernelSize: Int = 1, knots: Int? = nil, bias: Bias? = nil) throws -> DenseConvolution {
        let (memory, weights) = try temporary("\(name).weight", [outputs, inputs, kernelSize, kernelSize])
        defer { withExtendedLifetime(memory) {} }
        let bias = try bias ?? (knots.map { .rate(try rateTable("\(name).bias.table", $0, outputs)) } ?? .fixed(UnsafePointer(try floats("\(name).bias", [outputs]))))
        return try pack(weights, inputs, kernelSize, Array(0 ..< outputs), bias)
    }

    /// As `dense`, with the outputs shared out to the positions of a pixel shuffle.
    func shuffled(_ name: String, _ inputs: Int, _ outputs: Int, factor: Int, kernelSize: Int = 1) throws -> ShuffledConvolution {
        let cells = factor * factor
        let (memory, weights) = try temporary("\(name).weight", [outputs, inputs, kernelSize, kernelSize])
        defer { withExtendedLifetime(memory) {} }
        let bias = try floats("\(name).bias", [outputs])
        let parts = try (0 ..< cells).map { cell in
            let rows = (0 ..< outputs / cells).map { $0 * cells + cell }
            let part = try allocate(Float.self, rows.count)
            for (index, row) in rows.enumerated() { part[index] = bias[row] }
            return try pack(weights, inputs, kernelSize, rows, .fixed(UnsafePointer(part)))
        }
        return ShuffledConvolution(factor: factor, parts: parts)
    }

    /// As `dense`, split into the outputs below `split` and the rest.
    func split(_ name: String, _ inputs: Int, _ outputs: Int, at split: Int) throws -> (DenseConvolution, DenseConvolution) {
        let (memory, weights) = try temporary("\(name).weight", [outputs, inputs, 1, 1])
        defer { withExtendedLifetime(memory) {} }
        let bias = UnsafePointer(try floats("\(name).bias", [outputs]))
        return (
            try pack(weights, inputs, 1, Array(0 ..< split), .fixed(bias)),
            try pack(weights, inputs, 1, Array(split ..< outputs), .fixed(bias + split))
        )
    }

    func depthwise(_ name: String, _ channels: Int, kernelSize: Int) throws -> DepthwiseConvolution {
        let taps = kernelSize * kernelSize
        let (memory, weights) = try temporary("\(name).weight", [channels, 1, kernelSize, kernelSize])
        defer { withExtendedLifetime(memory) {} }
        let packed = try allocate(Float.self, taps * channels)
        for channel in 0 ..< channels {
            for tap in 0 ..< taps { packed[tap * channels + channel] = weights[channel * taps + tap] }
        }
        return DepthwiseConvolution(kernelSize: kernelSize, channels: channels, weights: packed, bias: try floats("\(name).bias", [channels]))
    }

    func block(_ name: String, _ channels: Int, knots: Int? = nil) throws -> ResidualBlock {
        ResidualBlock(
            spaceIn: try dense("\(name).space_in", channels, channels, knots: knots),
            spaceDepthwise: try depthwise("\(name).space_depthwise", channels, kernelSize: 3),
            spaceOut: try dense("\(name).space_out", channels, channels),
            mixIn: try dense("\(name).mix_in", channels, 2 * channels, knots: knots),
            mixOut: try dense("\(name).mix_out", 2 * channels, channels))
    }

    /// (output, input, tap) to [output block of 16][tap][input][16].
    private func pack(_ weights: UnsafePointer<Float>, _ inputs: Int, _ kernelSize: Int, _ rows: [Int], _ bias: Bias) throws -> DenseConvolution {
        let taps = kernelSize * kernelSize
        let lanes = NCK_LANES
        let packed = try allocate(Float.self, rows.count * inputs * taps)
        for (index, row) in rows.enumerated() {
            let source = weights + row * inputs * taps
            var target = packed + index / lanes * lanes * inputs * taps + index % lanes
            for tap in 0 ..< taps {
                for input in 0 ..< inputs {
                    target.pointee = source[input * taps + tap]
                    target += lanes
                }
            }
        }
        return DenseConvolution(kernelSize: kernelSize, inputChannels: inputs, outputChannels: rows.count, weights: packed, bias: bias)
    }
}
