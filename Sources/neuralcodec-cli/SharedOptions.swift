// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

/// A count of bytes or pixels: digits, with K, M or G for 2^10, 2^20 or 2^30.
struct Count: ExpressibleByArgument {
    let value: Int

    init?(argument: String) {
        let shifts: [Character: Int] = ["K": 10, "M": 20, "G": 30]
        let shift = argument.last.flatMap { shifts[Character($0.uppercased())] }
        guard let number = Int(shift == nil ? argument : String(argument.dropLast())), number >= 0 else { return nil }
        let (value, overflow) = number.multipliedReportingOverflow(by: 1 << (shift ?? 0))
        guard !overflow else { return nil }
        self.value = value
    }
}

/// Options of every subcommand that runs a model.
struct SharedOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Model: default, an id (see 'neuralcodec models') or the path of a .safetensors file.", valueName: "name-or-path"), completion: .file())
    var model: String?

    @Option(help: ArgumentHelp("Number of threads; 0: all cores, which the pictures of a batch share. Does not change the result.", valueName: "n"))
    var threads = 0

    @Option(help: ArgumentHelp("Refuse pictures of more pixels; K, M, G may follow; 0: no limit.", valueName: "n"))
    var maxPixels: Count?

    @Option(help: ArgumentHelp("Refuse work that needs more bytes of memory beside input and output; K, M, G may follow; 0: no limit.", valueName: "bytes"))
    var maxMemory: Count?

    func validate() throws {
        guard (0...1024).contains(threads) else { throw ValidationError("--threads \(threads) is not in 0...1024") }
    }

    var limits: Limits {
        var limits = Limits()
        if let maxPixels { limits.maxPixels = maxPixels.value }
        if let maxMemory { limits.maxMemory = maxMemory.value }
        return limits
    }

    /// Decodes with the model of --model, else with the one that the file names, under a progress bar.
    func decoding(_ bytes: UnsafeRawBufferPointer, name: String) throws -> Picture {
        let model = try self.model.map(Model.open)
        let progress = ProgressBar("decoding")
        defer { progress.clear() }
        return try decoding(bytes, name: name, model: model, threads: threads, progress: progress.update)
    }

    func decoding(
        _ bytes: UnsafeRawBufferPointer, name: String, model: Model?, threads: Int, progress: @escaping Progress, adjust: (inout DecodeOptions) -> Void = { _ in }
    ) throws -> Picture {
        var options = DecodeOptions()
        options.threads = threads
        options.limits = limits
        options.progress = progress
        adjust(&options)
        return try naming(name) { try decode(bytes, model: model, options: options) }
    }
}

/// Puts the file's name before an error of the library, which knows only bytes.
func naming<Result>(_ name: String, _ work: () throws -> Result) throws -> Result {
    do {
        return try work()
    } catch let error as CodecError {
        throw CodecError(error.status, "\(name): \(error.message)", nearest: error.nearest)
    }
}
