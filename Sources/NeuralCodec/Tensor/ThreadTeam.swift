// SPDX-License-Identifier: Apache-2.0
import CPlatform

/// The threads of one call: created at its start, joined at its end.
final class ThreadTeam {
    private let team: OpaquePointer
    let size: Int

    /// `threads` 0 means all logical cores.
    init(threads: Int) throws {
        size = threads == 0 ? ncp_core_count() : threads
        guard let team = ncp_team_create(size) else { throw CodecError(.outOfMemory, "out of memory: no threads could be started") }
        self.team = team
    }

    deinit { ncp_team_destroy(team) }

    /// Calls `body(index, worker)` for every index below `count`, on all threads, and returns when all are done. `worker` is below `size`.
    func run(_ count: Int, _ body: (_ index: Int, _ worker: Int) -> Void) {
        withoutActuallyEscaping(body) { body in
            withUnsafePointer(to: body) { pointer in
                ncp_team_run(
                    team, count,
                    { context, index, worker in
                        context!.assumingMemoryBound(to: ((Int, Int) -> Void).self).pointee(index, worker)
                    }, UnsafeMutableRawPointer(mutating: pointer))
            }
        }
    }

    /// Positions one task works on: few enough that a task's operands stay in the second-level cache.
    static let spanLength = 64

    /// Cuts `rows` rows of `columns` positions into spans and runs `body` for each.
    func runSpans(rows: Int, columns: Int, _ body: (_ span: Span, _ worker: Int) -> Void) {
        let perRow = (columns + Self.spanLength - 1) / Self.spanLength
        run(rows * perRow) { index, worker in
            let start = index % perRow * Self.spanLength
            body(Span(row: index / perRow, start: start, count: min(Self.spanLength, columns - start)), worker)
        }
    }
}

/// Neighbouring positions of one row.
struct Span {
    let row: Int
    let start: Int
    let count: Int
}
