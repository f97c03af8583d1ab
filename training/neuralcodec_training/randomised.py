# SPDX-License-Identifier: Apache-2.0
"""Random models of the published families whose latents are lively, for tests: what a trained model does in kind, without a training.

Weights are drawn at random; then, while a picture passes through, each linear layer is rescaled to give values around one, and the last of each part to give latents,
hyperlatents, means, scales and a picture of useful sizes.
"""
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn as nn

from .reference import pad, to_symbols
from .synthetic import synthetic_picture
from .zoo.layers import GDN, AttentionBlock

LINEAR = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
NARROW = 7  # one channel in so many has a scale far too small, so that some symbols escape


def channels_first(maps):
    """(channels, values) of (B, C, H, W)."""
    return maps.transpose(0, 1).flatten(1)


@contextmanager
def refitted(module, normal, layers):
    """While it lasts, each linear layer of the module that gives its output is rescaled to standard deviations of one, or to the (means, deviations) that layers[layer] gives
    for its output (channels, values)."""

    def hook(layer, _, output):
        tokens = isinstance(layer, nn.Linear)  # channels last
        values = output.flatten(0, -2).t() if tokens else channels_first(output)
        mean, deviation = targets[layer](values)
        factor = deviation / values.std(1).clamp(min=1e-6)
        shift = mean - values.mean(1) * factor if layer.bias is not None else torch.zeros_like(mean)
        axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
        shape = [1] * layer.weight.ndim
        shape[axis] = -1
        layer.weight.mul_(factor.view(shape))
        if layer.bias is not None:
            layer.bias.mul_(factor).add_(shift)
        return output * factor + shift if tokens else output * factor[:, None, None] + shift[:, None, None]

    usual = lambda v: (0.2 * normal(v.shape[:1]), torch.ones(v.shape[:1]))
    targets = {layer: layers.get(layer, usual) for layer in module.modules() if isinstance(layer, LINEAR)}
    handles = [layer.register_forward_hook(hook) for layer in targets]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def last_linear(module):
    """The last convolution or linear layer that adds to a network's output; the gates of attention are passed over."""
    gates = {m for block in module.modules() if isinstance(block, AttentionBlock) for m in block.modules()}
    return [m for m in module.modules() if isinstance(m, LINEAR) and m not in gates][-1]


def redraw(model, normal):
    """New weights, and parameters of norms that differ from channel to channel."""
    for name, module in model.named_modules():
        if isinstance(module, LINEAR):
            w = module.weight
            w.copy_(normal(w.shape) * w[0].numel() ** -0.5)
            if module.bias is not None:
                module.bias.copy_(normal(module.bias.shape) * 0.1)
        elif isinstance(module, GDN):
            C = module.beta.shape[0]
            module.beta.copy_(1 + 0.2 * normal((C,)).abs())
            module.gamma.copy_((0.02 * torch.eye(C) + 0.05 / C * normal((C, C)).abs()).sqrt())
            module.gamma[0, 1 % C], module.beta[0] = -0.1, 0.0  # both bounds of the parametrization
        elif isinstance(module, nn.LayerNorm):
            module.weight.copy_(1 + 0.2 * normal(module.weight.shape))
            module.bias.copy_(0.1 * normal(module.bias.shape))
    for name, parameter in model.named_parameters():
        if "relative_position" in name:
            parameter.copy_(0.5 * normal(parameter.shape))
        elif name.startswith("entropy_bottleneck.factors"):
            parameter.copy_(0.3 * normal(parameter.shape))
        elif name.startswith("entropy_bottleneck.matrices"):
            parameter.add_(0.3 * normal(parameter.shape))
        elif name == "lattice.basis":
            parameter.copy_(torch.eye(parameter.shape[1]) + 0.5 / parameter.shape[1] ** 0.5 * normal(parameter.shape))


def fit_prior(bottleneck, values, narrow):
    """Moves and stretches each channel's distribution onto the values (channels, n); `narrow`: a few channels too narrow."""
    C = values.shape[0]
    grid = torch.linspace(-200, 200, 40001).expand(C, 1, -1)
    cdf = torch.sigmoid(bottleneck.logits(grid))[:, 0]
    at = lambda p: grid[0, 0, (cdf < p).sum(1).clamp(max=40000)]
    mean, deviation = values.mean(1), values.std(1).clamp(min=0.1)
    stretch = deviation / ((at(0.84) - at(0.16)) / 2).clamp(min=1e-3)
    if narrow:
        stretch[::NARROW] *= 0.1
    # sigmoid(g((v - mean) / stretch + median)): the first matrix and bias take it up.
    first, bias = bottleneck.matrices[0], bottleneck.biases[0]
    slope = nn.functional.softplus(first) / stretch[:, None, None]
    bias.add_(nn.functional.softplus(first) * at(0.5)[:, None, None] - slope * mean[:, None, None])
    first.copy_(torch.log(torch.expm1(slope.double())).float())
    bottleneck.medians.copy_(torch.round(mean * 64) / 64)


@torch.no_grad()
def randomised(model, seed, side=192, pictures=4, narrow=True):
    """The model with random weights from a seed: more than 30 % of the symbols of a `synthetic_picture` are not zero, scales and means vary from place to place.

    narrow: some channels' scales are far too small, so that symbols escape.
    """
    random = np.random.RandomState(seed)
    normal = lambda shape: torch.from_numpy(random.standard_normal(tuple(shape))).float()
    model.eval()
    redraw(model, normal)
    M = model.hyperparameters.latent_channels
    wanted = torch.exp(0.7 * normal((M,))) * 2.5  # standard deviations of the latents
    x = torch.cat([pad(synthetic_picture(side, side, seed % 1000 + i), model.stride) for i in range(pictures)])
    with refitted(model.g_a, normal, {last_linear(model.g_a): lambda v: (0.5 * normal(wanted.shape), wanted)}):
        y = model.analyse(x)
    if model.hyper is None:
        fit_prior(model.entropy_bottleneck, channels_first(y), narrow)
        y_hat = to_symbols(y - model.medians) + model.medians
    else:
        with refitted(model.h_a, normal, {last_linear(model.h_a): lambda v: (2 * normal(v.shape[:1]), torch.full(v.shape[:1], 3.0))}):
            z = model.hyper_analyse(y)
        fit_prior(model.entropy_bottleneck, channels_first(z), narrow)
        y_hat = fit_parameters(model, normal, y, model.round_hyper(z, model.rate())[1], narrow)
    with refitted(model.g_s, normal, {last_linear(model.g_s): lambda v: (torch.full(v.shape[:1], 0.5), torch.full(v.shape[:1], 0.2))}):
        model.synthesise(y_hat)
    return model


def fit_parameters(model, normal, y, z_hat, narrow):
    """Means and scales of the size of the latents; gives the rebuilt latents."""
    deviation = model.coordinates(y).std((0, 2, 3))
    scale = 0.8 * deviation
    if narrow:
        scale[::NARROW] *= 0.15
    targets = {}
    for layer, scales, means in model.parameter_layers():
        centre = torch.cat([scale[scales], torch.zeros(len(deviation[means]))])
        spread = torch.cat([0.3 * scale[scales], 0.5 * deviation[means]])
        cells = layer.weight.shape[0] // len(centre)  # of a pixel shuffle
        targets[layer] = lambda v, goal=(centre.repeat_interleave(cells), spread.repeat_interleave(cells)): goal
    if model.vbr is not None:
        fit_levels(model, normal, deviation.mean())
    with refitted(model, normal, targets):
        model.parameters_of(torch.round(y), z_hat, model.rate())
    return model.code_latents(y, z_hat, to_symbols, model.rate()).y_hat


def fit_levels(model, normal, size):
    """Offsets of up to about half a symbol, by scale and gain; steps and contexts that differ from level to level."""
    network, levels = model.QuantABCD, model.vbr
    network[0].weight[:, 0].div_(size)
    network[0].weight[:, 1].mul_(2)
    pairs = torch.stack([normal((4096,)).abs() * size, torch.rand(4096)], -1)
    found = network(pairs)
    network[4].weight.mul_(0.15 / found.std())
    network[4].bias.copy_(0.15 - (found.mean() - network[4].bias) * 0.15 / found.std())
    if levels.steps is not None:
        levels.steps.copy_(torch.linspace(2.0, 0.4, len(levels.gains)))
    if levels.context is not None:
        levels.context.copy_(0.3 * normal(levels.context.shape))
