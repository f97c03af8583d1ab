// SPDX-License-Identifier: Apache-2.0

/// A value that is made on first use and kept; if making it fails, the next use tries again.
final class OnceLoaded<Value>: @unchecked Sendable {
    private let lock = Lock()
    private var loaded: Value?

    func value(_ make: () throws -> Value) throws -> Value {
        try lock.locked {
            if let loaded { return loaded }
            let value = try make()
            loaded = value
            return value
        }
    }
}
