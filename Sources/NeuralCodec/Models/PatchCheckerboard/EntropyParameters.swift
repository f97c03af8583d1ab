// SPDX-License-Identifier: Apache-2.0

extension PatchCheckerboard {
    /// Hyperlatent symbols to the hyperprior's part of the hidden layer. Encoder and decoder alike.
    func hyperSynthesise(_ call: Session) {
        let g = call.plan.geometry
        let coarse = call.workspace[call.plan.hyperRebuilt]
        let (middle, fine) = (call.workspace[call.plan.hyperFine[0]], call.workspace[call.plan.hyperFine[1]])
        let output = call.workspace[call.plan.hidden]
        let team = call.layers.team
        call.layers.kernels.reconstruct_hyper(
            medians, hyperparameters.hyperChannels, call.workspace[call.plan.hyperSymbols], coarse.origin, g.hyperRows * g.hyperColumns)
        middle.clearHalo()
        fine.clearHalo()
        team.runSpans(rows: coarse.rows, columns: coarse.columns) { span, _ in
            hyperSynthesis[0].apply(call.layers, span, from: coarse, to: middle, activation: .leakyReLU)
        }
        team.runSpans(rows: middle.rows, columns: middle.columns) { span, _ in
            hyperSynthesis[1].apply(call.layers, span, from: middle, to: fine, activation: .leakyReLU)
        }
        team.runSpans(rows: output.rows, columns: output.columns) { span, _ in
            hidden.apply(call.layers, span, from: fine, to: output)
        }
    }

    /// Means (into `rebuilt`) and scale indices of one pass; `then` runs for each finished span, on the same thread.
    /// Pass 1 needs `context` from the rebuilt latents of pass 0.
    func computeParameters(_ call: Session, _ factors: RateFactors, pass: Int, then: (PassSpan) -> Void = { _ in }) {
        let g = call.plan.geometry
        let means = call.workspace[call.plan.rebuilt]
        let hiddenMap = call.workspace[call.plan.hidden]
        let contextMap = call.workspace[call.plan.context]
        let (M, F) = (hyperparameters.latentChannels, hyperparameters.hiddenChannels)
        call.layers.team.runSpans(rows: g.rows, columns: g.passColumns) { span, worker in
            let scratch = EntropyScratch(call.scratch[worker], hyperparameters)
            let column = g.firstColumn(pass: pass, row: span.row) + 2 * span.start
            let prior = hiddenMap.at(span.row, column)
            if pass == 0 {
                call.layers.kernels.activate(F, prior, 2 * F, scratch.hidden, F, span.count, .leakyReLU)
            } else {
                contextDepthwise.apply(
                    call.layers, from: contextMap, row: span.row, column: column, columnStep: 2, count: span.count, output: scratch.wide, activation: .leakyReLU)
                contextOut.apply(
                    call.layers, input: scratch.wide, inputStep: contextOut.inputChannels, output: scratch.hidden, outputStep: F, count: span.count,
                    residual: prior, residualStep: 2 * F, activation: .leakyReLU)
            }
            parametersOut.apply(call.layers, input: scratch.hidden, inputStep: F, output: scratch.wide, outputStep: 2 * M, count: span.count)
            let part = PassSpan(span: span, column: column, offset: (span.row * g.passColumns + span.start) * M, rawParameters: scratch.wide)
            call.layers.kernels.parameters(
                factors.gain, factors.logScale, thresholds, M, scratch.wide, means.at(span.row, column), 2 * M, call.indices(pass) + part.offset, span.count)
            then(part)
        }
    }

    /// First context layer: of the anchors, divided by their gain; elsewhere it is its bias, as for a latent of zero.
    func computeContext(_ call: Session, _ factors: RateFactors) {
        let g = call.plan.geometry
        let rebuilt = call.workspace[call.plan.rebuilt]
        let map = call.workspace[call.plan.context]
        let (M, C) = (hyperparameters.latentChannels, hyperparameters.contextChannels)
        let bias = contextIn.bias.pointer(call.layers)
        map.clearHalo()
        call.layers.team.runSpans(rows: g.rows, columns: g.passColumns) { span, worker in
            let normalized = EntropyScratch(call.scratch[worker], hyperparameters).wide
            let column = g.firstColumn(pass: 0, row: span.row) + 2 * span.start
            call.layers.kernels.scale(factors.contextGain, M, rebuilt.at(span.row, column), 2 * M, normalized, M, span.count)
            contextIn.apply(call.layers, input: normalized, inputStep: M, output: map.at(span.row, column), outputStep: 2 * C, count: span.count)
            let other = map.at(span.row, g.firstColumn(pass: 1, row: span.row) + 2 * span.start)
            for position in 0 ..< span.count { (other + 2 * C * position).update(from: bias, count: C) }
        }
    }
}

/// A span of one checkerboard pass.
struct PassSpan {
    let span: Span
    /// Column of its first position in the latent grid; the next ones are two columns apart.
    let column: Int
    /// Its first symbol in the pass's coding order.
    let offset: Int
    /// Raw means and log-scales as the network gave them (position, 2 * latents).
    let rawParameters: UnsafePointer<Float>
}
