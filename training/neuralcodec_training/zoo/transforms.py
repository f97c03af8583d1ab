# SPDX-License-Identifier: Apache-2.0
"""Analysis and synthesis transforms: pictures in [0, 1] to latents at 1/16 resolution, and back. Each function gives g_a and g_s for hyperparameters."""
import torch.nn as nn

from .layers import GDN, AttentionBlock, ResidualBlock, ResidualBlockUpsample, ResidualBlockWithStride, conv, deconv, subpixel


def balle2018(h, relu=False):
    """Four 5x5 convolutions of stride 2, GDN (or ReLU) between them; mirrored with transposed ones (Ballé et al., ICLR 2018; Minnen et al., NeurIPS 2018)."""
    N, M = h.channels, h.latent_channels
    between = lambda inverse: nn.ReLU() if relu else GDN(N, inverse)
    g_a = nn.Sequential(conv(3, N), between(False), conv(N, N), between(False), conv(N, N), between(False), conv(N, M))
    g_s = nn.Sequential(deconv(M, N), between(True), deconv(N, N), between(True), deconv(N, N), between(True), deconv(N, 3))
    return {"g_a": g_a, "g_s": g_s}


def balle2018_relu(h):
    return balle2018(h, relu=True)


def cheng2020(h, attention=False):
    """Residual blocks of 3x3 convolutions and sub-pixel upsampling, with attention in two places of each (Cheng et al., CVPR 2020)."""
    N = h.channels
    if h.latent_channels != N:
        raise ValueError(f"a cheng2020 transform has as many channels as latent channels, not {N} and {h.latent_channels}")
    down, up, same, gate = ResidualBlockWithStride, ResidualBlockUpsample, ResidualBlock, AttentionBlock
    g_a = [down(3, N), same(N, N), down(N, N), same(N, N), down(N, N), same(N, N), conv(N, N, 3, 2)]
    g_s = [same(N, N), up(N, N), same(N, N), up(N, N), same(N, N), up(N, N), same(N, N), subpixel(N, 3)]
    if attention:
        g_a = g_a[:3] + [gate(N)] + g_a[3:] + [gate(N)]
        g_s = [gate(N)] + g_s[:4] + [gate(N)] + g_s[4:]
    return {"g_a": nn.Sequential(*g_a), "g_s": nn.Sequential(*g_s)}


def cheng2020_attn(h):
    return cheng2020(h, attention=True)


TRANSFORMS = {"balle2018": balle2018, "balle2018-relu": balle2018_relu, "cheng2020-anchor": cheng2020, "cheng2020-attn": cheng2020_attn}
