# SPDX-License-Identifier: Apache-2.0
"""Transform coders whose latents go to points of lattices: nearest points, training, files, and the library's numbers beside PyTorch's."""
import copy
import functools
import importlib.util
import itertools
import json

import numpy as np
import pytest
import torch
from test_transform_coding_parity import BENCH, STATES, check_decoder, close, near_half, traced

from neuralcodec_training.model_file import read_model, restore_model, write_model
from neuralcodec_training.models import TransformCoding
from neuralcodec_training.randomised import randomised
from neuralcodec_training.reference import code_fixed, ideal_bits, pad
from neuralcodec_training.synthetic import synthetic_picture
from neuralcodec_training.train import Config, loss_of
from neuralcodec_training.zoo.lattice import ClassicalLattice, nearest_barnes_wall, nearest_dn, nearest_e8, reed_muller_words, vectors

pytestmark = pytest.mark.usefixtures("one_thread")

library = pytest.mark.skipif(importlib.util.find_spec("neuralcodec") is None, reason="the Python package is not built")

# Context, latent channels, and what else the network needs.
NETWORKS = {
    "babai": ("none", 32, {"lattice": "basis", "lattice_search": "babai"}),
    "babai-groups": ("none", 32, {"lattice": "basis", "lattice_groups": 4}),
    "babai-autoregressive": ("autoregressive", 32, {"lattice": "basis", "lattice_dimension": 16, "lattice_groups": 2}),
    "babai-charm": ("channel-wise", 48, {"lattice": "basis", "lattice_groups": 6, "slices": [16, 32], "max_support_slices": 1}),
    "exact": ("none", 32, {"lattice": "basis", "lattice_search": "exact", "lattice_dimension": 4}),
    "exact-groups": ("checkerboard", 32, {"lattice": "basis", "lattice_search": "exact", "lattice_dimension": 4, "lattice_groups": 8}),
    "e8": ("checkerboard", 32, {"lattice": "e8"}),
    "e8-autoregressive": ("autoregressive", 32, {"lattice": "e8"}),
    "barnes-wall": ("none", 32, {"lattice": "barnes-wall"}),
    "barnes-wall-charm": ("channel-wise", 48, {"lattice": "barnes-wall", "slices": [16, 32], "max_support_slices": 1}),
    "leech": ("none", 48, {"lattice": "leech"}),
}
BY_LIBRARY = ("exact", "leech")  # closest points come from the library
BASES = [name for name in NETWORKS if name.startswith(("babai", "exact"))]
CLASSICAL = [name for name in NETWORKS if name not in BASES]


def rows(names):
    return [pytest.param(name, marks=library if name.startswith(BY_LIBRARY) else ()) for name in names]


def hyperparameters(name):
    context, M, more = NETWORKS[name]
    return TransformCoding.Hyperparameters("balle2018", "mean-scale", context, 16, M, **more)


@pytest.fixture(scope="module")
def lively():
    """Randomised models by name, made once."""
    return functools.cache(lambda name: randomised(TransformCoding(hyperparameters(name)), 7, narrow=False))


def picture(model):
    return pad(synthetic_picture(100, 70, 5), model.stride)


# Nearest points.


def member(kind, x):
    """Whether integer vectors are points, by the definition in docs/quantizers.md."""
    words = reed_muller_words() if kind == "barnes-wall" else torch.tensor([[0.0], [1.0]]).expand(2, 8)
    return ((x % 2)[..., None, :] == words).all(-1).any(-1) & (x.sum(-1) % 4 == 0)


def relevant_vectors(kind):
    """All that bound a cell: of E8 the 240 shortest, of Barnes-Wall the 4320 shortest and the 61440 of the next length."""
    n = ClassicalLattice.kinds[kind][0]
    signs = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=8)))
    pair, place = torch.tensor(list(itertools.combinations(range(n), 2))), torch.eye(n)
    found = [2 * (s * place[pair[:, 0]] + t * place[pair[:, 1]]) for s in (-1, 1) for t in (-1, 1)]
    for word in reed_muller_words() if kind == "barnes-wall" else torch.ones(1, 8):
        if word.sum() == 8:
            signed = torch.zeros(256, n)
            signed[:, word > 0] = signs
            found.append(signed)
            found += [signed + s * place[i] for i in range(n) if not word[i] for s in (-2, 2)]
    found = torch.cat(found)
    return found[member(kind, found)]


def test_dn_against_brute_force():
    t = 3 * torch.randn(200, 4, generator=torch.Generator().manual_seed(1))
    offsets = torch.tensor(list(itertools.product((-1, 0, 1), repeat=4))).float()
    points = torch.round(t)[:, None] + offsets
    distances = (t[:, None] - points).square().sum(-1).masked_fill(points.sum(-1) % 2 != 0, torch.inf)
    found = nearest_dn(t)
    assert (found.sum(-1) % 2 == 0).all()
    torch.testing.assert_close((t - found).square().sum(-1), distances.min(1).values)
    assert nearest_dn(torch.tensor([1.0, 0, 0, 0])).tolist() == [2, 0, 0, 0]


@pytest.mark.parametrize("kind, count", (("e8", 240), ("barnes-wall", 4320 + 61440)))
def test_nearest_points_have_the_vector_in_their_cell(kind, count):
    n, nearest, integer, _ = ClassicalLattice.kinds[kind]
    relevant = relevant_vectors(kind)
    assert len(relevant) == count
    t = 3 * torch.randn(200, n, generator=torch.Generator().manual_seed(2))
    found = nearest(t)
    assert member(kind, found).all() and len(found.unique(dim=0)) == 200
    # |e - v|^2 >= |e|^2 for every relevant v
    assert (relevant.square().sum(-1) - 2 * (t / integer - found) @ relevant.T).min() > -1e-3


@library
@pytest.mark.parametrize("kind", ClassicalLattice.kinds)
def test_points_are_the_librarys(kind):
    from neuralcodec import Quantizer

    n, nearest, integer, cube = ClassicalLattice.kinds[kind]
    random = np.random.RandomState(3)
    t = torch.from_numpy(np.concatenate([5 * random.standard_normal((500, n)), random.randint(-8, 9, (200, n)) / 2]).astype(np.float32))
    quantizer = Quantizer(kind)
    points = torch.from_numpy(quantizer.quantize(t.numpy())[0])
    found = integer * nearest(t)
    close = lambda p: (t - p).square().sum(-1)
    assert torch.equal(found[:500], points[:500]) and torch.equal(close(found), close(points))
    assert quantizer.volume == pytest.approx(cube**n, rel=1e-6)
    assert torch.equal(nearest(torch.full((1, n), 0.0)), torch.zeros(1, n))


def least_distances(target, basis):
    """Squared distances of vectors (N, n) to the lattice of the rows, by trying every u within 3 of Babai's."""
    start = torch.round(target @ torch.linalg.inv(basis))
    offsets = torch.tensor(list(itertools.product(range(-3, 4), repeat=basis.shape[0]))).to(basis)
    return torch.cat([(t - (s + offsets) @ basis).square().sum(-1).min()[None] for t, s in zip(target, start)])


# The model.


@pytest.mark.parametrize("more, message", (
    ({"lattice": "e7"}, "e7"), ({"lattice": "leech"}, "32 channels"), ({"lattice": "basis", "lattice_dimension": 5}, "whole vectors"),
    ({"lattice": "basis", "lattice_groups": 2}, "lattice_groups"), ({"lattice": "basis", "lattice_search": "best"}, "best"), ({"lattice": "e8", "lattice_search": "exact"}, "lattice_search"),
    ({"lattice": "e8", "gain": 4}, "one rate"), ({"lattice": "e8", "hyper": "none"}, "hyperprior"),
    ({"lattice": "barnes-wall", "context": "channel-wise", "slices": [8, 24], "max_support_slices": 1}, "8 channels")))
def test_hyperparameters_are_checked(more, message):
    with pytest.raises(ValueError, match=message):
        TransformCoding(TransformCoding.Hyperparameters(**{"hyper": "mean-scale", "channels": 16, "latent_channels": 32, **more}))


@pytest.mark.parametrize("name", rows(NETWORKS))
@torch.no_grad()
def test_encoder_and_decoder_agree(name, lively):
    model = lively(name)
    values = code_fixed(model, picture(model))
    symbols = values["y_symbols"]
    assert torch.equal(symbols, symbols.round()) and (symbols != 0).float().mean() > 0.3
    replayed = model.replay(symbols, values["z_hat"])
    at_once = model.parameters_of(model.dequantise(symbols, values["means"], replayed.scales), values["z_hat"])
    for found in (replayed, at_once):
        for key in ("means", "scales", "y_hat"):
            assert (getattr(found, key) - values[key]).abs().max() < 1e-4 * (1 + values[key].abs().max()), key
    if NETWORKS[name][0] != "channel-wise":  # which corrects them
        error = (values["y"] - values["y_hat"]).square().mean()
        assert 0.05 < error < (0.085 if name in CLASSICAL else 0.3)  # scalars: 1/12


@pytest.mark.parametrize("name", rows(NETWORKS))
@torch.no_grad()
def test_noise_and_rounding_agree_in_rate(name, lively):
    model = lively(name)
    x = picture(model)
    values, coded, noisy = code_fixed(model, x), model(x, rounded=True), model(x)
    y, z = ideal_bits(model, values)
    assert coded.y_bits.sum().item() == pytest.approx(y, rel=1e-3) and coded.z_bits.sum().item() == pytest.approx(z, rel=1e-3)
    assert noisy.y_bits.sum().item() == pytest.approx(y, rel=0.1)
    torch.testing.assert_close(coded.x_hat, values["reconstruction"], rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", rows(NETWORKS))
def test_training(name, lively):
    """A gradient for every parameter, a loss that falls, and a basis that keeps its volume while it changes."""
    torch.manual_seed(3)
    model = copy.deepcopy(lively(name)).train()
    config = Config(lambda_min=0.01, lambda_max=0.01, correlation_alpha=0.01, orthogonality=0.1 if name in BASES else 0)
    x = torch.cat([pad(synthetic_picture(64, 64, i), model.stride) for i in range(2)])
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    before = model.lattice.rows.detach().clone() if name in BASES else None
    losses = []
    for step in range(6):
        loss = loss_of(config, model, x, torch.rand(2))
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            assert not [n for n, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all() or not p.grad.any()]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    if name in BASES:
        rows = model.lattice.rows.detach()
        assert (rows - before).abs().max() > 1e-4
        torch.testing.assert_close(torch.linalg.det(rows.double()).abs(), torch.ones(len(rows), dtype=torch.double), rtol=0, atol=1e-5)


def test_orthogonality():
    lattice = TransformCoding(hyperparameters("babai-groups")).lattice
    with torch.no_grad():
        assert lattice.orthogonality() == 0
        lattice.basis.add_(0.2 * torch.randn(lattice.basis.shape, generator=torch.Generator().manual_seed(4)))
    optimizer = torch.optim.Adam(lattice.parameters(), 0.01)
    first = lattice.orthogonality().item()
    for _ in range(100):
        optimizer.zero_grad()
        lattice.orthogonality().backward()
        optimizer.step()
    assert first > 0.1 and lattice.orthogonality() < 0.01 * first


@pytest.mark.parametrize("name", rows(NETWORKS))
@torch.no_grad()
def test_files(name, lively, tmp_path):
    model = lively(name)
    path = str(tmp_path / "model.safetensors")
    metadata = write_model(path, model, "lattice")
    found = json.loads(metadata["hyperparameters"])
    tensors, _ = read_model(path)
    assert metadata["quantizer"] == "lattice" and found["lattice"] == NETWORKS[name][2]["lattice"]
    assert {key for key in found if key.startswith("lattice")} == ({"lattice", "lattice_search"} if name in BASES else {"lattice"})
    if name in BASES:
        assert np.abs(np.abs(np.linalg.det(tensors["lattice.basis"].astype(np.float64))) - 1).max() < 1e-5
        assert tensors["lattice.basis"].shape == model.lattice.basis.shape
    else:
        assert tensors["lattice.scale"].shape == (1,)
    restored = restore_model(*read_model(path))
    x = picture(model)
    assert torch.equal(code_fixed(restored, x)["reconstruction"], code_fixed(model, x)["reconstruction"])
    restored.entropy_bottleneck.load_state_dict(model.entropy_bottleneck.state_dict())
    assert write_model(str(tmp_path / "again.safetensors"), restored, "lattice")["hash"] == metadata["hash"]


def test_a_basis_of_another_volume_is_refused(lively, tmp_path):
    path = str(tmp_path / "model.safetensors")
    write_model(path, lively("babai"), "lattice")
    tensors, metadata = read_model(path)
    tensors["lattice.basis"] = 1.1 * tensors["lattice.basis"]
    with pytest.raises(ValueError, match="volume"):
        restore_model(tensors, metadata)


# The library.


def check_symbols(name, model, values, means):
    """The library's symbols are what an encoder should choose, for its own latents."""
    y, symbols = values["latents"], values["symbols"]
    lattice = model.lattice
    n = lattice.dimension
    if name in CLASSICAL:
        expected = lattice.symbols(y, means, None)
        step = lattice.scale * lattice.integer
        distance = lambda s: vectors(y - means - s * step, n).square().sum(-1)
        assert (distance(symbols) <= distance(expected) * (1 + 1e-4) + 1e-6).all()
        assert (symbols != expected).float().mean() < 1e-3
    elif lattice.search == "babai":
        d = model.coordinates(y) - means
        assert ((symbols == torch.round(d)) | near_half(d)).all()
    else:
        target = vectors(y.double() - lattice.transform(means, lattice.rows, slice(None)), n)
        points = vectors(lattice.transform(symbols, lattice.rows, slice(None)), n)
        for group in range(target.shape[3]):
            t, p = (v[..., group, :].reshape(-1, n).double() for v in (target, points))
            least = least_distances(t, lattice.rows[group % len(lattice.rows)].double())
            assert ((t - p).square().sum(-1) <= least * (1 + 1e-4) + 1e-6).all()


def rate_of_symbols(folder, symbols, scales):
    """Bits by the file's Gaussian tables; after an escape 5 bits, those of the distance to the table, and a sign (docs/format.md, section 3)."""
    tables = {name: torch.from_numpy(t.astype(np.float64)) for name, t in read_model(f"{folder}/model.safetensors")[0].items() if name.startswith("gaussian.")}
    index = (scales[..., None] > tables["gaussian.thresholds"]).sum(-1)
    lengths = tables["gaussian.lengths"].long()
    outside = (symbols.abs().long() - lengths[index]).clamp(min=0)
    entry = ((lengths + 2).cumsum(0) - (lengths + 2))[index] + torch.minimum(symbols.abs().long(), lengths[index] + 1)
    escape = torch.where(outside > 0, 6 + torch.log2(outside.clamp(min=1).double()).floor(), 0.0)
    return float((16 - torch.log2(tables["gaussian.frequencies"][entry]) + escape).sum())


def rate_of_points(lattice, symbols, scales):
    """Bits of integer points under the library's exact model."""
    from neuralcodec import Quantizer

    kind = {8: "e8", 16: "barnes-wall", 24: "leech"}[lattice.dimension]
    quantizer = Quantizer(kind, scale=float(lattice.scale))
    points = vectors(symbols.double() * lattice.integer, lattice.dimension).numpy()
    indices = np.rint(points @ np.linalg.inv(Quantizer(kind).basis.astype(np.float64))).astype(np.int32)
    return quantizer.rate(indices, np.ascontiguousarray(vectors(scales, lattice.dimension).numpy()))


@library
@pytest.mark.skipif(not BENCH.exists(), reason="neuralcodec-bench is not built (make test builds it)")
@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_library_and_pytorch_agree(name, lively, tmp_path):
    model = lively(name)
    values, facts, x = traced(model, tmp_path)
    y = model.analyse(x)
    close(values["latents"], y)
    d = model.hyper_analyse(y) - model.medians
    assert ((values["hyper"] == torch.round(d)) | near_half(d)).all()
    z_hat = values["hyper"] + model.medians
    if model.context.sequential:
        means, scales, y_hat = model.parameters_of(model.dequantise(values["symbols"], values["means"], None), z_hat)
    else:
        means, scales, y_hat = model.replay(values["symbols"], z_hat)
    close(values["means"], means)
    close(values["scales"].clamp(min=0.11), scales.clamp(min=0.11))
    check_symbols(name, model, values, means)
    close(values["picture"], model.synthesise(y_hat))
    assert (values["symbols"] != 0).float().mean() > 0.3
    bits = rate_of_symbols(tmp_path, values["symbols"], scales) if name in BASES else rate_of_points(model.lattice, values["symbols"], scales)
    bits += float(model.entropy_bottleneck.bits(z_hat).double().sum())
    assert abs(8 * (facts["payload"] - STATES) - bits) < 0.01 * bits
    check_decoder(values, tmp_path)


@library
@pytest.mark.parametrize("name", CLASSICAL)
@torch.no_grad()
def test_the_estimate_is_near_the_exact_model(name, lively):
    model = lively(name)
    values = code_fixed(model, picture(model))
    estimated = float(model.symbol_bits(values["y_symbols"], values["scales"].clamp(min=0.11)).double().sum())
    exact = rate_of_points(model.lattice, values["y_symbols"], values["scales"])
    assert estimated == pytest.approx(exact, rel=0.03)


@library
@pytest.mark.parametrize("deviation, by_noise", ((0.25, 0.4), (0.5, 0.05), (2.0, 0.02)))
@pytest.mark.parametrize("kind", ClassicalLattice.kinds)
def test_estimates_of_gaussian_latents(kind, deviation, by_noise):
    """Bits a latent at points, and with noise, beside the exact model's."""
    from neuralcodec import Quantizer

    lattice = ClassicalLattice(kind)
    n = lattice.dimension
    y = deviation * torch.randn(1, n, 1000, 1, generator=torch.Generator().manual_seed(5))
    scales = torch.full_like(y, deviation)
    quantizer = Quantizer(kind, scale=float(lattice.scale))
    exact = quantizer.rate(quantizer.quantize(vectors(y, n).contiguous().numpy())[1], deviation) / y.numel()
    assert abs(lattice.bits(None, lattice.symbols(y, torch.zeros_like(y), None), scales).mean().item() - exact) < 0.025
    assert -0.02 < lattice.bits(y, None, scales).mean().item() - exact < by_noise
