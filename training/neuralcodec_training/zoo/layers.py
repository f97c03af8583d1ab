# SPDX-License-Identifier: Apache-2.0
"""Layers of CompressAI's networks: the same tensors and the same arithmetic. LeakyReLU has PyTorch's slope, 0.01."""
import torch
import torch.nn as nn
import torch.nn.functional as F

from ..layers import lower_bound

PEDESTAL = 2.0**-36  # of GDN's parametrization
BETA_MINIMUM = 1e-6


def conv(inputs, outputs, kernel=5, stride=2):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)


def deconv(inputs, outputs, kernel=5, stride=2):
    """Transposed: a map of H x W becomes exactly stride H x stride W."""
    return nn.ConvTranspose2d(inputs, outputs, kernel, stride, kernel // 2, output_padding=stride - 1)


def subpixel(inputs, outputs, factor=2):
    """3x3 convolution, then a pixel shuffle; tensors NAME.0.*"""
    return nn.Sequential(conv(inputs, outputs * factor**2, 3, 1), nn.PixelShuffle(factor))


class GDN(nn.Module):
    """x / sqrt(beta + gamma x^2), or, inverse, times that root (Ballé et al., 2016).

    The parameters hold square roots: beta = max(raw, sqrt(1e-6 + 2^-36))^2 - 2^-36, gamma = max(raw, 2^-18)^2 - 2^-36; gamma[i][j] weighs x_j^2 for output i.
    """

    def __init__(self, channels, inverse=False):
        super().__init__()
        self.inverse = inverse
        self.beta = nn.Parameter(torch.full((channels,), (1 + PEDESTAL) ** 0.5))
        self.gamma = nn.Parameter((0.1 * torch.eye(channels) + PEDESTAL).sqrt())

    def forward(self, x):
        beta = lower_bound(self.beta, (BETA_MINIMUM + PEDESTAL) ** 0.5) ** 2 - PEDESTAL
        gamma = lower_bound(self.gamma, PEDESTAL**0.5) ** 2 - PEDESTAL
        norm = F.conv2d(x**2, gamma[:, :, None, None], beta)
        return x * (torch.sqrt(norm) if self.inverse else torch.rsqrt(norm))


def causal_mask(size):
    """1 for the taps above the centre, and to its left in its row."""
    return (torch.arange(size * size) < size * size // 2).float().view(size, size)


def checkerboard_mask(size):
    """1 for the taps at an odd distance (rows plus columns) from the centre."""
    return ((torch.arange(size)[:, None] + torch.arange(size)) % 2 == 1).float()


class MaskedConv2d(nn.Conv2d):
    """A convolution of which only the mask's taps exist; the others' weights mean nothing, and are zero in model files."""

    def __init__(self, inputs, outputs, mask):
        super().__init__(inputs, outputs, mask.shape[-1], padding=mask.shape[-1] // 2)
        self.register_buffer("mask", mask, persistent=False)

    def masked_weight(self):
        return self.weight * self.mask

    def forward(self, x):
        return F.conv2d(x, self.masked_weight(), self.bias, padding=self.padding)


class ResidualBlock(nn.Module):
    """x' + f(conv2(f(conv1(x)))), f LeakyReLU; x' is x, or skip(x) where the widths differ."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = conv(inputs, outputs, 3, 1)
        self.conv2 = conv(outputs, outputs, 3, 1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x):
        identity = x if self.skip is None else self.skip(x)
        return F.leaky_relu(self.conv2(F.leaky_relu(self.conv1(x)))) + identity


class ResidualBlockWithStride(nn.Module):
    """skip(x) + GDN(conv2(f(conv1(x)))); conv1 (3x3) and skip (1x1) have stride 2."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = conv(inputs, outputs, 3, 2)
        self.conv2 = conv(outputs, outputs, 3, 1)
        self.gdn = GDN(outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1, 2)

    def forward(self, x):
        return self.gdn(self.conv2(F.leaky_relu(self.conv1(x)))) + self.skip(x)


class ResidualBlockUpsample(nn.Module):
    """upsample(x) + inverse GDN(conv(f(subpel_conv(x)))); upsample and subpel_conv are sub-pixel convolutions by 2."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.subpel_conv = subpixel(inputs, outputs)
        self.conv = conv(outputs, outputs, 3, 1)
        self.igdn = GDN(outputs, inverse=True)
        self.upsample = subpixel(inputs, outputs)

    def forward(self, x):
        return self.igdn(self.conv(F.leaky_relu(self.subpel_conv(x)))) + self.upsample(x)


class ResidualUnit(nn.Module):
    """ReLU(x + 1x1(ReLU(3x3(ReLU(1x1(x)))))), half as wide inside; tensors NAME.conv.{0,2,4}.*"""

    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.conv = nn.Sequential(nn.Conv2d(channels, half, 1), nn.ReLU(), conv(half, half, 3, 1), nn.ReLU(), nn.Conv2d(half, channels, 1))

    def forward(self, x):
        return F.relu(self.conv(x) + x)


class AttentionBlock(nn.Module):
    """x + conv_a(x) * sigmoid(conv_b(x)): the simplified attention module of Cheng et al., 2020."""

    def __init__(self, channels):
        super().__init__()
        self.conv_a = nn.Sequential(*(ResidualUnit(channels) for _ in range(3)))
        self.conv_b = nn.Sequential(*(ResidualUnit(channels) for _ in range(3)), nn.Conv2d(channels, channels, 1))

    def forward(self, x):
        return x + self.conv_a(x) * torch.sigmoid(self.conv_b(x))
