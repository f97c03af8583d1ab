// SPDX-License-Identifier: Apache-2.0
import CKernels
import CPlatform

extension PatchCheckerboard {
    /// One picture in this network.
    final class Session: NetworkSession {
        let plan: Plan
        let layers: LayerContext
        let workspace: Workspace
        let scratch: WorkerScratch
        let progress: ProgressTracker
        private let clock: StageClock?
        private let trace: LatentTrace?

        private var network: PatchCheckerboard { plan.network }

        init(_ plan: Plan, _ resources: CallResources) {
            self.plan = plan
            workspace = resources.workspace
            progress = resources.progress
            clock = resources.clock
            trace = resources.trace
            scratch = WorkerScratch(base: workspace[plan.scratch], floatsPerWorker: plan.scratchPerWorker)
            layers = LayerContext(kernels: resources.kernels, team: resources.team, rates: workspace[plan.rates])
        }

        /// Scale indices of one pass. A decoder keeps one pass at a time.
        func indices(_ pass: Int) -> UnsafeMutablePointer<UInt8> {
            workspace[plan.indices] + (plan.latents == nil ? 0 : pass * plan.indices.count / 2)
        }

        func analyse(_ picture: PictureView) throws {
            try network.analyse(self, picture)
            try trace?.keepLatents(workspace[plan.latents!])
            try trace?.keepHyper(UnsafeBufferPointer(hyperSymbols))
        }

        private var hyperSymbols: UnsafeMutableBufferPointer<Int32> {
            UnsafeMutableBufferPointer(start: workspace[plan.hyperSymbols], count: plan.hyperSymbols.count)
        }

        // MARK: Encoder

        func quantize(rate: Int) throws -> CodedSymbols {
            let factors = network.evaluateRates(rate, into: layers.rates)
            network.hyperSynthesise(self)
            for pass in 0 ..< 2 {
                if pass == 1 { network.computeContext(self, factors) }
                quantize(pass, factors)
            }
            return CodedSymbols(
                hyper: UnsafeBufferPointer(hyperSymbols), hyperChannels: network.hyperparameters.hyperChannels,
                latents: UnsafeBufferPointer(start: workspace[plan.symbols], count: plan.symbols.count), indices: indices(0))
        }

        private func quantize(_ pass: Int, _ factors: RateFactors) {
            let channels = network.hyperparameters.latentChannels
            let latents = workspace[plan.latents!]
            let rebuilt = workspace[plan.rebuilt]
            let symbols = workspace[plan.symbols] + pass * plan.symbols.count / 2
            network.computeParameters(self, factors, pass: pass) { part in
                let (row, column) = (part.span.row, part.column)
                let line = PositionLine(row: row, column: column, columnStep: 2, count: part.span.count)
                self.trace?.keepParameters(
                    line, 0 ..< channels, means: rebuilt.at(row, column), meanStep: 2 * channels, scales: part.rawParameters + channels, scaleStep: 2 * channels,
                    adding: factors.logScale, gain: factors.gain)
                self.layers.kernels.quantize(
                    factors.gain, channels, latents.at(row, column), 2 * channels, rebuilt.at(row, column), 2 * channels, symbols + part.offset, part.span.count)
                self.trace?.keepSymbols(line, 0 ..< channels, symbols + part.offset, self.indices(pass) + part.offset)
            }
        }

        // MARK: Decoder

        func decode(rate: Int, _ payload: UnsafeRawBufferPointer) throws -> UInt32 {
            var decoder = try RANSDecoder(payload)
            let factors = network.evaluateRates(rate, into: layers.rates)
            var checksum = takeHyperlatents(&decoder)
            clock?.mark(.coding)
            network.hyperSynthesise(self)
            try progress.step(0.2)
            for pass in 0 ..< 2 {
                if pass == 1 { network.computeContext(self, factors) }
                network.computeParameters(self, factors, pass: pass)
                clock?.mark(.parameters)
                checksum = try takeLatents(&decoder, pass, checksum)
                clock?.mark(.coding)
                try progress.step(0.6 + 0.4 * Double(pass))
            }
            #if !NEURALCODEC_FUZZING  // hardly any changed file would get beyond
                try decoder.finish()
            #endif
            return checksum
        }

        private func takeHyperlatents(_ decoder: inout RANSDecoder) -> UInt32 {
            let symbols = hyperSymbols
            let channels = network.hyperparameters.hyperChannels
            for start in stride(from: 0, to: symbols.count, by: channels) {
                decoder.take(channels, network.hyperTables, into: symbols.baseAddress! + start) { $0 }
            }
            return ncp_crc32c(0, symbols.baseAddress, 4 * symbols.count)
        }

        /// Decodes one pass row by row and adds the symbols to the means, which rebuilds the latents.
        private func takeLatents(_ decoder: inout RANSDecoder, _ pass: Int, _ start: UInt32) throws -> UInt32 {
            var checksum = start
            let g = plan.geometry
            let channels = network.hyperparameters.latentChannels
            let count = g.passColumns * channels
            let symbols = workspace[plan.symbols]
            let rebuilt = workspace[plan.rebuilt]
            for row in 0 ..< g.rows {
                let indices = indices(pass) + row * count
                decoder.take(count, network.latentTables, into: symbols) { Int(indices[$0]) }
                if decoder.isDamaged { throw RANSDecoder.error }
                checksum = ncp_crc32c(checksum, symbols, 4 * count)
                layers.kernels.reconstruct(symbols, channels, rebuilt.at(row, g.firstColumn(pass: pass, row: row)), 2 * channels, g.passColumns)
            }
            return checksum
        }

        // MARK: Both

        func synthesise(rate: Int, into target: PictureTarget) throws {
            let factors = network.evaluateRates(rate, into: layers.rates)
            try network.synthesise(self, factors, into: target)
        }
    }
}
