// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

enum OrthogonalityName: String, CaseIterable, ExpressibleByArgument {
    case free = "none"
    case penalty, hard
}

enum ModelName: String, CaseIterable, ExpressibleByArgument { case gaussian, laplace }

struct LatticeLearn: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "learn", abstract: "Learn the basis of a lattice from sample vectors.",
        discussion: """
            The last axis of the array (float32 or float64) holds a vector, or several one after the other. Writes the basis, an array (n, n) of unit volume, for \
            'neuralcodec quantize --basis' with the same --scale and --search, and prints what it does to samples that were held out.
            """)

    @Argument(help: ArgumentHelp("Array of samples, .npy; -: standard input.", valueName: "samples"), completion: .file())
    var input: String

    @Option(name: .shortAndLong, help: ArgumentHelp("Basis to write, .npy; -: standard output.", valueName: "file"), completion: .file())
    var output: String

    @Option(help: ArgumentHelp("Also write the correlation of the samples' values, for 'lattice encode --correlation'; .npy.", valueName: "file"))
    var correlation: String?

    @Option(help: ArgumentHelp("Dimension of the lattice. (default: the length of the last axis)", valueName: "n"))
    var dimension: Int?

    @Option(help: ArgumentHelp("Scale to quantize with: the side of a cell.", valueName: "s"))
    var scale = 1.0

    @Option(help: ArgumentHelp("Search to quantize with: babai (rounding), nearest-plane or exact.", valueName: "search"))
    var search = SearchName.babai

    @Option(help: ArgumentHelp("For --search exact: try at most so many integers for a vector; 0: no limit (65536 while learning).", valueName: "n"))
    var nodeLimit: Count?

    @Option(help: ArgumentHelp("Bits a value that a squared error of scale^2 a value costs. (default: 6 / ln 2)", valueName: "bits"))
    var lambda: Double?

    @Option(help: ArgumentHelp("Hold rows to orthogonality: none, penalty or hard. (default: penalty for babai, else none)", valueName: "how"))
    var orthogonality: OrthogonalityName?

    @Option(help: ArgumentHelp("Weight of the penalty. (default: 0.1)", valueName: "w"))
    var orthogonalityWeight: Double?

    @Option(help: ArgumentHelp("Greatest ratio of singular values of the basis. (default: 10; exact: 1000)", valueName: "ratio"))
    var conditionLimit: Double?

    @Option(help: ArgumentHelp("What coordinates are taken to be like: gaussian or laplace (peaked, with long tails).", valueName: "model"))
    var model = ModelName.gaussian

    @Option(help: ArgumentHelp("Steps of a descent.", valueName: "n"))
    var steps = LatticeLearning().steps

    @Option(help: ArgumentHelp("Samples of a step.", valueName: "n"))
    var batch = LatticeLearning().batch

    @Option(help: ArgumentHelp("Rate of learning of the first step; it falls to 0.", valueName: "rate"))
    var learningRate = LatticeLearning().rate

    @Option(help: ArgumentHelp("Descents, from different bases.", valueName: "n"))
    var starts = LatticeLearning().starts

    @Flag(help: "With --search exact, do not start from a classical lattice.")
    var noClassicalStart = false

    @Option(help: ArgumentHelp("Draws random bases and the samples of a step.", valueName: "n"))
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("Number of threads; 0: all cores. Does not change the result.", valueName: "n"))
    var threads = 0

    @Flag(help: "Print a JSON object.")
    var json = false

    func validate() throws {
        guard (0...1024).contains(threads) else { throw ValidationError("--threads \(threads) is not in 0...1024") }
        guard scale > 0, scale.isFinite else { throw ValidationError("--scale \(scale) is not positive and finite") }
        if let dimension, !(1...Quantizer.mostDimensions).contains(dimension) {
            throw ValidationError("--dimension \(dimension) is not in 1...\(Quantizer.mostDimensions)")
        }
        guard output != "-" || correlation != "-" else { throw ValidationError("only one file can go to standard output") }
        guard search == .exact || nodeLimit == nil else { throw ValidationError("--node-limit is for --search exact") }
        guard search == .exact || !noClassicalStart else { throw ValidationError("--no-classical-start is for --search exact") }
        guard orthogonalityWeight == nil || orthogonality == .penalty || (orthogonality == nil && search == .babai) else {
            throw ValidationError("--orthogonality-weight is for --orthogonality penalty")
        }
    }

    func run() throws {
        let name = displayName(input, standard: "standard input")
        let array = try NPYArray(readFile(input), name: name, types: [.float32, .float64])
        guard let last = array.shape.last else { throw Failure("\(name) has the shape \(describe(array.shape)), and no axis of vectors") }
        let n = dimension ?? last
        guard n > 0, last % n == 0 else { throw Failure("\(name) has the shape \(describe(array.shape)); the last axis of samples is a multiple of \(n)") }
        let memory = try ByteBuffer(count: 4 * array.count)
        let values = memory.bytes.bindMemory(to: Float.self)
        array.copyFloats(to: values)

        // What is wrong with the options is wrong usage, what is wrong with the samples a failure; the library does not tell one from the other, so options go first.
        let progress = ProgressBar("learning"), options = options(progress: progress)
        try options.check()
        defer { progress.clear() }
        let learned: LearnedLattice
        do {
            learned = try withExtendedLifetime(memory) { try Quantizer.learning(UnsafeBufferPointer(values), dimension: n, options: options) }
        } catch let error as CodecError where error.status == .invalidArgument {
            throw Failure("\(name): \(error.message)")
        }
        progress.clear()

        try write(learned.basis, n, to: output)
        if let correlation { try write(learned.quantizer.correlation ?? [], n, to: correlation) }
        let text = json ? report(learned) : summary(learned)
        if output == "-" || correlation == "-" { printToStandardError(text) } else { try printOutput(text) }
    }

    private func write(_ matrix: [Float], _ n: Int, to path: String) throws {
        let array = try NPYFile(.float32, shape: [n, n])
        _ = array.values(as: Float.self).update(from: matrix)
        try array.file.withBytes { try writeFile(path, $0) }
    }

    private func options(progress: ProgressBar) -> LatticeLearning {
        var options = LatticeLearning()
        options.scale = scale
        switch search {
        case .babai: options.search = .babai
        case .nearestPlane: options.search = .nearestPlane
        case .exact: options.search = .exact(nodeLimit: UInt64(nodeLimit?.value ?? 0))
        }
        if let lambda { options.lambda = lambda }
        let weight = orthogonalityWeight ?? LatticeLearning.defaultWeight
        switch orthogonality ?? (search == .babai ? .penalty : .free) {
        case .free: options.orthogonality = OrthogonalityConstraint.none
        case .penalty: options.orthogonality = .penalty(weight: weight)
        case .hard: options.orthogonality = .hard
        }
        options.model = model == .gaussian ? .gaussian : .laplace
        options.conditionLimit = conditionLimit
        (options.steps, options.batch, options.rate, options.starts) = (steps, batch, learningRate, starts)
        (options.classicalStart, options.seed, options.threads) = (!noClassicalStart, seed, threads)
        options.progress = progress.update
        return options
    }

    // MARK: - What is printed

    private func rows(_ learned: LearnedLattice) -> [(key: String, label: String, figures: LatticeFigures)] {
        let report = learned.report
        return [
            ("scalar", "scalar, no transform", report.scalar), ("babai", "babai", report.babai), ("nearest_plane", "nearest plane", report.nearestPlane),
            ("exact", "exact", report.exact),
        ]
    }

    private func summary(_ learned: LearnedLattice) -> String {
        let report = learned.report, n = learned.quantizer.dimension
        let head = table([
            ("lattice", "\(n) \(n == 1 ? "dimension" : "dimensions"), for \(search.rawValue) at scale \(plain(scale))"),
            ("samples", "\(report.samples) to learn from, \(report.heldOut) held out"),
            ("best start", report.start.name),
            ("objective", "\(decimal(report.objective, places: 4)) bits a value; scalar \(decimal(report.scalarObjective, places: 4))"),
            ("orthogonality defect", plain(report.orthogonalityDefect)),
            ("condition", plain(report.condition)),
            ("error deviation", decimal(report.errorDeviation, places: 4)),
            ("proven closest", "\(decimal(100 * report.proven, places: 1)) % of the exact search"),
        ])
        let figures = rows(learned).map { _, label, figures in
            [
                label, plain(figures.distortion), decimal(figures.rate, places: 4), decimal(figures.chainedRate, places: 4), decimal(figures.secondMoment, places: 6),
            ]
        }
        return head + "\n" + columns([["search", "squared error", "bits a value", "chained", "NSM"]] + figures)
    }

    private func report(_ learned: LearnedLattice) -> String {
        let report = learned.report
        let figures = rows(learned).map { key, _, figures in
            (
                key,
                JSON.object([
                    ("distortion", .number(figures.distortion)), ("rate", .number(figures.rate)), ("chained_rate", .number(figures.chainedRate)),
                    ("nsm", .number(figures.secondMoment)),
                ])
            )
        }
        return JSON.object(
            [
                ("dimension", .integer(learned.quantizer.dimension)),
                ("scale", .number(shortest(learned.quantizer.scale))),
                ("search", .string(search.rawValue)),
                ("samples", .integer(report.samples)),
                ("held_out", .integer(report.heldOut)),
                ("start", .string(report.start.name)),
                ("objective", .number(report.objective)),
                ("scalar_objective", .number(report.scalarObjective)),
                ("orthogonality_defect", .number(report.orthogonalityDefect)),
                ("condition", .number(report.condition)),
                ("error_deviation", .number(report.errorDeviation)),
                ("proven", .number(report.proven)),
            ] + figures
        ).text + "\n"
    }
}
