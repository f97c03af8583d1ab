// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

struct Encode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Encode PNG, PPM, PGM and PAM pictures to .nic files.",
        usage: "neuralcodec encode [<options>] <in> <out>\nneuralcodec encode [<options>] <path> ... --output-dir <dir>", discussion: BatchOptions.discussion)

    @Argument(help: ArgumentHelp("Picture to read and file to write; -: standard input or output. With --output-dir: pictures, folders and patterns.", valueName: "path"),
        completion: .file())
    var paths: [String]

    @OptionGroup var batch: BatchOptions
    @OptionGroup var encoding: EncodingOptions

    func validate() throws { try batch.validate(paths) }

    func run() throws {
        if let folder = batch.outputDir { return try encoding.encodeAll(paths, under: folder, batch.running) }
        let progress = ProgressBar("encoding")
        defer { progress.clear() }
        let outcome = try encoding.encodePicture(
            from: paths[0], to: paths[1], model: try encoding.model(), threads: encoding.shared.threads, progress: progress.update
        ) {
            printError("warning: \($0)")
        }
        progress.clear()
        if encoding.verbose { printError(outcome.line) }
    }
}

/// How pictures are encoded: the options of encode and transcode.
struct EncodingOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: ArgumentHelp("0 (smallest file) ... 100 (best picture), fractions allowed; no matter to a model of one rate. (default: 75)", valueName: "q"))
    var quality: Double?

    @Option(help: ArgumentHelp("Best quality whose file has at most so many bytes; K, M, G may follow.", valueName: "bytes"))
    var targetSize: Count?

    @Option(help: ArgumentHelp("Smallest file that reaches this PSNR in dB.", valueName: "db"))
    var targetPSNR: Double?

    @OptionGroup var keep: KeepOptions

    @OptionGroup var shared: SharedOptions

    @Flag(name: .shortAndLong, help: "Say on standard error what was chosen; of a batch, for each file.")
    var verbose = false

    func validate() throws {
        let given = [quality == nil ? nil : "--quality", targetSize == nil ? nil : "--target-size", targetPSNR == nil ? nil : "--target-psnr"]
            .compactMap { $0 }
        guard given.count <= 1 else { throw ValidationError("\(given.joined(separator: " and ")) exclude each other") }
        if let quality, !(0...100).contains(quality) { throw ValidationError("--quality \(quality) is not in 0...100") }
        if let targetSize, targetSize.value == 0 { throw ValidationError("--target-size must be positive") }
        if let targetPSNR, !(targetPSNR > 0) { throw ValidationError("--target-psnr must be positive") }
    }

    /// No option that says how.
    var isDefault: Bool { quality == nil && targetSize == nil && targetPSNR == nil }

    func model() throws -> Model { try shared.model.map(Model.open) ?? Model.embedded() }

    /// Encodes every picture of files and folders.
    func encodeAll(_ paths: [String], under folder: String?, _ running: RunningOptions) throws {
        let model = try model()
        let plan = try BatchPlan(paths, endings: ["png", "ppm", "pgm", "pnm", "pam"], what: "PNG, PPM, PGM or PAM pictures", outputEnding: "nic", under: folder)
        let threads = running.threadsEach(of: shared.threads, plan.items.count)
        try Batch(plan, running, label: "encoding", done: "encoded", verbose: verbose).run { item, progress, warn in
            try encodePicture(from: item.source, to: item.output, model: model, threads: threads, progress: progress, warn: warn)
        }
    }

    /// Encodes one picture; `warn` hears what is not kept of it.
    func encodePicture(
        from input: String, to output: String, model: Model, threads: Int, progress: @escaping Progress, warn: (String) -> Void
    ) throws -> Outcome {
        let name = displayName(input, standard: "standard input")
        let loaded = try readFile(input).withBytes { try readPicture($0, name: name, limits: shared.limits) { warn("the \($0) of \(name) is not kept") } }
        let picture = loaded.picture

        var options = EncodeOptions()
        options.threads = threads
        options.limits = shared.limits
        options.progress = progress
        options.alpha = keep.alpha
        if let targetSize {
            options.target = .size(targetSize.value)
        } else if let targetPSNR {
            options.target = .psnr(targetPSNR)
        } else if let quality {
            options.target = .quality(quality)
        }
        let (file, summary) = try naming(name) {
            try loaded.withMetadata { metadata in
                options.metadata = keep.kept(metadata)
                return try picture.withView { try encode($0, model: model, options: options) }
            }
        }
        try file.withBytes { try writeFile(output, $0) }

        let bitsPerPixel = 8 * Double(file.count) / (Double(picture.width) * Double(picture.height))
        let reached = summary.psnr.map { ", PSNR \(decimal($0, places: 2)) dB" } ?? ""
        let rate = model.hasVariableRate ? "quality \(decimal(summary.quality, places: 2))" : "the model's only rate"
        let written = displayName(output, standard: "standard output")
        return Outcome(
            line: "\(written): \(file.count) bytes, \(decimal(bitsPerPixel, places: 4)) bits per pixel, \(rate)\(reached)", size: file.count,
            members: [
                ("width", .integer(picture.width)), ("height", .integer(picture.height)), ("bits_per_pixel", .number(bitsPerPixel)),
                ("quality", model.hasVariableRate ? .number(summary.quality) : .null), ("psnr", summary.psnr.map(JSON.number) ?? .null),
            ])
    }
}
