# SPDX-License-Identifier: Apache-2.0
"""Context models: means and scales from the hyperprior and from latents that are already coded, pass by pass.

`prior` is the hyper synthesis' output. `rebuild(means, scales, where)` codes the latents at `where`, an index into (B, M, H, W), and gives their rebuilt values; it is only asked
where everything the means depend on has been rebuilt. So one `run` serves encoder, decoder, training and replay. `rate` is a level of vbr.py, or None.
"""
from typing import NamedTuple

import torch
import torch.nn as nn
import torch.nn.functional as F

from .layers import MaskedConv2d, causal_mask, checkerboard_mask, conv

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

    def run(self, model, prior, rebuild, rate=None):
        scales, means = (prior, torch.zeros_like(prior)) if self.scales_only else scales_and_means(prior)
        return Parameters(means, scales, rebuild(means, scales, (ALL, ALL)))

    def parameter_layers(self, model):
        linear = lambda module: [layer for layer in module.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))][-1]
        if hasattr(model, "h_s"):
            return [(linear(model.h_s), ALL, slice(0) if self.scales_only else ALL)]
        return [(linear(model.h_scale_s), ALL, slice(0)), (linear(model.h_mean_s), slice(0), ALL)]


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

    def parameters(self, model, prior, context, rate):
        if rate is not None:
            context = context + rate.context
        return scales_and_means(model.entropy_parameters(torch.cat([prior, context], 1)))


class Checkerboard(Spatial):
    """He et al., CVPR 2021, as in CompressAI's checkerboard codec with even anchors.

    Positions whose row + column is even (anchors) come first. In their pass the 2 M context channels are exactly zero: context_prediction is not run, so not even its bias is
    there. In the second pass context_prediction (taps at an odd distance, so anchors only, and its bias) sees y_hat of the anchors. Both passes use the same
    entropy_parameters.
    """

    sequential = False
    mask = staticmethod(checkerboard_mask)

    def run(self, model, prior, rebuild, rate=None):
        B, _, H, W = prior.shape
        M = model.hyperparameters.latent_channels
        anchor = ((torch.arange(H, device=prior.device)[:, None] + torch.arange(W, device=prior.device)) % 2 == 0)
        scales1, means1 = self.parameters(model, prior, prior.new_zeros(B, 2 * M, H, W), rate)
        anchors = torch.where(anchor, rebuild(means1, scales1, (ALL, ALL)), prior.new_zeros(()))
        scales2, means2 = self.parameters(model, prior, model.context_prediction(anchors), rate)
        means, scales = torch.where(anchor, means1, means2), torch.where(anchor, scales1, scales2)
        return Parameters(means, scales, torch.where(anchor, anchors, rebuild(means2, scales2, (ALL, ALL))))


class Autoregressive(Spatial):
    """Minnen et al., NeurIPS 2018: position after position in raster order; the causal mask has the 12 taps before the centre. Outside the map, y_hat is 0.

    Any order in which the 12 come first gives the same values; along column + 3 row = constant, positions are independent.
    """

    sequential = True
    mask = staticmethod(causal_mask)

    @torch.no_grad()
    def run(self, model, prior, rebuild, rate=None):
        B, _, H, W = prior.shape
        M = model.hyperparameters.latent_channels
        padded = prior.new_zeros(B, M, H + 4, W + 4)
        means, scales = prior.new_zeros(2, B, M, H, W)
        weight, bias = model.context_prediction.masked_weight(), model.context_prediction.bias
        for r in range(H):
            for c in range(W):
                here = (ALL, ALL, slice(r, r + 1), slice(c, c + 1))
                context = F.conv2d(padded[:, :, r:r + 5, c:c + 5], weight, bias)
                scales[here], means[here] = self.parameters(model, prior[here], context, rate)
                padded[:, :, r + 2:r + 3, c + 2:c + 3] = rebuild(means[here], scales[here], here)
        return Parameters(means, scales, padded[:, :, 2:-2, 2:-2])

    def at_once(self, model, prior, y_hat, rate=None):
        """All positions together, where all rebuilt latents are known (or, in training, replaced by noisy ones)."""
        scales, means = self.parameters(model, prior, model.context_prediction(y_hat), rate)
        return Parameters(means, scales, y_hat)


def slice_transform(inputs, outputs):
    """Convolutions of 5x5, 5x5 and 3x3 taps to 224, 128 and the slice's channels, ReLU between them (Minnen & Singh, 2020)."""
    return nn.Sequential(conv(inputs, 224, 5, 1), nn.ReLU(), conv(224, 128, 5, 1), nn.ReLU(), conv(128, outputs, 3, 1))


class ChannelWise:
    """Channel-conditional entropy model with latent residual prediction (Minnen & Singh, "Channel-wise autoregressive entropy models", ICIP 2020).

    The latents are coded slice after slice of channels; `slices` counts the channels of each. The prior's first M channels are scale features, the last M mean features. For
    slice i, with support = the corrected slices 0 ... min(i, max_support_slices) - 1 (the first ones, as published):

        mean input  = cat(mean features, support)     means  = cc_mean_transforms[i](mean input)
        scale input = cat(scale features, support)    scales = cc_scale_transforms[i](scale input)
        rebuilt     = symbols + means
        corrected   = rebuilt + 0.5 tanh(lrp_transforms[i](cat(mean input, rebuilt)))

    The synthesis takes the corrected slices.
    """

    sequential = False
    slice_transform = staticmethod(slice_transform)
    corrects = True

    def __init__(self, h):
        M = h.latent_channels
        if h.hyper in ("none", "scale"):
            raise ValueError(f"a {h.context} context needs a hyperprior with means, not {h.hyper!r}")
        if not h.slices or sum(h.slices) != M or min(h.slices) < 1:
            raise ValueError(f"slices must be channels that sum to latent_channels, {M}, not {h.slices}")
        if h.max_support_slices is None or h.max_support_slices < 0:
            raise ValueError(f"max_support_slices must be a count, not {h.max_support_slices}")
        self.slices, self.limit = list(h.slices), h.max_support_slices
        starts = [sum(self.slices[:i]) for i in range(len(self.slices))]
        self.ranges = [slice(start, start + count) for start, count in zip(starts, self.slices)]
        self.inputs = [self.features(i) + sum(self.slices[:min(i, self.limit)]) for i in range(len(self.slices))]
        each = lambda more: nn.ModuleList(self.slice_transform(i + more * o, o) for i, o in zip(self.inputs, self.slices))
        self.modules = {"cc_mean_transforms": each(0), "cc_scale_transforms": each(0), **({"lrp_transforms": each(1)} if self.corrects else {})}

    def features(self, i):
        """Channels of the prior's means, and of its scales, that slice i sees."""
        return sum(self.slices)

    def gather(self, model, i, features, support):
        """(mean input, scale input) of slice i, of (scale features, mean features)."""
        scale_features, mean_features = features
        return torch.cat([mean_features, *support], 1), torch.cat([scale_features, *support], 1)

    def run(self, model, prior, rebuild, rate=None):
        features = scales_and_means(prior)
        all_means, all_scales, corrected = [], [], []
        for i, channels in enumerate(self.ranges):
            mean_input, scale_input = self.gather(model, i, features, corrected[:self.limit])
            means, scales = model.cc_mean_transforms[i](mean_input), model.cc_scale_transforms[i](scale_input)
            rebuilt = rebuild(means, scales, (ALL, channels))
            if self.corrects:
                rebuilt = rebuilt + 0.5 * torch.tanh(model.lrp_transforms[i](torch.cat([mean_input, rebuilt], 1)))
            all_means.append(means)
            all_scales.append(scales)
            corrected.append(rebuilt)
        return Parameters(*(torch.cat(parts, 1) for parts in (all_means, all_scales, corrected)))

    def parameter_layers(self, model):
        for i, channels in enumerate(self.ranges):
            yield model.cc_mean_transforms[i][-1], slice(0), channels
            yield model.cc_scale_transforms[i][-1], channels, slice(0)


def narrow_slice_transform(inputs, outputs):
    """3x3 convolutions with ReLU between them; for slices of 32 the widths that Zhu et al. used: 64, 64, 85, 106, ... and 32, 32, 42, 53, ..."""
    first, second = max(2 * outputs, (2 * inputs + 2 * outputs) // 3), max(outputs, (inputs + outputs) // 3)
    return nn.Sequential(conv(inputs, first, 3, 1), nn.ReLU(), conv(first, second, 3, 1), nn.ReLU(), conv(second, outputs, 3, 1))


class NarrowChannelWise(ChannelWise):
    """The channel-conditional model of SwinT-ChARM (Zhu, Yang & Cohen, ICLR 2022, figure 12): of the prior, slice i sees its own channels only, and nothing is corrected.

        mean input  = cat(mean features of the slice, support)     means  = cc_mean_transforms[i](mean input)
        scale input = cat(scale features of the slice, support)    scales = cc_scale_transforms[i](scale input)
        support     = the rebuilt slices 0 ... min(i, max_support_slices) - 1
    """

    slice_transform = staticmethod(narrow_slice_transform)
    corrects = False

    def features(self, i):
        return self.slices[i]

    def gather(self, model, i, features, support):
        return super().gather(model, i, [f[:, self.ranges[i]] for f in features], support)


CONTEXTS = {"none": PriorOnly, "checkerboard": Checkerboard, "autoregressive": Autoregressive, "channel-wise": ChannelWise, "channel-wise-narrow": NarrowChannelWise}
