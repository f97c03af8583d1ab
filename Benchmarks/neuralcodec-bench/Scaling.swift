// SPDX-License-Identifier: Apache-2.0
import Glibc
import NeuralCodec

/// Time and peak memory for each pixel at quality 50 from 0.1 to 48 megapixels, sides multiples of 64, model loaded. `modelPath` is a file: each measurement of
/// memory takes a model without workspaces of earlier calls.
func measureScaling(modelPath: String, _ pictures: [Picture]) throws {
    print("\(Library.cpuInfo); medians of 3 to 9 calls (processor time on one thread); bytes a pixel beside picture and model: planned, and as far as resident memory rose at most")
    printRow(["megapixels", "threads", "encode ns/px", "decode ns/px", "encode plan", "measured", "decode plan", "measured"])
    var rows: [Row] = []
    for (width, height) in [(384, 256), (768, 512), (1920, 1088), (4032, 3008), (8064, 5952)] {
        let picture = try mosaic(of: pictures, width: width, height: height)
        for threads in [1, 2] {
            let row = try measure(picture, threads: threads, modelPath)
            printRow([fixed(row.megapixels, 2), "\(threads)"] + [row.encode.nanoseconds, row.decode.nanoseconds].map { fixed($0, 1) }
                + [row.encode.planned, row.encode.measured, row.decode.planned, row.decode.measured].map { fixed($0, 1) })
            rows.append(row)
        }
    }
    for threads in [1, 2] {
        let same = rows.filter { $0.threads == threads }
        let (encode, decode) = (spread(same.map(\.encode.nanoseconds)), spread(same.map(\.decode.nanoseconds)))
        let memory = spread(same.map { max($0.encode.planned, $0.decode.planned) })
        print(
            "\(threads) thread\(threads == 1 ? "" : "s"), greatest over least: encode \(fixed(encode, 3)), decode \(fixed(decode, 3)), planned memory \(fixed(memory, 3)); "
                + (max(encode, decode, memory) <= 1.15 ? "flat within 15 %" : "NOT flat within 15 %"))
    }
    print("[\(rows.map(\.json).joined(separator: ","))]")
}

/// Of one pixel.
private struct Cost {
    var nanoseconds, planned, measured: Double

    var json: String { "{\"ns_per_pixel\":\(fixed(nanoseconds, 3)),\"planned_bytes_per_pixel\":\(fixed(planned, 3)),\"measured_bytes_per_pixel\":\(fixed(measured, 3))}" }
}

private struct Row {
    let megapixels: Double
    let threads: Int
    let encode, decode: Cost

    var json: String { "{\"megapixels\":\(fixed(megapixels, 4)),\"threads\":\(threads),\"encode\":\(encode.json),\"decode\":\(decode.json)}" }
}

private func spread(_ values: [Double]) -> Double { values.max()! / values.min()! }

private func measure(_ picture: Picture, threads: Int, _ modelPath: String) throws -> Row {
    var encoding = EncodeOptions()
    encoding.target = .quality(50)
    encoding.threads = threads
    var decoding = DecodeOptions()
    decoding.threads = threads
    let pixels = picture.width * picture.height
    let (encode, file) = try cost(pixels, threads, modelPath) { model, limit in
        encoding.limits.maxMemory = limit
        return try picture.withView { try NeuralCodec.encode($0, model: model, options: encoding).file }
    }
    let (decode, _) = try cost(pixels, threads, modelPath) { model, limit in
        decoding.limits.maxMemory = limit
        return try file.withBytes { try NeuralCodec.decode($0, model: model, options: decoding) }
    }
    return Row(megapixels: Double(pixels) / 1e6, threads: threads, encode: encode, decode: decode)
}

/// The first call shows the memory, the next ones the time.
private func cost<Result>(_ pixels: Int, _ threads: Int, _ modelPath: String, _ body: (Model, _ limit: Int) throws -> Result) throws -> (Cost, Result) {
    let model = try Model.open(modelPath)
    let planned = try plannedBytes { _ = try body(model, 1) }
    _ = releaseFreeMemory(0)
    let before = try ResidentMemory()
    var result = try body(model, 0)
    let growth = try ResidentMemory.peak() - before.bytes
    let now = stopwatch(threads: threads)
    var times: [Double] = []
    for _ in 0 ..< max(3, min(9, 12_000_000 / pixels)) {
        let start = now()
        result = try body(model, 0)
        times.append(now() - start)
    }
    let count = Double(pixels)
    return (Cost(nanoseconds: 1e9 * median(times) / count, planned: Double(planned) / count, measured: Double(growth) / count), result)
}

/// The bytes that a refusal names.
private func plannedBytes(_ body: () throws -> Void) throws -> Int {
    do { try body() } catch let error as CodecError where error.status == .limitExceeded {
        let words = "\(error)".split(separator: " ")
        if let index = words.firstIndex(of: "needs"), let bytes = Int(words[index + 1]) { return bytes }
        throw error
    }
    throw CodecError(.internal, "a limit of one byte was not refused")
}

/// Memory that earlier calls freed would hide what the next one takes. The Glibc module lacks this function of <malloc.h>.
@_silgen_name("malloc_trim")
private func releaseFreeMemory(_ pad: Int) -> Int32

/// Resident memory of this process; its peak counts from here on.
private struct ResidentMemory {
    let bytes: Int

    init() throws {
        guard let file = fopen("/proc/self/clear_refs", "w"), fputs("5", file) >= 0, fclose(file) == 0 else {
            throw CodecError(.internal, "/proc/self/clear_refs cannot be written, so the peak of memory is not known")
        }
        bytes = try Self.value("VmRSS:")
    }

    static func peak() throws -> Int { try value("VmHWM:") }

    private static func value(_ name: String) throws -> Int {
        guard let file = fopen("/proc/self/status", "r") else { throw CodecError(.internal, "/proc/self/status cannot be read") }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let words = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self).split(whereSeparator: { " \t\n".contains($0) })
            if words.first == name[...], words.count > 1, let kilobytes = Int(words[1]) { return 1024 * kilobytes }
        }
        throw CodecError(.internal, "/proc/self/status lacks \(name)")
    }
}
