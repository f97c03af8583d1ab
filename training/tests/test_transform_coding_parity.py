# SPDX-License-Identifier: Apache-2.0
"""The library against PyTorch, network by network: what `neuralcodec-bench trace` writes of a picture beside what PyTorch computes from the same symbols."""
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neuralcodec_training.model_file import read_model, write_model
from neuralcodec_training.models import ARCHITECTURES
from neuralcodec_training.priors import gaussian_bits
from neuralcodec_training.randomised import randomised
from neuralcodec_training.reference import pad
from neuralcodec_training.synthetic import synthetic_picture
from neuralcodec_training.tables import escape_bits
from neuralcodec_training.train import Config, loss_of

BENCH = Path(os.environ.get("NEURALCODEC_BENCH", Path(__file__).parents[2] / ".build/products/release/neuralcodec-bench"))
pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.skipif(not BENCH.exists(), reason="neuralcodec-bench is not built (make test builds it)")]
WIDTH, HEIGHT = 150, 100  # no multiples of 64
STATES = 32  # bytes of the entropy coder's states in a payload
TransformCoding = ARCHITECTURES["transform-coding"]

SLICES = {"slices": [16, 16, 16], "max_support_slices": 1}
SWIN = {"stage_channels": [16, 16, 32, 32], "depths": [1, 2, 1, 2], "window": 4, "head_channels": 8}
SWIN_HYPER = {"hyper_stage_channels": [32, 16], "hyper_depths": [2, 1], "hyper_window": 2}
TCM = {"hyper_channels": 16, "depths": [2, 1, 1, 2, 1, 1], "head_channels": [8, 16, 4, 8, 16, 8], "window": 4, "hyper_window": 2, "hyper_head_channels": 8,
       "attention_channels": 32, "attention_head_channels": 16}

# Transform, hyperprior, context, channels, latent channels, and what else the network needs.
NETWORKS = [
    ("balle2018", "none", "none", 16, 32, {}),
    ("balle2018-relu", "none", "none", 16, 32, {}),
    ("balle2018", "scale", "none", 16, 32, {}),
    ("balle2018", "mean-scale", "none", 16, 48, {}),
    ("balle2018", "mean-scale", "checkerboard", 16, 32, {}),
    ("balle2018", "mean-scale", "autoregressive", 16, 32, {}),
    ("balle2018", "mean-scale", "channel-wise", 16, 48, SLICES),
    ("cheng2020-anchor", "cheng2020", "none", 32, 32, {}),
    ("cheng2020-anchor", "cheng2020", "checkerboard", 32, 32, {}),
    ("cheng2020-anchor", "cheng2020", "autoregressive", 32, 32, {}),
    ("cheng2020-anchor", "cheng2020", "channel-wise", 48, 48, SLICES),
    ("cheng2020-attn", "cheng2020", "autoregressive", 32, 32, {}),
    ("swin", "swin", "none", 16, 32, {**SWIN, **SWIN_HYPER}),
    ("swin", "swin", "checkerboard", 16, 32, {**SWIN, **SWIN_HYPER}),
    ("swin", "swin", "channel-wise", 16, 32, {**SWIN, **SWIN_HYPER, "slices": [16, 16], "max_support_slices": 2}),
    ("swin", "swin", "autoregressive", 16, 32, {**SWIN, **SWIN_HYPER}),
    ("swin", "swin", "channel-wise-narrow", 16, 32, {**SWIN, **SWIN_HYPER, "slices": [16, 16], "max_support_slices": 1}),
    ("balle2018", "scale", "none", 16, 32, {"gain": 5}),
    ("balle2018", "mean-scale", "none", 16, 32, {"gain": 8, "variable_step": 1}),
    ("balle2018", "mean-scale", "autoregressive", 16, 32, {"gain": 8, "variable_step": 1}),
    ("tcm", "tcm", "tcm", 16, 48, {**TCM, **SLICES}),
    ("tcm", "tcm", "checkerboard", 16, 32, {k: v for k, v in TCM.items() if not k.startswith("attention")}),
]

# Of all but one: its lowest rate has so few bits that PyTorch's floor of probabilities alone is 1.5 % of them.
TRAINED = [row for row in NETWORKS if not ("gain" in row[5] and row[2] == "autoregressive")]


def network(transform, hyper, context, channels, latent_channels, more, narrow=True):
    model = TransformCoding(TransformCoding.Hyperparameters(
        transform=transform, hyper=hyper, context=context, channels=channels, latent_channels=latent_channels, **more))
    if model.vbr is not None:
        model.vbr.gains.mul_(8)  # a trace has the lowest rate
    return randomised(model, seed=7, narrow=narrow)


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


def lowest_rate(model):
    """What the trace's rate parameter, 0, stands for."""
    return model.rate(torch.zeros(1))


def parameters_of(model, values):
    """(means, scales, y_hat) that PyTorch computes from the library's symbols."""
    rate = lowest_rate(model)
    z_hat = values["hyper"] * (1.0 if rate is None else rate.step) + model.medians
    if model.hyper is None:
        return None, None, z_hat
    if model.context.sequential:  # position after position is slow; each position sees what the library rebuilt before it
        return model.parameters_of(model.dequantise(values["symbols"], values["means"], values["scales"], rate), z_hat, rate)
    return model.replay(values["symbols"], z_hat, rate)


def check_values(model, values, x):
    """The library's numbers are PyTorch's; gives the symbols of the latents, and their scales."""
    y = model.analyse(x)
    close(values["latents"], y)
    rate = lowest_rate(model)
    d = (y if model.hyper is None else model.hyper_analyse(y)) - model.medians
    d = d if rate is None else d / rate.step
    assert ((values["hyper"] == torch.round(d)) | near_half(d)).all()
    means, scales, y_hat = parameters_of(model, values)
    symbols = values["hyper"] if model.hyper is None else values["symbols"]
    if model.hyper is not None:
        close(values["means"], means)
        close(values["scales"].clamp(min=0.11), scales.clamp(min=0.11))
        latents = y - means if rate is None else (y - means) * rate.gain
        assert ((symbols == torch.round(latents)) | near_half(latents)).all()
    close(values["picture"], model.synthesise(y_hat))
    return symbols, scales if rate is None else scales * rate.gain


def table_facts(folder, symbols, scales):
    """How far each symbol is from its table (0 inside, 1 for the nearest outside), and bits of the table's escape. Of a factorized prior: scales None."""
    tables, _ = read_model(f"{folder}/model.safetensors")
    kind = "prior" if scales is None else "gaussian"
    lengths, offsets = tables[f"{kind}.lengths"], tables["prior.offsets"]
    if lengths.ndim == 2:  # of levels: the lowest
        lengths, offsets = lengths[0], offsets[0]
    last = np.cumsum(lengths + (1 if scales is None else 2)) - 1
    escape = torch.from_numpy(16 - np.log2(tables[f"{kind}.frequencies"][last].astype(np.float64)))
    lengths = torch.from_numpy(lengths)
    if scales is not None:
        index = (scales[..., None] > torch.from_numpy(tables["gaussian.thresholds"])).sum(-1)
        return (symbols.abs() - lengths[index]).clamp(min=0), escape[index]
    first, length = (t[None, :, None, None] for t in (torch.from_numpy(offsets), lengths))
    return (first - symbols).clamp(min=0) + (symbols - (first + length - 1)).clamp(min=0), escape[None, :, None, None].expand(symbols.shape)


def estimated(model, values, symbols, scales):
    """(symbols, scales, bits) that PyTorch gives to the library's symbols: of what has a factorized prior, and of the latents."""
    rate = lowest_rate(model)
    width = 1.0 if rate is None else rate.step
    yield values["hyper"], None, model.entropy_bottleneck.bits(values["hyper"] * width + model.medians, width).double()
    if scales is not None:
        yield symbols, scales, gaussian_bits(symbols, scales.clamp(min=0.11)).double()


def check_payload(facts, bits):
    """Within 1 % of the estimate, and the coder's states beside it (which hold some of it)."""
    assert 0.99 * bits < 8 * facts["payload"] < 1.01 * bits + 8 * STATES, f"{8 * facts['payload']} bits for {bits:.0f}"


def check_decoder(values, folder):
    """The Python binding decodes the file to the traced reconstruction, rounded."""
    neuralcodec = pytest.importorskip("neuralcodec", reason="the Python package is not built")
    decoded = neuralcodec.decode((folder / "picture.nic").read_bytes(), model=neuralcodec.Model(folder / "model.safetensors"))
    expected = np.rint(np.clip(values["picture"][0].permute(1, 2, 0).numpy(), 0, 1) * np.float32(255))[:HEIGHT, :WIDTH]
    assert decoded.shape == (HEIGHT, WIDTH, 3) and (decoded == expected).all()


@pytest.mark.parametrize("names", NETWORKS, ids=lambda row: " ".join(row[:3] + (("gain",) if "gain" in row[5] else ())))
@torch.no_grad()
def test_randomised(names, tmp_path):
    model = network(*names)
    values, facts, x = traced(model, tmp_path)
    symbols, scales = check_values(model, values, x)
    assert (symbols != 0).float().mean() >= 0.3
    bits, escaped = 0, 0
    for coded, scales_of, ideal in estimated(model, values, symbols, scales):
        distance, escape = table_facts(tmp_path, coded, scales_of)
        if scales_of is not None:  # these scales are partly wrong on purpose: how a table's own scale differs from them shows
            table_scales = model.scale_table[(scales_of[..., None] > model.scale_table[:-1]).sum(-1)]
            ideal = gaussian_bits(coded, table_scales).double()
        # No table gives a symbol less than 2^-16, and what it does not hold costs an escape.
        raw = torch.from_numpy(escape_bits(distance.clamp(min=1).numpy()))
        bits += float(torch.where(distance > 0, escape + raw, ideal.clamp(max=16)).sum())
        escaped += int((distance > 0).sum())
    assert escaped > 0
    check_payload(facts, bits)
    check_decoder(values, tmp_path)


def trained(model, steps=15):
    """The model after a few steps on made-up pictures."""
    torch.manual_seed(0)
    pictures = torch.cat([pad(synthetic_picture(128, 128, seed), 64) for seed in range(4)])
    config = Config(lambda_min=0.02, lambda_max=0.02)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(config, model.train(), pictures, torch.ones(len(pictures))).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("names", TRAINED, ids=lambda row: " ".join(row[:3] + (("gain",) if "gain" in row[5] else ())))
def test_trained(names, tmp_path):
    """As a user's model: the payload is what PyTorch estimates, by itself too where it does not go position by position."""
    model = network(*names, narrow=False)
    before = {name: t.clone() for name, t in model.named_parameters()}
    model = trained(model)
    assert all((t != before[name]).any() for name, t in model.named_parameters() if name.startswith(("g_a.", "g_s.")) and name.endswith(".bias"))
    with torch.no_grad():
        values, facts, x = traced(model, tmp_path)
        symbols, scales = check_values(model, values, x)
        bits = sum(float(ideal.sum()) for *_, ideal in estimated(model, values, symbols, scales))
        check_payload(facts, bits)
        if scales is None or not model.context.sequential:
            coded = model(x, torch.zeros(1), rounded=True)
            assert abs(float(coded.y_bits.double().sum() + coded.z_bits.double().sum()) - bits) < 1e-3 * bits
        check_decoder(values, tmp_path)
