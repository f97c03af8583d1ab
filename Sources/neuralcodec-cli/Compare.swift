// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how much two pictures differ.",
        discussion: "PSNR over all samples, in dB (infinite for equal pictures), and MS-SSIM for pictures of at least \(msSSIMSmallestSide) x \(msSSIMSmallestSide) pixels.")

    @Argument(help: ArgumentHelp("PNG, PPM, PGM or .nic file; -: standard input.", valueName: "a"), completion: .file())
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
        guard a.width == b.width, a.height == b.height, a.channels == b.channels else {
            throw Failure("the pictures differ in size: \(describe(a)) and \(describe(b))")
        }
        let (ratio, similarity) = try a.withView { a in try b.withView { b in (psnr(a, b), try msSSIM(a, b)) } }
        if json {
            try printOutput(
                JSON.object([
                    ("width", .integer(a.width)),
                    ("height", .integer(a.height)),
                    ("channels", .integer(a.channels)),
                    ("identical", .boolean(ratio == .infinity)),
                    ("psnr", .number(ratio)),
                    ("ms_ssim", similarity.map(JSON.number) ?? .null),
                ]).text + "\n")
        } else {
            try printOutput(
                table([
                    ("PSNR", ratio == .infinity ? "infinite (the pictures are equal)" : "\(decimal(ratio, places: 4)) dB"),
                    ("MS-SSIM", similarity.map { decimal($0, places: 6) } ?? "n/a (a side is below \(msSSIMSmallestSide) pixels)"),
                ]))
        }
    }

    private func load(_ path: String) throws -> Picture {
        let name = displayName(path, standard: "standard input")
        return try readFile(path).withBytes { bytes in
            if case .nic = FileKind(bytes) { return try shared.decoding(bytes, name: name) }
            return try readPicture(bytes, name: name, limits: shared.limits)
        }
    }

    private func describe(_ picture: Picture) -> String {
        "\(picture.width) x \(picture.height) \(picture.channels == 1 ? "gray" : "RGB")"
    }
}
