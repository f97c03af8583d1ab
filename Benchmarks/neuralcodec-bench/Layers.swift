// SPDX-License-Identifier: Apache-2.0
#if TESTABLE  // built like the tests (Makefile), which see the library's internals
import CKernels
import Glibc
@testable import NeuralCodec

/// Times the layers and transforms that a file describes, as the library's networks run them, for a comparison that holds their outputs and times against another
/// implementation's (Benchmarks/torch_layers.py writes the file and reads the answer).
///
/// The file is a safetensors file: its metadata "layers" lists objects of "name", "kind" and sizes; tensor NAME.input is (rows, columns, channels), and weights are
/// NAME.weight and so on, shaped as PyTorch has them. Each output goes to FOLDER/NAME.f32, float32 (rows, columns, channels). The last line is JSON, seconds by name.
func measureLayers(_ path: String, threads: Int, folder: String) throws {
    let bytes = try FileBytes.read(path, orElse: .invalidArgument, "layer file")
    let kernels = try Kernels.current().table
    var rows: [String] = []
    try bytes.withBytes { bytes in
        let file = try Safetensors(bytes)
        guard case .array(let layers)? = file.metadata["layers"].flatMap({ JSON($0) }) else { throw CodecError(.invalidArgument, "\(path): no layers") }
        let context = LayerContext(kernels: kernels, team: try ThreadTeam(threads: threads), rates: UnsafeMutablePointer<Float>.allocate(capacity: 1))
        for layer in layers {
            let bench = try LayerBench(file, layer)
            bench.run(context)
            var times: [Double] = []
            while times.count < 5 || times.reduce(0, +) < 0.15 {
                let start = seconds()
                bench.run(context)
                times.append(seconds() - start)
            }
            try bench.writeOutput(to: "\(folder)/\(bench.name).f32")
            rows.append("\"\(bench.name)\":\(median(times))")
        }
    }
    print("{\(rows.joined(separator: ","))}")
}

/// One layer with its maps.
private final class LayerBench {
    let name: String
    private let loader: WeightLoader
    private let workspace = Workspace()
    private let input: FeatureMap
    private let output: FeatureMap
    private let apply: (LayerContext) -> Void

    init(_ file: Safetensors, _ description: JSON) throws {
        func size(_ key: String) throws -> Int {
            guard let value = description[key]?.integer else { throw CodecError(.invalidArgument, "a layer lacks '\(key)'") }
            return value
        }
        guard let name = description["name"]?.string, let kind = description["kind"]?.string, let values = file.tensors["\(name).input"], values.shape.count == 3 else {
            throw CodecError(.invalidArgument, "a layer lacks its name, kind or input")
        }
        self.name = name
        let loader = WeightLoader(file)
        self.loader = loader
        let (height, width, channels) = (values.shape[0], values.shape[1], values.shape[2])
        let outputs = description["outputs"]?.integer ?? channels
        var plan = WorkspacePlan()
        let plannedInput = plan.map(height, width, channels, halo: 2)
        let layer = try Self.make(kind, name, loader, inputs: channels, outputs: outputs, size, &plan, plannedInput)
        let scratch = plan.reserve(Float.self, layer.scratchCount * 64)
        try workspace.prepare(plan.size)
        let (map, workspace) = (workspace[plannedInput], workspace)
        map.clearHalo()
        for row in 0 ..< height {
            UnsafeMutableRawPointer(map.at(row, 0)).copyMemory(
                from: values.bytes.baseAddress! + 4 * row * width * channels, byteCount: 4 * width * channels)
        }
        let maps = layer.maps.map { workspace[$0] }
        input = map
        output = maps.last!
        apply = { layer.apply($0, map, maps, workspace, WorkerScratch(base: workspace[scratch], floatsPerWorker: layer.scratchCount)) }
    }

    func run(_ context: LayerContext) { apply(context) }

    private struct Layer {
        /// The last one is the output.
        var maps: [PlannedMap] = []
        var scratchCount = 0
        let apply: (LayerContext, FeatureMap, [FeatureMap], Workspace, WorkerScratch) -> Void
    }

    private static func make(
        _ kind: String, _ name: String, _ loader: WeightLoader, inputs: Int, outputs: Int, _ size: (String) throws -> Int, _ plan: inout WorkspacePlan,
        _ input: PlannedMap
    ) throws -> Layer {
        let span = ThreadTeam.spanLength
        let (rows, columns) = (input.rows, input.columns)
        switch kind {
        case "convolution":
            let stride = try size("stride")
            let convolution = try loader.dense(name, inputs, outputs, kernelSize: try size("kernel"))
            return Layer(maps: [plan.map(rows / stride, columns / stride, outputs, halo: 2)]) { context, input, maps, _, _ in
                context.team.runSpans(rows: maps[0].rows, columns: maps[0].columns) { span, _ in convolution.apply(context, span, from: input, stride: stride, to: maps[0]) }
            }
        case "transposed":
            let upsampling = try loader.transposed(name, inputs, outputs, kernelSize: try size("kernel"), stride: 2)
            return Layer(maps: [plan.map(2 * rows, 2 * columns, outputs, halo: 2)]) { context, input, maps, _, _ in
                context.team.runSpans(rows: rows, columns: columns) { span, _ in upsampling.apply(context, span, from: input, to: maps[0]) }
            }
        case "shuffled":
            let upsampling = try loader.shuffled(name, inputs, 4 * outputs, factor: 2, kernelSize: try size("kernel"))
            return Layer(maps: [plan.map(2 * rows, 2 * columns, outputs, halo: 2)]) { context, input, maps, _, _ in
                context.team.runSpans(rows: rows, columns: columns) { span, _ in upsampling.apply(context, span, from: input, to: maps[0]) }
            }
        case "narrow-transposed":
            let narrow = try loader.narrowTransposed(name, inputs, outputs, kernelSize: try size("kernel"), stride: 2)
            return Layer(maps: [plan.map(2 * rows, 2 * columns, outputs)], scratchCount: span * NCK_LANES) { context, input, maps, _, scratch in
                context.team.runSpans(rows: rows, columns: columns) { span, worker in
                    narrow.apply(context, span, from: input, output: scratch[worker])
                    context.kernels.pixel_shuffle(
                        2, outputs, scratch[worker], NCK_LANES, maps[0].at(2 * span.row, 2 * span.start), maps[0].rowStride, maps[0].step, span.count)
                }
            }
        case "depthwise":
            let depthwise = try loader.depthwise(name, inputs, kernelSize: try size("kernel"))
            return Layer(maps: [plan.map(rows, columns, inputs, halo: 2)]) { context, input, maps, _, _ in
                context.team.runSpans(rows: rows, columns: columns) { span, _ in
                    depthwise.apply(context, from: input, row: span.row, column: span.start, count: span.count, output: maps[0].at(span.row, span.start))
                }
            }
        case "gdn", "inverse-gdn":
            let gdn = try loader.gdn(name, inputs, inverse: kind == "inverse-gdn")
            return Layer(maps: [plan.map(rows, columns, inputs, halo: 2)], scratchCount: span * inputs) { context, input, maps, _, scratch in
                context.team.runSpans(rows: rows, columns: columns) { span, worker in
                    gdn.apply(
                        context, input: input.at(span.row, span.start), inputStep: inputs, output: maps[0].at(span.row, span.start), outputStep: inputs,
                        count: span.count, squares: scratch[worker])
                }
            }
        case "activation":
            let functions = ["LeakyReLU": nck_activation.leakyReLU, "ReLU": .relu, "GELU": .gelu, "Sigmoid": .sigmoid, "Softplus": .softplus, "Tanh": .tanh]
            guard let function = functions[name] else { throw CodecError(.invalidArgument, "no activation '\(name)'") }
            return Layer(maps: [plan.map(rows, columns, inputs, halo: 2)]) { context, input, maps, _, _ in
                context.team.run(rows) { row, _ in
                    context.kernels.activate(inputs, input.at(row, 0), inputs, maps[0].at(row, 0), inputs, columns, function)
                }
            }
        case "layer-norm":
            let norm = try loader.layerNorm(name, inputs)
            return Layer(maps: [plan.map(rows, columns, inputs, halo: 2)]) { context, input, maps, _, _ in
                context.team.runSpans(rows: rows, columns: columns) { span, _ in
                    norm.apply(
                        context, input: input.at(span.row, span.start), inputStep: inputs, output: maps[0].at(span.row, span.start), outputStep: inputs, count: span.count)
                }
            }
        case "window-attention":
            let attention = try loader.windowAttention(name, inputs, heads: try size("heads"), window: try size("window"))
            let shift = try size("shift")
            return Layer(
                maps: [plan.map(rows, columns, 3 * inputs), plan.map(rows, columns, inputs), plan.map(rows, columns, inputs)], scratchCount: attention.scratchCount
            ) { context, input, maps, _, scratch in
                attention.apply(context, input, shift: shift, wide: maps[0], attended: maps[1], residual: input, output: maps[2], scratch: scratch)
            }
        case "analysis":
            return chain(try loader.balleAnalysis(name, colours: inputs, channels: try size("channels"), latentChannels: outputs), &plan, input)
        case "synthesis":
            return chain(try loader.balleSynthesis(name, colours: outputs, channels: try size("channels"), latentChannels: inputs), &plan, input)
        default: throw CodecError(.invalidArgument, "no layer '\(kind)'")
        }
    }

    /// Layers as a network runs them.
    private static func chain(_ layers: [any MapLayer], _ plan: inout WorkspacePlan, _ input: PlannedMap) -> Layer {
        let rehearsal = LayerRun()
        let shape = rehearsal.chain(layers, input.rehearsed).shape
        let output = plan.map(shape.rows, shape.columns, shape.channels)
        let memory = PlannedRun(&plan, threads: 64) { $0.chain(layers, input.rehearsed, to: output.rehearsed) }
        return Layer(maps: [output]) { context, input, maps, workspace, _ in
            memory.run(workspace, context).chain(layers, input, to: maps[0])
        }
    }

    func writeOutput(to path: String) throws {
        guard let file = fopen(path, "wb") else { throw CodecError(.invalidArgument, "cannot write \(path)") }
        defer { fclose(file) }
        for row in 0 ..< output.rows { fwrite(output.at(row, 0), 4, output.columns * output.channels, file) }
    }
}
#else
import NeuralCodec

func measureLayers(_ path: String, threads: Int, folder: String) throws {
    throw CodecError(.unsupported, "this build does not see the layers; make bench uses the one in .build/tests")
}
#endif
