# SPDX-License-Identifier: Apache-2.0
"""The coding path in plain PyTorch, step by step as the library takes it: what golden files hold and parity checks compare with."""
import numpy as np
import torch
import torch.nn.functional as F

SYMBOL_LIMIT = float(1 << 20)


def pad(image, multiple):
    """(1, 3, H, W) in [0, 1] of a uint8 picture (H, W, 3), sides raised to multiples by replicating the right and bottom edge."""
    h, w = image.shape[:2]
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
    return F.pad(x, (0, -w % multiple, 0, -h % multiple), mode="replicate")


def to_symbols(difference):
    return torch.round(difference.clamp(-SYMBOL_LIMIT, SYMBOL_LIMIT))


def to_picture(x_hat):
    """uint8 (H, W, 3) of a reconstruction (1, 3, H, W)."""
    return (x_hat[0].clamp(0, 1) * 255).round().permute(1, 2, 0).to(torch.uint8).numpy()


@torch.no_grad()
def code(model, x, rate):
    """Everything between a padded picture and its reconstruction, at a rate parameter of 0 ... 65535. A dict of (1, C, H, W) tensors.

    The values coded after the anchors see only rebuilt anchors, as in a decoder; symbols are rebuilt as symbol + mean.
    """
    r = torch.tensor([rate / 65535])
    log_gain, log_scale = model.log_gain(r), model.log_scale(r)
    gain = torch.exp(log_gain)
    medians = model.prior.medians[None, :, None, None]
    y0 = model.analyse(x)
    z_symbols = to_symbols(model.hyper_analyse(y0) - medians)
    hyper = model.hyper_synthesise(z_symbols + medians) + model.hidden_bias(r)
    y, anchor = y0 * gain, model.anchors(y0) > 0
    anchor_mean, anchor_log_scale = model.mean_and_log_scale(hyper, gain, log_scale)
    anchor_y_hat = torch.where(anchor, to_symbols(y - anchor_mean) + anchor_mean, torch.zeros(()))
    other_mean, other_log_scale = model.mean_and_log_scale(hyper + model.context(anchor_y_hat * torch.exp(-log_gain)), gain, log_scale)
    mean = torch.where(anchor, anchor_mean, other_mean)
    y_symbols = to_symbols(y - mean)
    return {
        "y0": y0, "y": y, "z": model.hyper_analyse(y0), "z_symbols": z_symbols, "y_symbols": y_symbols, "means": mean,
        "log_scales": torch.where(anchor, anchor_log_scale, other_log_scale),
        "reconstruction": model.synthesise((y_symbols + mean) * torch.exp(model.log_inverse_gain(r)), r),
    }


@torch.no_grad()
def code_fixed(model, x, rate=65535):
    """As `code`, of a transform coder: latents, integer symbols, and what a decoder makes of them. `scales` are those that choose a table, in symbol units.

    Without a hyperprior there is neither z nor scales; with codebooks there are bits, and no symbols. Networks of one rate do not look at `rate`.
    """
    y = model.analyse(x)
    if model.hyper is None and model.codebook is not None:
        y_hat, bits = model.codebook(y, rounded=True)
        return {"y": y, "y_hat": y_hat, "bits": bits, "reconstruction": model.synthesise(y_hat)}
    if model.hyper is None:
        symbols = to_symbols(y - model.medians)
        return {"y": y, "y_symbols": symbols, "means": model.medians.expand_as(y), "y_hat": symbols + model.medians,
                "reconstruction": model.synthesise(symbols + model.medians)}
    level = model.rate(torch.tensor([rate / 65535]))
    z = model.hyper_analyse(y)
    z_symbols, z_hat = model.round_hyper(z, level, to_symbols)
    means, scales, y_hat = model.code_latents(y, z_hat, to_symbols, level)
    return {"y": y, "z": z, "z_symbols": z_symbols, "z_hat": z_hat, "y_symbols": model.to_symbols(y, means, level, to_symbols), "means": means,
            "scales": scales if level is None else scales * level.gain, "gain": torch.ones(()) if level is None else level.gain, "y_hat": y_hat, "reconstruction": model.synthesise(y_hat)}


@torch.no_grad()
def ideal_bits(model, values, rate=65535):
    """Bits (y, z) of `code_fixed`'s symbols under the model's probabilities, before any table rounds them."""
    if "bits" in values:
        return float(values["bits"].double().sum()), 0.0
    if model.hyper is None:
        return float(model.entropy_bottleneck.bits(values["y_hat"]).double().sum()), 0.0
    level = model.rate(torch.tensor([rate / 65535]))
    y = model.symbol_bits(values["y_symbols"].double(), values["scales"].double())
    return float(y.sum()), float(model.entropy_bottleneck.bits(values["z_hat"], 1.0 if level is None else level.step).double().sum())
