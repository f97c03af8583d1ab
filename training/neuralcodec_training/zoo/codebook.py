# SPDX-License-Identifier: Apache-2.0
"""General vector quantization (GVQ), for comparison with lattices: a codebook of any points for each group of n channels, learned with the network. In training only; no file holds it.

Codewords k have probabilities q_k. An encoder takes the one of the least |v - c_k|^2 + GAMMA log2(1 / q_k) (Chou, Lookabaugh & Gray, "Entropy-constrained vector quantization", 1989).
The gradient of the rebuilt vector goes to the vector and to its codeword; that of the rate comes from soft choices, softmax(-cost / TEMPERATURE).
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from .lattice import channels_of, vectors

GAMMA = math.log(2) / 6  # what a bit is worth where scalars have steps of 1: of their error s^2 / 12, the slope by the rate
TEMPERATURE = 0.25
PIECE = 4096  # positions at once


class Codebook(nn.Module):
    """Starts, in the first step of a training, as latents of its batch."""

    def __init__(self, groups, dimension, size):
        super().__init__()
        if size < 2:
            raise ValueError(f"a codebook has 2 words at least, not {size}")
        self.dimension = dimension
        self.codewords = nn.Parameter(torch.zeros(groups, size, dimension))
        self.logits = nn.Parameter(torch.zeros(groups, size))
        self.register_buffer("fresh", torch.ones(()))

    @torch.no_grad()
    def start(self, v):
        """v (N, groups, n)"""
        groups, size, n = self.codewords.shape
        index = torch.randint(len(v), (groups, size))
        self.codewords.copy_(v.transpose(0, 1).gather(1, index[..., None].expand(-1, -1, n)) + 0.1 * torch.randn(groups, size, n))
        self.fresh.zero_()

    def costs(self, v):
        """(cost, bits): of all codewords (N, groups, K); of each by itself (groups, K)."""
        bits = -F.log_softmax(self.logits, 1) / math.log(2)
        distance = (v.square().sum(-1, keepdim=True) - 2 * torch.einsum("bgn,gkn->bgk", v, self.codewords) + self.codewords.square().sum(-1)).clamp(min=0)
        return distance + GAMMA * bits, bits

    def piece(self, v, rounded):
        cost, bits = self.costs(v)
        index = cost.argmin(-1)
        groups = torch.arange(v.shape[1], device=v.device)
        rebuilt = self.codewords[groups, index]
        if rounded:
            return rebuilt, bits[groups, index]
        return rebuilt + v - v.detach(), (torch.softmax(-cost / TEMPERATURE, -1) * bits).sum(-1)

    def forward(self, y, rounded):
        """y (B, M, H, W) -> (rebuilt latents, bits), the bits of a vector spread over its channels."""
        v = vectors(y, self.dimension)
        flat = v.flatten(0, 2)
        if self.training and self.fresh > 0.5:
            self.start(flat)
        parts = [self.piece(part, rounded) for part in flat.split(PIECE)]
        rebuilt = torch.cat([p[0] for p in parts]).view(v.shape)
        bits = torch.cat([p[1] for p in parts]).view(v.shape[:-1])[..., None].expand(v.shape) / self.dimension
        return channels_of(rebuilt), channels_of(bits)


def codebook(h):
    """The module that hyperparameters ask for, or None."""
    if h.codebook is None:
        if h.codebook_dimension is not None:
            raise ValueError("codebook_dimension: of networks with codebooks")
        return None
    n = h.codebook_dimension or 2
    if h.hyper != "none" or h.lattice is not None or h.linear is not None:
        raise ValueError("codebooks go without a hyperprior, a lattice and a linear map")
    if h.latent_channels % n:
        raise ValueError(f"{h.latent_channels} channels are no whole vectors of {n}")
    return Codebook(h.latent_channels // n, n, h.codebook)
