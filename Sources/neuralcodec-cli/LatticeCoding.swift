// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

struct LatticeEncode: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "encode", abstract: "Entropy-code indices that 'quantize --indices' has written.",
        discussion: """
            Writes the coded data alone: decoding needs the same quantizer, the same scales, and the shape of the indices. \
            Prints its size beside what the coder's model says.
            """)

    @Argument(help: ArgumentHelp("Array of indices to read, int32, .npy; -: standard input.", valueName: "in"), completion: .file())
    var input: String

    @Argument(help: ArgumentHelp("File to write; -: standard output.", valueName: "out"), completion: .file())
    var output: String

    @OptionGroup var chosen: QuantizerOptions
    @OptionGroup var scales: ScaleOptions

    @Flag(help: "Print a JSON object.")
    var json = false

    func validate() throws { try checkStandardInput(chosen.files + [input, scales.scales]) }

    func run() throws {
        let quantizer = try chosen.quantizer()
        let name = displayName(input, standard: "standard input")
        let array = try NPYArray(readFile(input), name: name, types: [.int32])
        let given = try scales.read()
        let memory = try ByteBuffer(count: 4 * array.count)
        array.copyBytes(to: memory.bytes)
        let indices = UnsafeBufferPointer(memory.bytes.bindMemory(to: Int32.self))
        let (coded, bits) = try withExtendedLifetime(memory) {
            try given.withValues(for: array.shape, quantizer, stated: "\(name) has the shape") { scales in
                try blaming(name) { (try quantizer.encode(indices, scales: scales), try quantizer.rate(indices, scales: scales)) }
            }
        }
        try coded.withBytes { try writeFile(output, $0) }
        let text = summary(quantizer, values: array.count, size: coded.count, bits: bits)
        if output == "-" { printToStandardError(text) } else { try printOutput(text) }
    }

    private func summary(_ quantizer: Quantizer, values: Int, size: Int, bits: Double) -> String {
        let vectors = values / quantizer.dimension
        let perValue = values == 0 ? nil : 8 * Double(size) / Double(values)
        if json {
            return JSON.object([
                ("name", .string(quantizer.name)), ("dimension", .integer(quantizer.dimension)), ("scale", .number(shortest(quantizer.scale))),
                ("vectors", .integer(vectors)), ("bytes", .integer(size)), ("bits_per_value", optional(perValue)), ("model_bits", .number(bits)),
            ]).text + "\n"
        }
        var rows = [("vectors", "\(vectors)"), ("bytes", "\(size)"), ("model", decimal(bits / 8, places: 1) + " bytes")]
        if let perValue { rows.append(("bits per value", decimal(perValue, places: 4))) }
        return table(rows)
    }
}

struct LatticeDecode: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode", abstract: "Decode indices that 'lattice encode' has coded, for 'quantize --from-indices'.")

    @Argument(help: ArgumentHelp("File to read; -: standard input.", valueName: "in"), completion: .file())
    var input: String

    @Argument(help: ArgumentHelp("Array of indices to write, int32, .npy; -: standard output.", valueName: "out"), completion: .file())
    var output: String

    @OptionGroup var chosen: QuantizerOptions
    @OptionGroup var scales: ScaleOptions

    @Option(help: ArgumentHelp("Shape of the indices, such as 100,24. (default: that of the array of scales)", valueName: "n,n..."))
    var shape: Shape?

    func validate() throws {
        try checkStandardInput(chosen.files + [input, scales.scales])
        guard shape != nil || Double(scales.scales) == nil else { throw ValidationError("--shape is needed where --scales is a number") }
    }

    func run() throws {
        let quantizer = try chosen.quantizer()
        let name = displayName(input, standard: "standard input")
        let data = try readFile(input), given = try scales.read()
        let lengths = shape?.lengths ?? given.array!.shape
        let indices = try NPYFile(.int32, shape: lengths)
        try given.withValues(for: lengths, quantizer, stated: shape == nil ? "\(given.name) has the shape" : "--shape is") { scales in
            try data.withBytes { data in try naming(name) { try quantizer.decode(data, scales: scales, into: indices.values(as: Int32.self)) } }
        }
        try indices.file.withBytes { try writeFile(output, $0) }
    }
}

/// Lengths of axes, separated by commas.
struct Shape: ExpressibleByArgument {
    let lengths: [Int]

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        var count = 1
        for part in parts {
            guard let part, part >= 0 else { return nil }
            let (product, overflow) = count.multipliedReportingOverflow(by: part)
            guard !overflow, product <= Int.max / 16 else { return nil }
            count = product
        }
        lengths = parts.map { $0! }
    }
}

/// Scales that indices are coded with.
struct ScaleOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Standard deviation of the vectors' values before they were quantized: a number, or an array of one for each index, or for each vector; .npy.",
            valueName: "number-or-file"), completion: .file())
    var scales: String

    func validate() throws {
        if let number = Double(scales), !(number >= 0) { throw ValidationError("--scales \(scales): a standard deviation is 0 or more") }
    }

    func read() throws -> Scales {
        if let number = Double(scales) { return Scales(number: Float(number), array: nil, name: "") }
        let name = displayName(scales, standard: "standard input")
        return Scales(number: 0, array: try NPYArray(readFile(scales), name: name, types: [.float32, .float64]), name: name)
    }
}

struct Scales {
    let number: Float
    /// In place of the number.
    let array: NPYArray?
    let name: String

    /// The scales for indices of that shape: one for all, one for each of them, or an array whose last axis holds one for each vector.
    func withValues<Result>(for shape: [Int], _ quantizer: Quantizer, stated: String, _ body: (UnsafeBufferPointer<Float>) throws -> Result) throws -> Result {
        // A codebook's indices cannot be coded, whatever their shape: the library says so.
        if quantizer.codewordCount == nil {
            guard let last = shape.last, last % quantizer.dimension == 0 else {
                throw Failure("\(stated) \(describe(shape)); the last axis of indices of \(quantizer.name) is a multiple of \(quantizer.dimension)")
            }
            let vectors = Array(shape.dropLast()) + [last / quantizer.dimension]
            guard array == nil || array!.shape == shape || array!.shape == vectors else {
                let possible = "\(describe(shape)), one for each index, or \(describe(vectors)), one for each vector"
                throw Failure("\(name) has the shape \(describe(array!.shape)); the shape of scales is \(possible)")
            }
        }
        guard let array else { return try withUnsafePointer(to: number) { try body(UnsafeBufferPointer(start: $0, count: 1)) } }
        let memory = try ByteBuffer(count: 4 * array.count)
        return try withExtendedLifetime(memory) {
            let values = memory.bytes.bindMemory(to: Float.self)
            array.copyFloats(to: values)
            return try body(UnsafeBufferPointer(values))
        }
    }
}

private func checkStandardInput(_ files: [String?]) throws {
    guard files.filter({ $0 == "-" }).count <= 1 else { throw ValidationError("only one file can come from standard input") }
}

/// What the library has against the values of a file is a fault of the file, not wrong usage.
private func blaming<Result>(_ name: String, _ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let error as CodecError where error.status == .invalidArgument {
        throw Failure("\(name): \(error.message)")
    }
}
