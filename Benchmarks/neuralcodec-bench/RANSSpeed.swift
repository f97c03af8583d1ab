// SPDX-License-Identifier: Apache-2.0
import Glibc
import NeuralCodec

/// Symbols a second of the entropy coder on one core, on Gaussians whose scales are log-uniform in 0.11...8, and its excess over the tables' ideal.
func measureRANS(modelPath: String) throws {
    let model = try Model.open(modelPath)
    let count = 1 << 22
    var generator = SystemRandomNumberGenerator()
    var indices = [UInt8](repeating: 0, count: count)
    var symbols = [Int32](repeating: 0, count: count)
    for i in 0 ..< count {
        let scale = 0.11 * exp(Double.random(in: 0 ..< 1, using: &generator) * log(8 / 0.11))
        indices[i] = UInt8(model.scaleIndex(logScale: Float(log(scale))))
        let radius = (-2 * log(1 - Double.random(in: 0 ..< 1, using: &generator))).squareRoot()
        symbols[i] = Int32((scale * radius * cos(2 * .pi * Double.random(in: 0 ..< 1, using: &generator))).rounded())
    }
    var (encodeTimes, decodeTimes): ([Double], [Double]) = ([], [])
    var size = 0
    for _ in 0 ..< 5 {
        let start = seconds()
        let payload = try model.encodeLatents(symbols, indices)
        let middle = seconds()
        let decoded = try model.decodeLatents(UnsafeRawBufferPointer(payload.bytes), indices)
        decodeTimes.append(seconds() - middle)
        encodeTimes.append(middle - start)
        guard decoded == symbols else { throw CodecError(.internal, "the decoded symbols differ") }
        size = payload.count
    }
    let ideal = model.tableBits(symbols, indices)
    printRow(["Msymbols", "encode M/s", "decode M/s", "bits/symbol", "excess %"])
    printRow([
        fixed(Double(count) / 1e6, 2), fixed(Double(count) / median(encodeTimes) / 1e6, 1), fixed(Double(count) / median(decodeTimes) / 1e6, 1),
        fixed(ideal / Double(count), 4), fixed(100 * (8 * Double(size) / ideal - 1), 4),
    ])
}
