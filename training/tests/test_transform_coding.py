# SPDX-License-Identifier: Apache-2.0
"""The published transform coders: shapes, causality, coding tables, model files, training."""
import copy
import functools
import json
import math

import numpy as np
import pytest
import torch

from neuralcodec_training.model_file import read_model, restore_model, write_model
from neuralcodec_training.models import TransformCoding
from neuralcodec_training.randomised import randomised
from neuralcodec_training.reference import code_fixed, ideal_bits, pad
from neuralcodec_training.synthetic import synthetic_picture
from neuralcodec_training.tables import PRIOR_SYMBOLS, PRIOR_TAIL, TOTAL, gaussian_reach, published_scales
from neuralcodec_training.train import Config, loss_of, train

pytestmark = pytest.mark.usefixtures("one_thread")

SWIN = {"stage_channels": [16, 16, 32, 32], "depths": [2, 1, 2, 2], "hyper_stage_channels": [16, 32], "hyper_depths": [2, 1], "window": 4, "hyper_window": 2, "head_channels": 8}
# transform, hyper, context, channels, latent channels, further hyperparameters
NETWORKS = {
    "bmshj2018-factorized": ("balle2018", "none", "none", 16, 32, {}),
    "bmshj2018-factorized-relu": ("balle2018-relu", "none", "none", 16, 32, {}),
    "bmshj2018-hyperprior": ("balle2018", "scale", "none", 16, 32, {}),
    "mbt2018-mean": ("balle2018", "mean-scale", "none", 16, 32, {}),
    "mbt2018-mean-checkerboard": ("balle2018", "mean-scale", "checkerboard", 16, 32, {}),
    "mbt2018": ("balle2018", "mean-scale", "autoregressive", 16, 32, {}),
    "cheng2020-hyperprior": ("cheng2020-anchor", "cheng2020", "none", 16, 16, {}),
    "cheng2020-anchor-checkerboard": ("cheng2020-anchor", "cheng2020", "checkerboard", 16, 16, {}),
    "cheng2020-anchor": ("cheng2020-anchor", "cheng2020", "autoregressive", 16, 16, {}),
    "cheng2020-attn": ("cheng2020-attn", "cheng2020", "autoregressive", 32, 32, {}),
    "mbt2018-mean-charm": ("balle2018", "mean-scale", "channel-wise", 16, 32, {"slices": [16, 16], "max_support_slices": 5}),
    "cheng2020-charm": ("cheng2020-anchor", "cheng2020", "channel-wise", 32, 32, {"slices": [8, 8, 16], "max_support_slices": 1}),
    "swint-hyperprior": ("swin", "swin", "none", 16, 32, SWIN),
    "swint-checkerboard": ("swin", "swin", "checkerboard", 16, 32, SWIN),
    "swint-charm": ("swin", "swin", "channel-wise", 16, 32, {**SWIN, "slices": [16, 16], "max_support_slices": 5}),
    "swint-charm-narrow": ("swin", "swin", "channel-wise-narrow", 16, 32, {**SWIN, "slices": [16, 16], "max_support_slices": 5}),
    "swint-autoregressive": ("swin", "swin", "autoregressive", 16, 32, SWIN),
    "lic-tcm": ("tcm", "tcm", "tcm", 16, 32, {
        "hyper_channels": 16, "depths": [2, 1, 1, 2, 1, 1], "head_channels": [8, 16, 8, 8, 16, 8], "window": 4, "hyper_window": 2, "hyper_head_channels": 8,
        "attention_channels": 16, "attention_head_channels": 8, "slices": [16, 16], "max_support_slices": 5}),
    "bmshj2018-hyperprior-vbr": ("balle2018", "scale", "none", 16, 32, {"gain": 5, "variable_step": 1}),
    "mbt2018-mean-vbr": ("balle2018", "mean-scale", "none", 16, 32, {"gain": 5, "variable_step": 1}),
    "mbt2018-vbr": ("balle2018", "mean-scale", "autoregressive", 16, 32, {"gain": 5}),
    "mbt2018-mean-charm-vbr": ("balle2018", "mean-scale", "channel-wise", 16, 32, {"gain": 5, "slices": [16, 16], "max_support_slices": 5}),
}
VARIABLE = [name for name, row in NETWORKS.items() if "gain" in row[5]]
WITH_HYPERPRIOR = [name for name, row in NETWORKS.items() if row[1] != "none"]


def hyperparameters(name):
    *row, more = NETWORKS[name]
    return TransformCoding.Hyperparameters(*row, **more)


@pytest.fixture(scope="module")
def lively():
    """Randomised models by name, made once."""
    return functools.cache(lambda name: randomised(TransformCoding(hyperparameters(name)), 5))


def picture(model, width=100, height=70):
    return pad(synthetic_picture(width, height, 5), model.stride)


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes(name, lively):
    model = lively(name)
    h = model.hyperparameters
    x = picture(model)
    values = code_fixed(model, x)
    latents = (1, h.latent_channels, x.shape[2] // 16, x.shape[3] // 16)
    assert values["reconstruction"].shape == x.shape
    assert values["y"].shape == values["means"].shape == values["y_hat"].shape == latents
    if h.hyper != "none":
        assert values["scales"].shape == latents
        assert values["z"].shape == (1, model.hyper.channels, x.shape[2] // 64, x.shape[3] // 64)
    coded = model(x, torch.zeros(1), rounded=True)
    assert coded.x_hat.shape == x.shape and coded.y_bits.shape == coded.normalized.shape == latents


@pytest.mark.parametrize("name", NETWORKS)
def test_randomised_models_are_lively(name, lively, tmp_path):
    model = lively(name)
    values = code_fixed(model, picture(model))
    symbols = values["y_symbols"]
    assert (symbols != 0).float().mean() > 0.3 and symbols.abs().max() < 2000
    path = str(tmp_path / "model.safetensors")
    write_model(path, model, "t")
    tensors, _ = read_model(path)
    if "scales" in values:
        index = (values["scales"][..., None] > torch.from_numpy(tensors["gaussian.thresholds"])).sum(-1)
        assert len(index.unique()) > 20
        escapes = symbols.abs() > torch.from_numpy(tensors["gaussian.lengths"])[index]
        assert values["means"].std() > 0.3 or model.hyper.scales_only
        assert (values["z_symbols"] != 0).float().mean() > 0.3
    else:
        first, length = (torch.from_numpy(tensors["prior." + k])[None, :, None, None] for k in ("offsets", "lengths"))
        escapes = (symbols < first) | (symbols >= first + length)
    assert 0.001 < escapes.float().mean() < 0.3
    assert 0.02 < values["reconstruction"].std() < 3


@pytest.mark.parametrize("name", WITH_HYPERPRIOR)
def test_what_is_known_at_once_equals_what_is_decoded_in_sequence(name, lively):
    """Parameters from all rebuilt latents, and from the symbols alone, are those of the encoder."""
    model = lively(name)
    with torch.no_grad():
        values = code_fixed(model, picture(model))
        z_hat, rate = values["z_hat"], model.rate()
        replayed = model.replay(values["y_symbols"], z_hat, rate)
        at_once = model.parameters_of(model.dequantise(values["y_symbols"], values["means"], replayed.scales, rate), z_hat, rate)
    for found in (replayed, at_once):
        for key in ("means", "scales", "y_hat"):
            expected = values[key] if rate is None or key != "scales" else values[key] / rate.gain
            assert (getattr(found, key) - expected).abs().max() < 1e-4 * (1 + expected.abs().max()), key


@pytest.mark.parametrize("name", [n for n in WITH_HYPERPRIOR if NETWORKS[n][2] in ("autoregressive", "checkerboard") and n not in VARIABLE])
def test_contexts_see_the_past_only(name, lively):
    """A change of one rebuilt latent changes the parameters of later positions, in the coding order, and of no others."""
    model = lively(name)
    M, (H, W), (r, c) = model.hyperparameters.latent_channels, (8, 8), (3, 4 if NETWORKS[name][2] == "autoregressive" else 5)
    with torch.no_grad():
        z_hat, y_hat = torch.randn(1, model.hyper.channels, 2, 2), torch.randn(1, M, H, W)
        changed = y_hat.clone()
        changed[:, :, r, c] += 1
        a, b = (model.parameters_of(v, z_hat) for v in (y_hat, changed))
    found = ((a.means != b.means) | (a.scales != b.scales)).any(1)[0]
    rows, columns = torch.arange(H)[:, None] - r, torch.arange(W) - c
    near = (rows.abs() <= 2) & (columns.abs() <= 2)
    if NETWORKS[name][2] == "autoregressive":
        assert (found == (near & ((rows > 0) | ((rows == 0) & (columns > 0))))).all()
    else:
        assert (found == (near & ((rows + columns) % 2 == 1))).all()  # (3, 5) is an anchor


def test_anchors_have_a_context_of_zeros(lively):
    model = lively("mbt2018-mean-checkerboard")
    M = model.hyperparameters.latent_channels
    with torch.no_grad():
        z_hat = torch.randn(1, model.hyper.channels, 1, 1)
        prior = model.h_s(z_hat)
        scales, means = model.entropy_parameters(torch.cat([prior, torch.zeros(1, 2 * M, 4, 4)], 1)).chunk(2, 1)
        found = model.parameters_of(torch.randn(1, M, 4, 4), z_hat)
    for r, c in ((0, 0), (1, 3), (2, 2)):
        assert torch.equal(found.means[..., r, c], means[..., r, c]) and torch.equal(found.scales[..., r, c], scales[..., r, c])
    assert not torch.equal(found.means[..., 0, 1], means[..., 0, 1])


def test_prior_tables_follow_the_bottleneck(lively):
    model = lively("bmshj2018-factorized")
    tables, bottleneck = model.coding_tables(), model.entropy_bottleneck
    lengths = tables["prior.lengths"]
    for c, row in enumerate(np.split(tables["prior.frequencies"].astype(np.int64), np.cumsum(lengths + 1)[:-1])):
        first = tables["prior.offsets"][c]
        assert row.sum() == TOTAL and row.min() >= 1 and first <= 0 < first + lengths[c] <= PRIOR_SYMBOLS
        v = torch.zeros(1, bottleneck.medians.shape[0], 1, lengths[c])
        v[0, c, 0] = torch.arange(first, first + lengths[c]) + bottleneck.medians[c]
        p = 2.0 ** -bottleneck.bits(v)[0, c, 0].detach().double().numpy()
        assert 1 - p.sum() < 2.5 * PRIOR_TAIL + 1e-5
        excess = (p * (np.log2(p) - np.log2(row[:-1] / TOTAL))).sum()
        assert -1e-3 < excess < 2e-3


def test_bottleneck_bits_are_those_of_its_cdf(lively):
    bottleneck = lively("bmshj2018-factorized").entropy_bottleneck
    C = bottleneck.medians.shape[0]
    v = torch.linspace(-30, 30, 50).expand(C, 1, 50)
    with torch.no_grad():
        exact = torch.sigmoid(bottleneck.logits(v + 0.5).double()) - torch.sigmoid(bottleneck.logits(v - 0.5).double())
        found = 2.0 ** -bottleneck.bits(v.transpose(0, 1)[:, :, None])[0, :, 0]
    torch.testing.assert_close(found.double(), exact[:, 0].clamp(min=1e-9), rtol=2e-3, atol=2e-7)


def test_a_scale_takes_the_smallest_table_not_below_it(lively):
    tables = lively("mbt2018-mean").coding_tables()
    scales = published_scales().astype(np.float32)
    assert len(scales) == 64 and scales[0] == np.float32(0.11) and abs(scales[-1] - 256) < 1e-3
    assert list(tables["gaussian.thresholds"]) == list(scales[:-1])
    assert list(tables["gaussian.lengths"]) == [gaussian_reach(s) for s in scales.astype(np.float64)]
    for value in (-1.0, 0.05, 0.11, 0.1101, 3.0, float(scales[20]), 255.0, 1000.0):
        index = (tables["gaussian.thresholds"] < np.float32(value)).sum()
        assert index == min(63, (scales < np.float32(value)).sum())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("half", (None, True))
def test_model_files(name, half, lively, tmp_path):
    model = lively(name)
    path = str(tmp_path / "model.safetensors")
    metadata = write_model(path, model, "zoo", half=half)
    tensors, _ = read_model(path)
    assert metadata["architecture"] == "transform-coding" and metadata["padding"] == f"replicate-{model.stride}"
    values = json.loads(metadata["hyperparameters"])
    assert TransformCoding.Hyperparameters(**values) == model.hyperparameters and None not in values.values()
    assert ("quality_map" in tensors) == (name in VARIABLE) and not any(k.startswith("entropy_bottleneck") or k == "scale_table" or "mask" in k for k in tensors)
    weight = tensors[[k for k in tensors if k.startswith("g_a.") and tensors[k].ndim == 4][0]]
    assert weight.dtype == (np.float16 if half else np.float32)
    if "context_prediction.weight" in tensors:
        masked = tensors["context_prediction.weight"][:, :, model.context_prediction.mask.numpy() == 0]
        assert masked.size and not masked.any()
    if not half:
        x = picture(model)
        restored = restore_model(*read_model(path))
        assert torch.equal(code_fixed(restored, x)["reconstruction"], code_fixed(model, x)["reconstruction"])
        again = str(tmp_path / "again.safetensors")
        restored.entropy_bottleneck.load_state_dict(model.entropy_bottleneck.state_dict())
        assert write_model(again, restored, "zoo")["hash"] == metadata["hash"]


def test_a_file_without_a_tensor_is_refused(lively, tmp_path):
    path = str(tmp_path / "model.safetensors")
    write_model(path, lively("mbt2018"), "zoo")
    tensors, metadata = read_model(path)
    del tensors["g_s.1.gamma"]
    with pytest.raises(ValueError, match="g_s.1.gamma"):
        restore_model(tensors, metadata)


@pytest.mark.parametrize("row, message", (
    (("swim", "none", "none"), "transform 'swim'"), (("balle2018", "none", "checkerboard"), "needs a hyperprior"), (("balle2018", "scale", "autoregressive"), "means"),
    (("cheng2020-anchor", "cheng2020", "none"), "as many channels"), (("balle2018", "mean", "none"), "hyperprior 'mean'")))
def test_hyperparameters_are_checked(row, message):
    with pytest.raises(ValueError, match=message):
        TransformCoding(TransformCoding.Hyperparameters(*row, 16, 32))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_of_training(name, lively):
    """A finite loss, correlation included, and a gradient for every parameter; the loss falls."""
    torch.manual_seed(3)
    model = copy.deepcopy(lively(name)).train()
    config = Config(lambda_min=0.01, lambda_max=0.01, correlation_alpha=0.01)
    side = 128 if model.hyperparameters.window else 64  # more than one window at any resolution: with one token a region, the position would not matter
    x = torch.cat([pad(synthetic_picture(side, side, i), model.stride) for i in range(2)])
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    losses = []
    for step in range(4):
        loss = loss_of(config, model, x, torch.rand(2))
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            without = [n for n, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all() or not p.grad.any()]
            assert not without
        optimizer.step()
        losses.append(loss.item())
    assert all(map(math.isfinite, losses)) and losses[-1] < losses[0]


@pytest.mark.parametrize("name", VARIABLE)
def test_levels(name, lively):
    """The rate parameter picks a level; gains, steps and offsets do what they should."""
    model = lively(name)
    levels, L = model.vbr, model.hyperparameters.gain
    parameters = torch.arange(0, 65536)
    found = levels.level(parameters.double() / 65535)
    assert torch.equal(found, (parameters * (L - 1) + 32767) // 65535) and found[0] == 0 and found[-1] == L - 1 and len(found.unique()) == L
    x = picture(model)
    low, high = (code_fixed(model, x, r) for r in (0, 65535))
    assert low["y_symbols"].abs().sum() < 0.5 * high["y_symbols"].abs().sum()
    bits = [sum(ideal_bits(model, code_fixed(model, x, r), r)) for r in (0, 30000, 65535)]
    assert bits[0] < bits[1] < bits[2]
    rate = model.rate(torch.zeros(1))
    plain = low["y_symbols"] * rate.inverse + low["means"]
    moved = (low["y_hat"] - plain) * rate.gain
    if NETWORKS[name][2] != "channel-wise":  # which corrects them further
        assert (moved[low["y_symbols"] == 0] == 0).all() and 0.02 < moved[low["y_symbols"] != 0].abs().mean() < 1
    if levels.steps is not None:
        step = rate.step.item()
        assert step == 2.0 and ((low["z_hat"] - low["z"]).abs() <= step / 2 + 1e-4).all()
        assert levels.step_values()[-1] == 0.5


@pytest.mark.parametrize("name", [n for n in VARIABLE if "variable_step" in NETWORKS[n][5]])
def test_prior_tables_of_levels(name, lively):
    model = lively(name)
    tables, L = model.coding_tables(), model.hyperparameters.gain
    Z = model.hyper.channels
    assert tables["prior.offsets"].shape == tables["prior.lengths"].shape == (L, Z)
    rows = np.split(tables["prior.frequencies"].astype(np.int64), np.cumsum(tables["prior.lengths"].ravel() + 1)[:-1])
    assert len(rows) == L * Z and all(row.sum() == TOTAL for row in rows)
    medians = model.entropy_bottleneck.medians
    for level, c in ((0, 3), (L - 1, 5)):
        step, first, length = model.vbr.step_values()[level].item(), tables["prior.offsets"][level, c], tables["prior.lengths"][level, c]
        v = medians[None, :, None, None] + step * torch.arange(first, first + length)
        p = 2.0 ** -model.entropy_bottleneck.bits(v.expand(1, Z, 1, length), step)[0, c, 0].detach().double().numpy()
        row = rows[level * Z + c]
        assert abs((p * (np.log2(p) - np.log2(row[:-1] / TOTAL))).sum()) < 5e-3


def test_noise_and_rounding_agree_in_rate(lively):
    model = lively("mbt2018-mean")
    x = picture(model)
    with torch.no_grad():
        values, coded = code_fixed(model, x), model(x, rounded=True)
        noisy = model(x)
    y, z = ideal_bits(model, values)
    assert coded.y_bits.sum().item() == pytest.approx(y, rel=1e-3) and coded.z_bits.sum().item() == pytest.approx(z, rel=1e-3)
    assert noisy.y_bits.sum().item() == pytest.approx(y, rel=0.1)
    torch.testing.assert_close(coded.x_hat, values["reconstruction"], rtol=0, atol=2e-4)


def test_a_training_run_and_its_export(tmp_path):
    from PIL import Image

    from neuralcodec_training.checkpoint import load_checkpoint

    folder, out = tmp_path / "photographs", str(tmp_path / "run")
    folder.mkdir()
    for i in range(4):
        Image.fromarray(synthetic_picture(128, 128, i)).save(folder / f"{i}.png")
    settings = vars(hyperparameters("mbt2018-mean"))
    train(Config(data=str(folder), out=out, architecture="transform-coding", hyperparameters=settings, batch=2, crop=64, late_batch=2, late_crop=64, bf16=False, minutes=0.02))
    model, saved = load_checkpoint(f"{out}/checkpoint.pt")
    assert saved["step"] > 0 and model.hyperparameters == hyperparameters("mbt2018-mean")
    write_model(str(tmp_path / "model.safetensors"), model, "run")
