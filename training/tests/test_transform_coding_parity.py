# SPDX-License-Identifier: Apache-2.0
"""The library against PyTorch, network by network: what `neuralcodec-bench trace` writes of a picture beside what PyTorch computes from the same symbols."""
import json
import math
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neuralcodec_training.model_file import read_model, write_model
from neuralcodec_training.models import ARCHITECTURES
from neuralcodec_training.randomised import randomised
from neuralcodec_training.reference import pad
from neuralcodec_training.synthetic import synthetic_picture

BENCH = Path(os.environ.get("NEURALCODEC_BENCH", Path(__file__).parents[2] / ".build/products/release/neuralcodec-bench"))
pytestmark = pytest.mark.skipif(not BENCH.exists(), reason="neuralcodec-bench is not built (make test builds it)")
WIDTH, HEIGHT = 150, 100  # no multiples of 64
TransformCoding = ARCHITECTURES["transform-coding"]

NETWORKS = [
    ("balle2018", "none", "none"), ("balle2018-relu", "none", "none"), ("balle2018", "scale", "none"), ("balle2018", "mean-scale", "none"),
    ("balle2018", "mean-scale", "checkerboard"), ("balle2018", "mean-scale", "autoregressive"),
    ("cheng2020-anchor", "cheng2020", "none"), ("cheng2020-anchor", "cheng2020", "checkerboard"), ("cheng2020-anchor", "cheng2020", "autoregressive"),
    ("cheng2020-attn", "cheng2020", "autoregressive"), ("balle2018", "mean-scale", "channel-wise"), ("cheng2020-anchor", "cheng2020", "channel-wise"),
]


def network(transform, hyper, context):
    channels = 32 if transform.startswith("cheng") else 16
    more = {"slices": [16, 16, 16], "max_support_slices": 1} if context == "channel-wise" else {}
    latents = 48 if more else 32
    return randomised(TransformCoding(TransformCoding.Hyperparameters(
        transform=transform, hyper=hyper, context=context, channels=latents if transform.startswith("cheng") else channels, latent_channels=latents, **more)), seed=7)


def traced(model, folder):
    """(arrays, facts) of a picture that the library codes with the model."""
    write_model(f"{folder}/model.safetensors", model, "parity")
    picture = synthetic_picture(WIDTH, HEIGHT, 3)
    Image.fromarray(picture).save(f"{folder}/picture.png")
    answer = subprocess.run([BENCH, "trace", f"{folder}/model.safetensors", folder, f"{folder}/picture.png"], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    facts = json.loads(answer.stdout.splitlines()[-1])
    shape = facts["rows"], facts["columns"], facts["channels"]
    grid = lambda name, kind, shape: torch.from_numpy(np.fromfile(f"{folder}/{name}", kind).reshape(shape).transpose(2, 0, 1).astype(np.float32))[None]
    values = {name: grid(f"{name}.f32", np.float32, shape) for name in ("latents", "means", "scales")}
    values["symbols"] = grid("symbols.i32", np.int32, shape)
    values["picture"] = grid("picture.f32", np.float32, (-1, facts["picture_columns"], 3))
    hyper = shape if model.hyper is None else (shape[0] // 4, shape[1] // 4, model.hyper.channels)
    values["hyper"] = grid("hyper.i32", np.int32, hyper)
    return values, facts, pad(picture, model.stride)


def close(a, b, tolerance=1e-4):
    """Within `tolerance` of the value, or of the typical value where it is small."""
    assert a.shape == b.shape
    error = (a - b).abs() / (b.abs() + b.abs().mean()).clamp(min=1e-20)
    assert error.max() < tolerance, f"largest relative error {error.max():.2g}"


def near_half(values):
    return ((values - values.floor()) - 0.5).abs() < 1e-4 * (1 + values.abs())


@pytest.mark.parametrize("names", NETWORKS, ids=" ".join)
@torch.no_grad()
def test_parity(names, tmp_path):
    model = network(*names)
    values, facts, x = traced(model, tmp_path)
    y = model.analyse(x)
    close(values["latents"], y)
    coded = y if model.hyper is None else model.hyper_analyse(y)
    d = coded - model.medians
    assert ((values["hyper"] == torch.round(d)) | near_half(d)).all()
    z_hat = values["hyper"] + model.medians
    if model.hyper is None:
        y_hat, symbols = z_hat, values["hyper"]
    else:
        symbols = values["symbols"]
        means, scales, y_hat = model.replay(symbols, z_hat)
        close(values["means"], means)
        close(values["scales"].clamp(min=0.11), scales.clamp(min=0.11))
        assert ((symbols == torch.round(y - means)) | near_half(y - means)).all()
    assert (symbols != 0).float().mean() >= 0.3
    close(values["picture"], model.synthesise(y_hat))
