// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

struct Decode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Decode .nic files to PNG, PPM or PGM pictures.",
        usage: "neuralcodec decode [<options>] <in> <out>\nneuralcodec decode [<options>] <path> ... --output-dir <dir>", discussion: BatchOptions.discussion)

    @Argument(
        help: ArgumentHelp(
            """
            File to read and picture to write, its format by its ending (.png, .ppm, .pgm, .pnm); -: standard input, or output as PNG. With --output-dir: files, \
            folders and patterns.
            """,
            valueName: "path"), completion: .file())
    var paths: [String]

    @Option(help: ArgumentHelp("Format of the picture, png or ppm (PGM if it is gray), whatever its name. (default with --output-dir: png)", valueName: "format"))
    var format: PictureFormat?

    @OptionGroup var batch: BatchOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        try batch.validate(paths)
        if batch.outputDir == nil, format == nil, let output = paths.last, output != "-", PictureFormat(path: output) == nil {
            throw ValidationError("the ending of \(output) names no format that can be written; choose one by --format png or --format ppm")
        }
    }

    func run() throws {
        if let folder = batch.outputDir { return try shared.decodeAll(paths, to: format ?? .png, under: folder, batch.running) }
        let input = paths[0], output = paths[1]
        let picture = try readFile(input).withBytes { try shared.decoding($0, name: displayName(input, standard: "standard input")) }
        try writePicture(picture, to: output, format: format ?? PictureFormat(path: output) ?? .png)
    }
}

extension SharedOptions {
    /// Decodes every .nic file of files and folders.
    func decodeAll(_ paths: [String], to format: PictureFormat, under folder: String?, _ running: RunningOptions, verbose: Bool = false) throws {
        let model = try self.model.map(Model.open)
        let plan = try BatchPlan(paths, endings: ["nic"], what: ".nic files", outputEnding: format.rawValue, under: folder)
        let threads = running.threadsEach(of: threads, plan.items.count)
        try Batch(plan, running, label: "decoding", done: "decoded", verbose: verbose).run { item, progress, _ in
            let picture = try readFile(item.source).withBytes {
                try decoding($0, name: item.source, model: model, threads: threads, progress: progress)
            }
            try writePicture(picture, to: item.output, format: format)
            return Outcome(
                line: item.output, size: fileSize(item.output), members: [("width", .integer(picture.width)), ("height", .integer(picture.height))])
        }
    }
}

extension PictureFormat: ExpressibleByArgument {}
