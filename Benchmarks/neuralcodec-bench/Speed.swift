// SPDX-License-Identifier: Apache-2.0
import NeuralCodec

/// Megapixels a second of encode and decode at quality 50, medians of five rounds over all pictures, with one thread and with all.
func measureSpeed(modelPath: String, _ pictures: [Picture]) throws {
    let model = try Model.open(modelPath)
    let megapixels = Double(pictures.reduce(0) { $0 + $1.width * $1.height }) / 1e6
    print("\(Library.cpuInfo), \(pictures.count) pictures, \(fixed(megapixels, 2)) megapixels")
    printRow(["threads", "encode MP/s", "decode MP/s"])
    var rows: [String] = []
    for threads in [1, 0] {
        var (encodeTimes, decodeTimes): ([Double], [Double]) = ([], [])
        for _ in 0 ..< 5 {
            var options = EncodeOptions()
            options.target = .quality(50)
            options.threads = threads
            var decodeOptions = DecodeOptions()
            decodeOptions.threads = threads
            let start = seconds()
            let files = try pictures.map { try encode($0.view, model: model, options: options).file }
            let middle = seconds()
            for file in files { _ = try decode(UnsafeRawBufferPointer(file.bytes), model: model, options: decodeOptions) }
            encodeTimes.append(middle - start)
            decodeTimes.append(seconds() - middle)
        }
        let (encoding, decoding) = (megapixels / median(encodeTimes), megapixels / median(decodeTimes))
        printRow([threads == 0 ? "all" : "\(threads)", fixed(encoding, 2), fixed(decoding, 2)])
        rows.append("{\"threads\":\(threads),\"encode_mp_per_s\":\(fixed(encoding, 3)),\"decode_mp_per_s\":\(fixed(decoding, 3))}")
    }
    print("[\(rows.joined(separator: ","))]")
}
