// SPDX-License-Identifier: Apache-2.0

extension PatchCheckerboard {
    /// Picture to latents before gain, and to hyperlatent symbols. Independent of the rate parameter.
    func analyse(_ call: Session, _ picture: PictureView) throws {
        let y0 = call.workspace[call.plan.latents!]
        embed(call, picture, y0)
        try call.progress.step(0.3)
        let wide = call.workspace[call.plan.analysisWide]
        wide.clearHalo()
        for (index, block) in analysisBlocks.enumerated() {
            block.apply(call.layers, y0, wide: wide, scratch: call.scratch)
            try call.progress.step(0.3 + 0.6 * Double(index + 1) / Double(analysisBlocks.count))
        }
        hyperAnalyse(call, y0)
    }

    private func embed(_ call: Session, _ picture: PictureView, _ y0: FeatureMap) {
        let inputs = embedCore.inputChannels
        call.layers.team.runSpans(rows: y0.rows, columns: y0.columns) { span, worker in
            let patches = call.scratch[worker]
            call.layers.kernels.patches(
                picture.pixels.assumingMemoryBound(to: UInt8.self), picture.stride, picture.width, picture.height, picture.channels, span.row, span.start,
                patches, span.count)
            let latents = y0.at(span.row, span.start)
            for (layer, channel) in [(embedCore, 0), (embedTail, embedCore.outputChannels)] {
                layer.apply(call.layers, input: patches, inputStep: inputs, output: latents + channel, outputStep: y0.step, count: span.count)
            }
        }
    }

    private func hyperAnalyse(_ call: Session, _ y0: FeatureMap) {
        let (fine, coarse) = (call.workspace[call.plan.hyperWide[0]], call.workspace[call.plan.hyperWide[1]])
        let z = call.workspace[call.plan.hyperLatents]
        let g = call.plan.geometry
        let channels = hyperparameters.hyperChannels
        fine.clearHalo()
        coarse.clearHalo()
        let grid = FeatureMap(origin: z, rows: g.hyperRows, columns: g.hyperColumns, channels: channels, halo: 0)
        let team = call.layers.team
        team.runSpans(rows: fine.rows, columns: fine.columns) { span, _ in
            hyperAnalysis[0].apply(call.layers, span, from: y0, to: fine, activation: .leakyReLU)
        }
        team.runSpans(rows: coarse.rows, columns: coarse.columns) { span, _ in
            hyperAnalysis[1].apply(call.layers, span, from: fine, stride: 2, to: coarse, activation: .leakyReLU)
        }
        team.runSpans(rows: grid.rows, columns: grid.columns) { span, _ in
            hyperAnalysis[2].apply(call.layers, span, from: coarse, stride: 2, to: grid)
        }
        call.layers.kernels.quantize_hyper(medians, channels, z, call.workspace[call.plan.hyperSymbols], g.hyperRows * g.hyperColumns)
    }
}
