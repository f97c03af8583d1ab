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

/// Slope of the negative side of LeakyReLU in every model family so far.
let leakySlope: Float = 0x1.99999ap-4
/// The slope that leaves values as they are.
let noActivation: Float = 1

/// What every layer needs of the call it runs in.
struct LayerContext {
    let kernels: nck_kernels
    let team: ThreadTeam
    /// Values of all rate tables at the call's rate parameter, in the order of `RateTable.offset`.
    let rates: UnsafeMutablePointer<Float>
}
