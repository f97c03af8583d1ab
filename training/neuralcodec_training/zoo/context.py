# SPDX-License-Identifier: Apache-2.0
"""Context models: means and scales from the hyperprior and from latents that are already coded, pass by pass.

`prior` is the hyper synthesis' output. `rebuild(mean, where)` codes the latents at `where`, an index into (B, M, H, W), and gives their rebuilt values; it is only asked
where everything the means depend on has been rebuilt. So one `run` serves encoder, decoder, training and replay.
"""
from typing import NamedTuple

import torch
import torch.nn as nn
import torch.nn.functional as F

from .layers import MaskedConv2d, causal_mask, checkerboard_mask

ALL = slice(None)


class Parameters(NamedTuple):
    """Of a batch of latents, each (B, M, H, W)."""

    means: torch.Tensor
    scales: torch.Tensor  # as the network gives them: the coding tables start at 0.11
    y_hat: torch.Tensor  # rebuilt latents, as the synthesis takes them


def scales_and_means(parameters):
    """CompressAI's order: the first half of the channels are scales."""
    scales, means = parameters.chunk(2, 1)
    return scales, means


class PriorOnly:
    """No context: h_s(z_hat) holds scales and means, or scales alone, with means of zero."""

    sequential = False

    def __init__(self, h):
        self.modules = {}
        self.scales_only = h.hyper == "scale"

    def run(self, model, prior, rebuild):
        scales, means = (prior, torch.zeros_like(prior)) if self.scales_only else scales_and_means(prior)
        return Parameters(means, scales, rebuild(means, (ALL, ALL)))

    def parameter_layers(self, model):
        last = [layer for layer in model.h_s if isinstance(layer, nn.Conv2d)][-1]
        return [(last, slice(0) if self.scales_only else ALL, ALL)]


class Spatial:
    """Contexts of a masked 5x5 convolution of the rebuilt latents: parameters = entropy_parameters(cat(prior, context_prediction(y_hat))), pointwise (Minnen et al., 2018)."""

    mask = None

    def __init__(self, h):
        if h.hyper in ("none", "scale"):
            raise ValueError(f"a {h.context} context needs a hyperprior with means, not {h.hyper!r}")
        M = h.latent_channels
        widths = (4 * M, M * 10 // 3, M * 8 // 3, 2 * M)
        layers = [nn.Conv2d(i, o, 1) for i, o in zip(widths[:-1], widths[1:])]
        self.modules = {
            "context_prediction": MaskedConv2d(M, 2 * M, self.mask(5)),
            "entropy_parameters": nn.Sequential(layers[0], nn.LeakyReLU(), layers[1], nn.LeakyReLU(), layers[2]),
        }

    def parameter_layers(self, model):
        return [(model.entropy_parameters[-1], ALL, ALL)]

    def parameters(self, model, prior, context):
        return scales_and_means(model.entropy_parameters(torch.cat([prior, context], 1)))


class Checkerboard(Spatial):
    """He et al., CVPR 2021, as in CompressAI's checkerboard codec with even anchors.

    Positions whose row + column is even (anchors) come first. In their pass the 2 M context channels are exactly zero: context_prediction is not run, so not even its bias is
    there. In the second pass context_prediction (taps at an odd distance, so anchors only, and its bias) sees y_hat of the anchors. Both passes use the same
    entropy_parameters.
    """

    sequential = False
    mask = staticmethod(checkerboard_mask)

    def run(self, model, prior, rebuild):
        B, _, H, W = prior.shape
        M = model.hyperparameters.latent_channels
        anchor = ((torch.arange(H, device=prior.device)[:, None] + torch.arange(W, device=prior.device)) % 2 == 0)
        scales1, means1 = self.parameters(model, prior, prior.new_zeros(B, 2 * M, H, W))
        anchors = torch.where(anchor, rebuild(means1, (ALL, ALL)), prior.new_zeros(()))
        scales2, means2 = self.parameters(model, prior, model.context_prediction(anchors))
        means, scales = torch.where(anchor, means1, means2), torch.where(anchor, scales1, scales2)
        return Parameters(means, scales, torch.where(anchor, anchors, rebuild(means2, (ALL, ALL))))


class Autoregressive(Spatial):
    """Minnen et al., NeurIPS 2018: position after position in raster order; the causal mask has the 12 taps before the centre. Outside the map, y_hat is 0.

    Any order in which the 12 come first gives the same values; along column + 3 row = constant, positions are independent.
    """

    sequential = True
    mask = staticmethod(causal_mask)

    @torch.no_grad()
    def run(self, model, prior, rebuild):
        B, _, H, W = prior.shape
        M = model.hyperparameters.latent_channels
        padded = prior.new_zeros(B, M, H + 4, W + 4)
        means, scales = prior.new_zeros(2, B, M, H, W)
        weight, bias = model.context_prediction.masked_weight(), model.context_prediction.bias
        for r in range(H):
            for c in range(W):
                here = (ALL, ALL, slice(r, r + 1), slice(c, c + 1))
                context = F.conv2d(padded[:, :, r:r + 5, c:c + 5], weight, bias)
                scales[here], means[here] = self.parameters(model, prior[here], context)
                padded[:, :, r + 2:r + 3, c + 2:c + 3] = rebuild(means[here], here)
        return Parameters(means, scales, padded[:, :, 2:-2, 2:-2])

    def at_once(self, model, prior, y_hat):
        """All positions together, where all rebuilt latents are known (or, in training, replaced by noisy ones)."""
        scales, means = self.parameters(model, prior, model.context_prediction(y_hat))
        return Parameters(means, scales, y_hat)


CONTEXTS = {"none": PriorOnly, "checkerboard": Checkerboard, "autoregressive": Autoregressive}
