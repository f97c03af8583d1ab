// SPDX-License-Identifier: Apache-2.0
import CNeuralCodec
import CPlatform

public enum Library {
    /// "MAJOR.MINOR.PATCH", from the header.
    public static let version = "\(NC_VERSION_MAJOR).\(NC_VERSION_MINOR).\(NC_VERSION_PATCH)"

    /// The instruction-set path and the number of logical cores.
    public static var cpuInfo: String {
        guard let kernels = try? Kernels.current() else { return "unsupported" }
        return "\(kernels.name), \(coreCount) cores"
    }

    /// Logical cores that this process may use.
    public static var coreCount: Int { ncp_core_count() }
}
