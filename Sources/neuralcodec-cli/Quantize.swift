// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Quantize the vectors of a .npy file to the points of a lattice, of a scalar grid or of a codebook.",
        discussion: """
            The last axis of the array (float32 or float64) holds a vector, or several one after the other. \
            Writes the points as float32 in the same shape, and prints the mean squared error of a value.
            """)

    @Argument(help: ArgumentHelp("Array to read, .npy; -: standard input.", valueName: "in"), completion: .file())
    var input: String

    @Argument(help: ArgumentHelp("Array of points to write, .npy; -: standard output.", valueName: "out"), completion: .file())
    var output: String

    @OptionGroup var chosen: QuantizerOptions

    @Option(help: ArgumentHelp("Also write the indices of the points, int32; .npy.", valueName: "file"), completion: .file())
    var indices: String?

    @Flag(help: "The input holds indices, as --indices writes them: write their points.")
    var fromIndices = false

    @Option(help: ArgumentHelp("Number of threads; 0: all cores. Does not change the result.", valueName: "n"))
    var threads = 0

    @Flag(help: "Print a JSON object.")
    var json = false

    func validate() throws {
        guard (0...1024).contains(threads) else { throw ValidationError("--threads \(threads) is not in 0...1024") }
        guard !fromIndices || indices == nil else { throw ValidationError("--indices and --from-indices exclude each other") }
        guard (chosen.files + [input]).filter({ $0 == "-" }).count <= 1 else { throw ValidationError("only one file can come from standard input") }
        guard [output, indices].filter({ $0 == "-" }).count <= 1 else { throw ValidationError("only one file can go to standard output") }
    }

    func run() throws {
        let quantizer = try chosen.quantizer()
        let name = displayName(input, standard: "standard input")
        let array = try NPYArray(readFile(input), name: name, types: fromIndices ? [.int32] : [.float32, .float64])
        var summary = Summary(quantizer)
        if fromIndices {
            let unit = quantizer.codewordCount == nil ? quantizer.dimension : 1
            try check(array, name, quantizer, unit, "indices")
            let points = try NPYFile(.float32, shape: quantizer.codewordCount == nil ? array.shape : array.shape + [quantizer.dimension])
            summary.vectors = array.count / unit
            try dequantize(array, name, quantizer, points)
            try points.file.withBytes { try writeFile(output, $0) }
        } else {
            try check(array, name, quantizer, quantizer.dimension, "vectors")
            let points = try NPYFile(.float32, shape: array.shape)
            let coordinates = try indices.map { _ in try NPYFile(.int32, shape: quantizer.codewordCount == nil ? array.shape : Array(array.shape.dropLast())) }
            summary.vectors = array.count / quantizer.dimension
            try quantize(array, quantizer, points, coordinates, &summary)
            if let indices, let coordinates { try coordinates.file.withBytes { try writeFile(indices, $0) } }
            try points.file.withBytes { try writeFile(output, $0) }
        }
        let text = json ? summary.json : summary.text
        // Standard output may be taken.
        if output == "-" || indices == "-" { printToStandardError(text) } else { try printOutput(text) }
    }

    /// Codewords are whole rows; vectors and coordinates of a lattice may follow one another in one.
    private func check(_ array: NPYArray, _ name: String, _ quantizer: Quantizer, _ unit: Int, _ what: String) throws {
        let shape = describe(array.shape)
        if quantizer.codewordCount == nil {
            guard let last = array.shape.last, last % unit == 0 else {
                throw Failure("\(name) has the shape \(shape); the last axis of \(what) of \(quantizer.name) is a multiple of \(unit)")
            }
        } else if what == "vectors", array.shape.last != unit {
            throw Failure("\(name) has the shape \(shape); the last axis of vectors of the codebook is \(unit)")
        }
    }

    private func quantize(_ array: NPYArray, _ quantizer: Quantizer, _ points: NPYFile, _ indices: NPYFile?, _ summary: inout Summary) throws {
        let values = points.values(as: Float.self), own = indices?.values(as: Int32.self)
        array.copyFloats(to: values)
        let vectors = summary.vectors, proven = try chosen.search.map { _ in try ByteBuffer(count: vectors) }
        // Parts, so that Ctrl-C is heard; an exact search takes long for few.
        let part = max(1, (chosen.search == .exact ? 1 << 14 : 1 << 20) / quantizer.dimension)
        let progress = ProgressBar("quantizing")
        defer { progress.clear() }
        for first in stride(from: 0, to: vectors, by: part) {
            let here = UnsafeMutableBufferPointer(rebasing: values[first * quantizer.dimension..<min(first + part, vectors) * quantizer.dimension])
            try quantizer.quantize(
                UnsafeBufferPointer(here), points: here.baseAddress, indices: own.map { $0.baseAddress! + first * quantizer.indexCount },
                proven: proven.map { $0.bytes.baseAddress!.assumingMemoryBound(to: UInt8.self) + first }, threads: threads)
            guard progress.update(Double(min(first + part, vectors)) / Double(vectors)) else { throw CodecError(.cancelled, "interrupted") }
        }
        if chosen.search == .exact { summary.proven = proven?.withBytes { $0.reduce(0) { $0 + Int($1) } } }
        var sum = 0.0
        array.forEach { sum += ($1 - Double(values[$0])) * ($1 - Double(values[$0])) }
        summary.error = array.count == 0 ? nil : sum / Double(array.count)
    }

    private func dequantize(_ array: NPYArray, _ name: String, _ quantizer: Quantizer, _ points: NPYFile) throws {
        let memory = try ByteBuffer(count: 4 * array.count)
        array.copyBytes(to: memory.bytes)
        do {
            try withExtendedLifetime(memory) {
                try quantizer.dequantize(UnsafeBufferPointer(memory.bytes.bindMemory(to: Int32.self)), points: points.values(as: Float.self).baseAddress!, threads: threads)
            }
        } catch let error as CodecError where error.status == .invalidArgument {
            throw Failure("\(name): \(error.message)")
        }
    }
}

/// What is printed at the end.
private struct Summary {
    let quantizer: Quantizer
    var vectors = 0
    /// Mean squared error of a value.
    var error: Double?
    /// Vectors whose point is certain to be a closest one, where an exact search says so.
    var proven: Int?

    init(_ quantizer: Quantizer) { self.quantizer = quantizer }

    var json: String {
        JSON.object([
            ("name", .string(quantizer.name)),
            ("dimension", .integer(quantizer.dimension)),
            ("scale", .number(shortest(quantizer.scale))),
            ("vectors", .integer(vectors)),
            ("mse", error.map(JSON.number) ?? .null),
            ("proven", proven.map(JSON.integer) ?? .null),
        ]).text + "\n"
    }

    var text: String {
        var rows = [
            ("quantizer", "\(quantizer.name), \(quantizer.dimension) \(quantizer.dimension == 1 ? "dimension" : "dimensions"), scale \(plain(shortest(quantizer.scale)))"),
            ("vectors", "\(vectors)"),
        ]
        if let error { rows.append(("mean squared error", error.isFinite ? "\(error)" : "not finite, as the input is")) }
        if let proven { rows.append(("proven closest", "\(proven)")) }
        return table(rows)
    }
}
