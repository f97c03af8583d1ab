// SPDX-License-Identifier: Apache-2.0
import CKernels

/// E8, Barnes-Wall or Leech: groups of neighbouring channels are vectors, y_hat = point + mean. Points are coded with the exact model of docs/quantizers.md, by the scales
/// themselves; the Gaussian tables are not used.
struct ClassicalLattice: LatentQuantizer {
    private let parameters: GaussianParameters
    private let lattice: nck_lattice
    private let scale: Float
    private let coder: LatticeCoder
    private let coordinates: LatticeCoordinates
    let symbolStep: Float

    private static let kinds: [String: (lattice: nck_lattice, kind: LatticeKind, dimension: Int)] = [
        "e8": (NCK_LATTICE_E8, .gosset, 8), "barnes-wall": (NCK_LATTICE_BW16, .barnesWall, 16), "leech": (NCK_LATTICE_LEECH, .leech, 24),
    ]

    static func exists(_ name: String) -> Bool { kinds[name] != nil }

    /// `name` is one that `exists`. Tensor lattice.scale, one value.
    init(_ name: String, _ loader: WeightLoader, _ parameters: GaussianParameters, slices: [Int]) throws {
        let known = Self.kinds[name]!
        scale = try loader.floats("lattice.scale", [1])[0]
        guard (0x1p-20...0x1p20).contains(scale) else { throw CodecError(.badModel, "tensor 'lattice.scale' (\(scale)) is not in 2^-20...2^20") }
        try checkWholeVectors(slices, known.dimension, name)
        self.parameters = parameters
        lattice = known.lattice
        coder = try LatticeCoder(known.kind, dimension: known.dimension)
        coordinates = LatticeCoordinates(known.kind, dimension: known.dimension)
        symbolStep = known.kind == .gosset ? scale / 2 : scale
    }

    var latticeCoder: LatticeCoder? { coder }

    func scratchCount(_ channels: Int) -> Int { ThreadTeam.spanLength * channels }

    func setParameters(_ part: LatentPart, _ raw: UnsafePointer<Float>) {
        parameters.set(part, raw)
        for position in 0 ..< part.count {
            let scales = raw + (2 * position + 1) * part.width
            GaussianTables.scaleIndices(
                UnsafeBufferPointer(start: scales, count: part.width), step: symbolStep,
                into: UnsafeMutableBufferPointer(start: part.indices + position * part.width, count: part.width))
        }
    }

    func quantize(_ part: LatentPart, _ y: UnsafePointer<Float>, _ yStep: Int) {
        let (kernels, difference) = (part.context.kernels, part.scratch)
        parameters.differences(part, y, yStep, means: part.values, part.step, into: difference)
        kernels.quantizers.nearest(lattice, coder.dimension, scale, difference, difference, part.symbols, part.count * part.width / coder.dimension)
        kernels.add(part.width, difference, part.width, part.values, part.step, part.values, part.step, part.count)
        eachVector(part) { coordinates.point($0, into: $1) }
    }

    func rebuild(_ part: LatentPart) {
        eachVector(part) { coordinates.coordinates($0, into: $1) }
        let kernels = part.context.kernels
        kernels.quantizers.lattice_points(lattice, coder.dimension, scale, part.symbols, part.scratch, part.count * part.width / coder.dimension)
        kernels.add(part.width, part.scratch, part.width, part.values, part.step, part.values, part.step, part.count)
    }

    /// Replaces the integers of each vector.
    private func eachVector(_ part: LatentPart, _ replace: (_ from: UnsafePointer<Int32>, _ to: UnsafeMutablePointer<Int32>) -> Void) {
        let n = coder.dimension
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: n) { copy in
            let copy = copy.baseAddress!
            for first in stride(from: 0, to: part.count * part.width, by: n) {
                copy.update(from: part.symbols + first, count: n)
                replace(copy, part.symbols + first)
            }
        }
    }
}

/// Each slice of a network's latents is to hold whole vectors.
func checkWholeVectors(_ slices: [Int], _ dimension: Int, _ lattice: String) throws {
    if let slice = slices.first(where: { $0 % dimension != 0 }) {
        throw CodecError(.badModel, "\(slice) channels are no whole vectors of the lattice '\(lattice)', which has \(dimension) dimensions")
    }
}
