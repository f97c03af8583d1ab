# SPDX-License-Identifier: Apache-2.0
"""Multiply-accumulates per pixel: of the default family from its hyperparameters, of the published networks by watching one at work."""
import torch
import torch.nn as nn

from .zoo.layers import GDN, MaskedConv2d
from .zoo.swin import Attention
from .zoo.tcm import WMSA

PATCH, LATENT, RENDER = 16, 16**2, 4**2  # pixels of a patch's side, and for each latent and each render position


def block(channels, mix=0):
    """Of a Block at one position: pointwise, depthwise 3x3, pointwise; pointwise to `mix` channels (twice the width if 0) and back."""
    return channels * (channels + 9 + channels + 2 * (mix or 2 * channels))


def receiver_parts(h):
    """Part -> MACs per pixel. Means and scales count once for each latent: half of them in either checkerboard pass."""
    M, N, H, R = h.latent_channels, h.core_channels, h.hyper_channels, h.render_channels
    hidden = H * (9 + h.hidden_channels) if h.separable_hidden else 9 * H * h.hidden_channels
    return {
        # 1x1 at 1/64 resolution, 3x3 at 1/32, the hidden layer's at 1/16
        "hyper synthesis": H * 4 * H / (16 * LATENT) + 9 * H * 4 * H / (4 * LATENT) + hidden / LATENT,
        "context": h.context_channels * (M + 25 + h.hidden_channels) / (2 * LATENT),  # of half of the positions, for the other half
        "means and scales": h.hidden_channels * 2 * M / LATENT,
        "synthesis blocks": h.synthesis_blocks * block(N, h.synthesis_mix_channels) / LATENT,
        "unembed": M * 3 * PATCH**2 / LATENT,
        "render": N * 16 * R / LATENT + (9 * (R + 48) * R + h.render_blocks * block(R) + 9 * R * 48) / RENDER,
    }


def sender_parts(h):
    """Part -> MACs per pixel of encoding at a given quality: the analysis and, as the receiver runs it, the entropy model."""
    M, N, H = h.latent_channels, h.core_channels, h.hyper_channels
    receiver = receiver_parts(h)
    return {
        "embed": M * 3 * PATCH**2 / LATENT,
        "analysis blocks": h.analysis_blocks * block(N) / LATENT,
        # 1x1 at 1/16 resolution, 3x3 to 1/32, 3x3 to 1/64
        "hyper analysis": H * M / LATENT + 9 * H * H / (4 * LATENT) + 9 * H * H / (16 * LATENT),
        **{part: receiver[part] for part in ("hyper synthesis", "context", "means and scales")},
    }


PARTS = {"g_a": "analysis", "h_a": "hyper analysis", "h_s": "hyper synthesis", "h_mean_s": "hyper synthesis", "h_scale_s": "hyper synthesis", "g_s": "synthesis", "QuantABCD": "offsets"}


def layer_macs(module, inputs, output):
    """Of one call of a layer; norms, activations and sums count nothing."""
    if isinstance(module, MaskedConv2d):
        return output.numel() * module.in_channels * int(module.mask.sum())
    if isinstance(module, nn.ConvTranspose2d):
        return inputs[0].numel() * module.weight[0].numel()
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        return output.numel() * module.weight[0].numel()
    if isinstance(module, GDN):
        return output.numel() * output.shape[1]
    if isinstance(module, (Attention, WMSA)):  # beside its linear layers: queries by keys, and weights by values
        return output.numel() * 2 * module.window**2
    return 0


@torch.no_grad()
def network_parts(model):
    """Part -> MACs per pixel of a TransformCoding, each latent's parameters counted once."""
    side, parts, handles = model.stride, {}, []

    def count(name):
        def hook(module, inputs, output):
            part = PARTS.get(name.split(".")[0], "context")
            half = isinstance(module, MaskedConv2d) and model.hyperparameters.context == "checkerboard"  # anchors do without
            calls[name] = (part, layer_macs(module, inputs, output) / (2 if half else 1) / side**2)

        return hook

    calls = {}
    try:
        handles = [module.register_forward_hook(count(name)) for name, module in model.named_modules()]
        y = model.analyse(torch.zeros(1, 3, side, side))
        if model.hyper is not None:
            z = model.hyper_analyse(y)
            means, scales, _ = model.parameters_of(y, z, model.rate())
            model.dequantise(torch.zeros_like(means), means, scales, model.rate())
        model.synthesise(y)
    finally:
        for handle in handles:
            handle.remove()
    for part, macs in calls.values():
        parts[part] = parts.get(part, 0) + macs
    if model.hyperparameters.lattice == "basis":  # one product to rebuild; a sender has another
        parts["lattice"] = model.hyperparameters.latent_channels * model.lattice.dimension / 16**2
    return parts


def costs(model):
    """(receiver, sender): part -> MACs per pixel of any family."""
    if model.architecture == "patch-checkerboard":
        return receiver_parts(model.hyperparameters), sender_parts(model.hyperparameters)
    parts = network_parts(model)
    return ({part: macs for part, macs in parts.items() if part not in ("analysis", "hyper analysis") and macs},
            {part: macs for part, macs in parts.items() if part not in ("synthesis", "offsets") and macs})
