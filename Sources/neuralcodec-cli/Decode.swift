// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

struct Decode: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Decode a .nic file to a PNG, PPM or PGM picture.")

    @Argument(help: ArgumentHelp("File to read; -: standard input.", valueName: "in"))
    var input: String

    @Argument(help: ArgumentHelp("Picture to write, its format by its ending (.png, .ppm, .pgm, .pnm); -: standard output, as PNG.", valueName: "out"))
    var output: String

    @Option(help: ArgumentHelp("Format of the picture, png or ppm (PGM if it is gray), whatever its name.", valueName: "format"))
    var format: PictureFormat?

    @OptionGroup var shared: SharedOptions

    func validate() throws {
        if format == nil, output != "-", PictureFormat(path: output) == nil {
            throw ValidationError("the ending of \(output) names no format that can be written; choose one by --format png or --format ppm")
        }
    }

    func run() throws {
        let picture = try readFile(input).withBytes { try shared.decoding($0, name: displayName(input, standard: "standard input")) }
        try writePicture(picture, to: output, format: format ?? PictureFormat(path: output) ?? .png)
    }
}

extension PictureFormat: ExpressibleByArgument {}
