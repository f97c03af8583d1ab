// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

struct Analyze: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what a model leaves to code in a picture: correlation of its latents, and bits of each channel.",
        discussion: """
            Latents are normalized by the means and scales that the decoder predicts: what correlation is left between neighbours is rate that a better prediction could save. \
            With --out a folder receives analysis.json and PNG pictures of latent, mean, scale, normalized and quantized latent of some channels, of the bits of each position and of the \
            correlation maps. Values are for one quality; models without a hyperprior cannot be analysed.
            """)

    @Argument(help: ArgumentHelp("PNG, PPM, PGM or PAM picture; -: standard input.", valueName: "picture"), completion: .file())
    var input: String

    @Option(help: ArgumentHelp("Folder that receives analysis.json and pictures; made if it is not there, and its files of the same names are replaced.", valueName: "dir"), completion: .directory)
    var out: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("0 (smallest file) ... 100 (best picture), fractions allowed; no matter to a model of one rate.", valueName: "q"))
    var quality = 75.0

    @Option(help: ArgumentHelp("Side of the correlation maps in latents: odd, \(CorrelationMap.windows.lowerBound) to \(CorrelationMap.windows.upperBound).", valueName: "k"))
    var window = 5

    @Option(help: ArgumentHelp("Channels to draw, with --out. (default: the two of most bits)", valueName: "c,c,..."))
    var channels: ChannelList?

    @Flag(help: "Print a JSON object, that of analysis.json.")
    var json = false

    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard (0...100).contains(quality) else { throw ValidationError("--quality \(quality) is not in 0...100") }
        guard CorrelationMap.windows.contains(window), window % 2 == 1 else {
            throw ValidationError("--window \(window) is not odd and in \(CorrelationMap.windows)")
        }
        if channels != nil, out == nil { throw ValidationError("--channels is for the pictures of --out") }
    }

    func run() throws {
        let model = try shared.model.map(Model.open) ?? Model.embedded()
        let name = displayName(input, standard: "standard input")
        let picture = try readFile(input).withBytes { try readPicture($0, name: name, limits: shared.limits).picture }
        let analysis = try analyzed(picture, model, name: name)
        let drawn = channels?.values ?? Array(analysis.channelsByRate.prefix(2))
        if let wrong = drawn.first(where: { $0 >= analysis.channels }) {
            throw Failure("there is no channel \(wrong): the model has \(analysis.channels), 0 to \(analysis.channels - 1)")
        }
        let maps = out == nil ? [] : heatMaps(of: analysis, channels: drawn)
        let report = report(analysis, picture, model, maps).text + "\n"
        if let out {
            let folder = out.hasSuffix("/") ? out : out + "/"
            try makeFolders(of: folder)
            for map in maps { try withPNG(of: try map.picture(), Metadata(), rawProfiles: false) { try writeFile(folder + map.file, $0) } }
            // Last, so that it speaks of pictures that are there.
            var text = report
            try text.withUTF8 { try writeFile(folder + "analysis.json", UnsafeRawBufferPointer($0)) }
        }
        try printOutput(json ? report : summary(analysis))
    }

    private func analyzed(_ picture: Picture, _ model: Model, name: String) throws -> LatentAnalysis {
        let progress = ProgressBar("analysing")
        defer { progress.clear() }
        var options = AnalysisOptions()
        options.quality = quality
        options.window = window
        options.threads = shared.threads
        options.limits = shared.limits
        options.progress = progress.update
        return try naming(name) { try picture.withView { try analyze($0, model: model, options: options) } }
    }

    private func report(_ analysis: LatentAnalysis, _ picture: Picture, _ model: Model, _ maps: [HeatMap]) -> JSON {
        func numbers(_ values: some Sequence<Double>) -> JSON { .array(values.map(JSON.number)) }
        func rows(_ map: CorrelationMap) -> JSON {
            .array((0..<map.window).map { numbers(map.values[$0 * map.window..<($0 + 1) * map.window]) })
        }
        return .object([
            ("width", .integer(picture.width)),
            ("height", .integer(picture.height)),
            ("model_id", .string(model.id)),
            ("model_hash", .string(hexadecimal(model.hash))),
            ("quality", model.hasVariableRate ? .number(analysis.quality) : .null),
            ("rate_parameter", .integer(analysis.rate)),
            ("latent_shape", .array([analysis.channels, analysis.rows, analysis.columns].map(JSON.integer))),
            ("bpp", .number(analysis.latentBits)),
            ("hyper_bpp", .number(analysis.hyperlatentBits)),
            ("average_correlation", .number(analysis.correlation.average)),
            ("average_correlation_quantized", .number(analysis.quantizedCorrelation.average)),
            ("correlation_map", rows(analysis.correlation)),
            ("correlation_map_quantized", rows(analysis.quantizedCorrelation)),
            ("channel_bpp", numbers(analysis.channelBits)),
            ("channels_by_rate", .array(analysis.channelsByRate.map(JSON.integer))),
            ("pictures", .array(maps.map(\.description))),
        ])
    }

    private func summary(_ analysis: LatentAnalysis) -> String {
        let top = analysis.channelsByRate.prefix(5).map { "\($0) (\(decimal(analysis.channelBits[$0], places: 4)))" }.joined(separator: ", ")
        var rows = [
            ("latents", "\(analysis.channels) channels of \(analysis.columns) x \(analysis.rows), \(decimal(analysis.latentBits, places: 4)) bits per pixel"),
            ("hyperlatents", "\(decimal(analysis.hyperlatentBits, places: 4)) bits per pixel"),
            ("correlation", "average \(decimal(analysis.correlation.average, places: 4)), of the quantized latents \(decimal(analysis.quantizedCorrelation.average, places: 4))"),
            ("channels", "of most bits per pixel: \(top)"),
        ]
        if let out { rows.append(("written", out)) }
        return table(rows)
    }
}

/// Numbers of channels, separated by commas.
struct ChannelList: ExpressibleByArgument {
    let values: [Int]

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        values = parts.compactMap { $0 }.filter { $0 >= 0 }
        guard values.count == parts.count, Set(values).count == values.count else { return nil }
    }
}
