# SPDX-License-Identifier: Apache-2.0
"""Layers of the default model family, each with the plain formula that the library repeats in strict binary32."""
import torch
import torch.nn as nn
import torch.nn.functional as F

SLOPE = 0.1  # negative slope of every LeakyReLU of the family


class LowerBound(torch.autograd.Function):
    """max(x, bound), whose gradient still pushes x up while it lies below the bound."""

    @staticmethod
    def forward(ctx, x, bound):
        ctx.save_for_backward(x)
        ctx.bound = bound
        return x.clamp(min=bound)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * ((x >= ctx.bound) | (gradient < 0)), None


def lower_bound(x, bound):
    return LowerBound.apply(x, bound)


def ste_round(x):
    """Rounds half to even; the gradient passes straight through."""
    return x + (torch.round(x) - x).detach()


class RateTable(nn.Module):
    """One value a channel, interpolated linearly over the rate parameter r in [0, 1] between equidistant knots (knots, channels)."""

    def __init__(self, knots, channels, value=0.0):
        super().__init__()
        self.table = nn.Parameter(torch.full((knots, channels), float(value)))

    def forward(self, r):
        """r (B) in [0, 1] -> (B, channels, 1, 1)."""
        position = r.float() * (self.table.shape[0] - 1)
        lower = position.floor().clamp(max=self.table.shape[0] - 2)
        t = (position - lower).unsqueeze(1)
        lower = lower.long()
        return torch.lerp(self.table[lower], self.table[lower + 1], t)[:, :, None, None]


class RateConv(nn.Module):
    """Pointwise convolution whose bias depends on the rate parameter: W x + b(r)."""

    def __init__(self, inputs, outputs, knots):
        super().__init__()
        self.weight = nn.Parameter(nn.Conv2d(inputs, outputs, 1).weight.detach())
        self.bias = RateTable(knots, outputs)

    def forward(self, x, r):
        return F.conv2d(x, self.weight) + self.bias(r).to(x.dtype)


class Block(nn.Module):
    """Two residual branches: pointwise, depthwise 3x3, pointwise; then pointwise to `mix` channels (twice the width if 0) and back.

    With `knots` the first bias of each branch follows the rate parameter. `identity` starts the block as x -> x.
    """

    def __init__(self, channels, knots=0, identity=True, mix=0):
        super().__init__()
        mix = mix or 2 * channels
        first = (lambda o: RateConv(channels, o, knots)) if knots else (lambda o: nn.Conv2d(channels, o, 1))
        self.space_in = first(channels)
        self.space_depthwise = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels)
        self.space_out = nn.Conv2d(channels, channels, 1)
        self.mix_in = first(mix)
        self.mix_out = nn.Conv2d(mix, channels, 1)
        self.knots = knots
        if identity:
            for layer in (self.space_out, self.mix_out):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, x, r=None):
        first = (lambda layer, v: layer(v, r)) if self.knots else (lambda layer, v: layer(v))
        x = x + self.space_out(self.space_depthwise(F.leaky_relu(first(self.space_in, x), SLOPE)))
        return x + self.mix_out(F.leaky_relu(first(self.mix_in, x), SLOPE))
