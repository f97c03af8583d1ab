// SPDX-License-Identifier: Apache-2.0
import CPlatform

/// A value that is made on first use and kept; if making it fails, the next use tries again.
final class OnceLoaded<Value>: @unchecked Sendable {
    private let lock = ncp_lock_create()
    private var loaded: Value?

    func value(_ make: () throws -> Value) throws -> Value {
        guard let lock else { throw CodecError(.outOfMemory, "out of memory") }
        ncp_lock_acquire(lock)
        defer { ncp_lock_release(lock) }
        if let loaded { return loaded }
        let value = try make()
        loaded = value
        return value
    }
}
