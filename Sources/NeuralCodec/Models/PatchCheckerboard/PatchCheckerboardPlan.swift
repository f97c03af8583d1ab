// SPDX-License-Identifier: Apache-2.0

extension PatchCheckerboard {
    /// Where every buffer of a call stands in its workspace. Buffers that are never needed at the same time share memory.
    struct Plan: NetworkPlan {
        let network: PatchCheckerboard
        let geometry: Geometry
        let size: Int

        let rates: Planned<Float>
        let scratch: Planned<Float>
        let scratchPerWorker: Int

        /// Latents before gain; the encoder only.
        let latents: PlannedMap?
        /// Means, which become rebuilt latents.
        let rebuilt: PlannedMap
        let hyperSymbols: Planned<Int32>
        /// Encoder: symbols of both passes. Decoder: one row of one pass.
        let symbols: Planned<Int32>
        /// Scale indices: of both passes for the encoder, of one pass for the decoder.
        let indices: Planned<UInt8>

        // Analysis (with `latents` only).
        let analysisWide: PlannedMap
        let hyperWide: [PlannedMap]
        let hyperLatents: Planned<Float>
        // Entropy parameters.
        let hyperRebuilt: PlannedMap
        let hyperFine: [PlannedMap]
        let hidden: PlannedMap
        let context: PlannedMap
        // Synthesis.
        let synthesisWide: PlannedMap
        let cells: PlannedMap
        let render: PlannedMap
        let renderWide: PlannedMap

        init(_ model: PatchCheckerboard, width: Int, height: Int, threads: Int, encoder: Bool) {
            let h = model.hyperparameters
            let g = Geometry(width: width, height: height)
            network = model
            geometry = g
            var plan = WorkspacePlan()
            rates = plan.reserve(Float.self, model.rateFloatCount)
            scratchPerWorker = (model.scratchCount + 15) & ~15
            scratch = plan.reserve(Float.self, scratchPerWorker * threads)
            hyperSymbols = plan.reserve(Int32.self, g.hyperRows * g.hyperColumns * h.hyperChannels)
            latents = encoder ? plan.map(g.rows, g.columns, h.latentChannels) : nil
            let rowSymbols = g.passColumns * h.latentChannels
            symbols = plan.reserve(Int32.self, encoder ? 2 * g.rows * rowSymbols : rowSymbols)
            indices = plan.reserve(UInt8.self, (encoder ? 2 : 1) * g.rows * rowSymbols)

            let stages = plan.mark
            analysisWide = plan.map(g.rows, g.columns, h.coreChannels, halo: 1)
            hyperWide = [
                plan.map(g.rows, g.columns, h.hyperChannels, halo: 1),
                plan.map(g.rows / 2, g.columns / 2, h.hyperChannels, halo: 1),
            ]
            hyperLatents = plan.reserve(Float.self, g.hyperRows * g.hyperColumns * h.hyperChannels)

            plan.release(to: stages)
            rebuilt = plan.map(g.rows, g.columns, h.latentChannels)
            let parts = plan.mark
            hyperRebuilt = plan.map(g.hyperRows, g.hyperColumns, h.hyperChannels)
            hyperFine = [
                plan.map(g.hyperRows * 2, g.hyperColumns * 2, h.hyperChannels, halo: 1),
                plan.map(g.rows, g.columns, h.hyperChannels, halo: 1),
            ]
            hidden = plan.map(g.rows, g.columns, h.hiddenChannels)
            context = plan.map(g.rows, g.columns, h.contextChannels, halo: 2)

            plan.release(to: parts)
            let cell = PatchCheckerboard.colours * PatchCheckerboard.cellSide * PatchCheckerboard.cellSide
            cells = plan.map(g.cellRows, g.cellColumns, h.renderChannels + cell, halo: 1)
            let cellsDone = plan.mark
            synthesisWide = plan.map(g.rows, g.columns, h.coreChannels, halo: 1)
            plan.release(to: cellsDone)
            render = plan.map(g.cellRows, g.cellColumns, h.renderChannels, halo: 1)
            renderWide = plan.map(g.cellRows, g.cellColumns, h.renderChannels, halo: 1)
            size = plan.size
        }

        func session(_ resources: CallResources) -> any NetworkSession { Session(self, resources) }
    }

    /// Scratch memory of one worker while it computes entropy parameters for one span.
    struct EntropyScratch {
        /// Hidden layer (span, hidden).
        let hidden: UnsafeMutablePointer<Float>
        /// Raw means and log-scales (span, 2 * latents); before that, context features (span, context) or normalized latents (span, latents).
        let wide: UnsafeMutablePointer<Float>

        init(_ base: UnsafeMutablePointer<Float>, _ h: Hyperparameters) {
            hidden = base
            wide = base + ThreadTeam.spanLength * h.hiddenChannels
        }

        static func count(_ h: Hyperparameters) -> Int {
            ThreadTeam.spanLength * (h.hiddenChannels + max(2 * h.latentChannels, h.contextChannels))
        }
    }
}
