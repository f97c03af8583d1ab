// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how much two pictures differ.",
        discussion: "PSNR over all colour samples, in dB (infinite for equal ones), that of alpha, and MS-SSIM for pictures of at least \(msSSIMSmallestSide) x \(msSSIMSmallestSide) pixels.")

    @Argument(help: ArgumentHelp("PNG, PPM, PGM, PAM or .nic file; -: standard input.", valueName: "a"), completion: .file())
    var first: String

    @Argument(help: ArgumentHelp("Another one, of the same size; -: standard input.", valueName: "b"), completion: .file())
    var second: String

    @Flag(help: "Print a JSON object.")
    var json = false

    @OptionGroup var shared: SharedOptions

    func validate() throws {
        if first == "-", second == "-" { throw ValidationError("only one of the pictures can come from standard input") }
    }

    func run() throws {
        let a = try load(first), b = try load(second)
        guard a.width == b.width, a.height == b.height, a.format == b.format else {
            throw Failure("the pictures differ in size or kind: \(describe(a)) and \(describe(b))")
        }
        let (ratio, alpha, similarity) = try a.withView { a in try b.withView { b in (psnr(a, b), alphaPSNR(a, b), try msSSIM(a, b)) } }
        if json {
            try printOutput(
                JSON.object([
                    ("width", .integer(a.width)),
                    ("height", .integer(a.height)),
                    ("channels", .integer(a.channels)),
                    ("bit_depth", .integer(a.bitDepth)),
                    ("identical", .boolean(ratio == .infinity && (alpha == .infinity || alpha.isNaN))),
                    ("psnr", .number(ratio)),
                    ("alpha_identical", a.format.hasAlpha ? .boolean(alpha == .infinity) : .null),
                    ("alpha_psnr", .number(alpha)),
                    ("ms_ssim", similarity.map(JSON.number) ?? .null),
                ]).text + "\n")
        } else {
            try printOutput(
                table([
                    ("PSNR", ratio == .infinity ? "infinite (the \(a.format.hasAlpha ? "colours" : "pictures") are equal)" : "\(decimal(ratio, places: 4)) dB"),
                    ("alpha", alpha == .infinity ? "equal" : "PSNR \(decimal(alpha, places: 4)) dB"),
                    ("MS-SSIM", similarity.map { decimal($0, places: 6) } ?? "n/a (a side is below \(msSSIMSmallestSide) pixels)"),
                ].filter { $0.label != "alpha" || a.format.hasAlpha }))
        }
    }

    private func load(_ path: String) throws -> Picture {
        let name = displayName(path, standard: "standard input")
        return try readFile(path).withBytes { bytes in
            if case .nic = FileKind(bytes) { return try shared.decoding(bytes, name: name) }
            return try readPicture(bytes, name: name, limits: shared.limits).picture
        }
    }

    private func describe(_ picture: Picture) -> String {
        "\(picture.width) x \(picture.height) \(describeFormat(picture.format))"
    }
}
