# SPDX-License-Identifier: Apache-2.0
"""The transforms of Zhu, Yang & Cohen, "Transformer-based Transform Coding" (ICLR 2022), SwinT-Hyperprior and SwinT-ChARM: stages of Swin blocks, analysis by patch merging,
synthesis by patch splitting, for latents and hyperlatents alike.

Hyperparameters: stage_channels (C1 ... C4 = latent_channels; C1 is `channels`), depths, hyper_stage_channels (C5, C6), hyper_depths, window, hyper_window, head_channels.
The paper's: (128, 192, 256, 320), (2, 2, 6, 2), (192, 192), (5, 1), 8, 4, 32.

    g_a  patch_embed, then for each stage its blocks and, but for the last, downsample to the next stage's channels
    g_s  stages in reverse: blocks, then upsample to the next stage's channels, at last to 3
    h_a  as g_a from latents, of stages C5, C6;   h_s  as g_s, at last to 2 * latent_channels: scales, then means

Tensors: NAME.patch_embed.proj, NAME.layers.I.blocks.J.{norm1, attn.{qkv, proj, relative_position_bias_table}, norm2, mlp.{fc1, fc2}}, NAME.layers.I.{down, up}sample.{norm, reduction}.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from .hyper import Hyper
from .windows import relative_index, window_attention


class Attention(nn.Module):
    def __init__(self, channels, heads, window, shift):
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x):
        bias = self.relative_position_bias_table[relative_index(self.window, x.device)].permute(2, 0, 1)
        return self.proj(window_attention(self.qkv(x), bias, self.heads, self.window, self.shift))


class Mlp(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class SwinBlock(nn.Module):
    """x := x + attn(norm1(x)); x := x + mlp(norm2(x)), channels last. Layer norms add 1e-5; GELU is exact (erf)."""

    def __init__(self, channels, heads, window, shift):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attn = Attention(channels, heads, window, shift)
        self.mlp = Mlp(channels)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    """A 2x2 convolution of stride 2, without padding; channels become last."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.proj = nn.Conv2d(inputs, outputs, 2, 2)

    def forward(self, x):
        return self.proj(x).permute(0, 2, 3, 1)


class PatchMerging(nn.Module):
    """Positions (0, 0), (1, 0), (0, 1), (1, 1) (row, column) of each 2x2 concatenated; layer norm of their 4 C channels; linear without bias."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.norm = nn.LayerNorm(4 * inputs)
        self.reduction = nn.Linear(4 * inputs, outputs, bias=False)

    def forward(self, x):
        return self.reduction(self.norm(torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], -1)))


def depth_to_space(x):
    """Channel 4 c + 2 i + j of (p, q) becomes channel c of (2 p + i, 2 q + j): PyTorch's pixel shuffle, channels last."""
    return F.pixel_shuffle(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


class PatchSplitting(nn.Module):
    """Linear without bias to 4 * outputs, layer norm of them, depth to space."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.reduction = nn.Linear(inputs, 4 * outputs, bias=False)
        self.norm = nn.LayerNorm(4 * outputs)

    def forward(self, x):
        return depth_to_space(self.norm(self.reduction(x)))


class PatchUnpack(nn.Module):
    """The last of a synthesis: linear with bias, depth to space, no norm."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.reduction = nn.Linear(inputs, 4 * outputs)

    def forward(self, x):
        return depth_to_space(self.reduction(x))


class Stage(nn.Module):
    """Blocks whose grid of windows is shifted by half a window in every second, then what changes the resolution."""

    def __init__(self, channels, depth, head_channels, window, downsample=None, upsample=None):
        super().__init__()
        if channels % head_channels:
            raise ValueError(f"a stage of {channels} channels does not have heads of {head_channels}")
        self.blocks = nn.ModuleList(SwinBlock(channels, channels // head_channels, window, i % 2 * (window // 2)) for i in range(depth))
        self.downsample, self.upsample = downsample, upsample

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        x = self.downsample(x) if self.downsample is not None else x
        return self.upsample(x) if self.upsample is not None else x


class SwinAnalysis(nn.Module):
    def __init__(self, inputs, channels, depths, head_channels, window):
        super().__init__()
        self.patch_embed = PatchEmbed(inputs, channels[0])
        down = [PatchMerging(a, b) for a, b in zip(channels[:-1], channels[1:])] + [None]
        self.layers = nn.ModuleList(Stage(c, d, head_channels, window, downsample=m) for c, d, m in zip(channels, depths, down))

    def forward(self, x):
        x = self.patch_embed(x)
        for layer in self.layers:
            x = layer(x)
        return x.permute(0, 3, 1, 2).contiguous()


class SwinSynthesis(nn.Module):
    def __init__(self, outputs, channels, depths, head_channels, window):
        super().__init__()
        up = [PatchSplitting(a, b) for a, b in zip(channels[:-1], channels[1:])] + [PatchUnpack(channels[-1], outputs)]
        self.layers = nn.ModuleList(Stage(c, d, head_channels, window, upsample=m) for c, d, m in zip(channels, depths, up))

    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        for layer in self.layers:
            x = layer(x)
        return x.permute(0, 3, 1, 2).contiguous()


def check(h, names):
    for name in names:
        if getattr(h, name) is None:
            raise ValueError(f"a swin network needs {name}")


def swin_transform(h):
    check(h, ("stage_channels", "depths", "window", "head_channels"))
    C, depths = h.stage_channels, h.depths
    if len(C) != 4 or len(depths) != 4 or C[0] != h.channels or C[3] != h.latent_channels:
        raise ValueError(f"stage_channels and depths must be four each, from channels {h.channels} to latent_channels {h.latent_channels}, not {C} and {depths}")
    return {"g_a": SwinAnalysis(3, C, depths, h.head_channels, h.window), "g_s": SwinSynthesis(3, C[::-1], depths[::-1], h.head_channels, h.window)}


def swin_hyper(h):
    check(h, ("hyper_stage_channels", "hyper_depths", "hyper_window", "head_channels"))
    C, depths, M = h.hyper_stage_channels, h.hyper_depths, h.latent_channels
    if len(C) != 2 or len(depths) != 2:
        raise ValueError(f"hyper_stage_channels and hyper_depths must be two each, not {C} and {depths}")
    h_a = SwinAnalysis(M, C, depths, h.head_channels, h.hyper_window)
    return Hyper(C[1], h_a=h_a, h_s=SwinSynthesis(2 * M, C[::-1], depths[::-1], h.head_channels, h.hyper_window))


def side(h):
    """Pixels that a side must be a multiple of, for whole windows at every resolution: 1/16 at the coarsest of latents, 1/64 of hyperlatents."""
    return math.lcm(*([16 * h.window] if h.transform == "swin" else []), *([64 * h.hyper_window] if h.hyper == "swin" else []))
