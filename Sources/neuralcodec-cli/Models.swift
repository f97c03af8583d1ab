// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the models that can be used here.",
        discussion: "The default model is part of the command. Others are looked up as ID.safetensors in the folders of NEURALCODEC_MODEL_PATH, then in PREFIX/share/neuralcodec/models.")

    @Flag(help: "Print a JSON array.")
    var json = false

    func run() throws {
        let models = Model.available()
        let defaultHash = try Model.embedded().hash
        if json {
            let list = models.map { model in
                JSON.object([
                    ("id", .string(model.id)),
                    ("default", .boolean(model.hash == defaultHash)),
                    ("architecture", .string(model.architecture)),
                    ("parameters", .integer(model.parameterCount)),
                    ("hash", .string(hexadecimal(model.hash))),
                    ("description", .string(model.description)),
                ])
            }
            try printOutput(JSON.array(list).text + "\n")
        } else {
            let blocks = models.map { model in
                table([
                    ("model", model.id + (model.hash == defaultHash ? " (default)" : "")),
                    ("architecture", model.architecture),
                    ("parameters", "\(model.parameterCount)"),
                    ("hash", hexadecimal(model.hash)),
                    ("description", model.description),
                ].filter { !$0.1.isEmpty })
            }
            try printOutput(blocks.joined(separator: "\n"))
        }
    }
}
