# SPDX-License-Identifier: Apache-2.0
"""A start for the transform balle2018-relu: a linear transform codec, made of KLTs of 2 x 2 blocks stage after stage. What would take a small training hours from random weights is there at once.

ReLU passes what is positive, so every channel between the stages is moved up by several of its deviations. The synthesis takes that away again with the help of one channel that holds 1.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

DEVIATIONS = 4.0  # by which channels are moved up
CROPS, SIDE = 600, 64


def block_klt(maps, count):
    """Of the 2 x 2 blocks of maps (B, C, H, W): vectors (4 C, count) in the order of pixel_unshuffle, and the blocks' mean (4 C)."""
    blocks = F.pixel_unshuffle(maps, 2).transpose(0, 1).flatten(1).double()
    mean = blocks.mean(1)
    _, vectors = torch.linalg.eigh(torch.cov(blocks))
    return vectors.flip(1)[:, :count].float(), mean.float()


def taps(vectors):
    """(4 C, count) -> (count, C, 2, 2)"""
    return vectors.T.unflatten(1, (-1, 2, 2))


def put(layer, vectors, first=0):
    """The taps of the convolution (or transposed one) that a block has, of its channels from `first`; elsewhere zero. Taps 2 and 3 of 5 belong to a block."""
    layer.weight.zero_()
    weight = taps(vectors)
    layer.weight[first:first + weight.shape[0], :weight.shape[1], 2:4, 2:4] = weight


def step_for(weight):
    """Size of quantization steps, of orthonormal coefficients of samples in [0, 1], that is best for lambda at high rates: three coefficients a pixel, 6 dB a bit."""
    return math.sqrt(18 / (math.log(2) * weight * 255**2))


@torch.no_grad()
def from_block_klt(model, crops, weight):
    """Makes the transforms of a new model linear, for lambda `weight`."""
    h = model.hyperparameters
    if getattr(h, "transform", None) != "balle2018-relu":
        raise SystemExit(f"there is no KLT start for the transform {getattr(h, 'transform', model.architecture)!r}")
    N, M = h.channels, h.latent_channels
    if N < 16:
        raise SystemExit("a KLT start needs 16 channels at least")
    down, up = ([m for m in part if not isinstance(m, nn.ReLU)] for part in (model.g_a, model.g_s))
    maps = crops.batch(CROPS, SIDE)
    moved = None  # by how much the channels of `maps` lie above their values
    for stage, (conv, deconv) in enumerate(zip(down, reversed(up))):
        last, C = stage == 3, maps.shape[1]
        vectors, mean = block_klt(maps, min(M if last else N - 1, 4 * C))
        if stage == 0:
            vectors, mean = torch.eye(4 * C), torch.zeros(4 * C)  # samples are positive as they are
        count = vectors.shape[1]
        values = F.conv2d(F.pixel_unshuffle(maps, 2) - mean[:, None, None], vectors.T[:, :, None, None])
        gain = 1 / step_for(weight) if last else 1.0
        new = torch.zeros(count) if last or stage == 0 else DEVIATIONS * values.std((0, 2, 3))
        old_bias, old_weight = conv.bias.clone(), conv.weight.clone()
        put(conv, gain * vectors)
        conv.bias.copy_(old_bias)
        conv.bias[:count] = new - gain * (mean @ vectors)
        conv.weight[count:] = old_weight[count:]  # channels of no use yet stay random, and nothing reads them
        put(deconv, vectors / gain)
        deconv.bias.zero_()
        deconv.bias[:C] = mean.view(C, 4).mean(1)
        if stage > 0:
            deconv.bias[N - 1] = 1.0  # the channel that holds 1
        if not last and stage > 0:
            deconv.weight[N - 1, :C, 2:4, 2:4] = -(vectors @ new).view(C, 2, 2)
        maps = F.relu(values + new[:, None, None]) if not last else values
