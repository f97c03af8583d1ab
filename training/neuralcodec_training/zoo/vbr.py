# SPDX-License-Identifier: Apache-2.0
"""Variable rate by quantization steps, as in CompressAI's -vbr models (Kamisli, Racapé & Choi, "Variable-Rate Learned Image Compression with Multi-Objective Optimization and
Quantization-Reconstruction Offsets", DCC 2024).

There are L levels, hyperparameter `gain`; the rate parameter r = 0 ... 65535 stands for level floor((r (L - 1) + 32767) / 65535). A level has

    vbr.gains (L)           g, ascending: the reciprocal of the latents' step
    vbr.steps (L)           w, the hyperlatents' step, only with hyperparameter `variable_step` 1; the factorized prior's tables are then made for each level
    vbr.context (L, 2 M)    added to the context channels of a spatial context, in every pass, before entropy_parameters

    z: symbol = round((z - median) / w), z_hat = symbol w + median
    y: symbol = round((y - mean) g), coded with the table of the scale times g
       y_hat = sign(symbol) (|symbol| + offset) (1 / g) + mean, where 1 / g is rounded once;
       offset = -QuantABCD(max(scale g, 0.11), g), and 0 where the symbol is 0

QuantABCD maps two numbers by linear layers 0, 2, 4 of 12, 12, 1 outputs with ReLU between them. Contexts and the synthesis take y_hat, offset included.
CompressAI computes w and vbr.context by small networks of g; here they are kept as what those give at each level.
"""
import math
from typing import NamedTuple

import torch
import torch.nn as nn

from ..layers import lower_bound
from ..priors import SCALE_BOUND

LOWEST, HIGHEST = 0.1, 1.0  # gains of a new model
STEP_BOUND = 0.5


class Rate(NamedTuple):
    """What a level stands for, each (B, 1, 1, 1), the context (B, 2 M, 1, 1)."""

    gain: torch.Tensor
    inverse: torch.Tensor
    step: torch.Tensor
    context: torch.Tensor


class Levels(nn.Module):
    def __init__(self, count, variable_step, context_channels):
        super().__init__()
        if count < 2:
            raise ValueError(f"a variable rate needs a gain of 2 levels at least, not {count}")
        self.register_buffer("gains", torch.logspace(math.log10(LOWEST), math.log10(HIGHEST), count))
        self.steps = nn.Parameter(torch.ones(count)) if variable_step else None
        self.context = nn.Parameter(torch.zeros(count, context_channels)) if context_channels else None

    def level(self, r):
        """Of rate parameters r in [0, 1] (a file's 16 bits over 65535)."""
        parameter = torch.round(r.double() * 65535).long()
        return (parameter * (len(self.gains) - 1) + 32767) // 65535

    def step_values(self):
        return lower_bound(self.steps, STEP_BOUND) if self.steps is not None else torch.ones_like(self.gains)

    def forward(self, r):
        level = self.level(r)
        wide = lambda v: v[level][:, None, None, None]
        return Rate(wide(self.gains), wide(1 / self.gains), wide(self.step_values()), self.context[level][:, :, None, None] if self.context is not None else None)


def offset_network():
    return nn.Sequential(nn.Linear(2, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 1))


def with_offsets(network, symbols, scales, rate):
    """Symbols moved towards zero, or away, by what the network gives for their scale and gain; before division by the gain."""
    scale = lower_bound(scales * rate.gain, SCALE_BOUND)
    offset = -network(torch.stack([scale, rate.gain.expand_as(scale)], -1))[..., 0]
    sign = torch.sign(symbols).detach()
    return sign * (symbols.abs() + torch.where(symbols == 0, torch.zeros_like(offset), offset))
