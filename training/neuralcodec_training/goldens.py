# SPDX-License-Identifier: Apache-2.0
"""goldens: the tiny model, what PyTorch computes with it, the loud model and the slim one, for the library's tests."""
import os

import numpy as np
import torch

from . import safetensors_file
from .loud_model import loud_tensors
from .model_file import write_model
from .priors import gaussian_bits
from .reference import code, pad, to_picture
from .synthetic import synthetic_picture
from .tiny_model import SLIM, tiny_model

WIDTH, HEIGHT = 66, 65  # padded to 128 x 128: both ways, by different amounts
RATES = (16384, 54321)  # between knots
PICTURE_SEED = 3152  # of 0 ... 3999, the one with the largest tie_distance, so that another order of summation rounds alike, and with escapes on both sides


def rows_first(tensor):
    """(1, C, H, W) -> array (H, W, C)"""
    return np.ascontiguousarray(tensor[0].permute(1, 2, 0).numpy())


def tie_distance(model, values):
    """How far the nearest latent or hyperlatent is from a value that could round either way."""
    medians = model.prior.medians.detach()[None, :, None, None]
    return min((0.5 - (d - torch.round(d)).abs()).min().item() for d in (values["y"] - values["means"], values["z"] - medians))


@torch.no_grad()
def estimated_bits(model, values):
    """Bits (y, z) of coded values under the model's probabilities."""
    y = gaussian_bits(values["y_symbols"], torch.exp(values["log_scales"]))
    z = model.prior.bits(values["z_symbols"] + model.prior.medians[None, :, None, None])
    return float(y.double().sum()), float(z.double().sum())


def golden_tensors(model):
    """Name -> array; pictures and latents as (rows, columns, channels)."""
    image = synthetic_picture(WIDTH, HEIGHT, PICTURE_SEED)
    x = pad(image, model.stride)
    tensors = {"picture": image, "padded_size": np.array(x.shape[2:], np.int32), "rates": np.array(RATES, np.int32)}
    for i, rate in enumerate(RATES):
        values = code(model, x, rate)
        x_hat = values["reconstruction"][:, :, :HEIGHT, :WIDTH]
        # y0 and z_symbols are the same at every rate
        tensors["y0"] = rows_first(values["y0"])
        tensors["z_symbols"] = rows_first(values["z_symbols"]).astype(np.int32)
        tensors[f"rate{i}.y_symbols"] = rows_first(values["y_symbols"]).astype(np.int32)
        tensors[f"rate{i}.means"] = rows_first(values["means"])
        tensors[f"rate{i}.log_scales"] = rows_first(values["log_scales"])
        tensors[f"rate{i}.bits"] = np.array(estimated_bits(model, values), np.float32)
        tensors[f"rate{i}.reconstruction"] = rows_first(x_hat)
        tensors[f"rate{i}.decoded"] = to_picture(x_hat)
    return tensors


def write_goldens(folder):
    """Writes tiny.safetensors, tiny_golden.safetensors, loud_tensors.safetensors and slim.safetensors; returns their paths."""
    os.makedirs(folder, exist_ok=True)
    paths = [os.path.join(folder, name) for name in ("tiny.safetensors", "tiny_golden.safetensors", "loud_tensors.safetensors", "slim.safetensors")]
    model = tiny_model()
    metadata = write_model(paths[0], model, "tiny", "random weights, for tests only", complete=False)
    safetensors_file.save(paths[1], golden_tensors(model), {"format": "neuralcodec-golden", "model_hash": metadata["hash"]})
    tiny, _ = safetensors_file.load(paths[0])
    safetensors_file.save(paths[2], loud_tensors(tiny), {"format": "neuralcodec-replacement", "model_hash": metadata["hash"]})
    write_model(paths[3], tiny_model(SLIM), "slim", "random weights, for tests only", complete=False)
    return paths


def add_command(commands):
    p = commands.add_parser("goldens", help="write the tiny test model and its golden values")
    p.add_argument("output", metavar="OUT_DIR")
    p.set_defaults(run=run)


def run(o):
    torch.set_num_threads(1)  # more would sum in another order
    for path in write_goldens(o.output):
        print(f"{path}: {os.path.getsize(path)} bytes")
