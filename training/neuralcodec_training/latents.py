# SPDX-License-Identifier: Apache-2.0
"""A picture's latents as an encoder sees them, of models of either family."""
from typing import NamedTuple

import torch

from .priors import SCALE_BOUND, gaussian_bits
from .reference import code, code_fixed, ideal_bits


class Latents(NamedTuple):
    """Each (B, M, H/16, W/16); of lattices with a basis in its coordinates, where means and scales are."""

    y: torch.Tensor
    means: torch.Tensor
    scales: torch.Tensor
    normalized: torch.Tensor  # (y - mean) / scale
    quantized: torch.Tensor  # the same after quantization, symbol times step / scale
    bits: torch.Tensor


def fixed_latents(model, values):
    """Of `code_fixed`'s values, in the units of the level's steps; None without a hyperprior, where there are no scales."""
    if model.hyper is None:
        return None
    scales, symbols = values["scales"].clamp(min=SCALE_BOUND), values["y_symbols"]
    y, means = (v * values["gain"] for v in (model.coordinates(values["y"]), values["means"]))
    step = 1.0 if model.lattice is None else model.lattice.step
    return Latents(y, means, scales, (y - means) / scales, symbols * step / scales, model.symbol_bits(symbols, scales))


@torch.no_grad()
def latents_of(model, x, rate=65535):
    """(Latents or None, bits of y, bits of z) of padded pictures (B, 3, H, W), at a rate parameter of 0 ... 65535."""
    if model.architecture == "patch-checkerboard":
        values = code(model, x, rate)
        scales, symbols = values["log_scales"].exp(), values["y_symbols"]
        bits = gaussian_bits(symbols, scales)
        z_bits = model.prior.bits(values["z_symbols"] + model.prior.medians[None, :, None, None]).double().sum()
        return Latents(values["y"], values["means"], scales, (values["y"] - values["means"]) / scales, symbols / scales, bits), float(bits.double().sum()), float(z_bits)
    values = code_fixed(model, x, rate)
    return fixed_latents(model, values), *ideal_bits(model, values, rate)
