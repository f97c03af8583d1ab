// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

struct Transcode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Encode or decode every picture of folders, recursively.",
        discussion: """
            --to nic encodes the PNG, PPM, PGM and PAM pictures, --to png, ppm or pam decodes the .nic files; each result stands beside its source, or in the same place below \
            --output-dir. Otherwise as 'neuralcodec encode' and 'decode' with --output-dir.
            """)

    enum Target: String, CaseIterable, ExpressibleByArgument {
        case nic, png, ppm, pam
    }

    @Argument(help: ArgumentHelp("Folders, files and patterns.", valueName: "path"), completion: .file())
    var paths: [String]

    @Option(help: ArgumentHelp("nic, png, ppm (PGM in it if the picture is gray) or pam.", valueName: "format"))
    var to: Target

    @Option(help: ArgumentHelp("Write below this folder. (default: beside the sources)", valueName: "dir"), completion: .directory)
    var outputDir: String?

    @OptionGroup var running: RunningOptions
    @OptionGroup var depth: DepthOption
    @OptionGroup var encoding: EncodingOptions

    func validate() throws {
        guard !paths.contains("-") else { throw ValidationError("standard input cannot be part of a batch") }
        guard to == .nic || encoding.isDefault else { throw ValidationError("--quality, --target-size and --target-psnr are for --to nic") }
        guard to != .nic || depth.bitDepth == nil else { throw ValidationError("--bit-depth is not for --to nic") }
    }

    func run() throws {
        let decoding = PictureDecoding(shared: encoding.shared, keep: encoding.keep, bitDepth: depth.bitDepth)
        switch to {
        case .nic: try encoding.encodeAll(paths, under: outputDir, running)
        case .png: try decoding.decodeAll(paths, to: .png, under: outputDir, running, verbose: encoding.verbose)
        case .ppm: try decoding.decodeAll(paths, to: .ppm, under: outputDir, running, verbose: encoding.verbose)
        case .pam: try decoding.decodeAll(paths, to: .pam, under: outputDir, running, verbose: encoding.verbose)
        }
    }
}
