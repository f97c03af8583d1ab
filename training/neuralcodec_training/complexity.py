# SPDX-License-Identifier: Apache-2.0
"""Multiply-accumulates of the default family per pixel, from its hyperparameters."""

PATCH, LATENT, RENDER = 16, 16**2, 4**2  # pixels of a patch's side, and for each latent and each render position


def block(channels):
    """Of a Block at one position: pointwise, depthwise 3x3, pointwise; pointwise to twice the width and back."""
    return channels * (channels + 9 + channels + 2 * channels + 2 * channels)


def receiver_parts(h):
    """Part -> MACs per pixel. Means and scales count once for each latent: half of them in either checkerboard pass."""
    M, N, H, R = h.latent_channels, h.core_channels, h.hyper_channels, h.render_channels
    return {
        # 1x1 at 1/64 resolution, 3x3 at 1/32, 3x3 at 1/16
        "hyper synthesis": H * 4 * H / (16 * LATENT) + 9 * H * 4 * H / (4 * LATENT) + 9 * H * h.hidden_channels / LATENT,
        "context": h.context_channels * (M + 25 + h.hidden_channels) / (2 * LATENT),  # of half of the positions, for the other half
        "means and scales": h.hidden_channels * 2 * M / LATENT,
        "synthesis blocks": h.synthesis_blocks * block(N) / LATENT,
        "unembed": M * 3 * PATCH**2 / LATENT,
        "render": N * 16 * R / LATENT + (9 * (R + 48) * R + h.render_blocks * block(R) + 9 * R * 48) / RENDER,
    }


def sender_parts(h):
    """Part -> MACs per pixel of encoding at a given quality: the analysis and, as the receiver runs it, the entropy model."""
    M, N, H = h.latent_channels, h.core_channels, h.hyper_channels
    receiver = receiver_parts(h)
    return {
        "embed": M * 3 * PATCH**2 / LATENT,
        "analysis blocks": h.analysis_blocks * block(N) / LATENT,
        # 1x1 at 1/16 resolution, 3x3 to 1/32, 3x3 to 1/64
        "hyper analysis": H * M / LATENT + 9 * H * H / (4 * LATENT) + 9 * H * H / (16 * LATENT),
        **{part: receiver[part] for part in ("hyper synthesis", "context", "means and scales")},
    }
