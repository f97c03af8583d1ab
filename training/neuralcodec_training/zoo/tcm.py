# SPDX-License-Identifier: Apache-2.0
"""LIC-TCM (Liu, Sun & Katto, "Learned Image Compression with Mixed Transformer-CNN Architectures", CVPR 2023): tensors and arithmetic of the authors' repository.

Hyperparameters: channels N (of the convolutional half, and of the attention half; maps have 2 N), latent_channels M, hyper_channels Z, depths (blocks of the six stages;
the hyper transforms have as many as stages 0 and 3), head_channels (of the six), window, hyper_window, hyper_head_channels, attention_channels (inside the context's
attention), attention_head_channels, slices, max_support_slices. The authors': 128 (or 64, 96), 320, 192, 2 each, (8, 16, 32, 32, 16, 8), 8, 4, 32, 128, 16, 5 times 64, 5.

Sides of maps are multiples of the window's: nothing is padded. (The authors' code pads in the context where a side of the latents is 8 or less, and fails there.)
"""
import math

import torch
import torch.nn as nn

from .context import ChannelWise
from .hyper import Hyper
from .layers import AttentionBlock, ResidualBlock, ResidualBlockUpsample, ResidualBlockWithStride, conv, subpixel
from .windows import relative_index, window_attention


class WMSA(nn.Module):
    """Window attention; relative_position_params (heads, 2 window - 1, 2 window - 1) by row and column distance, query minus key plus window - 1."""

    def __init__(self, channels, head_channels, window, shift):
        super().__init__()
        if channels % head_channels:
            raise ValueError(f"attention of {channels} channels does not have heads of {head_channels}")
        self.heads, self.window, self.shift = channels // head_channels, window, shift
        self.embedding_layer = nn.Linear(channels, 3 * channels)
        self.linear = nn.Linear(channels, channels)
        self.relative_position_params = nn.Parameter(torch.empty(self.heads, 2 * window - 1, 2 * window - 1))
        nn.init.trunc_normal_(self.relative_position_params, std=0.02)

    def forward(self, x):
        bias = self.relative_position_params.flatten(1)[:, relative_index(self.window, x.device)]
        return self.linear(window_attention(self.embedding_layer(x), bias, self.heads, self.window, self.shift))


class Block(nn.Module):
    """x := x + msa(ln1(x)); x := x + mlp(ln2(x)), channels last; mlp: linear to 4 times the width, GELU (erf), linear. Layer norms add 1e-5."""

    def __init__(self, channels, head_channels, window, shifted):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.msa = WMSA(channels, head_channels, window, window // 2 if shifted else 0)
        self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))

    def forward(self, x):
        x = x + self.msa(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class ConvTransBlock(nn.Module):
    """Of 2 N channels: (c, t) = halves of conv1_1(x); c := ResidualBlock(c) + c; t := Block(t); x + conv1_2(cat(c, t)). conv1_1 and conv1_2 are pointwise.

    ResidualBlock(c) is c + f(conv2(f(conv1(c)))), f LeakyReLU of slope 0.01, so c counts twice.
    """

    def __init__(self, channels, head_channels, window, shifted):
        super().__init__()
        self.trans_block = Block(channels, head_channels, window, shifted)
        self.conv1_1, self.conv1_2 = nn.Conv2d(2 * channels, 2 * channels, 1), nn.Conv2d(2 * channels, 2 * channels, 1)
        self.conv_block = ResidualBlock(channels, channels)

    def forward(self, x):
        c, t = self.conv1_1(x).chunk(2, 1)
        c = self.conv_block(c) + c
        t = self.trans_block(t.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return x + self.conv1_2(torch.cat([c, t], 1))


class SwinBlock(nn.Module):
    """Two blocks, the second shifted; channels first outside."""

    def __init__(self, channels, head_channels, window):
        super().__init__()
        self.block_1, self.block_2 = Block(channels, head_channels, window, False), Block(channels, head_channels, window, True)

    def forward(self, x):
        return self.block_2(self.block_1(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


class SWAtten(AttentionBlock):
    """x := in_conv(x); out_conv(x + conv_a(x) * sigmoid(conv_b(non_local_block(x)))). in_conv and out_conv are pointwise."""

    def __init__(self, channels, inner, head_channels, window):
        super().__init__(inner)
        self.non_local_block = SwinBlock(inner, head_channels, window)
        self.in_conv, self.out_conv = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, channels, 1)

    def forward(self, x):
        x = self.in_conv(x)
        return self.out_conv(x + self.conv_a(x) * torch.sigmoid(self.conv_b(self.non_local_block(x))))


def check(h, names):
    for name in names:
        if getattr(h, name) is None:
            raise ValueError(f"a tcm network needs {name}")
    if h.depths is not None and len(h.depths) != 6:
        raise ValueError(f"depths of a tcm network must be six, not {h.depths}")


def blocks(channels, depth, head_channels, window):
    return [ConvTransBlock(channels, head_channels, window, i % 2 == 1) for i in range(depth)]


def tcm_transform(h):
    check(h, ("depths", "head_channels", "window"))
    N, M = h.channels, h.latent_channels
    if len(h.head_channels) != 6:
        raise ValueError(f"head_channels of a tcm transform must be six, not {h.head_channels}")
    stage = lambda i: blocks(N, h.depths[i], h.head_channels[i], h.window)
    down, up = ResidualBlockWithStride, ResidualBlockUpsample
    g_a = [down(3, 2 * N), *stage(0), down(2 * N, 2 * N), *stage(1), down(2 * N, 2 * N), *stage(2), conv(2 * N, M, 3, 2)]
    g_s = [up(M, 2 * N), *stage(3), up(2 * N, 2 * N), *stage(4), up(2 * N, 2 * N), *stage(5), subpixel(2 * N, 3)]
    return {"g_a": nn.Sequential(*g_a), "g_s": nn.Sequential(*g_s)}


def tcm_hyper(h):
    """h_a to Z channels; h_scale_s and h_mean_s, alike, to M each: together the prior, scales first."""
    check(h, ("hyper_channels", "depths", "hyper_head_channels", "hyper_window"))
    N, M, Z = h.channels, h.latent_channels, h.hyper_channels
    stage = lambda i: blocks(N, h.depths[i], h.hyper_head_channels, h.hyper_window)
    synthesis = lambda: nn.Sequential(ResidualBlockUpsample(Z, 2 * N), *stage(3), subpixel(2 * N, M))
    h_a = nn.Sequential(ResidualBlockWithStride(M, 2 * N), *stage(0), conv(2 * N, Z, 3, 2))
    return Hyper(Z, h_a=h_a, h_mean_s=synthesis(), h_scale_s=synthesis())


def tcm_slice_transform(inputs, outputs):
    """3x3 convolutions to 224, 128 and the slice's channels, GELU (erf) between them."""
    return nn.Sequential(conv(inputs, 224, 3, 1), nn.GELU(), conv(224, 128, 3, 1), nn.GELU(), conv(128, outputs, 3, 1))


class TCMContext(ChannelWise):
    """ChannelWise whose inputs pass through attention first: mean input = atten_mean[i](cat(mean features, support)), scale input = atten_scale[i](cat(scale features, support)).

    What lrp_transforms[i] takes is the attended mean input and the rebuilt slice. Tensors atten_mean.i.0.*, atten_scale.i.0.*
    """

    slice_transform = staticmethod(tcm_slice_transform)

    def __init__(self, h):
        check(h, ("attention_channels", "attention_head_channels", "window"))
        super().__init__(h)
        for name in ("atten_mean", "atten_scale"):
            self.modules[name] = nn.ModuleList(
                nn.Sequential(SWAtten(inputs, h.attention_channels, h.attention_head_channels, h.window)) for inputs in self.inputs)

    def gather(self, model, i, features, support):
        mean_input, scale_input = super().gather(model, i, features, support)
        return model.atten_mean[i](mean_input), model.atten_scale[i](scale_input)


def side(h):
    """Pixels that a side must be a multiple of, for whole windows: 1/8 at the coarsest of the transform, 1/16 in the context, 1/32 in the hyper transforms."""
    windows = {"transform": 8 * h.window if h.window else 1, "context": 16 * h.window if h.window else 1, "hyper": 32 * h.hyper_window if h.hyper_window else 1}
    return math.lcm(*(windows[part] for part in windows if getattr(h, part) == "tcm"))


def hyperparameters_of(shape):
    """Of a network's tensors; shape(name) gives a tensor's sides, or None where there is none."""

    def runs(transform):
        """Blocks in a row, stage by stage; the stages of a transform are separated by one layer that is not a block."""
        counts = [0]
        for i in range(1, 1000):
            if shape(f"{transform}.{i}.conv1_1.weight"):
                counts[-1] += 1
            elif shape(f"{transform}.{i + 1}.conv1_1.weight"):
                counts.append(0)
            else:
                return counts

    def attention(block):
        """(channels of a head, window)"""
        heads, side, _ = shape(f"{block}.msa.relative_position_params")
        return shape(f"{block}.ln1.weight")[0] // heads, (side + 1) // 2

    def firsts(transform, counts):
        return [f"{transform}.{1 + i + sum(counts[:i])}.trans_block" for i in range(len(counts))]

    down, up = runs("g_a"), runs("g_s")
    heads = [attention(block) for block in firsts("g_a", down) + firsts("g_s", up)]
    hyper_head, hyper_window = attention("h_a.1.trans_block")
    inner_head, _ = attention("atten_mean.0.0.non_local_block.block_1")
    M = shape("h_a.0.conv1.weight")[1]
    slices = []
    while last := shape(f"cc_mean_transforms.{len(slices)}.4.weight"):
        slices.append(last[0])
    widest = max(shape(f"cc_mean_transforms.{i}.0.weight")[1] for i in range(len(slices))) - M
    support = next(i for i in range(len(slices) + 1) if sum(slices[:i]) >= widest)
    return {
        "channels": shape("g_a.0.conv1.weight")[0] // 2, "latent_channels": M, "slices": slices,
        # Where no slice has more before it than it sees, the limit does not show: then the authors' five.
        "max_support_slices": support if support < len(slices) - 1 else max(5, support), "hyper_channels": shape("h_mean_s.0.subpel_conv.0.weight")[1], "depths": down + up,
        "window": heads[0][1], "hyper_window": hyper_window, "head_channels": [channels for channels, _ in heads], "hyper_head_channels": hyper_head,
        "attention_channels": shape("atten_mean.0.0.in_conv.weight")[0], "attention_head_channels": inner_head,
    }
