// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

struct Decode: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Decode a .nic file to a PNG, PPM, PGM or PAM picture.")

    @Argument(help: ArgumentHelp("File to read; -: standard input.", valueName: "in"))
    var input: String

    @Argument(help: ArgumentHelp("Picture to write, its format by its ending (.png, .ppm, .pgm, .pnm, .pam); -: standard output, as PNG.", valueName: "out"))
    var output: String

    @Option(help: ArgumentHelp("Format of the picture, png, ppm (PGM if it is gray) or pam, whatever its name.", valueName: "format"))
    var format: PictureFormat?

    @Option(help: ArgumentHelp("8: samples of 16 bits come scaled to 8 bits and rounded.", valueName: "bits"))
    var bitDepth: Int?

    @OptionGroup var keep: KeepOptions

    @OptionGroup var shared: SharedOptions

    func validate() throws {
        if let bitDepth, ![8, 16].contains(bitDepth) { throw ValidationError("--bit-depth \(bitDepth) is neither 8 nor 16") }
        if format == nil, output != "-", PictureFormat(path: output) == nil {
            throw ValidationError("the ending of \(output) names no format that can be written; choose one by --format png or --format ppm")
        }
    }

    func run() throws {
        let name = displayName(input, standard: "standard input")
        try readFile(input).withBytes { bytes in
            let picture = try shared.decoding(bytes, name: name) { options in
                options.alpha = keep.alpha
                options.bitDepth = bitDepth
            }
            try writePicture(picture, keep.kept(try readMetadata(bytes)), to: output, format: format ?? PictureFormat(path: output) ?? .png)
        }
    }
}

extension PictureFormat: ExpressibleByArgument {}
