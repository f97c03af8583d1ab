// SPDX-License-Identifier: Apache-2.0
import Glibc
import NeuralCodec

/// Compares entropy-coded bytes with -log2 of the model's own probabilities, in binary64 and not quantized to tables.
func measureEntropy(modelPath: String, _ pictures: [Picture]) throws {
    let file = try FileBytes.read(modelPath, orElse: .modelNotFound, "model file")
    let model = try Model(bytes: UnsafeRawBufferPointer(file.bytes))
    let prior = try HyperlatentPrior(try Safetensors(UnsafeRawBufferPointer(file.bytes)))
    printRow(["quality", "payload bits", "ideal bits", "excess %", "z share %", "other bytes"])
    var rows: [String] = []
    for quality in [10.0, 30, 50, 70, 90] {
        var (payload, latents, hyper, other) = (0.0, 0.0, 0.0, 0)
        for picture in pictures {
            let trace = LatentTrace()
            var options = EncodeOptions()
            options.target = .quality(quality)
            let (coded, _) = try encode(picture.view, model: model, options: options, trace: trace)
            let info = try readInfo(UnsafeRawBufferPointer(coded.bytes))
            guard !info.stored else { throw CodecError(.invalidArgument, "a picture is too small: it was stored, not coded") }
            payload += 8 * Double(info.payloadSize)
            other = max(other, coded.count - info.payloadSize)
            latents += gaussianBits(trace.symbols, trace.scales)
            hyper += prior.bits(trace.hyperSymbols)
        }
        let ideal = latents + hyper
        let excess = 100 * (payload / ideal - 1)
        printRow([fixed(quality, 0), fixed(payload, 0), fixed(ideal, 0), fixed(excess, 3), fixed(100 * hyper / ideal, 2), "\(other)"])
        rows.append("{\"quality\":\(fixed(quality, 0)),\"payload_bits\":\(fixed(payload, 0)),\"ideal_bits\":\(fixed(ideal, 1)),\"excess_percent\":\(fixed(excess, 4)),\"other_bytes\":\(other)}")
    }
    print("[\(rows.joined(separator: ","))]")
}

/// -log2 of symbols' probabilities under Gaussians of these natural log-scales, integrated over unit cells.
func gaussianBits(_ symbols: [Int32], _ logScales: [Float]) -> Double {
    var bits = 0.0
    for (symbol, logScale) in zip(symbols, logScales) {
        let width = scale(logScale: logScale) * 2.0.squareRoot()
        let distance = abs(Double(symbol))
        bits -= log2(max(0.5 * (erfc((distance - 0.5) / width) - erfc((distance + 0.5) / width)), 1e-300))
    }
    return bits
}

/// Scales are clamped to the range of the tables.
func scale(logScale: Float) -> Double { exp(min(max(Double(logScale), log(0.11)), log(512))) }

/// The learned factorized prior: a mixture of three logistics a channel, centred at the channel's median.
private struct HyperlatentPrior {
    private let weights, means, scales: [[Double]]

    init(_ file: Safetensors) throws {
        let rows = { (name: String) throws -> [[Double]] in
            guard let tensor = file.tensors[name], tensor.type == "F32", tensor.shape.count == 2 else {
                throw CodecError(.badModel, "the model lacks tensor '\(name)', which only this measurement needs")
            }
            let columns = tensor.shape[1]
            return (0 ..< tensor.shape[0]).map { row in
                (0 ..< columns).map { Double(tensor.bytes.loadUnaligned(fromByteOffset: 4 * (row * columns + $0), as: Float.self)) }
            }
        }
        weights = try rows("prior.weights").map { row in
            let sum = row.reduce(0) { $0 + exp($1) }
            return row.map { exp($0) / sum }
        }
        means = try rows("prior.means")
        scales = try rows("prior.log_scales").map { $0.map { exp($0) } }
    }

    func bits(_ symbols: [Int32]) -> Double {
        var bits = 0.0
        for (index, symbol) in symbols.enumerated() {
            let channel = index % weights.count
            var probability = 0.0
            for (part, weight) in weights[channel].enumerated() {
                // On the side of the mean where the two sigmoids do not cancel.
                let distance = -abs(Double(symbol) - means[channel][part])
                let scale = scales[channel][part]
                probability += weight * (1 / (1 + exp(-(distance + 0.5) / scale)) - 1 / (1 + exp(-(distance - 0.5) / scale)))
            }
            bits -= log2(max(probability, 1e-300))
        }
        return bits
    }
}
