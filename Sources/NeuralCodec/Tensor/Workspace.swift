// SPDX-License-Identifier: Apache-2.0

/// Lays out the buffers of a call in one block before the block exists, so that its size is known, and checked, before it is allocated.
struct WorkspacePlan {
    /// Bytes at the fullest moment.
    private(set) var size = 0
    private var top = 0

    /// A moment to return to with `release`.
    var mark: Int { top }

    /// Everything reserved since `mark` may be overwritten by what is reserved next.
    mutating func release(to mark: Int) { top = mark }

    mutating func reserve<Element>(_ type: Element.Type, _ count: Int) -> Planned<Element> {
        let planned = Planned<Element>(offset: top, count: count)
        top += (count * MemoryLayout<Element>.stride + 63) & ~63
        size = max(size, top)
        return planned
    }

    mutating func map(_ rows: Int, _ columns: Int, _ channels: Int, halo: Int = 0) -> PlannedMap {
        let count = (rows + 2 * halo) * (columns + 2 * halo) * channels
        return PlannedMap(memory: reserve(Float.self, count), rows: rows, columns: columns, channels: channels, halo: halo)
    }
}

/// A buffer of a plan: where it will stand in the workspace.
struct Planned<Element> {
    let offset: Int
    let count: Int
}

struct PlannedMap {
    let memory: Planned<Float>
    let rows: Int
    let columns: Int
    let channels: Int
    let halo: Int
}

/// The block of memory a call works in. It grows to the largest plan it has served and is then reused.
final class Workspace {
    private var block: ByteBuffer?

    func prepare(_ size: Int) throws {
        if let block, block.count >= size { return }
        block = nil  // first give back, then ask: the two need not fit together
        block = try ByteBuffer(count: size)
    }

    subscript<Element>(_ planned: Planned<Element>) -> UnsafeMutablePointer<Element> {
        (block!.bytes.baseAddress! + planned.offset).assumingMemoryBound(to: Element.self)
    }

    subscript(_ planned: PlannedMap) -> FeatureMap {
        let inside = (planned.halo * (planned.columns + 2 * planned.halo) + planned.halo) * planned.channels
        return FeatureMap(
            origin: self[planned.memory] + inside, rows: planned.rows, columns: planned.columns, channels: planned.channels, halo: planned.halo)
    }
}

/// Workspaces that wait for the next call. Each running call holds one of its own, so calls never share memory.
final class WorkspacePool: @unchecked Sendable {
    private let lock = Lock()
    private var idle: [Workspace] = []

    /// At most this many wait; the rest is freed at the end of its call.
    private static let kept = 4

    func borrow() -> Workspace { lock.locked { idle.popLast() } ?? Workspace() }

    func giveBack(_ workspace: Workspace) {
        lock.locked { if idle.count < Self.kept { idle.append(workspace) } }
    }
}
