# SPDX-License-Identifier: Apache-2.0
"""The factorized prior of Ballé et al. (ICLR 2018, appendix 6.1), with CompressAI's parameters."""
import copy
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..layers import lower_bound
from ..priors import LIKELIHOOD_BOUND
from ..tables import PRIOR_EDGES

WIDTHS = (1, 3, 3, 3, 3, 1)
INITIAL_SPREAD = 10.0


class EntropyBottleneck(nn.Module):
    """A learned distribution a channel: CDF(v) = sigmoid(g(v)), g a chain of matrices softplus(matrices[k]) plus biases[k], each but the last followed by u + tanh(factors[k]) tanh(u).

    Values are coded as integers around `medians`, which CompressAI learns apart from the CDF (quantiles[:, 0, 1]) and which stay 0 in a training of ours.
    """

    def __init__(self, channels):
        super().__init__()
        step = INITIAL_SPREAD ** (1 / (len(WIDTHS) - 1))
        pairs = list(zip(WIDTHS[:-1], WIDTHS[1:]))
        self.matrices = nn.ParameterList(torch.full((channels, o, i), math.log(math.expm1(1 / step / o))) for i, o in pairs)
        self.biases = nn.ParameterList(torch.rand(channels, o, 1) - 0.5 for _, o in pairs)
        self.factors = nn.ParameterList(torch.zeros(channels, o, 1) for _, o in pairs[:-1])
        self.register_buffer("medians", torch.zeros(channels))

    def logits(self, v):
        """g(v) for v (C, 1, n)."""
        for k, (matrix, bias) in enumerate(zip(self.matrices, self.biases)):
            v = F.softplus(matrix) @ v + bias
            if k < len(self.factors):
                v = v + torch.tanh(self.factors[k]) * torch.tanh(v)
        return v

    def bits(self, v, width=1.0):
        """Bits of values v (B, C, H, W), each standing for the cell of that width around it (or widths (B, 1, 1, 1))."""
        with torch.autocast(v.device.type, enabled=False):
            flat = lambda v: v.float().transpose(0, 1).flatten(1)[:, None]
            lower, upper = self.logits(flat(v - 0.5 * width)), self.logits(flat(v + 0.5 * width))
            sign = torch.where(lower + upper > 0, -1.0, 1.0)  # the side where the tails do not cancel
            p = (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs()
            bits = -torch.log2(lower_bound(p, LIKELIHOOD_BOUND))
        B, C, H, W = v.shape
        return bits.view(C, B, H, W).transpose(0, 1)

    @torch.no_grad()
    def tails(self, width=1.0):
        """For each channel P(v - median < e width) and P(v - median > e width) at the edges e of the coding tables, in binary64."""
        exact = copy.deepcopy(self).cpu().double()
        g = exact.logits(torch.from_numpy(PRIOR_EDGES) * width + exact.medians[:, None, None])[:, 0]
        return zip(torch.sigmoid(g).numpy(), torch.sigmoid(-g).numpy())
