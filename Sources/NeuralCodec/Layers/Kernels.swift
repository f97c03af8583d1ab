// SPDX-License-Identifier: Apache-2.0
import CKernels
import Glibc

/// The kernels of one instruction set; held by the call that uses them.
struct Kernels {
    let table: nck_kernels

    var name: String { String(cString: table.name) }

    /// The path that `NEURALCODEC_ISA` names, or the fastest this machine supports. The variable is read at each call.
    static func current() throws -> Kernels {
        guard let forced = getenv("NEURALCODEC_ISA"), forced.pointee != 0 else { return try named(nil) }
        return try named(String(cString: forced))
    }

    static func named(_ name: String?) throws -> Kernels {
        var found: UnsafePointer<nck_kernels>?
        let selection = name.map { nck_select($0, &found) } ?? nck_select(nil, &found)
        if selection == NCK_SELECTED, let found { return Kernels(table: found.pointee) }
        let known = "known are portable, avx2 and avx512 on x86-64, portable and neon on AArch64"
        if selection == NCK_UNSUPPORTED {
            throw CodecError(.cpuUnsupported, "NEURALCODEC_ISA: this CPU or system does not support '\(name ?? "")'; \(known)")
        }
        throw CodecError(.cpuUnsupported, "NEURALCODEC_ISA: '\(name ?? "")' is no instruction set of this build; \(known)")
    }
}

// The kernels of pixels, by the bits of a sample.
extension nck_kernels {
    typealias Samples = UnsafePointer<UInt8>?
    typealias MutableSamples = UnsafeMutablePointer<UInt8>?
    typealias Values = UnsafePointer<Float>?
    typealias MutableValues = UnsafeMutablePointer<Float>?

    func patches(bits bitDepth: Int) -> @convention(c) (Samples, Int, Int, Int, Int, Int, Int, MutableValues, Int) -> Void {
        bitDepth == 16 ? patches_16 : patches
    }

    func pixels(bits bitDepth: Int) -> @convention(c) (Values, Int, Values, Int, Int, Int, MutableSamples, Int, Int, Int, Int) -> Void {
        bitDepth == 16 ? pixels_16 : pixels
    }

    func pixelsToMap(bits bitDepth: Int) -> @convention(c) (Samples, Int, Int, Int, Int, Int, Int, MutableValues, Int, Int) -> Void {
        bitDepth == 16 ? pixels_to_map_16 : pixels_to_map
    }

    func mapToPixels(bits bitDepth: Int) -> @convention(c) (Values, Int, Int, Int, Int, MutableSamples, Int, Int, Int, Int) -> Void {
        bitDepth == 16 ? map_to_pixels_16 : map_to_pixels
    }
}

extension nck_activation {
    static let none = nck_activation(function: NCK_IDENTITY, slope: 0)
    /// LeakyReLU of slope 0.1, the default family's.
    static let leakyReLU = leakyReLU(slope: 0x1.99999ap-4)
    static func leakyReLU(slope: Float) -> Self { nck_activation(function: NCK_LEAKY_RELU, slope: slope) }
    static let relu = nck_activation(function: NCK_RELU, slope: 0)
    static let gelu = nck_activation(function: NCK_GELU, slope: 0)
    static let sigmoid = nck_activation(function: NCK_SIGMOID, slope: 0)
    static let softplus = nck_activation(function: NCK_SOFTPLUS, slope: 0)
    static let tanh = nck_activation(function: NCK_TANH, slope: 0)
}

/// What every layer needs of the call it runs in.
struct LayerContext {
    let kernels: nck_kernels
    let team: ThreadTeam
    /// Values of all rate tables at the call's rate parameter, in the order of `RateTable.offset`.
    let rates: UnsafeMutablePointer<Float>
}
