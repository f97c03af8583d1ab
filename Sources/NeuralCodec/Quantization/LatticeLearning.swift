// SPDX-License-Identifier: Apache-2.0
import CKernels

/// How a learned basis is held to orthogonal rows of equal lengths, for which rounding is exact.
public enum OrthogonalityConstraint: Sendable, Equatable {
    case none
    /// weight * |B B^T - I|^2 / n is added to the objective.
    case penalty(weight: Double)
    /// The rows stay orthonormal.
    case hard
}

/// What the rate of a coordinate is taken to be while the basis is learned, from its spread s among the samples of a step.
public enum CoordinateModel: Sendable {
    /// log2(1 + 2 pi e s^2) / 2, s the standard deviation: at small steps the entropy of a Gaussian coordinate, at large ones 0.
    case gaussian
    /// log2(1 + 2 e s), s the mean distance from the centre: for peaked coordinates with long tails. Can tell mixed sources apart where the Gaussian sees only variances.
    case laplace
}

/// Where a descent begins.
public enum LatticeStart: Int, Sendable {
    case identity = 0
    /// The eigenvectors of the samples' covariance.
    case principalAxes = 1
    /// The best lattice by name in this dimension, or a product of such: Leech, Barnes-Wall, E8, D_n, A2. For the exact search only.
    case classical = 2
    /// A random rotation; for the exact search a random basis.
    case random = 3

    /// "identity", "principal axes", "classical" or "random".
    public var name: String {
        switch self {
        case .identity: "identity"
        case .principalAxes: "principal axes"
        case .classical: "classical"
        case .random: "random"
        }
    }
}

/// How a lattice is learned.
public struct LatticeLearning {
    /// The basis is learned with unit volume, |det B| = 1, for this scale: the quantizer's.
    public var scale = 1.0
    /// The search that will be used. It decides what is descended: see `Quantizer.learning`.
    public var search = LatticeSearch.babai
    /// lambda: what a squared error of one step^2 a value costs, in bits a value. The default is the slope of rate against distortion at small steps, 6 / ln 2: the objective then
    /// falls by what the rate falls by at equal distortion.
    public var lambda = 0x1.14ff58be0a23fp3
    /// nil: a penalty of weight 0.1 for Babai's rounding, none for the other searches.
    public var orthogonality: OrthogonalityConstraint?
    public var model = CoordinateModel.gaussian
    /// The greatest ratio of singular values a basis may have. nil: 10, and 1000 for the exact search, which does not mind.
    public var conditionLimit: Double?
    /// Steps of each descent, samples of each step, and the first rate of learning, which falls to 0 in a straight line.
    public var steps = 600
    public var batch = 256
    public var rate = 0.02
    /// Descents: from the identity, the principal axes (for the exact search only where the integers cost less than two bits a value), a classical lattice (the exact search
    /// only) and random bases, in this order.
    public var starts = 4
    public var classicalStart = true
    public var seed: UInt64 = 1
    /// 0: all cores. Does not change the result.
    public var threads = 0
    /// Called with the fraction of the work done, on the calling thread; false cancels.
    public var progress: ((Double) -> Bool)?

    public init() {}
}

/// What a quantizer does to the samples that were held out.
public struct LatticeFigures: Sendable {
    /// Mean squared error of a value.
    public var distortion: Double
    /// Bits a value: entropies of the coordinates, each coded by itself.
    public var rate: Double
    /// Bits a value where each coordinate is coded given the linear prediction from those before it, rounded to quarters.
    public var chainedRate: Double
    /// Normalized second moment of the cell; measured for the exact search.
    public var secondMoment: Double
}

/// What came of learning a lattice, measured on held-out samples with the quantizers themselves.
public struct LatticeLearningReport: Sendable {
    /// The integers at the same scale: what a scalar quantizer does without any transform.
    public var scalar: LatticeFigures
    /// The learned basis with Babai's rounding, the nearest plane and the exact search.
    public var babai: LatticeFigures
    public var nearestPlane: LatticeFigures
    public var exact: LatticeFigures
    /// Rate + lambda * distortion / scale^2 of the search asked for, in bits a value, and that of the integers. The rate is the chained one for the exact search.
    public var objective: Double
    public var scalarObjective: Double
    /// Product of the rows' lengths / volume, 1 for orthogonal rows; and the ratio of the greatest singular value to the smallest.
    public var orthogonalityDefect: Double
    public var condition: Double
    /// How far the covariance of the errors is from a multiple of the unit matrix: the greatest deviation of an entry / the mean variance. Near 0 where no small change of the
    /// cell lowers the error, so for the best lattices, but for the integers too.
    public var errorDeviation: Double
    /// Part of the exact search's points that are proven to be closest ones (`nodeLimit`).
    public var proven: Double
    /// Where the best descent began.
    public var start: LatticeStart
    /// Samples learned from, and held out.
    public var samples: Int
    public var heldOut: Int
}

public struct LearnedLattice {
    /// On `basis`, with the scale and search of the options, and the correlation of the samples learned from.
    public let quantizer: Quantizer
    /// |det| = 1 but for rounding, row by row.
    public let basis: [Float]
    public let report: LatticeLearningReport
}

extension Quantizer {
    /// Learns the basis of a lattice from `samples`, vectors of `dimension` (1 to 64) values one after the other, at least 8 * dimension and 20 of them.
    ///
    /// A descent with minibatches and the steps of Adam (Kingma and Ba, 2015) on B, |det B| fixed to 1, after "Learning Optimal Lattice Vector Quantizers for End-to-end Neural
    /// Image Compression" (2024), but on samples rather than together with a network. What is descended depends on the search:
    /// - Babai's rounding and the nearest plane: the rate of the coordinates, each coded by itself, + lambda * distortion, the rounding passed straight through.
    /// - exact: the error of the closest point (Agrell and Eriksson, 1998). The rate is left out: for small steps the volume decides it, whatever the shape.
    ///
    /// Every fifth sample is held out. The basis returned is the one with the least objective on those, measured with the quantizer itself, of all starts and of those met on the
    /// way; where nothing was learned, that is the start. Rows come in a canonical order and sign where the search allows it.
    /// The same samples and options give the same basis on every machine.
    public static func learning(_ samples: UnsafeBufferPointer<Float>, dimension: Int, options: LatticeLearning = LatticeLearning()) throws -> LearnedLattice {
        try LatticeLearner(samples, dimension: dimension, options: options).learn()
    }
}

extension LatticeLearning {
    /// Of the penalty for Babai's rounding.
    public static let defaultWeight = 0.1

    var isExact: Bool { if case .exact = search { true } else { false } }

    /// The exact search of the report, with the limit that was asked for; without one, enough to prove nearly every point in up to 24 dimensions, and to end in more.
    var exactSearch: LatticeSearch {
        if case .exact(let limit) = search, limit > 0 { return .exact(nodeLimit: limit) }
        return .exact(nodeLimit: 1 << 16)
    }

    var constraint: OrthogonalityConstraint {
        if let orthogonality { return orthogonality }
        if case .babai = search { return .penalty(weight: Self.defaultWeight) }
        return .none
    }

    var mostCondition: Double { conditionLimit ?? (isExact ? 1000 : 10) }

    /// Refuses options that are out of range or contradict each other.
    public func check() throws {
        func demand(_ condition: Bool, _ message: @autoclosure () -> String) throws { if !condition { throw CodecError(.invalidArgument, message()) } }
        _ = try Quantizer.checked(scale: scale)
        try demand(lambda > 0 && lambda <= 0x1p40, "a lambda of \(lambda): it must be positive and at most 2^40")
        try demand(mostCondition > 1 && mostCondition <= 0x1p16, "a condition limit of \(mostCondition): it must be above 1 and at most 2^16")
        try demand((1...1_000_000).contains(steps), "\(steps) steps: 1 to 1000000 are possible")
        try demand((1...65536).contains(batch), "a batch of \(batch) samples: 1 to 65536 are possible")
        try demand(rate > 0 && rate <= 0.5, "a rate of learning of \(rate): it must be positive and at most 0.5")
        try demand((1...256).contains(starts), "\(starts) starts: 1 to 256 are possible")
        if case .penalty(let weight) = constraint {
            try demand(weight >= 0 && weight <= 0x1p40, "an orthogonality weight of \(weight): it must be 0 to 2^40")
        }
        try demand(!(constraint == .hard && isExact), "an orthogonal basis leaves the exact search nothing to find: learn it for Babai's rounding, or without the constraint")
        try checkThreads(threads)
    }
}
