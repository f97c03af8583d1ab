// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

struct Encode: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Encode a PNG, PPM, PGM or PAM picture to a .nic file.")

    @Argument(help: ArgumentHelp("Picture to read; -: standard input.", valueName: "in"))
    var input: String

    @Argument(help: ArgumentHelp("File to write; -: standard output.", valueName: "out"))
    var output: String

    @Option(name: .shortAndLong, help: ArgumentHelp("0 (smallest file) ... 100 (best picture), fractions allowed; no matter to a model of one rate. (default: 75)", valueName: "q"))
    var quality: Double?

    @Option(help: ArgumentHelp("Best quality whose file has at most so many bytes; K, M, G may follow.", valueName: "bytes"))
    var targetSize: Count?

    @Option(help: ArgumentHelp("Smallest file that reaches this PSNR in dB.", valueName: "db"))
    var targetPSNR: Double?

    @OptionGroup var keep: KeepOptions

    @OptionGroup var shared: SharedOptions

    @Flag(name: .shortAndLong, help: "Say on standard error what was chosen.")
    var verbose = false

    func validate() throws {
        let given = [quality == nil ? nil : "--quality", targetSize == nil ? nil : "--target-size", targetPSNR == nil ? nil : "--target-psnr"]
            .compactMap { $0 }
        guard given.count <= 1 else { throw ValidationError("\(given.joined(separator: " and ")) exclude each other") }
        if let quality, !(0...100).contains(quality) { throw ValidationError("--quality \(quality) is not in 0...100") }
        if let targetSize, targetSize.value == 0 { throw ValidationError("--target-size must be positive") }
        if let targetPSNR, !(targetPSNR > 0) { throw ValidationError("--target-psnr must be positive") }
    }

    func run() throws {
        let name = displayName(input, standard: "standard input")
        let loaded = try readFile(input).withBytes {
            try readPicture($0, name: name, limits: shared.limits) { printError("warning: the \($0) of \(name) is not kept") }
        }
        let picture = loaded.picture

        let model = try shared.model.map(Model.open) ?? Model.embedded()
        let progress = ProgressBar("encoding")
        var options = EncodeOptions()
        options.threads = shared.threads
        options.limits = shared.limits
        options.progress = progress.update
        options.alpha = keep.alpha
        if let targetSize {
            options.target = .size(targetSize.value)
        } else if let targetPSNR {
            options.target = .psnr(targetPSNR)
        } else if let quality {
            options.target = .quality(quality)
        }
        let (file, summary) = try naming(name) {
            defer { progress.clear() }
            return try loaded.withMetadata { metadata in
                options.metadata = keep.kept(metadata)
                return try picture.withView { try encode($0, model: model, options: options) }
            }
        }
        try file.withBytes { try writeFile(output, $0) }

        if verbose {
            let bitsPerPixel = decimal(8 * Double(file.count) / (Double(picture.width) * Double(picture.height)), places: 4)
            let reached = summary.psnr.map { ", PSNR \(decimal($0, places: 2)) dB" } ?? ""
            let rate = model.hasVariableRate ? "quality \(decimal(summary.quality, places: 2))" : "the model's only rate"
            printError("\(displayName(output, standard: "standard output")): \(file.count) bytes, \(bitsPerPixel) bits per pixel, \(rate)\(reached)")
        }
    }
}
