# SPDX-License-Identifier: Apache-2.0
"""The tiny model of conformance and hostile-file tests: every part of the default family, random weights, lively latents; and the slim one, which
has the parts that make a receiver cheaper.

They never change: files and hashes that tests hold refer to them. Their random stream is frozen (RandomState), and what depends on
mathematical functions is rounded coarsely, so that another machine makes the same files.
"""
from dataclasses import replace

import numpy as np
import torch

from .initialise import to_quarter_order
from .model_file import round_weights
from .models import PatchCheckerboard
from .reference import code, pad
from .synthetic import synthetic_picture

HYPERPARAMETERS = PatchCheckerboard.Hyperparameters(
    latent_channels=32, core_channels=16, hyper_channels=16, context_channels=16, hidden_channels=48, render_channels=16,
    analysis_blocks=1, synthesis_blocks=1, render_blocks=1, knots=3)
SLIM = replace(HYPERPARAMETERS, synthesis_mix_channels=48, separable_hidden=1)
SEED = 20250101
SPREADS = (0.8, 3.0, 14.0)  # standard deviation of a channel's latents at the three knots
# Channels that are all but off; of large values; and whose scale is too small, so that some symbols escape.
SILENT, LOUD, NARROW = (13, 31), (0,), (2, 11)


def coarse(values):
    """Rounded to multiples of 1/1024, as a float32 tensor."""
    return torch.tensor(np.round(np.asarray(values, np.float64) * 1024) / 1024, dtype=torch.float32)


def cosine_basis(channels, patch=16):
    """(768, channels): the lowest two-dimensional cosines of luma and, every fourth, of a chroma axis, in pixel_unshuffle order."""
    colours = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
    frequencies = sorted(((u, v) for u in range(patch) for v in range(patch)), key=lambda f: (f[0] + f[1], f))
    position = (np.arange(patch) + 0.5) * np.pi / patch
    wave = lambda u: np.cos(position * u) * np.sqrt((2 if u else 1) / patch)
    columns, used = [], [0, 0, 0]
    for i in range(channels):
        colour = (i // 4) % 2 + 1 if i % 4 == 3 else 0
        u, v = frequencies[used[colour]]
        used[colour] += 1
        columns.append((colours[colour][:, None, None] * wave(u)[:, None] * wave(v)).reshape(-1))
    return np.stack(columns, 1)


@torch.no_grad()
def tiny_model(hyperparameters=HYPERPARAMETERS):
    random = np.random.RandomState(SEED)
    normal = lambda shape, deviation: coarse(random.standard_normal(tuple(shape)) * deviation)
    model = PatchCheckerboard(hyperparameters)
    M = hyperparameters.latent_channels
    for name, tensor in sorted(model.state_dict().items()):
        fan_in = tensor[0].numel() if tensor.ndim == 4 else 1
        if name.endswith(".weight"):
            tensor.copy_(normal(tensor.shape, fan_in**-0.5))
        elif name.endswith(".bias") or name.endswith(".bias.table") or name == "hidden_bias.table":
            tensor.copy_(normal(tensor.shape, 0.1))
    basis = cosine_basis(M)
    model.embed.weight.copy_((torch.from_numpy(basis.T).float() + normal((M, 768), 0.01))[:, :, None, None])
    model.unembed.weight.copy_(to_quarter_order(torch.from_numpy(basis).float() + normal((768, M), 0.01))[:, :, None, None])
    # Strong enough that a mistake in any layer shows, weak enough that the picture stays recognisable.
    for tensor, factor in ((model.analysis[0].space_out.weight, 0.3), (model.analysis[0].mix_out.weight, 0.3),
                           (model.synthesis[0].space_out.weight, 0.2), (model.synthesis[0].mix_out.weight, 0.2),
                           (model.render[0].mix_out.weight, 0.5), (model.render_out.weight, 0.05), (model.unembed.bias, 0.1),
                           (model.render_out.bias, 0.1), (model.parameters_out.weight[:M], 0.05), (model.parameters_out.weight[M:], 0.1)):
        tensor.mul_(factor)
    prior = model.prior
    prior.weights.copy_(normal(prior.weights.shape, 0.5))
    prior.means.copy_(normal(prior.means.shape, 0.5))
    round_weights(model)
    # Measured on one picture, the spreads of latents and hyperlatents set the gains, scales and prior.
    values = code(model, pad(synthetic_picture(256, 192, SEED), model.stride), 0)
    spread = values["y0"].double().std((0, 2, 3))
    log_gain = torch.log(torch.tensor(SPREADS, dtype=torch.float64))[:, None] - torch.log(spread) + normal((len(SPREADS), M), 0.2)
    log_gain[:, list(SILENT)] -= 5
    log_gain[:, list(LOUD)] += 1.5
    log_scale = log_gain + torch.log(spread) + 0.3
    log_scale[:, list(NARROW)] -= 0.6
    model.log_gain.table.copy_(coarse(log_gain))
    model.log_inverse_gain.table.copy_(coarse(-log_gain) + normal(log_gain.shape, 0.01))
    model.log_scale.table.copy_(coarse(log_scale))
    last = model.hyper_analysis[-1]
    factor = coarse(4.0 / values["z"].std())
    last.weight.mul_(factor)
    last.bias.mul_(factor)
    round_weights(model)
    z = values["z"].double() * factor
    prior.medians.copy_(coarse(z.mean((0, 2, 3))))
    deviation = torch.log(z.std((0, 2, 3)))[:, None] + torch.log(0.55 * torch.tensor([[0.4, 0.7, 1.1]], dtype=torch.float64))
    deviation[list(NARROW)] -= 1.2
    prior.log_scales.copy_(coarse(deviation))
    return model.eval()
