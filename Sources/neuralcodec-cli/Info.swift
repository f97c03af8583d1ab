// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

struct Info: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Say what a .nic file is, without decoding it, or what a model file is.")

    @Argument(help: ArgumentHelp("File to read; -: standard input. A name that ends in .safetensors is a model's.", valueName: "file"), completion: .file())
    var input: String

    @Flag(help: "Print a JSON object.")
    var json = false

    func run() throws {
        if input.hasSuffix(".safetensors") { return try describe(try naming(input) { try Model.open(input) }) }
        let name = displayName(input, standard: "standard input")
        let file = try readFile(input)
        let info = try naming(name) { try file.withBytes(readInfo) }
        let bitsPerPixel = 8 * Double(file.count) / (Double(info.width) * Double(info.height))
        let model = info.stored ? nil : Model.available().first { $0.hash.starts(with: info.modelHash) }

        if json {
            try printOutput(
                JSON.object([
                    ("file_size", .integer(file.count)),
                    ("payload_size", .integer(info.payloadSize)),
                    ("bits_per_pixel", .number(bitsPerPixel)),
                    ("width", .integer(info.width)),
                    ("height", .integer(info.height)),
                    ("channels", .integer(info.channels)),
                    ("bit_depth", .integer(info.bitDepth)),
                    ("alpha", .boolean(info.alphaSize != nil)),
                    ("alpha_size", .integer(info.alphaSize ?? 0)),
                    ("icc_size", .integer(info.iccSize)),
                    ("exif_size", .integer(info.exifSize)),
                    ("xmp_size", .integer(info.xmpSize)),
                    ("orientation", .integer(info.orientation)),
                    ("stored", .boolean(info.stored)),
                    ("model_id", info.stored ? .null : .string(info.modelID)),
                    ("model_hash", info.stored ? .null : .string(hexadecimal(info.modelHash))),
                    ("model_available", info.stored ? .null : .boolean(model != nil)),
                    ("model_description", model.map { .string($0.description) } ?? .null),
                    ("rate_parameter", info.stored ? .null : .integer(info.rateParameter)),
                    ("format_version", .integer(info.formatVersion)),
                    ("arithmetic_version", .integer(info.arithmeticVersion)),
                ]).text + "\n")
        } else {
            let format = PixelFormat(channels: info.channels, bitDepth: info.bitDepth)
            let alpha = info.alphaSize.map { ", \($0) coded alpha" } ?? ""
            var rows = [
                ("picture", "\(info.width) x \(info.height), \(describeFormat(format))"),
                ("file", "\(file.count) bytes, \(info.payloadSize) of them coded pixels\(alpha), \(decimal(bitsPerPixel, places: 4)) bits per pixel"),
            ]
            let metadata = [("ICC profile", info.iccSize), ("Exif", info.exifSize), ("XMP", info.xmpSize)].filter { $0.1 > 0 }
            if !metadata.isEmpty { rows.append(("metadata", metadata.map { "\($0) of \($1) bytes" }.joined(separator: ", "))) }
            if info.orientation != 1 { rows.append(("orientation", "\(info.orientation), as Exif numbers them: to be turned when shown")) }
            if info.stored {
                rows.append(("coding", "colours stored without loss, no model needed"))
            } else {
                rows.append(("model", "\(info.modelID), hash \(hexadecimal(info.modelHash)), \(model == nil ? "not found here" : "found here")"))
                if let description = model?.description, !description.isEmpty { rows.append(("", description)) }
                rows.append(("rate", model?.hasVariableRate == false ? "the model's only one" : "\(info.rateParameter) of 65535"))
            }
            rows.append(("versions", "format \(info.formatVersion), arithmetic \(info.arithmeticVersion)"))
            try printOutput(table(rows))
        }
    }

    private func describe(_ model: Model) throws {
        let macs = model.macsPerPixel
        if json {
            try printOutput(
                JSON.object([
                    ("id", .string(model.id)),
                    ("architecture", .string(model.architecture)),
                    ("hyperparameters", .string(model.hyperparameters)),
                    ("parameters", .integer(model.parameterCount)),
                    ("encode_kmac_per_pixel", .number(macs.encode / 1000)),
                    ("decode_kmac_per_pixel", .number(macs.decode / 1000)),
                    ("quantizer", .string(model.quantizer)),
                    ("variable_rate", .boolean(model.hasVariableRate)),
                    ("hash", .string(hexadecimal(model.hash))),
                    ("description", .string(model.description)),
                ]).text + "\n")
        } else {
            try printOutput(
                table([
                    ("model", "\(model.id), hash \(hexadecimal(model.hash))"),
                    ("", model.description),
                    ("architecture", "\(model.architecture) \(model.hyperparameters)"),
                    ("parameters", "\(model.parameterCount)"),
                    ("work", "\(decimal(macs.encode / 1000, places: 2)) kMAC/pixel to encode, \(decimal(macs.decode / 1000, places: 2)) to decode"),
                    ("quantizer", model.quantizer),
                    ("rates", model.hasVariableRate ? "quality 0 to 100" : "one"),
                ].filter { !$0.1.isEmpty }))
        }
    }
}
