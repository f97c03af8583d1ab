// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

/// How the point of a lattice given by a basis is chosen.
enum SearchName: String, CaseIterable, ExpressibleByArgument {
    case babai
    case nearestPlane = "nearest-plane"
    case exact
}

/// Which quantizer.
struct QuantizerOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Lattice, or scalar; 'neuralcodec lattice list' names them.", valueName: "name"))
    var lattice: String?

    @Option(help: ArgumentHelp("Lattice that the rows of the array (n, n) span; .npy.", valueName: "file"), completion: .file())
    var basis: String?

    @Option(help: ArgumentHelp("Codewords, an array (count, n); .npy.", valueName: "file"), completion: .file())
    var codebook: String?

    @Option(help: ArgumentHelp("Dimension of a lattice that exists in more than one.", valueName: "n"))
    var dimension: Int?

    @Option(help: ArgumentHelp("Points are those of the unscaled quantizer times this.", valueName: "s"))
    var scale = 1.0

    @Option(parsing: .unconditional, help: ArgumentHelp("Of scalar: the point of index i is i * scale + offset.", valueName: "x"))
    var offset = 0.0

    @Option(help: ArgumentHelp("Of scalar: values up to so many steps from the offset get index 0.", valueName: "steps"))
    var deadZone = 0.0

    @Option(help: ArgumentHelp("For --basis: babai (rounding), nearest-plane or exact. (default: babai)", valueName: "search"))
    var search: SearchName?

    @Option(help: ArgumentHelp("For --search exact: try at most so many integers for a vector, then take the best so far; 0: no limit.", valueName: "n"))
    var nodeLimit: Count?

    @Option(
        help: ArgumentHelp("For --basis: correlation of the vectors' values, for the entropy coder alone, an array (n, n); .npy. (default: independent)", valueName: "file"))
    var correlation: String?

    func validate() throws {
        let given = [lattice == nil ? nil : "--lattice", basis == nil ? nil : "--basis", codebook == nil ? nil : "--codebook"].compactMap { $0 }
        guard given.count <= 1 else { throw ValidationError("\(given.joined(separator: " and ")) exclude each other") }
        guard given.count == 1 else { throw ValidationError("one of --lattice, --basis and --codebook is needed") }
        guard scale > 0, scale.isFinite else { throw ValidationError("--scale \(scale) is not positive and finite") }
        guard lattice != nil || dimension == nil else { throw ValidationError("--dimension is for --lattice") }
        guard lattice == "scalar" || (offset == 0 && deadZone == 0) else { throw ValidationError("--offset and --dead-zone are for --lattice scalar") }
        guard basis != nil || search == nil else { throw ValidationError("--search is for --basis") }
        guard search == .exact || nodeLimit == nil else { throw ValidationError("--node-limit is for --search exact") }
        guard basis != nil || correlation == nil else { throw ValidationError("--correlation is for --basis") }
    }

    /// Files to read, of which one may be standard input.
    var files: [String?] { [basis, codebook, correlation] }

    func quantizer() throws -> Quantizer {
        if let basis {
            let chosen: LatticeSearch =
                switch search ?? .babai {
                case .babai: .babai
                case .nearestPlane: .nearestPlane
                case .exact: .exact(nodeLimit: UInt64(nodeLimit?.value ?? 0))
                }
            return try readBasis(basis, scale: scale, search: chosen, correlation: correlation)
        }
        if let codebook { return try readCodebook(codebook, scale: scale) }
        return try Quantizer(name: lattice!, dimension: dimension ?? 0, scale: scale, offset: offset, deadZone: deadZone)
    }
}

/// A lattice from an array (n, n) of a .npy file, and its correlation from another.
func readBasis(_ path: String, scale: Double, search: LatticeSearch, correlation: String? = nil) throws -> Quantizer {
    try readMatrix(path) { rows, shape, name in
        let rows = Array(rows), n = shape[1]
        guard shape[0] == n else { throw Failure("\(name) has the shape \(describe(shape)); a basis has as many rows as columns") }
        // The basis alone first, so that each file is blamed for what is its own fault.
        let independent = try Quantizer(basis: rows, dimension: n, scale: scale, search: search)
        guard let correlation else { return independent }
        return try readMatrix(correlation) { values, shape, name in
            guard shape == [n, n] else { throw Failure("\(name) has the shape \(describe(shape)); a correlation for this basis has \(describe([n, n]))") }
            return try Quantizer(basis: rows, dimension: n, scale: scale, search: search, correlation: Array(values))
        }
    }
}

private func readCodebook(_ path: String, scale: Double) throws -> Quantizer {
    try readMatrix(path) { rows, shape, _ in try Quantizer(codebook: UnsafeBufferPointer(rows), count: shape[0], dimension: shape[1], scale: scale) }
}

/// Makes a quantizer of an array with two axes. What the library has against its values is a fault of the file, not wrong usage.
private func readMatrix(
    _ path: String, _ make: (_ rows: UnsafeMutableBufferPointer<Float>, _ shape: [Int], _ name: String) throws -> Quantizer
) throws -> Quantizer {
    let name = displayName(path, standard: "standard input")
    let array = try NPYArray(readFile(path), name: name, types: [.float32, .float64])
    guard array.shape.count == 2 else { throw Failure("\(name) has the shape \(describe(array.shape)), not two axes") }
    let memory = try ByteBuffer(count: 4 * array.count)
    let rows = memory.bytes.bindMemory(to: Float.self)
    array.copyFloats(to: rows)
    do {
        return try withExtendedLifetime(memory) { try make(rows, array.shape, name) }
    } catch let error as CodecError where error.status == .invalidArgument {
        throw Failure("\(name): \(error.message)")
    }
}
