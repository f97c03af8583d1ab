// SPDX-License-Identifier: Apache-2.0
import CPlatform
import Glibc
import Synchronization

@testable import NeuralCodec

private let header = 16

/// Allocators that watch, fail or litter. They are process-wide, which is why tests must run one after the other.
private enum Watched {
    static let largest = Atomic<Int>(0)
    static let bytes = Atomic<Int>(0)
    static let peak = Atomic<Int>(0)
    static let live = Atomic<Int>(0)
    static let calls = Atomic<Int>(0)
    static let failing = Atomic<Int>(-1)
    static let litter = Atomic<Int>(-1)

    static func install(failing index: Int = -1, litter byte: Int = -1) {
        largest.store(0, ordering: .relaxed)
        peak.store(bytes.load(ordering: .relaxed), ordering: .relaxed)
        calls.store(0, ordering: .relaxed)
        failing.store(index, ordering: .relaxed)
        litter.store(byte, ordering: .relaxed)
        ncp_set_allocator(
            { _, size in
                let call = Watched.calls.wrappingAdd(1, ordering: .relaxed).oldValue
                Watched.largest.max(size, ordering: .relaxed)
                if call == Watched.failing.load(ordering: .relaxed) { return nil }
                // The size stands before the block.
                guard let block = malloc(size + header) else { return nil }
                block.storeBytes(of: size, as: Int.self)
                let pointer = block + header
                let byte = Watched.litter.load(ordering: .relaxed)
                if byte >= 0 { memset(pointer, Int32(byte), size) }
                Watched.live.wrappingAdd(1, ordering: .relaxed)
                Watched.peak.max(Watched.bytes.wrappingAdd(size, ordering: .relaxed).newValue, ordering: .relaxed)
                return pointer
            },
            { _, pointer in
                Watched.live.wrappingSubtract(1, ordering: .relaxed)
                let block = pointer! - header
                Watched.bytes.wrappingSubtract(block.load(as: Int.self), ordering: .relaxed)
                free(block)
            }, nil)
    }
}

/// Returns the size of the largest block asked for, 0 if none was.
func withRecordingAllocator(_ body: () throws -> Void) rethrows -> Int {
    Watched.install()
    defer { ncp_set_allocator(nil, nil, nil) }
    try body()
    return Watched.largest.load(ordering: .relaxed)
}

/// Returns the most bytes that were held at a time, beside those that were held before.
func withPeakAllocator(_ body: () throws -> Void) rethrows -> Int {
    Watched.install()
    defer { ncp_set_allocator(nil, nil, nil) }
    let before = Watched.bytes.load(ordering: .relaxed)
    try body()
    return Watched.peak.load(ordering: .relaxed) - before
}

/// New memory holds `byte` everywhere.
func withLitter<Result>(_ byte: UInt8, _ body: () throws -> Result) rethrows -> Result {
    Watched.install(litter: Int(byte))
    defer { ncp_set_allocator(nil, nil, nil) }
    return try body()
}

/// Returns the blocks that `body` took and did not give back.
func withBalance(_ body: () throws -> Void) rethrows -> Int {
    Watched.install()
    defer { ncp_set_allocator(nil, nil, nil) }
    let before = Watched.live.load(ordering: .relaxed)
    try body()
    return Watched.live.load(ordering: .relaxed) - before
}

/// Runs `body` again and again, its first, second, third ... allocation failing, until one run asks for less. `body` must give back what it took.
/// Returns how many allocations there are, and the blocks that were lost.
func withEachAllocationFailing(_ body: (_ index: Int) throws -> Void) rethrows -> (allocations: Int, lost: Int) {
    let before = Watched.live.load(ordering: .relaxed)
    defer { ncp_set_allocator(nil, nil, nil) }
    for index in 0... {
        Watched.install(failing: index)
        try body(index)
        if Watched.calls.load(ordering: .relaxed) <= index { return (index, Watched.live.load(ordering: .relaxed) - before) }
    }
    fatalError("unreachable")
}
