// SPDX-License-Identifier: Apache-2.0
// Measurements that need the core's internals. Each prints a table, then JSON on the last line.
import Glibc
import NeuralCodec

let usage = """
    usage: neuralcodec-bench entropy|scaling|speed MODEL.safetensors PNG...
           neuralcodec-bench rans MODEL.safetensors FOLDER PNG...
           neuralcodec-bench latents MODEL.safetensors FOLDER QUALITY PNG...
           neuralcodec-bench trace MODEL.safetensors FOLDER PNG
           neuralcodec-bench layers LAYERS.safetensors THREADS FOLDER
    """

do {
    let arguments = Array(CommandLine.arguments.dropFirst())
    let options = ["rans": 3, "trace": 3, "latents": 4][arguments.first ?? ""] ?? 2
    guard arguments.count > options else { throw CodecError(.invalidArgument, usage) }
    if arguments[0] == "layers", arguments.count == 4, let threads = Int(arguments[2]) {
        try measureLayers(arguments[1], threads: threads, folder: arguments[3])
        exit(0)
    }
    let pictures = try arguments.dropFirst(options).map(readPNG)
    switch arguments[0] {
    case "entropy": try measureEntropy(modelPath: arguments[1], pictures)
    case "latents":
        guard let quality = Double(arguments[3]) else { throw CodecError(.invalidArgument, usage) }
        try writeLatents(modelPath: arguments[1], folder: arguments[2], quality: quality, names: arguments.dropFirst(options).map(stem), pictures)
    case "rans": try measureRANS(modelPath: arguments[1], folder: arguments[2], pictures)
    case "scaling": try measureScaling(modelPath: arguments[1], pictures)
    case "trace": try writeTrace(modelPath: arguments[1], folder: arguments[2], pictures[0])
    case "speed": try measureSpeed(modelPath: arguments[1], pictures)
    default: throw CodecError(.invalidArgument, usage)
    }
} catch {
    fail("neuralcodec-bench: \(error)")
}
