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
    private var read: Set<String> = []

    init(_ file: Safetensors) { self.file = file }

    func tensor(_ name: String, _ type: [String], _ shape: [Int]?) throws -> Safetensors.Tensor {
        read.insert(name)
        guard let tensor = file.tensors[name] else { throw CodecError(.badModel, "the model file lacks tensor '\(name)'") }
        guard type.contains(tensor.type) else { throw CodecError(.badModel, "tensor '\(name)' has type \(tensor.type) instead of \(type.joined(separator: " or "))") }
        if let shape, tensor.shape != shape { throw CodecError(.badModel, "tensor '\(name)' has shape \(tensor.shape) instead of \(shape)") }
        return tensor
    }

    /// Refuses a file with tensors that nothing has asked for.
    func checkAllRead() throws {
        if let name = file.tensors.keys.filter({ !read.contains($0) }).min() {
            throw CodecError(.badModel, "tensor '\(name)' does not belong to a network with these hyperparameters")
        }
    }

    /// The values as binary32, kept with the model; non-finite ones are refused.
    func floats(_ name: String, _ shape: [Int]) throws -> UnsafeMutablePointer<Float> {
        let tensor = try tensor(name, ["F32", "F16"], shape)
        let values = try allocate(Float.self, tensor.count)
        try copy(tensor, into: values)
        return values
    }

    /// As `floats`, in memory that goes when it is packed.
    private func temporary(_ name: String, _ shape: [Int]) throws -> (memory: ByteBuffer, values: UnsafeMutablePointer<Float>) {
        let tensor = try tensor(name, ["F32", "F16"], shape)
        let memory = try ByteBuffer(count: 4 * tensor.count)
        let values = memory.bytes.baseAddress!.assumingMemoryBound(to: Float.self)
        try copy(tensor, into: values)
        return (memory, values)
    }

    private func copy(_ tensor: Safetensors.Tensor, into values: UnsafeMutablePointer<Float>) throws {
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

    /// Without a shape, a list of any length.
    func integers(_ name: String, _ shape: [Int]?) throws -> [Int] {
        let tensor = try tensor(name, ["I32", "U16"], shape)
        guard shape != nil || tensor.shape.count == 1 else { throw CodecError(.badModel, "tensor '\(name)' is not a list") }
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
    func dense(
        _ name: String, _ inputs: Int, _ outputs: Int, kernelSize: Int = 1, knots: Int? = nil, bias: Bias? = nil, order: OutputOrder = .file
    ) throws -> DenseConvolution {
        let (memory, weights) = try temporary("\(name).weight", [outputs, inputs, kernelSize, kernelSize])
        defer { withExtendedLifetime(memory) {} }
        let bias = try bias ?? (knots.map { .rate(try rateTable("\(name).bias.table", $0, outputs)) } ?? .fixed(try biases(name, outputs, order)))
        let taps = WeightedTap.dense(kernelSize: kernelSize)
        let macs = outputs * inputs * taps.count
        return try pack(outputs: padded(outputs), inputs: paddedInputs(inputs), taps.map(\.position), bias, macs: macs) { output, input, tap in
            guard output < outputs, input < inputs else { return 0 }
            return weights[(order.row(output, of: outputs) * inputs + input) * kernelSize * kernelSize + taps[tap].weight]
        }
    }

    /// As `dense`, with kernel size 1, for inputs that lie in several maps: a convolution for each, the first of which has the bias.
    func joined(_ name: String, _ inputs: [Int], _ outputs: Int) throws -> [DenseConvolution] {
        let total = inputs.reduce(0, +)
        let (memory, weights) = try temporary("\(name).weight", [outputs, total, 1, 1])
        defer { withExtendedLifetime(memory) {} }
        let bias = try biases(name, outputs, .file)
        let none = try allocate(Float.self, padded(outputs))
        none.update(repeating: 0, count: padded(outputs))
        var first = 0
        return try inputs.map { count in
            defer { first += count }
            let bias = Bias.fixed(first == 0 ? bias : UnsafePointer(none))
            return try pack(
                outputs: padded(outputs), inputs: paddedInputs(count), WeightedTap.dense(kernelSize: 1).map(\.position), bias, macs: outputs * count
            ) { output, input, _ in output < outputs && input < count ? weights[output * total + first + input] : 0 }
        }
    }

    /// The order that a layer's outputs take in memory.
    enum OutputOrder {
        case file
        /// The second half, then the first: CompressAI's networks give scales before means, the kernels take means first.
        case halvesSwapped

        func row(_ output: Int, of outputs: Int) -> Int { self == .file ? output : (output + outputs / 2) % outputs }
    }

    /// NAME.bias as the kernels take it: in order, and zeros up to a multiple of NCK_LANES.
    private func biases(_ name: String, _ outputs: Int, _ order: OutputOrder) throws -> UnsafePointer<Float> {
        let given = try floats("\(name).bias", [outputs])
        if order == .file, padded(outputs) == outputs { return UnsafePointer(given) }
        let bias = try allocate(Float.self, padded(outputs))
        for output in 0 ..< padded(outputs) { bias[output] = output < outputs ? given[order.row(output, of: outputs)] : 0 }
        return UnsafePointer(bias)
    }

    /// Maps have a multiple of NCK_LANES channels, all but pictures.
    private func padded(_ channels: Int) -> Int { (channels + NCK_LANES - 1) / NCK_LANES * NCK_LANES }
    private func paddedInputs(_ channels: Int) -> Int { channels <= 3 ? channels : padded(channels) }

    /// As `dense`, with the outputs shared out to the positions of a pixel shuffle. `linear`: the weights are (outputs, inputs).
    func shuffled(
        _ name: String, _ inputs: Int, _ outputs: Int, factor: Int, kernelSize: Int = 1, linear: Bool = false, order: OutputOrder = .file
    ) throws -> UpsamplingConvolution {
        let cells = factor * factor
        let (memory, weights) = try temporary("\(name).weight", linear ? [outputs, inputs] : [outputs, inputs, kernelSize, kernelSize])
        defer { withExtendedLifetime(memory) {} }
        let bias = try floats("\(name).bias", [outputs])
        let (channels, taps) = (outputs / cells, WeightedTap.dense(kernelSize: kernelSize))
        let phases = try (0 ..< cells).map { cell in
            let part = try allocate(Float.self, padded(channels))
            for channel in 0 ..< padded(channels) { part[channel] = channel < channels ? bias[order.row(channel, of: channels) * cells + cell] : 0 }
            return try pack(
                outputs: padded(channels), inputs: paddedInputs(inputs), taps.map(\.position), .fixed(UnsafePointer(part)), macs: channels * inputs * taps.count
            ) { output, input, tap in
                guard output < channels, input < inputs else { return 0 }
                return weights[((order.row(output, of: channels) * cells + cell) * inputs + input) * kernelSize * kernelSize + taps[tap].weight]
            }
        }
        return UpsamplingConvolution(factor: factor, phases: phases)
    }

    /// As `dense`, split into the outputs below `split` and the rest.
    func split(_ name: String, _ inputs: Int, _ outputs: Int, at split: Int) throws -> (DenseConvolution, DenseConvolution) {
        let (memory, weights) = try temporary("\(name).weight", [outputs, inputs, 1, 1])
        defer { withExtendedLifetime(memory) {} }
        let bias = UnsafePointer(try floats("\(name).bias", [outputs]))
        return (
            try pack(weights, inputs, WeightedTap.dense(kernelSize: 1), 1, Array(0 ..< split), .fixed(bias)),
            try pack(weights, inputs, WeightedTap.dense(kernelSize: 1), 1, Array(split ..< outputs), .fixed(bias + split))
        )
    }

    /// As `dense`, with some of the kernel's taps only; the file's weights of the others are not read.
    func masked(_ name: String, _ inputs: Int, _ outputs: Int, kernelSize: Int, taps: [WeightedTap]) throws -> DenseConvolution {
        let (memory, weights) = try temporary("\(name).weight", [outputs, inputs, kernelSize, kernelSize])
        defer { withExtendedLifetime(memory) {} }
        let bias = Bias.fixed(UnsafePointer(try floats("\(name).bias", [outputs])))
        return try pack(weights, inputs, taps, kernelSize, Array(0 ..< outputs), bias)
    }

    /// NAME.weight (outputs, inputs / groups, k, k); each group's outputs are a multiple of NCK_LANES.
    func grouped(_ name: String, _ inputs: Int, _ outputs: Int, groups: Int, kernelSize: Int) throws -> GroupedConvolution {
        let (groupInputs, groupOutputs) = (inputs / groups, outputs / groups)
        let (memory, weights) = try temporary("\(name).weight", [outputs, groupInputs, kernelSize, kernelSize])
        defer { withExtendedLifetime(memory) {} }
        let bias = UnsafePointer(try floats("\(name).bias", [outputs]))
        return GroupedConvolution(
            groups: try (0 ..< groups).map { group in
                let rows = Array(group * groupOutputs ..< (group + 1) * groupOutputs)
                return try pack(weights, groupInputs, WeightedTap.dense(kernelSize: kernelSize), kernelSize, rows, .fixed(bias + group * groupOutputs))
            })
    }

    /// NAME.weight (inputs, outputs, k, k) as PyTorch's transposed convolutions have it, and NAME.bias. Padding k / 2, output padding stride - 1.
    func transposed(_ name: String, _ inputs: Int, _ outputs: Int, kernelSize: Int, stride: Int) throws -> UpsamplingConvolution {
        let (memory, weights) = try temporary("\(name).weight", [inputs, outputs, kernelSize, kernelSize])
        defer { withExtendedLifetime(memory) {} }
        let bias = Bias.fixed(try biases(name, outputs, .file))
        let phases = try (0 ..< stride * stride).map { phase in
            let taps = WeightedTap.transposed(kernelSize: kernelSize, stride: stride, row: phase / stride, column: phase % stride)
            return try pack(
                outputs: padded(outputs), inputs: paddedInputs(inputs), taps.map(\.position), bias, macs: outputs * inputs * taps.count
            ) { output, input, tap in
                guard output < outputs, input < inputs else { return 0 }
                return weights[(input * outputs + output) * kernelSize * kernelSize + taps[tap].weight]
            }
        }
        return UpsamplingConvolution(factor: stride, phases: phases)
    }

    /// As `transposed`, for at most NCK_LANES / stride^2 outputs.
    func narrowTransposed(_ name: String, _ inputs: Int, _ outputs: Int, kernelSize: Int, stride: Int) throws -> NarrowUpsampling {
        let cells = stride * stride
        let (memory, weights) = try temporary("\(name).weight", [inputs, outputs, kernelSize, kernelSize])
        defer { withExtendedLifetime(memory) {} }
        let given = try floats("\(name).bias", [outputs])
        let bias = try allocate(Float.self, NCK_LANES)
        for lane in 0 ..< NCK_LANES { bias[lane] = lane < outputs * cells ? given[lane / cells] : 0 }
        let phases = (0 ..< cells).map { WeightedTap.transposed(kernelSize: kernelSize, stride: stride, row: $0 / stride, column: $0 % stride) }
        // Kernel rows and columns ascend where the input's descend.
        let positions = Set(phases.joined().map { [$0.position.row, $0.position.column] }).sorted { $0.lexicographicallyPrecedes($1, by: >) }
            .map { Taps.Position(row: $0[0], column: $0[1]) }
        let weight = positions.map { position in phases.map { taps in taps.first { $0.position == position }?.weight } }
        let lanes = try allocate(UInt16.self, positions.count)
        for tap in positions.indices {
            lanes[tap] = (0 ..< outputs * cells).reduce(0) { weight[tap][$1 % cells] == nil ? $0 : $0 | 1 << UInt16($1) }
        }
        let macs = outputs * inputs * kernelSize * kernelSize
        var convolution = try pack(outputs: NCK_LANES, inputs: inputs, positions, .fixed(UnsafePointer(bias)), macs: macs) { lane, input, tap in
            guard lane < outputs * cells, let kernel = weight[tap][lane % cells] else { return 0 }
            return weights[(input * outputs + lane / cells) * kernelSize * kernelSize + kernel]
        }
        convolution.tapLanes = UnsafePointer(lanes)
        return NarrowUpsampling(factor: stride, channels: outputs, convolution: convolution)
    }

    /// As `shuffled`, for at most NCK_LANES outputs before the shuffle.
    func narrowShuffled(_ name: String, _ inputs: Int, _ outputs: Int, factor: Int, kernelSize: Int = 1, linear: Bool = false) throws -> NarrowUpsampling {
        let convolution = linear ? try self.linear(name, inputs, outputs) : try dense(name, inputs, outputs, kernelSize: kernelSize)
        return NarrowUpsampling(factor: factor, channels: outputs / (factor * factor), convolution: convolution)
    }

    /// NAME.beta (channels) and NAME.gamma (channels, channels) in CompressAI's parametrization, max(v, bound)^2 - 2^-36, which keeps both above a minimum.
    func gdn(_ name: String, _ channels: Int, inverse: Bool = false) throws -> GDN {
        let beta = try floats("\(name).beta", [channels])
        let (memory, gamma) = try temporary("\(name).gamma", [channels, channels])
        defer { withExtendedLifetime(memory) {} }
        nck_nonnegative(GDN.betaMinimum, beta, channels)
        nck_nonnegative(0, gamma, channels * channels)
        return GDN(norm: try pack(gamma, channels, WeightedTap.dense(kernelSize: 1), 1, Array(0 ..< channels), .fixed(UnsafePointer(beta))), inverse: inverse)
    }

    /// NAME.weight (outputs, inputs) and NAME.bias, or no bias: a pointwise convolution as PyTorch's linear layers have it.
    func linear(_ name: String, _ inputs: Int, _ outputs: Int, bias: Bool = true) throws -> DenseConvolution {
        let (memory, weights) = try temporary("\(name).weight", [outputs, inputs])
        defer { withExtendedLifetime(memory) {} }
        let none = try allocate(Float.self, padded(outputs))
        none.update(repeating: 0, count: padded(outputs))
        let bias = Bias.fixed(bias ? try biases(name, outputs, .file) : UnsafePointer(none))
        let taps = WeightedTap.dense(kernelSize: 1).map(\.position)
        return try pack(outputs: padded(outputs), inputs: paddedInputs(inputs), taps, bias, macs: outputs * inputs) { output, input, _ in
            output < outputs && input < inputs ? weights[output * inputs + input] : 0
        }
    }

    /// As `dense`, without padding: an output sees the kernelSize x kernelSize inputs from its own position on.
    func patches(_ name: String, _ inputs: Int, _ outputs: Int, kernelSize: Int) throws -> DenseConvolution {
        let taps = (0 ..< kernelSize * kernelSize).map { WeightedTap(row: $0 / kernelSize, column: $0 % kernelSize, weight: $0) }
        return try masked(name, inputs, outputs, kernelSize: kernelSize, taps: taps)
    }

    func layerNorm(_ name: String, _ channels: Int) throws -> LayerNorm {
        LayerNorm(channels: channels, weight: try floats("\(name).weight", [channels]), bias: try floats("\(name).bias", [channels]))
    }

    /// Self-attention in windows: NAME.qkv, NAME.proj and NAME.relative_position_bias_table ((2 window - 1)^2, heads), as Swin Transformer has them, or what `names` says.
    /// The bias of a query at (r, c) and a key at (s, d) of a window stands in row (r - s + window - 1) * (2 window - 1) + c - d + window - 1.
    func windowAttention(_ name: String, _ channels: Int, heads: Int, window: Int, names: AttentionNames = .swin) throws -> WindowAttention {
        let (tokens, side) = (window * window, 2 * window - 1)
        let (memory, table) = try temporary("\(name).\(names.bias)", names.headsFirst ? [heads, side, side] : [side * side, heads])
        defer { withExtendedLifetime(memory) {} }
        let bias = try allocate(Float.self, heads * tokens * tokens)
        for head in 0 ..< heads {
            for query in 0 ..< tokens {
                for key in 0 ..< tokens {
                    let row = query / window - key / window + window - 1
                    let column = query % window - key % window + window - 1
                    let place = row * side + column
                    bias[(head * tokens + query) * tokens + key] = table[names.headsFirst ? head * side * side + place : place * heads + head]
                }
            }
        }
        return WindowAttention(
            heads: heads, window: window, queryKeyValue: try linear("\(name).\(names.queryKeyValue)", channels, 3 * channels),
            projection: try linear("\(name).\(names.projection)", channels, channels), bias: bias)
    }

    struct AttentionNames {
        let queryKeyValue, projection, bias: String
        /// The bias table is (heads, 2 window - 1, 2 window - 1).
        let headsFirst: Bool

        static let swin = AttentionNames(queryKeyValue: "qkv", projection: "proj", bias: "relative_position_bias_table", headsFirst: false)
        static let tcm = AttentionNames(queryKeyValue: "embedding_layer", projection: "linear", bias: "relative_position_params", headsFirst: true)
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

    /// `mixChannels`: the inner width of the second branch.
    func block(_ name: String, _ channels: Int, mixChannels: Int, knots: Int? = nil) throws -> ResidualBlock {
        ResidualBlock(
            spaceIn: try dense("\(name).space_in", channels, channels, knots: knots),
            spaceDepthwise: try depthwise("\(name).space_depthwise", channels, kernelSize: 3),
            spaceOut: try dense("\(name).space_out", channels, channels),
            mixIn: try dense("\(name).mix_in", channels, mixChannels, knots: knots),
            mixOut: try dense("\(name).mix_out", mixChannels, channels))
    }

    /// Weights (output, input, kernel tap), the kernel's taps that `taps` names, in its order.
    private func pack(
        _ weights: UnsafePointer<Float>, _ inputs: Int, _ taps: [WeightedTap], _ kernelSize: Int, _ rows: [Int], _ bias: Bias
    ) throws -> DenseConvolution {
        try pack(outputs: rows.count, inputs: inputs, taps.map(\.position), bias) { output, input, tap in
            weights[(rows[output] * inputs + input) * kernelSize * kernelSize + taps[tap].weight]
        }
    }

    /// The kernels' order: [output block of 16][tap][input][16].
    private func pack(
        outputs: Int, inputs: Int, _ positions: [Taps.Position], _ bias: Bias, macs: Int? = nil, weight: (_ output: Int, _ input: Int, _ tap: Int) -> Float
    ) throws -> DenseConvolution {
        precondition(outputs % NCK_LANES == 0, "outputs do not fill vectors")
        var packed = try allocate(Float.self, outputs * inputs * positions.count)
        let weights = UnsafePointer(packed)
        for block in stride(from: 0, to: outputs, by: NCK_LANES) {
            for tap in positions.indices {
                for input in 0 ..< inputs {
                    for lane in 0 ..< NCK_LANES { packed[lane] = weight(block + lane, input, tap) }
                    packed += NCK_LANES
                }
            }
        }
        return DenseConvolution(taps: try taps(positions), inputChannels: inputs, outputChannels: outputs, weights: weights, bias: bias, macs: macs ?? outputs * inputs * positions.count)
    }

    private func taps(_ list: [Taps.Position]) throws -> Taps {
        let positions = try allocate(Taps.Position.self, list.count)
        for (index, position) in list.enumerated() { positions[index] = position }
        return Taps(positions: positions, count: list.count, run: list.run)
    }
}
