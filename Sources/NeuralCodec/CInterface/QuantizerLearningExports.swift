// SPDX-License-Identifier: Apache-2.0
// Exports of "Learning a lattice". neuralcodec.h documents them.
import CNeuralCodec

private func defaultLearningOptions() -> nc_lattice_learning_options {
    let defaults = LatticeLearning()
    var options = nc_lattice_learning_options()
    options.struct_size = MemoryLayout<nc_lattice_learning_options>.size
    options.scale = defaults.scale
    options.lambda = defaults.lambda
    options.orthogonality_weight = LatticeLearning.defaultWeight
    options.learning_rate = defaults.rate
    options.steps = UInt32(defaults.steps)
    options.batch = UInt32(defaults.batch)
    options.starts = UInt32(defaults.starts)
    options.classical_start = defaults.classicalStart ? 1 : 0
    options.seed = defaults.seed
    return options
}

extension LatticeLearning {
    fileprivate init(_ options: nc_lattice_learning_options) throws {
        self.init()
        try checkSize(options.struct_size, nc_lattice_learning_options.self, "options")
        scale = options.scale
        search = try LatticeSearch(options.search, nodeLimit: options.node_limit)
        lambda = options.lambda
        orthogonality = try OrthogonalityConstraint(options.orthogonality, weight: options.orthogonality_weight, search: search)
        model = try CoordinateModel(options.model)
        conditionLimit = options.condition_limit == 0 ? nil : options.condition_limit
        rate = options.learning_rate
        steps = Int(options.steps)
        batch = Int(options.batch)
        starts = Int(options.starts)
        classicalStart = options.classical_start != 0
        seed = options.seed
        threads = Int(options.threads)
        progress = callback(options.progress, options.progress_user)
    }
}

extension OrthogonalityConstraint {
    fileprivate init(_ constraint: nc_orthogonality, weight: Double, search: LatticeSearch) throws {
        switch constraint {
        case NC_ORTHOGONALITY_DEFAULT: if case .babai = search { self = .penalty(weight: weight) } else { self = .none }
        case NC_ORTHOGONALITY_NONE: self = .none
        case NC_ORTHOGONALITY_PENALTY: self = .penalty(weight: weight)
        case NC_ORTHOGONALITY_HARD: self = .hard
        default: throw CodecError(.invalidArgument, "options.orthogonality is \(constraint.rawValue), which is no nc_orthogonality")
        }
    }
}

extension CoordinateModel {
    fileprivate init(_ model: nc_coordinate_model) throws {
        switch model {
        case NC_COORDINATE_GAUSSIAN: self = .gaussian
        case NC_COORDINATE_LAPLACE: self = .laplace
        default: throw CodecError(.invalidArgument, "options.model is \(model.rawValue), which is no nc_coordinate_model")
        }
    }
}

extension nc_lattice_figures {
    fileprivate init(_ figures: LatticeFigures) {
        self.init(distortion: figures.distortion, rate: figures.rate, chained_rate: figures.chainedRate, nsm: figures.secondMoment)
    }
}

extension nc_lattice_learning_report {
    fileprivate init(_ report: LatticeLearningReport) {
        self.init(
            struct_size: MemoryLayout<Self>.size, scalar: nc_lattice_figures(report.scalar), babai: nc_lattice_figures(report.babai),
            nearest_plane: nc_lattice_figures(report.nearestPlane), exact: nc_lattice_figures(report.exact), objective: report.objective,
            scalar_objective: report.scalarObjective, orthogonality_defect: report.orthogonalityDefect, condition: report.condition,
            error_deviation: report.errorDeviation, proven: report.proven, start: nc_lattice_start(UInt32(report.start.rawValue)), samples: report.samples,
            held_out: report.heldOut)
    }
}

@_cdecl("nc_lattice_learning_options_init")
public func exportLatticeLearningOptionsInit(_ options: UnsafeMutablePointer<nc_lattice_learning_options>?) { options?.pointee = defaultLearningOptions() }

@_cdecl("nc_quantizer_learn")
public func exportQuantizerLearn(
    _ samples: UnsafePointer<Float>?, _ count: Int, _ dimension: Int, _ options: UnsafePointer<nc_lattice_learning_options>?,
    _ quantizer: UnsafeMutablePointer<OpaquePointer?>?, _ report: UnsafeMutablePointer<nc_lattice_learning_report>?
) -> nc_status {
    openQuantizer(quantizer) {
        let options = try LatticeLearning(options?.pointee ?? defaultLearningOptions())
        if let report { try checkSize(report.pointee.struct_size, nc_lattice_learning_report.self, "report") }
        let learned = try Quantizer.learning(try matrix(samples, count, dimension, "samples"), dimension: dimension, options: options)
        report?.pointee = nc_lattice_learning_report(learned.report)
        return learned.quantizer
    }
}
