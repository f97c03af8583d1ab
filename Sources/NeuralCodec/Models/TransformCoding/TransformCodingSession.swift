// SPDX-License-Identifier: Apache-2.0
import CKernels
import CPlatform

extension TransformCoding {
    /// One picture in this network.
    final class Session: NetworkSession {
        private let plan: Plan
        private let resources: CallResources
        private let stages: Stages
        private let run: LayerRun

        private var network: TransformCoding { plan.network }
        private var workspace: Workspace { resources.workspace }
        private var kernels: nck_kernels { resources.kernels }

        init(_ plan: Plan, _ resources: CallResources) {
            self.plan = plan
            self.resources = resources
            let workspace = resources.workspace
            let map = { (planned: PlannedMap?) in planned.map { workspace[$0] } }
            stages = Stages(
                network: plan.network, picture: workspace[plan.picture], latents: map(plan.latents), rebuilt: workspace[plan.rebuilt],
                hyperRebuilt: map(plan.hyperRebuilt), prior: map(plan.prior))
            // These networks have no rate tables.
            let rates = workspace[Planned<Float>(offset: 0, count: 0)]
            run = plan.layers.run(workspace, LayerContext(kernels: resources.kernels, team: resources.team, rates: rates))
            for map in [stages.picture, stages.latents, stages.rebuilt, stages.hyperRebuilt] { map?.clearHalo() }
        }

        private var hyperSymbols: UnsafeMutableBufferPointer<Int32> {
            UnsafeMutableBufferPointer(start: workspace[plan.hyperSymbols], count: plan.hyperSymbols.count)
        }

        /// Of what has a factorized prior.
        private var codedChannels: Int { network.hyper?.hyperChannels ?? network.latentChannels }

        private var buffers: LatentCoder.Buffers {
            LatentCoder.Buffers(symbols: workspace[plan.symbols], indices: workspace[plan.indices], scales: plan.scales.map { workspace[$0] })
        }

        // MARK: Encoder

        func analyse(_ picture: PictureView) throws {
            let map = stages.picture
            resources.team.run(map.rows) { [kernels] row, _ in
                kernels.pixelsToMap(bits: picture.bitDepth)(
                    picture.pixels.assumingMemoryBound(to: UInt8.self), picture.stride, picture.width, picture.height, picture.channels, row, 0, map.at(row, 0),
                    map.step, map.columns)
            }
            stages.analyse(run)
            try resources.progress.step(0.8)
            let latents = stages.latents!
            if network.hyper != nil {
                // With a variable rate they become symbols at each rate anew.
                stages.hyperAnalyse(run) { plan.hyperLatents == nil ? keepSymbols(of: $0) : run.copy($0, to: workspace[plan.hyperLatents!], at: 0) }
            } else {
                keepSymbols(of: latents)
            }
            try resources.trace?.keepLatents(latents)
            network.quantizer(at: nil).prepare(run, latents)
            try resources.progress.step(1)
        }

        private func firstHyperTable(_ level: RateLevel?) -> Int { level?.step == nil ? 0 : level!.level * network.hyper!.hyperChannels }

        private func keepSymbols(of map: FeatureMap, step: Float? = nil) {
            eachRow(map) { values, symbols in
                if let step { return nck_quantize_steps(network.medians, step, map.channels, values, symbols, map.columns) }
                kernels.quantize_hyper(network.medians, map.channels, values, symbols, map.columns)
            }
        }

        /// Rows of what has a factorized prior, and their symbols.
        private func eachRow(_ map: FeatureMap, _ body: (_ values: UnsafeMutablePointer<Float>, _ symbols: UnsafeMutablePointer<Int32>) -> Void) {
            for row in 0 ..< map.rows { body(map.at(row, 0), hyperSymbols.baseAddress! + row * map.columns * map.channels) }
        }

        func quantize(rate: Int) throws -> CodedSymbols {
            let level = network.variableRate?.level(rate: rate)
            if let planned = plan.hyperLatents { keepSymbols(of: workspace[planned], step: level?.step) }
            try resources.trace?.keepHyper(UnsafeBufferPointer(hyperSymbols))
            rebuildFactorized(step: level?.step)
            stages.hyperSynthesise(run)
            let coder = LatentCoder(
                network.quantizer(at: level), level: level, rebuilt: stages.rebuilt, latents: stages.latents, buffers, trace: resources.trace)
            try stages.runContext(run, coder)
            return CodedSymbols(
                hyper: UnsafeBufferPointer(hyperSymbols), hyperChannels: codedChannels,
                firstHyperTable: firstHyperTable(level),
                latents: UnsafeBufferPointer(start: workspace[plan.symbols], count: plan.symbols.count), indices: workspace[plan.indices],
                lattice: network.latticeCoder)
        }

        // MARK: Decoder

        func decode(rate: Int, _ payload: UnsafeRawBufferPointer) throws -> UInt32 {
            let source: any LatentSource =
                if let lattice = network.latticeCoder { try LatticeSource(payload, lattice) } else { try TableSource(payload, network.latentTables) }
            let checksum = try decode(rate: rate, source)
            #if !NEURALCODEC_FUZZING  // hardly any changed file would get beyond
                try source.finish()
            #endif
            return checksum
        }

        private func decode(rate: Int, _ source: any LatentSource) throws -> UInt32 {
            let level = network.variableRate?.level(rate: rate)
            let symbols = hyperSymbols
            if source.takeHyper(symbols, network.hyperTables, first: firstHyperTable(level), channels: codedChannels) { throw RANSDecoder.error }
            let checksum = ncp_crc32c(0, symbols.baseAddress, 4 * symbols.count)
            resources.clock?.mark(.coding)
            rebuildFactorized(step: level?.step)
            stages.hyperSynthesise(run)
            try resources.progress.step(0.3)
            let coder = LatentCoder(
                network.quantizer(at: level), level: level, rebuilt: stages.rebuilt, latents: nil, buffers, source: source, checksum: checksum,
                clock: resources.clock)
            try stages.runContext(run, coder)
            try resources.progress.step(1)
            return coder.checksum
        }

        // MARK: Both

        /// What has a factorized prior: the hyperlatents, or all latents where there are none.
        private func rebuildFactorized(step: Float?) {
            let map = stages.hyperRebuilt ?? stages.rebuilt
            eachRow(map) { values, symbols in
                if let step { return nck_reconstruct_steps(network.medians, step, map.channels, symbols, values, map.columns) }
                kernels.reconstruct_hyper(network.medians, map.channels, symbols, values, map.columns)
            }
        }

        func synthesise(rate: Int, into target: PictureTarget) throws {
            let map = stages.picture
            stages.synthesise(run)
            resources.trace?.keepPicture(map)
            try resources.progress.step(0.9)
            resources.team.run(min(map.rows, plan.height)) { [kernels, plan] row, _ in
                kernels.mapToPixels(bits: target.format.bitDepth)(
                    map.at(row, 0), map.step, row, 0, plan.width, target.pixels, target.stride, plan.width, plan.height, target.format.channels)
            }
            try resources.progress.step(1)
        }
    }
}
