// SPDX-License-Identifier: Apache-2.0

extension PatchCheckerboard {
    /// Picture to latents before gain, and to hyperlatent symbols. Independent of the rate parameter.
    func analyse(_ session: Session, _ picture: PictureView) throws {
        let y0 = session.workspace[session.plan.latents!]
        embed(session, picture, y0)
        try session.progress.step(0.3)
        let wide = session.workspace[session.plan.analysisWide]
        wide.clearHalo()
        for (index, block) in analysisBlocks.enumerated() {
            block.apply(session.layers, y0, wide: wide, scratch: session.scratch)
            try session.progress.step(0.3 + 0.6 * Double(index + 1) / Double(analysisBlocks.count))
        }
        hyperAnalyse(session, y0)
    }

    private func embed(_ session: Session, _ picture: PictureView, _ y0: FeatureMap) {
        let inputs = embedCore.inputChannels
        session.layers.team.runSpans(rows: y0.rows, columns: y0.columns) { span, worker in
            let patches = session.scratch[worker]
            session.layers.kernels.patches(bits: picture.bitDepth)(
                picture.pixels.assumingMemoryBound(to: UInt8.self), picture.stride, picture.width, picture.height, picture.channels, span.row, span.start,
                patches, span.count)
            let latents = y0.at(span.row, span.start)
            for (layer, channel) in [(embedCore, 0), (embedTail, embedCore.outputChannels)] {
                layer.apply(session.layers, input: patches, inputStep: inputs, output: latents + channel, outputStep: y0.step, count: span.count)
            }
        }
    }

    private func hyperAnalyse(_ session: Session, _ y0: FeatureMap) {
        let (fine, coarse) = (session.workspace[session.plan.hyperWide[0]], session.workspace[session.plan.hyperWide[1]])
        let z = session.workspace[session.plan.hyperLatents]
        let g = session.plan.geometry
        let channels = hyperparameters.hyperChannels
        fine.clearHalo()
        coarse.clearHalo()
        let grid = FeatureMap(origin: z, rows: g.hyperRows, columns: g.hyperColumns, channels: channels, halo: 0)
        let team = session.layers.team
        team.runSpans(rows: fine.rows, columns: fine.columns) { span, _ in
            hyperAnalysis[0].apply(session.layers, span, from: y0, to: fine, activation: .leakyReLU)
        }
        team.runSpans(rows: coarse.rows, columns: coarse.columns) { span, _ in
            hyperAnalysis[1].apply(session.layers, span, from: fine, stride: 2, to: coarse, activation: .leakyReLU)
        }
        team.runSpans(rows: grid.rows, columns: grid.columns) { span, _ in
            hyperAnalysis[2].apply(session.layers, span, from: coarse, stride: 2, to: grid)
        }
        session.layers.kernels.quantize_hyper(medians, channels, z, session.workspace[session.plan.hyperSymbols], g.hyperRows * g.hyperColumns)
    }
}
