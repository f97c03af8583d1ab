// SPDX-License-Identifier: Apache-2.0
import CPlatform

/// Runs `body` in the standard floating-point environment, whatever the host program has set, and restores the host's.
func withStandardFloatingPoint<Result>(_ body: () throws -> Result) rethrows -> Result {
    let saved = ncp_fp_enter()
    defer { ncp_fp_leave(saved) }
    return try body()
}
