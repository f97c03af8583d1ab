// SPDX-License-Identifier: Apache-2.0

extension PatchCheckerboard {
    /// Rebuilt latents to pixels. Overwrites the latents.
    func synthesise(_ call: Session, _ factors: RateFactors, into pixels: UnsafeMutablePointer<UInt8>, stride: Int, channels: Int) throws {
        let f = call.workspace[call.plan.rebuilt]
        let team = call.layers.team
        let M = hyperparameters.latentChannels
        team.runSpans(rows: f.rows, columns: f.columns) { span, _ in
            let position = f.at(span.row, span.start)
            call.layers.kernels.scale(factors.inverseGain, M, position, M, position, M, span.count)
        }
        let wide = call.workspace[call.plan.synthesisWide]
        wide.clearHalo()
        for (index, block) in synthesisBlocks.enumerated() {
            block.apply(call.layers, f, wide: wide, scratch: call.scratch)
            try call.progress.step(0.3 * Double(index + 1) / Double(synthesisBlocks.count))
        }

        let cells = call.workspace[call.plan.cells]
        let R = hyperparameters.renderChannels
        cells.clearHalo()
        team.runSpans(rows: f.rows, columns: f.columns) { span, _ in
            grid.apply(call.layers, span, from: f, to: cells)
            unembed.apply(call.layers, span, from: f, to: cells, channel: R)
        }
        try call.progress.step(0.5)
        try render(call, cells, into: pixels, stride: stride, channels: channels)
    }

    /// The picture at 1/4 resolution, and features, to pixels.
    private func render(_ call: Session, _ cells: FeatureMap, into pixels: UnsafeMutablePointer<UInt8>, stride: Int, channels: Int) throws {
        let (map, wide) = (call.workspace[call.plan.render], call.workspace[call.plan.renderWide])
        let team = call.layers.team
        let g = call.plan.geometry
        let cell = renderOut.outputChannels
        map.clearHalo()
        wide.clearHalo()
        team.runSpans(rows: map.rows, columns: map.columns) { span, _ in
            renderIn.apply(call.layers, span, from: cells, to: map, activation: .leakyReLU)
        }
        for (index, block) in renderBlocks.enumerated() {
            block.apply(call.layers, map, wide: wide, scratch: call.scratch)
            try call.progress.step(0.5 + 0.4 * Double(index + 1) / Double(renderBlocks.count))
        }
        team.runSpans(rows: map.rows, columns: map.columns) { span, worker in
            let detail = call.scratch[worker]
            renderOut.apply(call.layers, span, from: map, output: detail, outputStep: cell)
            call.layers.kernels.pixels(
                cells.at(span.row, span.start) + hyperparameters.renderChannels, cells.step, detail, span.row, span.start, span.count,
                pixels, stride, g.width, g.height, channels)
        }
        try call.progress.step(1)
    }
}
