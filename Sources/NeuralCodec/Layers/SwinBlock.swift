// SPDX-License-Identifier: Apache-2.0
import CKernels

/// A block of a Swin Transformer (Liu et al., ICCV 2021, section 3.1): y = x + attention(norm(x)), then y + narrow(GELU(wide(norm(y)))).
struct SwinBlock: MapLayer {
    let attentionNorm: LayerNorm
    let attention: WindowAttention
    /// Of the grid of windows, in positions.
    let shift: Int
    let mixNorm: LayerNorm
    let wide, narrow: DenseConvolution

    var reach: Int { 0 }

    func shape(of input: MapShape) -> MapShape { input }

    func apply(_ run: LayerRun, _ input: FeatureMap, to output: FeatureMap) {
        let channels = attention.channels
        run.temporarily {
            let normalized = run.map(input.shape)
            let queries = run.map(MapShape(rows: input.rows, columns: input.columns, channels: 3 * channels))
            run.spans(input) { context, span, _ in
                attentionNorm.apply(
                    context, input: input.at(span.row, span.start), inputStep: input.step, output: normalized.at(span.row, span.start), outputStep: normalized.step,
                    count: span.count)
            }
            let macs = (attention.queryKeyValue.macs + attention.projection.macs + 2 * attention.tokens * channels) * input.rows * input.columns
            run.once(scratch: attention.scratchCount, macs: macs) { context, scratch in
                attention.apply(context, normalized, shift: shift, wide: queries, attended: normalized, residual: input, output: output, scratch: scratch)
            }
        }
        run.spans(output, scratch: ThreadTeam.spanLength * (channels + wide.outputChannels), macs: wide.macs + narrow.macs) { context, span, scratch in
            let (position, hidden) = (output.at(span.row, span.start), scratch + ThreadTeam.spanLength * channels)
            mixNorm.apply(context, input: position, inputStep: output.step, output: scratch, outputStep: channels, count: span.count)
            wide.apply(context, input: scratch, inputStep: channels, output: hidden, outputStep: wide.outputChannels, count: span.count, activation: .gelu)
            narrow.apply(
                context, input: hidden, inputStep: wide.outputChannels, output: position, outputStep: output.step, count: span.count, residual: position,
                residualStep: output.step)
        }
    }
}
