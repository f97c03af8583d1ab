// SPDX-License-Identifier: Apache-2.0

extension PatchCheckerboard {
    /// Hyperlatent symbols to the hyperprior's part of the hidden layer. Encoder and decoder alike.
    func hyperSynthesise(_ session: Session) {
        let g = session.plan.geometry
        let coarse = session.workspace[session.plan.hyperRebuilt]
        let (middle, fine) = (session.workspace[session.plan.hyperFine[0]], session.workspace[session.plan.hyperFine[1]])
        let output = session.workspace[session.plan.hidden]
        let team = session.layers.team
        session.layers.kernels.reconstruct_hyper(
            medians, hyperparameters.hyperChannels, session.workspace[session.plan.hyperSymbols], coarse.origin, g.hyperRows * g.hyperColumns)
        middle.clearHalo()
        fine.clearHalo()
        team.runSpans(rows: coarse.rows, columns: coarse.columns) { span, _ in
            hyperSynthesis[0].apply(session.layers, span, from: coarse, to: middle, activation: .leakyReLU)
        }
        team.runSpans(rows: middle.rows, columns: middle.columns) { span, _ in
            hyperSynthesis[1].apply(session.layers, span, from: middle, to: fine, activation: .leakyReLU)
        }
        team.runSpans(rows: output.rows, columns: output.columns) { span, worker in
            guard let hiddenDepthwise else { return hidden.apply(session.layers, span, from: fine, to: output) }
            let filtered = session.scratch[worker]
            hiddenDepthwise.apply(session.layers, from: fine, row: span.row, column: span.start, count: span.count, output: filtered)
            hidden.apply(
                session.layers, input: filtered, inputStep: hiddenDepthwise.channels, output: output.at(span.row, span.start), outputStep: output.step,
                count: span.count)
        }
    }

    /// Means (into `rebuilt`) and scale indices of one pass; `then` runs for each finished span, on the same thread.
    /// Pass 1 needs `context` from the rebuilt latents of pass 0.
    func computeParameters(_ session: Session, _ factors: RateFactors, pass: Int, then: (PassSpan) -> Void = { _ in }) {
        let g = session.plan.geometry
        let means = session.workspace[session.plan.rebuilt]
        let hiddenMap = session.workspace[session.plan.hidden]
        let contextMap = session.workspace[session.plan.context]
        let (M, F) = (hyperparameters.latentChannels, hyperparameters.hiddenChannels)
        session.layers.team.runSpans(rows: g.rows, columns: g.passColumns) { span, worker in
            let scratch = EntropyScratch(session.scratch[worker], hyperparameters)
            let column = g.firstColumn(pass: pass, row: span.row) + 2 * span.start
            let prior = hiddenMap.at(span.row, column)
            if pass == 0 {
                session.layers.kernels.activate(F, prior, 2 * F, scratch.hidden, F, span.count, .leakyReLU)
            } else {
                contextDepthwise.apply(
                    session.layers, from: contextMap, row: span.row, column: column, columnStep: 2, count: span.count, output: scratch.wide, activation: .leakyReLU)
                contextOut.apply(
                    session.layers, input: scratch.wide, inputStep: contextOut.inputChannels, output: scratch.hidden, outputStep: F, count: span.count,
                    residual: prior, residualStep: 2 * F, activation: .leakyReLU)
            }
            parametersOut.apply(session.layers, input: scratch.hidden, inputStep: F, output: scratch.wide, outputStep: 2 * M, count: span.count)
            let part = PassSpan(span: span, column: column, offset: (span.row * g.passColumns + span.start) * M, rawParameters: scratch.wide)
            session.layers.kernels.parameters(
                factors.gain, factors.logScale, thresholds, M, scratch.wide, means.at(span.row, column), 2 * M, session.indices(pass) + part.offset, span.count)
            then(part)
        }
    }

    /// First context layer: of the anchors, divided by their gain; elsewhere it is its bias, as for a latent of zero.
    func computeContext(_ session: Session, _ factors: RateFactors) {
        let g = session.plan.geometry
        let rebuilt = session.workspace[session.plan.rebuilt]
        let map = session.workspace[session.plan.context]
        let (M, C) = (hyperparameters.latentChannels, hyperparameters.contextChannels)
        let bias = contextIn.bias.pointer(session.layers)
        map.clearHalo()
        session.layers.team.runSpans(rows: g.rows, columns: g.passColumns) { span, worker in
            let normalized = EntropyScratch(session.scratch[worker], hyperparameters).wide
            let column = g.firstColumn(pass: 0, row: span.row) + 2 * span.start
            session.layers.kernels.scale(factors.contextGain, M, rebuilt.at(span.row, column), 2 * M, normalized, M, span.count)
            contextIn.apply(session.layers, input: normalized, inputStep: M, output: map.at(span.row, column), outputStep: 2 * C, count: span.count)
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
