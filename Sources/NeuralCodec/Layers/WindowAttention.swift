// SPDX-License-Identifier: Apache-2.0
import CKernels

/// Layer normalization over the channels of each position (Ba et al., 2016).
struct LayerNorm {
    let channels: Int
    let weight: UnsafePointer<Float>
    let bias: UnsafePointer<Float>
    /// Added to the variance: PyTorch's default.
    static let epsilon: Float = 0x1.4f8b58p-17

    func apply(
        _ context: LayerContext, input: UnsafePointer<Float>, inputStep: Int, output: UnsafeMutablePointer<Float>, outputStep: Int, count: Int
    ) {
        context.kernels.layer_norm(weight, bias, Self.epsilon, channels, input, inputStep, output, outputStep, count)
    }
}

/// Multi-head self-attention within windows of a map, with a relative position bias (Liu et al., "Swin Transformer", ICCV 2021, section 3.2). A shifted grid of
/// windows wraps around the map's edges; positions that were not neighbours before the shift do not see each other.
struct WindowAttention {
    let heads: Int
    /// Positions on a window's side; the map's sides are multiples of it.
    let window: Int
    /// Queries, keys and values of all heads: channels -> 3 * channels.
    let queryKeyValue: DenseConvolution
    let projection: DenseConvolution
    /// (head, query, key)
    let bias: UnsafePointer<Float>

    var channels: Int { projection.outputChannels }
    var tokens: Int { window * window }

    /// Floats of scratch memory each worker needs.
    var scratchCount: Int { nck_attention_scratch(tokens, channels / heads) }

    /// x := projection(attention(queryKeyValue(normalized))) + residual, where normalized, of `channels` channels, may be any map, and `wide` has 3 * channels.
    /// `attended` may be `normalized`.
    func apply(
        _ context: LayerContext, _ normalized: FeatureMap, shift: Int, wide: FeatureMap, attended: FeatureMap, residual: FeatureMap, output: FeatureMap,
        scratch: WorkerScratch
    ) {
        context.team.runSpans(rows: wide.rows, columns: wide.columns) { span, _ in
            queryKeyValue.apply(context, span, from: normalized, to: wide)
        }
        let across = wide.columns / window
        context.team.run(wide.rows / window * across) { index, worker in
            attend(context, row: index / across * window, column: index % across * window, shift: shift, wide, attended, scratch[worker])
        }
        context.team.runSpans(rows: output.rows, columns: output.columns) { span, _ in
            projection.apply(
                context, input: attended.at(span.row, span.start), inputStep: attended.step, output: output.at(span.row, span.start), outputStep: output.step,
                count: span.count, residual: residual.at(span.row, span.start), residualStep: residual.step)
        }
    }

    /// All heads of the window whose first position in the shifted map is (row, column).
    private func attend(
        _ context: LayerContext, row: Int, column: Int, shift: Int, _ wide: FeatureMap, _ attended: FeatureMap, _ scratch: UnsafeMutablePointer<Float>
    ) {
        let width = channels / heads
        withUnsafeTemporaryAllocation(of: Int.self, capacity: 2 * tokens) { offsets in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: tokens) { regions in
                for token in 0 ..< tokens {
                    let (r, c) = (row + token / window, column + token % window)
                    let (sourceRow, sourceColumn) = ((r + shift) % wide.rows, (c + shift) % wide.columns)
                    offsets[token] = wide.at(sourceRow, sourceColumn) - wide.origin
                    offsets[tokens + token] = attended.at(sourceRow, sourceColumn) - attended.origin
                    regions[token] = UInt8(3 * region(r, of: wide.rows, shift) + region(c, of: wide.columns, shift))
                }
                var attention = nck_attention(
                    tokens: tokens, channels: width, in_offsets: UnsafePointer(offsets.baseAddress!), out_offsets: UnsafePointer(offsets.baseAddress! + tokens),
                    k_offset: channels, v_offset: 2 * channels, scale: nck_attention_scale(width), bias: nil,
                    region: shift > 0 ? UnsafePointer(regions.baseAddress!) : nil)
                for head in 0 ..< heads {
                    attention.bias = bias + head * tokens * tokens
                    context.kernels.attention(&attention, wide.origin + head * width, attended.origin + head * width, scratch)
                }
            }
        }
    }

    /// Which of the three parts of a shifted side a position is in: before the last window, in it, or wrapped around.
    private func region(_ position: Int, of side: Int, _ shift: Int) -> Int { position < side - window ? 0 : position < side - shift ? 1 : 2 }
}
