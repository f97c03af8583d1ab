// SPDX-License-Identifier: Apache-2.0

/// Runs layers one after the other and finds memory for the maps between them. A run without a context is a rehearsal: it computes nothing and
/// finds out how much memory the real run takes, by the same code.
///
/// Maps live on two stacks. The layers of a chain write to the stacks in turn, so that two neighbours of the chain exist at a time.
final class LayerRun {
    private let context: LayerContext?
    private let scratchMemory: WorkerScratch?
    private let bases: [UnsafeMutableRawPointer]
    private var tops = [0, 0]
    private var side = 0
    /// Bytes of either stack at its fullest.
    private(set) var sizes = [0, 0]
    /// Floats that a worker needs.
    private(set) var scratchCount = 0
    /// Multiply-accumulates so far.
    private(set) var macs = 0

    /// A rehearsal.
    init() {
        context = nil
        scratchMemory = nil
        bases = [Self.nowhere, Self.nowhere]
    }

    /// The bases of the two stacks have the sizes that a rehearsal found.
    init(_ context: LayerContext, _ bases: [UnsafeMutableRawPointer], _ scratch: WorkerScratch) {
        self.context = context
        self.bases = bases
        scratchMemory = scratch
    }

    /// Where the maps of a rehearsal stand; nobody looks.
    fileprivate static var nowhere: UnsafeMutableRawPointer { UnsafeMutableRawPointer(bitPattern: 64)! }

    var isRehearsal: Bool { context == nil }

    /// A map with a clear halo, until what is above it on its stack is released.
    func map(_ shape: MapShape, halo: Int = 0) -> FeatureMap {
        let count = (shape.rows + 2 * halo) * (shape.columns + 2 * halo) * shape.channels
        let start = bases[side] + tops[side]
        tops[side] += (count * MemoryLayout<Float>.stride + 63) & ~63
        sizes[side] = max(sizes[side], tops[side])
        let inside = (halo * (shape.columns + 2 * halo) + halo) * shape.channels
        let map = FeatureMap(
            origin: start.assumingMemoryBound(to: Float.self) + inside, rows: shape.rows, columns: shape.columns, channels: shape.channels, halo: halo)
        if !isRehearsal { map.clearHalo() }
        return map
    }

    /// Frees the maps that `body` makes.
    func temporarily(_ body: () throws -> Void) rethrows {
        let (before, sideBefore) = (tops, side)
        try body()
        (tops, side) = (before, sideBefore)
    }

    /// Applies layers in turn; the result has a halo of `halo`.
    func chain(_ layers: [any MapLayer], _ input: FeatureMap, halo: Int = 0) -> FeatureMap {
        var current = input
        let floor = tops
        for (index, layer) in layers.enumerated() {
            side = 1 - side
            tops[side] = floor[side]
            let output = map(layer.shape(of: current.shape), halo: index + 1 < layers.count ? layers[index + 1].reach : halo)
            temporarily { layer.apply(self, current, to: output) }
            current = output
        }
        if !layers.isEmpty { tops[1 - side] = floor[1 - side] }
        return current
    }

    /// The same, the last layer's output given.
    func chain(_ layers: [any MapLayer], _ input: FeatureMap, to output: FeatureMap) {
        temporarily {
            let last = layers.last!
            last.apply(self, chain(layers.dropLast(), input, halo: last.reach), to: output)
        }
    }

    /// Runs `body` on spans of a map, on all threads; a worker's scratch memory has `scratch` floats. `macs`: of a position.
    func spans(_ map: FeatureMap, scratch: Int = 0, macs: Int = 0, _ body: (_ context: LayerContext, _ span: Span, _ scratch: UnsafeMutablePointer<Float>) -> Void) {
        scratchCount = max(scratchCount, scratch)
        self.macs += macs * map.rows * map.columns
        guard let context, let scratchMemory else { return }
        context.team.runSpans(rows: map.rows, columns: map.columns) { span, worker in body(context, span, scratchMemory[worker]) }
    }

    /// Runs `body` for each index below `count`, on all threads.
    func each(_ count: Int, scratch: Int = 0, _ body: (_ context: LayerContext, _ index: Int, _ scratch: UnsafeMutablePointer<Float>) -> Void) {
        scratchCount = max(scratchCount, scratch)
        guard let context, let scratchMemory else { return }
        context.team.run(count) { index, worker in body(context, index, scratchMemory[worker]) }
    }

    /// `count` channels of a map, or all, from one place to another.
    func copy(_ source: FeatureMap, from: Int = 0, to target: FeatureMap, at: Int, _ count: Int? = nil) {
        let count = count ?? source.channels
        spans(source) { _, span, _ in
            for position in span.start ..< span.start + span.count {
                (target.at(span.row, position) + at).update(from: source.at(span.row, position) + from, count: count)
            }
        }
    }

    func count(macs: Int) { self.macs += macs }

    /// Runs `body` once, on the calling thread, unless this is a rehearsal; scratch memory is that of all workers.
    func once(scratch: Int = 0, macs: Int = 0, _ body: (_ context: LayerContext, _ scratch: WorkerScratch) throws -> Void) rethrows {
        scratchCount = max(scratchCount, scratch)
        self.macs += macs
        if let context, let scratchMemory { try body(context, scratchMemory) }
    }

    /// Positions of a task where there are `lines` lines of `length`: if there are fewer lines than threads, the threads share them.
    func spanLength(lines: Int, length: Int) -> Int {
        guard let threads = context?.team.size, lines < threads else { return ThreadTeam.spanLength }
        return max(1, min(ThreadTeam.spanLength, (lines * length + threads - 1) / threads))
    }
}

struct MapShape: Equatable {
    var rows, columns, channels: Int
}

extension FeatureMap {
    var shape: MapShape { MapShape(rows: rows, columns: columns, channels: channels) }
}

/// A layer from map to map.
protocol MapLayer {
    /// The halo its input has to have.
    var reach: Int { get }
    func shape(of input: MapShape) -> MapShape
    /// `output` has the shape that belongs to the input.
    func apply(_ run: LayerRun, _ input: FeatureMap, to output: FeatureMap)
}

/// Memory of layers' runs, laid out by a rehearsal of all that a call will run.
struct PlannedRun {
    private let stacks: [Planned<UInt8>]
    private let scratch: Planned<Float>
    private let scratchPerWorker: Int

    init(_ plan: inout WorkspacePlan, threads: Int, rehearse: (LayerRun) -> Void) {
        let run = LayerRun()
        rehearse(run)
        stacks = run.sizes.map { plan.reserve(UInt8.self, $0) }
        scratchPerWorker = (run.scratchCount + 15) & ~15
        scratch = plan.reserve(Float.self, scratchPerWorker * threads)
    }

    func run(_ workspace: Workspace, _ context: LayerContext) -> LayerRun {
        LayerRun(
            context, stacks.map { UnsafeMutableRawPointer(workspace[$0]) }, WorkerScratch(base: workspace[scratch], floatsPerWorker: scratchPerWorker))
    }
}

extension PlannedMap {
    /// The map as a rehearsal sees it.
    var rehearsed: FeatureMap {
        FeatureMap(origin: LayerRun.nowhere.assumingMemoryBound(to: Float.self), rows: rows, columns: columns, channels: channels, halo: halo)
    }
}
