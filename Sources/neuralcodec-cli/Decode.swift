// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

struct Decode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Decode .nic files to PNG, PPM, PGM or PAM pictures.",
        usage: "neuralcodec decode [<options>] <in> <out>\nneuralcodec decode [<options>] <path> ... --output-dir <dir>", discussion: BatchOptions.discussion)

    @Argument(
        help: ArgumentHelp(
            """
            File to read and picture to write, its format by its ending (.png, .ppm, .pgm, .pnm, .pam); -: standard input, or output as PNG. With --output-dir: \
            files, folders and patterns.
            """,
            valueName: "path"), completion: .file())
    var paths: [String]

    @Option(help: ArgumentHelp("Format of the picture, png, ppm (PGM if it is gray) or pam, whatever its name. (default with --output-dir: png)", valueName: "format"))
    var format: PictureFormat?

    @OptionGroup var batch: BatchOptions
    @OptionGroup var depth: DepthOption
    @OptionGroup var keep: KeepOptions

    @Flag(help: "Write metadata into the PNG file as ImageMagick reads it: as text, \"Raw profile type exif\", xmp and icc.")
    var rawProfiles = false

    @OptionGroup var shared: SharedOptions

    /// Of one picture.
    private var outputFormat: PictureFormat? { format ?? paths.last.flatMap(PictureFormat.init(path:)) }

    func validate() throws {
        try batch.validate(paths)
        if batch.outputDir == nil, outputFormat == nil, let output = paths.last, output != "-" {
            throw ValidationError("the ending of \(output) names no format that can be written; choose one by --format png or --format ppm")
        }
        if rawProfiles, let written = batch.outputDir == nil ? outputFormat : format, written != .png {
            throw ValidationError("--raw-profiles is for PNG files")
        }
    }

    func run() throws {
        let decoding = PictureDecoding(shared: shared, keep: keep, bitDepth: depth.bitDepth, rawProfiles: rawProfiles)
        if let folder = batch.outputDir { return try decoding.decodeAll(paths, to: format ?? .png, under: folder, batch.running) }
        let model = try shared.model.map(Model.open)
        let progress = ProgressBar("decoding")
        defer { progress.clear() }
        _ = try decoding.decodePicture(
            from: paths[0], to: paths[1], format: outputFormat ?? .png, model: model, threads: shared.threads, progress: progress.update)
    }
}

struct DepthOption: ParsableArguments {
    @Option(help: ArgumentHelp("8: samples of 16 bits come scaled to 8 bits and rounded.", valueName: "bits"))
    var bitDepth: Int?

    func validate() throws {
        if let bitDepth, ![8, 16].contains(bitDepth) { throw ValidationError("--bit-depth \(bitDepth) is neither 8 nor 16") }
    }
}

/// What decode and transcode do to a file.
struct PictureDecoding {
    let shared: SharedOptions
    let keep: KeepOptions
    /// Nil: the file's.
    let bitDepth: Int?
    /// As `writePicture`.
    var rawProfiles = false

    /// Decodes every .nic file of files and folders.
    func decodeAll(_ paths: [String], to format: PictureFormat, under folder: String?, _ running: RunningOptions, verbose: Bool = false) throws {
        let model = try shared.model.map(Model.open)
        let plan = try BatchPlan(paths, endings: ["nic"], what: ".nic files", outputEnding: format.rawValue, under: folder)
        let threads = running.threadsEach(of: shared.threads, plan.items.count)
        try Batch(plan, running, label: "decoding", done: "decoded", verbose: verbose).run { item, progress, _ in
            let picture = try decodePicture(from: item.source, to: item.output, format: format, model: model, threads: threads, progress: progress)
            return Outcome(
                line: item.output, size: fileSize(item.output), members: [("width", .integer(picture.width)), ("height", .integer(picture.height))])
        }
    }

    func decodePicture(
        from input: String, to output: String, format: PictureFormat, model: Model?, threads: Int, progress: @escaping Progress
    ) throws -> Picture {
        try readFile(input).withBytes { bytes in
            let picture = try shared.decoding(
                bytes, name: displayName(input, standard: "standard input"), model: model, threads: threads, progress: progress
            ) {
                $0.alpha = keep.alpha
                $0.bitDepth = bitDepth
            }
            try writePicture(picture, keep.kept(try readMetadata(bytes)), to: output, format: format, rawProfiles: rawProfiles)
            return picture
        }
    }
}

extension PictureFormat: ExpressibleByArgument {}
