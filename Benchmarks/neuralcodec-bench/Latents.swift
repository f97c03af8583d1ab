// SPDX-License-Identifier: Apache-2.0
import NeuralCodec

/// What a model quantizes at a quality, for experiments with other quantizers: FOLDER/NAME.residuals.npy, the latents with their gain less their means, in steps of the
/// scalar quantizer, and FOLDER/NAME.scales.npy, the standard deviations the model predicts for them; both float32 of (row, column, channel). Means and scales are those
/// that the coded scalars before a latent lead to.
func writeLatents(modelPath: String, folder: String, quality: Double, names: [String], _ pictures: [Picture]) throws {
    let model = try Model.open(modelPath)
    printRow(["rows", "columns", "channels", "bits/latent"])
    var rows: [String] = []
    for (name, picture) in zip(names, pictures) {
        let trace = LatentTrace()
        var options = EncodeOptions()
        options.target = .quality(quality)
        let (file, _) = try picture.withView { try encode($0, model: model, options: options, trace: trace) }
        let shape = [trace.rows, trace.columns, trace.channels], scales = trace.scales.map { Float(scale(logScale: $0)) }
        guard zip(trace.residuals, trace.symbols).allSatisfy({ abs($0 - Float($1)) <= 0.5 }) else { throw CodecError(.internal, "the residuals are not those of the symbols") }
        try writeNPY("\(folder)/\(name).residuals.npy", shape, trace.residuals)
        try writeNPY("\(folder)/\(name).scales.npy", shape, scales)
        let bits = 8 * Double(file.count) / Double(scales.count)
        printRow(shape.map { "\($0)" } + [fixed(bits, 4)])
        rows.append("{\"name\":\"\(name)\",\"shape\":\(shape),\"file_bits_a_latent\":\(fixed(bits, 5))}")
    }
    print("[\(rows.joined(separator: ","))]")
}

/// The name of a file without folders and what follows its last point.
func stem(_ path: String) -> String {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    return name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
}

/// numpy's format, version 1.0.
private func writeNPY(_ path: String, _ shape: [Int], _ values: [Float]) throws {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(shape.map { "\($0), " }.joined())), }"
    let length = (10 + header.utf8.count + 1 + 63) / 64 * 64 - 10
    let padded = Array(header.utf8) + [UInt8](repeating: 0x20, count: length - header.utf8.count - 1) + [0x0A]
    let start = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 255), UInt8(length >> 8)] + padded
    try writeFile(path, start + values.withUnsafeBytes { [UInt8]($0) })
}
