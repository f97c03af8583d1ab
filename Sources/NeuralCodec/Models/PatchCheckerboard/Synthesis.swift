// SPDX-License-Identifier: Apache-2.0

extension PatchCheckerboard {
    /// Rebuilt latents to pixels. Overwrites the latents.
    func synthesise(_ session: Session, _ factors: RateFactors, into target: PictureTarget) throws {
        let f = session.workspace[session.plan.rebuilt]
        let team = session.layers.team
        let M = hyperparameters.latentChannels
        team.runSpans(rows: f.rows, columns: f.columns) { span, _ in
            let position = f.at(span.row, span.start)
            session.layers.kernels.scale(factors.inverseGain, M, position, M, position, M, span.count)
        }
        let wide = session.workspace[session.plan.synthesisWide]
        wide.clearHalo()
        for (index, block) in synthesisBlocks.enumerated() {
            block.apply(session.layers, f, wide: wide, scratch: session.scratch)
            try session.progress.step(0.3 * Double(index + 1) / Double(synthesisBlocks.count))
        }

        let cells = session.workspace[session.plan.cells]
        let R = hyperparameters.renderChannels
        cells.clearHalo()
        team.runSpans(rows: f.rows, columns: f.columns) { span, _ in
            grid.apply(session.layers, span, from: f, to: cells)
            unembed.apply(session.layers, span, from: f, to: cells, channel: R)
        }
        try session.progress.step(0.5)
        try render(session, cells, into: target)
    }

    /// The picture at 1/4 resolution, and features, to pixels.
    private func render(_ session: Session, _ cells: FeatureMap, into target: PictureTarget) throws {
        let (map, wide) = (session.workspace[session.plan.render], session.workspace[session.plan.renderWide])
        let team = session.layers.team
        let g = session.plan.geometry
        let cell = renderOut.outputChannels
        map.clearHalo()
        wide.clearHalo()
        team.runSpans(rows: map.rows, columns: map.columns) { span, _ in
            renderIn.apply(session.layers, span, from: cells, to: map, activation: .leakyReLU)
        }
        for (index, block) in renderBlocks.enumerated() {
            block.apply(session.layers, map, wide: wide, scratch: session.scratch)
            try session.progress.step(0.5 + 0.4 * Double(index + 1) / Double(renderBlocks.count))
        }
        team.runSpans(rows: map.rows, columns: map.columns) { span, worker in
            let detail = session.scratch[worker]
            renderOut.apply(session.layers, span, from: map, output: detail, outputStep: cell)
            session.layers.kernels.pixels(bits: target.format.bitDepth)(
                cells.at(span.row, span.start) + hyperparameters.renderChannels, cells.step, detail, span.row, span.start, span.count,
                target.pixels, target.stride, g.width, g.height, target.format.channels)
        }
        try session.progress.step(1)
    }
}
