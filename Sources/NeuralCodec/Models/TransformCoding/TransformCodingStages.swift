// SPDX-License-Identifier: Apache-2.0

extension TransformCoding {
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
            let level = network.variableRate?.level(rate: 0)
            let nowhere = LatentCoder.Buffers(symbols: .init(bitPattern: 64)!, indices: .init(bitPattern: 64)!)
            let coder = LatentCoder(network.quantizer(at: level), level: level, rebuilt: rebuilt, latents: nil, nowhere)
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
}
