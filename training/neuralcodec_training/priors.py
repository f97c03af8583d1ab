# SPDX-License-Identifier: Apache-2.0
"""Probability models of integers: the Gaussian of the latents and the learned factorized prior of the hyperlatents."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from .layers import lower_bound

LIKELIHOOD_BOUND = 1e-9
SCALE_BOUND = 0.11


def gaussian_bits(v, scale):
    """Bits of v (value minus mean) under a zero-mean Gaussian integrated over unit cells."""
    s, v = lower_bound(scale, SCALE_BOUND) * math.sqrt(2), v.abs()
    p = 0.5 * (torch.erfc((v - 0.5) / s) - torch.erfc((v + 0.5) / s))
    return -torch.log2(lower_bound(p, LIKELIHOOD_BOUND))


class FactorizedPrior(nn.Module):
    """One learned distribution a channel: a mixture of three logistics, whose CDF is closed and monotonic."""

    components = 3

    def __init__(self, channels):
        super().__init__()
        self.medians = nn.Parameter(torch.zeros(channels))
        self.weights = nn.Parameter(torch.zeros(channels, self.components))
        self.means = nn.Parameter(torch.zeros(channels, self.components))
        self.log_scales = nn.Parameter(torch.log(torch.tensor([0.3, 0.6, 1.2])).repeat(channels, 1))

    def cdf(self, v):
        """P(value <= v) for v (..., C, H, W), in the distribution's own axis (not median-centred)."""
        shape = (self.weights.shape[0], 1, 1, self.components)
        t = (v.unsqueeze(-1) - self.medians.view(-1, 1, 1, 1) - self.means.view(shape)) * torch.exp(-self.log_scales.view(shape))
        return (torch.sigmoid(t) * F.softmax(self.weights, 1).view(shape)).sum(-1)

    def bits(self, v):
        """Bits of values v (B, C, H, W) whose distance to the median is an integer, or of values with uniform noise."""
        # Evaluate on the side where the tails do not cancel: cdf(v) above the median equals 1 - cdf(-v) of the mirrored mixture.
        shape = (self.weights.shape[0], 1, 1, self.components)
        d = v.unsqueeze(-1) - self.medians.view(-1, 1, 1, 1) - self.means.view(shape)
        inverse = torch.exp(-self.log_scales.view(shape))
        sign = -torch.sign(d.detach())
        upper, lower = torch.sigmoid(sign * (d + 0.5) * inverse), torch.sigmoid(sign * (d - 0.5) * inverse)
        p = ((upper - lower).abs() * F.softmax(self.weights, 1).view(shape)).sum(-1)
        return -torch.log2(lower_bound(p, LIKELIHOOD_BOUND))
