// SPDX-License-Identifier: Apache-2.0
// neuralcodec-bench entropy|speed FOLDER-OR-PNG... : measurements that need the core's internals. Prints a table, and JSON on the last line.
import NeuralCodec

let usage = "usage: neuralcodec-bench entropy|speed MODEL.safetensors PNG..."

do {
    let arguments = Array(CommandLine.arguments.dropFirst())
    guard arguments.count >= 3 else { throw CodecError(.invalidArgument, usage) }
    let pictures = try arguments.dropFirst(2).map(readPNG)
    switch arguments[0] {
    case "entropy": try measureEntropy(modelPath: arguments[1], pictures)
    case "speed": try measureSpeed(modelPath: arguments[1], pictures)
    default: throw CodecError(.invalidArgument, usage)
    }
} catch {
    fail("neuralcodec-bench: \(error)")
}
