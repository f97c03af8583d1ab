// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Glibc
import NeuralCodec

struct Lattice: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lattices to quantize with, learning of them, and coding of what was quantized.",
        subcommands: [LatticeList.self, LatticeInfo.self, LatticeLearn.self, LatticeEncode.self, LatticeDecode.self])
}

struct LatticeList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the lattices known by name.",
        discussion: "Volume of a cell, shortest squared length, normalized second moment (NSM) and what it saves over Z^n at the same volume, all at scale 1.")

    @Flag(help: "Print a JSON array.")
    var json = false

    func run() throws {
        let lattices = try Quantizer.names.map { name in
            // A_n and D_n differ with the dimension; 'scalar' and 'zn' are the same in each.
            let own = Quantizer.ownDimension(of: name)
            return (name: name, dimension: own, quantizer: name == "an" || name == "dn" ? nil : try Quantizer(name: name))
        }
        if json {
            try printOutput(
                JSON.array(
                    lattices.map { name, dimension, quantizer in
                        .object([
                            ("name", .string(name)),
                            ("dimension", dimension.map(JSON.integer) ?? .null),
                            ("volume", optional(quantizer?.volume)),
                            ("minimal_norm", optional(quantizer?.minimalNorm)),
                            ("nsm", optional(quantizer?.normalizedSecondMoment)),
                            ("gain_db", optional(quantizer?.normalizedSecondMoment.map(gain))),
                        ])
                    }
                ).text + "\n")
        } else {
            let rows = lattices.map { name, dimension, quantizer in
                [
                    name, dimension.map(String.init) ?? "1 to \(Quantizer.mostDimensions)", quantizer?.volume.map(plain) ?? "-",
                    quantizer?.minimalNorm.map(plain) ?? "-", quantizer?.normalizedSecondMoment.map { decimal($0, places: 6) } ?? "-",
                    quantizer?.normalizedSecondMoment.map { decimal(gain($0), places: 3) } ?? "-",
                ]
            }
            try printOutput(columns([["name", "dimension", "volume", "minimal norm", "NSM", "gain (dB)"]] + rows))
        }
    }
}

/// What a normalized second moment saves over that of Z^n, 1/12, in dB.
func gain(_ secondMoment: Double) -> Double { -10 * log10(12 * secondMoment) + 0.0 }

func optional(_ value: Double?) -> JSON { value.map(JSON.number) ?? .null }
