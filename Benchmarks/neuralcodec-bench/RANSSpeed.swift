// SPDX-License-Identifier: Apache-2.0
import Glibc
import NeuralCodec

/// Symbols a second of the entropy coder on one core, escapes and bounds checks on; the excess of its bytes over the tables' ideal, and the tables' over the
/// exact Gaussians in binary64. The symbols and scales go to files in `folder`, so that another coder can be given the same (constriction_coder.py).
func measureRANS(modelPath: String, folder: String, _ pictures: [Picture]) throws {
    let model = try Model.open(modelPath)
    let workloads = [try recorded(pictures, model), logUniform(model)]
    print("processor time of one thread, medians of \(rounds) rounds (least to most); millions of symbols a second")
    printRow(["Msymbols", "encode", "decode", "bits/symbol", "excess %", "by message %", "tables %"])
    var rows: [String] = []
    for workload in workloads {
        let result = try measure(workload, model)
        print(workload.name)
        printRow([
            fixed(Double(workload.count) / 1e6, 2), result.encode.text, result.decode.text, fixed(result.bits / Double(workload.count), 4),
            fixed(100 * (result.bits / result.tableBits - 1), 4),
            fixed(100 * (result.messageBits / result.tableBits - 1), 4), fixed(100 * (result.tableBits / result.gaussianBits - 1), 4),
        ])
        rows.append(
            "{\"name\":\"\(workload.name)\",\"symbols\":\(workload.count),\"encode\":\(result.encode.json),\"decode\":\(result.decode.json),"
                + "\"bits\":\(fixed(result.bits, 0)),\"message_bits\":\(fixed(result.messageBits, 0)),\"table_bits\":\(fixed(result.tableBits, 1)),\"gaussian_bits\":\(fixed(result.gaussianBits, 1))}")
        try workload.write(to: folder)
    }
    print("[\(rows.joined(separator: ","))]")
}

private let rounds = 9

/// One message: symbols in coding order with the natural logarithms of their scales.
private struct Message {
    var symbols: [Int32] = []
    var logScales: [Float] = []
    var indices: [UInt8] = []

    mutating func append(_ symbol: Int32, logScale: Float, _ model: Model) {
        symbols.append(symbol)
        logScales.append(logScale)
        indices.append(UInt8(model.scaleIndex(logScale: logScale)))
    }
}

private struct Workload {
    let name: String
    let messages: [Message]

    var count: Int { messages.reduce(0) { $0 + $1.symbols.count } }

    /// NAME.symbols (int32), NAME.indices (uint8) and NAME.scales (float32), all messages one after the other.
    func write(to folder: String) throws {
        try writeFile("\(folder)/\(name).symbols", messages.flatMap(\.symbols))
        try writeFile("\(folder)/\(name).indices", messages.flatMap(\.indices))
        try writeFile("\(folder)/\(name).scales", messages.flatMap { $0.logScales.map { Float(scale(logScale: $0)) } })
    }
}

/// What the model codes at quality 50, a message a picture.
private func recorded(_ pictures: [Picture], _ model: Model) throws -> Workload {
    let messages = try pictures.map { picture in
        let trace = LatentTrace()
        var options = EncodeOptions()
        options.target = .quality(50)
        _ = try picture.withView { try encode($0, model: model, options: options, trace: trace) }
        let (symbols, logScales) = (trace.symbols, trace.scales)
        var message = Message()
        for pass in 0 ..< 2 {
            for row in 0 ..< trace.rows {
                for column in stride(from: (row + pass) & 1, to: trace.columns, by: 2) {
                    let start = (row * trace.columns + column) * trace.channels
                    for i in start ..< start + trace.channels { message.append(symbols[i], logScale: logScales[i], model) }
                }
            }
        }
        return message
    }
    return Workload(name: "recorded", messages: messages)
}

/// Gaussians whose scales are log-uniform in 0.11...8.
private func logUniform(_ model: Model) -> Workload {
    var generator = SplitMix(state: 1)
    let messages = (0 ..< 8).map { _ in
        var message = Message()
        for _ in 0 ..< 1 << 19 {
            let scale = 0.11 * exp(Double.random(in: 0 ..< 1, using: &generator) * log(8 / 0.11))
            let radius = (-2 * log(1 - Double.random(in: 0 ..< 1, using: &generator))).squareRoot()
            let value = scale * radius * cos(2 * .pi * Double.random(in: 0 ..< 1, using: &generator))
            message.append(Int32(value.rounded()), logScale: Float(log(scale)), model)
        }
        return message
    }
    return Workload(name: "log-uniform", messages: messages)
}

/// The same numbers in each run.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}

private struct Rate {
    private let sorted: [Double]

    /// Millions of symbols a second in each round.
    init(symbols: Int, seconds: [Double]) { sorted = seconds.map { Double(symbols) / $0 / 1e6 }.sorted() }

    var text: String { "\(fixed(median(sorted), 0)) (\(fixed(sorted.first!, 0))-\(fixed(sorted.last!, 0)))" }
    var json: String { "{\"msymbols_per_s\":\(fixed(median(sorted), 2)),\"least\":\(fixed(sorted.first!, 2)),\"most\":\(fixed(sorted.last!, 2))}" }
}

private struct Result {
    let encode, decode: Rate
    /// All messages, and their symbols as one message: each costs some 25 bytes more than its symbols.
    let messageBits, bits: Double
    var tableBits = 0.0
    var gaussianBits = 0.0
}

private func measure(_ workload: Workload, _ model: Model) throws -> Result {
    var (encodeTimes, decodeTimes): ([Double], [Double]) = ([], [])
    var bits = 0.0
    for _ in 0 ..< rounds {
        var (encodeTime, decodeTime) = (0.0, 0.0)
        bits = 0
        for message in workload.messages {
            let start = processorSeconds()
            let payload = try model.encodeLatents(message.symbols, message.indices)
            let middle = processorSeconds()
            let decoded = try payload.withBytes { try model.decodeLatents($0, message.indices) }
            decodeTime += processorSeconds() - middle
            encodeTime += middle - start
            guard decoded == message.symbols else { throw CodecError(.internal, "the decoded symbols differ") }
            bits += 8 * Double(payload.count)
        }
        encodeTimes.append(encodeTime)
        decodeTimes.append(decodeTime)
    }
    let whole = try model.encodeLatents(workload.messages.flatMap(\.symbols), workload.messages.flatMap(\.indices))
    var result = Result(
        encode: Rate(symbols: workload.count, seconds: encodeTimes), decode: Rate(symbols: workload.count, seconds: decodeTimes), messageBits: bits,
        bits: 8 * Double(whole.count))
    for message in workload.messages {
        result.tableBits += model.tableBits(message.symbols, message.indices)
        result.gaussianBits += gaussianBits(message.symbols, message.logScales)
    }
    return result
}
