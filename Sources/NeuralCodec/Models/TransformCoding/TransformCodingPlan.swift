// SPDX-License-Identifier: Apache-2.0

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
}
