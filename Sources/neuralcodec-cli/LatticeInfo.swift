// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

struct LatticeInfo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Say what a lattice is, by name or by its basis.",
        discussion: """
            Volume of a cell, normalized second moment (NSM), and what it saves over Z^n at the same volume; \
            of a basis, the second moments of Babai's rounding and nearest plane and the orthogonality defect.
            """)

    @Argument(help: ArgumentHelp("Name; 'neuralcodec lattice list' has them all.", valueName: "name"))
    var name: String?

    @Option(help: ArgumentHelp("In place of a name: the lattice that the rows of the array (n, n) span; .npy.", valueName: "file"), completion: .file())
    var basis: String?

    @Option(help: ArgumentHelp("Dimension of a lattice that exists in more than one.", valueName: "n"))
    var dimension: Int?

    @Option(help: ArgumentHelp("Points are those of the unscaled lattice times this.", valueName: "s"))
    var scale = 1.0

    @Flag(help: "Print a JSON object, which holds the basis too.")
    var json = false

    func validate() throws {
        guard (name == nil) != (basis == nil) else { throw ValidationError("either a name or --basis is needed") }
        guard basis == nil || dimension == nil else { throw ValidationError("--dimension is for a name") }
        guard scale > 0, scale.isFinite else { throw ValidationError("--scale \(scale) is not positive and finite") }
    }

    func run() throws {
        if let basis {
            let rounding = try readBasis(basis, scale: scale, search: .babai)
            let rows = rounding.basis!
            let plane = try Quantizer(basis: rows, dimension: rounding.dimension, search: .nearestPlane)
            try show(rounding, moments: [("babai", "rounding", rounding.normalizedSecondMoment), ("nearest_plane", "nearest plane", plane.normalizedSecondMoment)])
        } else {
            let lattice = try Quantizer(name: name!, dimension: dimension ?? 0, scale: scale)
            try show(lattice, moments: [("", "", lattice.normalizedSecondMoment)])
        }
    }

    private func show(_ lattice: Quantizer, moments: [(key: String, label: String, value: Double?)]) throws {
        let rows = lattice.basis ?? [], n = lattice.dimension
        if json {
            let figures = moments.flatMap { key, _, value in
                let suffix = key.isEmpty ? "" : "_" + key
                return [("nsm" + suffix, optional(value)), ("gain_db" + suffix, optional(value.map(gain)))]
            }
            try printOutput(
                JSON.object(
                    [
                        ("name", .string(lattice.name)),
                        ("dimension", .integer(n)),
                        ("scale", .number(shortest(lattice.scale))),
                        ("volume", optional(lattice.volume)),
                        ("minimal_norm", optional(lattice.minimalNorm)),
                        ("orthogonality_defect", optional(lattice.orthogonalityDefect)),
                    ] + figures + [("basis", .array((0..<n).map { row in .array(rows[row * n..<(row + 1) * n].map { .number(shortest($0)) }) }))]
                ).text + "\n")
        } else {
            var lines = [("lattice", lattice.name), ("dimension", "\(n)"), ("scale", plain(shortest(lattice.scale))), ("volume", lattice.volume.map(plain) ?? "unknown")]
            if let norm = lattice.minimalNorm { lines.append(("minimal norm", plain(norm))) }
            if let defect = lattice.orthogonalityDefect { lines.append(("orthogonality defect", plain(defect))) }
            for (_, label, value) in moments {
                guard let value else { continue }
                lines.append((label.isEmpty ? "NSM" : "NSM of \(label)", "\(decimal(value, places: 6)), \(decimal(gain(value), places: 3)) dB over Z^\(n)"))
            }
            try printOutput(table(lines))
        }
    }
}
