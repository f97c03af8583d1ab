// SPDX-License-Identifier: Apache-2.0
import CKernels
import CPlatform

extension TransformCoding {
    /// Memory of one call. What lives through the whole call has its place; the maps of the transforms share what remains.
    struct Plan: NetworkPlan {
        let network: TransformCoding
        let width, height: Int
        let size: Int
        /// The padded picture.
        let picture: PlannedMap
        /// Encoder only.
        let latents: PlannedMap?
        /// Latents rebuilt from the symbols.
        let rebuilt: PlannedMap
        /// Hyperlatents rebuilt from the symbols, and what the hyper synthesis makes of them; nil without hyperprior.
        let hyperRebuilt, prior: PlannedMap?
        /// Of the hyperlatents, or of the latents of a factorized prior.
        let hyperSymbols: Planned<Int32>
        let symbols: Planned<Int32>
        let indices: Planned<UInt8>
        /// Hyperlatents (encoder), and scales in coding order; of a variable rate only.
        let hyperLatents: PlannedMap?
        let scales: Planned<Float>?
        let layers: PlannedRun
        /// On maps that are only laid out.
        let stages: Stages

        init(_ network: TransformCoding, width: Int, height: Int, threads: Int, encoder: Bool) {
            self.network = network
            (self.width, self.height) = (width, height)
            let (M, side) = (network.latentChannels, network.latentSide)
            let padding = network.padding
            let rows = (height + padding - 1) / padding * padding
            let columns = (width + padding - 1) / padding * padding
            var plan = WorkspacePlan()
            // The first analysis layer looks around; the synthesis writes the picture only.
            picture = plan.map(rows, columns, 3, halo: encoder ? network.analysis[0].reach : 0)
            latents = encoder ? plan.map(rows / side, columns / side, M, halo: network.hyper?.analysis[0].reach ?? 0) : nil
            rebuilt = plan.map(rows / side, columns / side, M, halo: max(network.synthesis[0].reach, network.context?.reach ?? 0))
            if let hyper = network.hyper, let context = network.context {
                let (hyperRows, hyperColumns) = (rows / side / 4, columns / side / 4)
                hyperRebuilt = plan.map(hyperRows, hyperColumns, hyper.hyperChannels, halo: hyper.synthesis[0].reach)
                prior = plan.map(rows / side, columns / side, context.priorChannels)
                hyperSymbols = plan.reserve(Int32.self, hyperRows * hyperColumns * hyper.hyperChannels)
                symbols = plan.reserve(Int32.self, rows / side * (columns / side) * M)
                indices = plan.reserve(UInt8.self, rows / side * (columns / side) * M)
            } else {
                (hyperRebuilt, prior) = (nil, nil)
                hyperSymbols = plan.reserve(Int32.self, rows / side * (columns / side) * M)
                symbols = plan.reserve(Int32.self, 0)
                indices = plan.reserve(UInt8.self, 0)
            }
            let isVariable = network.variableRate != nil
            scales = isVariable ? plan.reserve(Float.self, indices.count) : nil
            hyperLatents = isVariable && encoder ? hyperRebuilt.map { plan.map($0.rows, $0.columns, $0.channels) } : nil
            let stages = Stages(
                network: network, picture: picture.rehearsed, latents: latents?.rehearsed, rebuilt: rebuilt.rehearsed, hyperRebuilt: hyperRebuilt?.rehearsed,
                prior: prior?.rehearsed)
            layers = PlannedRun(&plan, threads: threads) { run in stages.rehearse(run) }
            size = plan.size
            self.stages = stages
        }

        func session(_ resources: CallResources) -> any NetworkSession { Session(self, resources) }
    }

    var macsPerPixel: (encode: Double, decode: Double) {
        let side = 16 * padding  // no pixel is padding, and few layers see a border
        let stages = Plan(self, width: side, height: side, threads: 1, encoder: true).stages
        func macs(_ steps: (LayerRun) -> Void) -> Double {
            let run = LayerRun()
            steps(run)
            return Double(run.macs) / Double(side * side)
        }
        let entropy = macs {
            stages.hyperSynthesise($0)
            stages.rehearseContext($0)
        }
        return (
            encode: entropy + macs {
                stages.analyse($0)
                stages.hyperAnalyse($0) { _ in }
            },
            decode: entropy + macs(stages.synthesise)
        )
    }

    /// The steps of a call, on maps that are real or only laid out.
    struct Stages {
        let network: TransformCoding
        let picture: FeatureMap
        let latents: FeatureMap?
        let rebuilt: FeatureMap
        let hyperRebuilt, prior: FeatureMap?

        /// Everything that takes memory.
        func rehearse(_ run: LayerRun) {
            if latents != nil {
                analyse(run)
                hyperAnalyse(run) { _ in }
            }
            hyperSynthesise(run)
            rehearseContext(run)
            synthesise(run)
        }

        func rehearseContext(_ run: LayerRun) {
            let coder = LatentCoder(
                network, rebuilt: rebuilt, latents: nil, symbols: .init(bitPattern: 64)!, indices: .init(bitPattern: 64)!,
                level: network.variableRate?.level(rate: 0))
            try? runContext(run, coder)  // errors come from streams only
        }

        func analyse(_ run: LayerRun) { run.chain(network.analysis, picture, to: latents!) }

        /// `then` gets the hyperlatents.
        func hyperAnalyse(_ run: LayerRun, then: (FeatureMap) -> Void) {
            guard let hyper = network.hyper, let latents else { return }
            run.temporarily {
                var input = latents
                if hyper.magnitudes {
                    input = run.map(latents.shape, halo: latents.halo)
                    run.spans(latents) { _, span, _ in
                        let (from, to) = (latents.at(span.row, span.start), input.at(span.row, span.start))
                        for index in 0 ..< span.count * latents.channels { to[index] = from[index].magnitude }
                    }
                }
                then(run.chain(hyper.analysis, input))
            }
        }

        func hyperSynthesise(_ run: LayerRun) {
            guard let hyper = network.hyper, let hyperRebuilt, let prior else { return }
            guard let scaleSynthesis = hyper.scaleSynthesis else { return run.chain(hyper.synthesis, hyperRebuilt, to: prior) }
            let (means, scales) = hyper.scalesFirst ? (network.latentChannels, 0) : (0, network.latentChannels)
            for (layers, channel) in [(hyper.synthesis, means), (scaleSynthesis, scales)] {
                run.temporarily { run.copy(run.chain(layers, hyperRebuilt), to: prior, at: channel) }
            }
        }

        func runContext(_ run: LayerRun, _ coder: LatentCoder) throws {
            guard let context = network.context, let prior else { return }
            try run.temporarily { try context.run(run, prior: prior, rebuilt: rebuilt, coder) }
        }

        func synthesise(_ run: LayerRun) { run.chain(network.synthesis, rebuilt, to: picture) }
    }

    /// One picture in this network.
    final class Session: NetworkSession {
        private let plan: Plan
        private let workspace: Workspace
        private let progress: ProgressTracker
        private let clock: StageClock?
        private let trace: LatentTrace?
        private let kernels: nck_kernels
        private let team: ThreadTeam
        private let stages: Stages
        private let run: LayerRun

        private var network: TransformCoding { plan.network }

        init(_ plan: Plan, _ resources: CallResources) {
            self.plan = plan
            workspace = resources.workspace
            progress = resources.progress
            clock = resources.clock
            trace = resources.trace
            kernels = resources.kernels
            team = resources.team
            let map = { [workspace] (planned: PlannedMap?) in planned.map { workspace[$0] } }
            stages = Stages(
                network: plan.network, picture: workspace[plan.picture], latents: map(plan.latents), rebuilt: workspace[plan.rebuilt],
                hyperRebuilt: map(plan.hyperRebuilt), prior: map(plan.prior))
            // These networks have no rate tables.
            run = plan.layers.run(workspace, LayerContext(kernels: kernels, team: team, rates: workspace[Planned<Float>(offset: 0, count: 0)]))
            for map in [stages.picture, stages.latents, stages.rebuilt, stages.hyperRebuilt] { map?.clearHalo() }
        }

        private var hyperSymbols: UnsafeMutableBufferPointer<Int32> {
            UnsafeMutableBufferPointer(start: workspace[plan.hyperSymbols], count: plan.hyperSymbols.count)
        }

        // MARK: Encoder

        func analyse(_ picture: PictureView) throws {
            let map = stages.picture
            team.run(map.rows) { [kernels] row, _ in
                kernels.pixels_to_map(
                    picture.pixels.assumingMemoryBound(to: UInt8.self), picture.stride, picture.width, picture.height, picture.channels, row, 0, map.at(row, 0),
                    map.step, map.columns)
            }
            stages.analyse(run)
            try progress.step(0.8)
            let latents = stages.latents!
            if network.hyper != nil {
                // With a variable rate they become symbols at each rate anew.
                stages.hyperAnalyse(run) { plan.hyperLatents == nil ? keepSymbols(of: $0) : run.copy($0, to: workspace[plan.hyperLatents!], at: 0) }
            } else {
                keepSymbols(of: latents)
            }
            trace?.keepLatents(latents)
            if case .basis(let lattice) = network.quantizer {
                run.spans(latents) { context, span, _ in
                    lattice.prepare(context, latents.at(span.row, span.start), latents.step, latents.channels, span.count)
                }
            }
            try progress.step(1)
        }

        private func firstHyperTable(_ level: RateLevel?) -> Int { level?.step == nil ? 0 : level!.level * network.hyper!.hyperChannels }

        private func keepSymbols(of map: FeatureMap, step: Float? = nil) {
            let row = map.columns * map.channels
            for index in 0 ..< map.rows {
                if let step {
                    nck_quantize_steps(network.medians, step, map.channels, map.at(index, 0), hyperSymbols.baseAddress! + index * row, map.columns)
                    continue
                }
                kernels.quantize_hyper(network.medians, map.channels, map.at(index, 0), hyperSymbols.baseAddress! + index * row, map.columns)
            }
        }

        func quantize(rate: Int) throws -> CodedSymbols {
            let level = network.variableRate?.level(rate: rate)
            if let planned = plan.hyperLatents { keepSymbols(of: workspace[planned], step: level?.step) }
            trace?.keepHyper(UnsafeBufferPointer(hyperSymbols))
            rebuildFactorized(step: level?.step)
            stages.hyperSynthesise(run)
            let coder = LatentCoder(
                network, rebuilt: stages.rebuilt, latents: stages.latents, symbols: workspace[plan.symbols], indices: workspace[plan.indices], level: level,
                scales: plan.scales.map { workspace[$0] }, trace: trace)
            try stages.runContext(run, coder)
            return CodedSymbols(
                hyper: UnsafeBufferPointer(hyperSymbols), hyperChannels: network.hyper?.hyperChannels ?? network.latentChannels,
                firstHyperTable: firstHyperTable(level),
                latents: UnsafeBufferPointer(start: workspace[plan.symbols], count: plan.symbols.count), indices: workspace[plan.indices],
                lattice: network.quantizer.latticeCoder)
        }

        // MARK: Decoder

        func decode(rate: Int, _ payload: UnsafeRawBufferPointer) throws -> UInt32 {
            if let lattice = network.quantizer.latticeCoder {
                let source = try LatticeSource(payload, lattice)
                let checksum = try decode(.lattice(source), rate, source.takeHyper)
                try finish(source.finish)
                return checksum
            }
            let source = try SymbolSource(payload)
            let checksum = try decode(.words(source), rate, source.takeHyper)
            try finish(source.finish)
            return checksum
        }

        private func finish(_ check: () throws -> Void) throws {
            #if !NEURALCODEC_FUZZING  // hardly any changed file would get beyond
                try check()
            #endif
        }

        private func decode(
            _ source: LatentCoder.Source, _ rate: Int, _ takeHyper: (UnsafeMutableBufferPointer<Int32>, CodingTables, _ first: Int, _ channels: Int) -> Bool
        ) throws -> UInt32 {
            let level = network.variableRate?.level(rate: rate)
            let symbols = hyperSymbols
            if takeHyper(symbols, network.hyperTables, firstHyperTable(level), network.hyper?.hyperChannels ?? network.latentChannels) { throw RANSDecoder.error }
            let checksum = ncp_crc32c(0, symbols.baseAddress, 4 * symbols.count)
            clock?.mark(.coding)
            rebuildFactorized(step: level?.step)
            stages.hyperSynthesise(run)
            try progress.step(0.3)
            let coder = LatentCoder(
                network, rebuilt: stages.rebuilt, latents: nil, symbols: workspace[plan.symbols], indices: workspace[plan.indices], level: level,
                scales: plan.scales.map { workspace[$0] }, source: source, checksum: checksum, clock: clock)
            try stages.runContext(run, coder)
            try progress.step(1)
            return coder.checksum
        }

        // MARK: Both

        /// What has a factorized prior: the hyperlatents, or all latents where there are none.
        private func rebuildFactorized(step: Float?) {
            let map = stages.hyperRebuilt ?? stages.rebuilt
            let row = map.columns * map.channels
            for index in 0 ..< map.rows {
                if let step {
                    nck_reconstruct_steps(network.medians, step, map.channels, hyperSymbols.baseAddress! + index * row, map.at(index, 0), map.columns)
                    continue
                }
                kernels.reconstruct_hyper(network.medians, map.channels, hyperSymbols.baseAddress! + index * row, map.at(index, 0), map.columns)
            }
        }

        func synthesise(rate: Int, into pixels: UnsafeMutablePointer<UInt8>, stride: Int, channels: Int) throws {
            let map = stages.picture
            stages.synthesise(run)
            trace?.keepPicture(map)
            try progress.step(0.9)
            team.run(min(map.rows, plan.height)) { [kernels, plan] row, _ in
                kernels.map_to_pixels(map.at(row, 0), map.step, row, 0, plan.width, pixels, stride, plan.width, plan.height, channels)
            }
            try progress.step(1)
        }
    }
}
