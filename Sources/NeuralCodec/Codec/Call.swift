// SPDX-License-Identifier: Apache-2.0
import CKernels

/// All that one running encode or decode owns: threads, kernels, workspace and its plan.
final class Call {
    let layers: LayerContext
    let workspace: Workspace
    let plan: PatchCheckerboard.Plan
    let scratch: WorkerScratch
    let progress: ProgressTracker
    let clock: StageClock?
    private let pool: WorkspacePool

    /// Checks the limits, then allocates. `reserved` bytes of working memory are used outside the workspace.
    init(
        _ network: PatchCheckerboard, _ pool: WorkspacePool, width: Int, height: Int, encoder: Bool, threads: Int, limits: Limits, reserved: Int = 0,
        progress: ProgressTracker, clock: StageClock? = nil
    ) throws {
        let kernels = try Kernels.current()
        let team = try ThreadTeam(threads: threads)
        plan = PatchCheckerboard.Plan(network, width: width, height: height, threads: team.size, encoder: encoder)
        let needed = plan.size + reserved
        guard limits.maxMemory == 0 || needed <= limits.maxMemory else {
            throw CodecError(
                .limitExceeded, "a picture of \(width) x \(height) needs \(needed) bytes of working memory, and the limit is \(limits.maxMemory)")
        }
        let workspace = pool.borrow()
        do { try workspace.prepare(plan.size) } catch {
            pool.giveBack(workspace)
            throw error
        }
        self.workspace = workspace
        self.pool = pool
        self.progress = progress
        self.clock = clock
        scratch = WorkerScratch(base: workspace[plan.scratch], floatsPerWorker: plan.scratchPerWorker)
        layers = LayerContext(kernels: kernels.table, team: team, rates: workspace[plan.rates])
    }

    deinit { pool.giveBack(workspace) }

    /// Scale indices of one pass. A decoder keeps one pass at a time.
    func indices(_ pass: Int) -> UnsafeMutablePointer<UInt8> {
        workspace[plan.indices] + (plan.latents == nil ? 0 : pass * plan.indices.count / 2)
    }
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

    /// Bytes of every buffer of a picture of this size still fit an Int.
    static let mostPixels = 1 << 44
}
