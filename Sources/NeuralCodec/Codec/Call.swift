// SPDX-License-Identifier: Apache-2.0

/// All that one running encode or decode owns: threads, kernels, and a workspace with the network's session in it.
final class Call {
    let session: any NetworkSession
    let progress: ProgressTracker
    let clock: StageClock?
    private let workspace: Workspace
    private let pool: WorkspacePool

    /// Checks the limits, then allocates. `reserved` bytes of working memory are used outside the workspace.
    init(
        _ network: any Network, _ pool: WorkspacePool, width: Int, height: Int, encoder: Bool, threads: Int, limits: Limits, reserved: Int = 0,
        progress: ProgressTracker, clock: StageClock? = nil, trace: LatentTrace? = nil
    ) throws {
        let kernels = try Kernels.current()
        let team = try ThreadTeam(threads: threads)
        let plan = network.plan(width: width, height: height, threads: team.size, encoder: encoder)
        try limits.check(memory: plan.size + reserved, width: width, height: height)
        let workspace = pool.borrow()
        do { try workspace.prepare(plan.size) } catch {
            pool.giveBack(workspace)
            throw error
        }
        self.workspace = workspace
        self.pool = pool
        self.progress = progress
        self.clock = clock
        session = plan.session(
            CallResources(kernels: kernels.table, team: team, workspace: workspace, progress: progress, clock: clock, trace: trace))
    }

    deinit { pool.giveBack(workspace) }
}

/// 0 (all cores) to 1024.
func checkThreads(_ threads: Int) throws {
    guard (0...1024).contains(threads) else { throw CodecError(.invalidArgument, "\(threads) threads: 0 (all cores) to 1024 are possible") }
}

extension Limits {
    /// Refuses a picture of too many pixels, before anything depends on its size.
    func check(width: Int, height: Int) throws {
        let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
        guard !overflow, pixels <= Self.mostPixels else { throw CodecError(.limitExceeded, "a picture of \(width) x \(height) is beyond what a file can hold") }
        guard maxPixels == 0 || pixels <= maxPixels else {
            throw CodecError(.limitExceeded, "a picture of \(width) x \(height) has \(pixels) pixels, and the limit is \(maxPixels)")
        }
    }

    /// Refuses work that needs more than so many bytes of memory.
    func check(memory: Int, width: Int, height: Int) throws {
        guard maxMemory == 0 || memory <= maxMemory else {
            throw CodecError(.limitExceeded, "a picture of \(width) x \(height) needs \(memory) bytes of working memory, and the limit is \(maxMemory)")
        }
    }

    /// Bytes of every buffer of a picture of this size still fit an Int.
    static let mostPixels = 1 << 44
}
