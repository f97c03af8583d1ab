# SPDX-License-Identifier: Apache-2.0
"""What is only in training: linear pairs, bases without a hyperprior, forms of a basis, noise in the place of rounding, the KLT start."""
import json

import pytest
import torch
from PIL import Image

from neuralcodec_training import train as training
from neuralcodec_training.checkpoint import load_checkpoint, search_with
from neuralcodec_training.data import Crops
from neuralcodec_training.model_file import read_model, restore_model, write_model
from neuralcodec_training.models import PatchCheckerboard, TransformCoding
from neuralcodec_training.reference import code_fixed, pad
from neuralcodec_training.synthetic import synthetic_picture
from neuralcodec_training.zoo.lattice import BOUND, BasisLattice
from neuralcodec_training.zoo.linear import folded
from neuralcodec_training.zoo.start import from_block_klt, step_for

pytestmark = pytest.mark.usefixtures("one_thread")
PAIRS = {
    "free": {"linear": "free", "linear_dimension": 8},
    "orthogonal": {"linear": "orthogonal"},
    "checkerboard": {"linear": "free", "context": "checkerboard"},
    "factorized": {"linear": "free", "linear_dimension": 4, "hyper": "none"},
    "basis": {"lattice": "basis", "hyper": "none", "lattice_groups": 4},
    "orthogonal-basis": {"lattice": "basis", "hyper": "none", "lattice_form": "orthogonal"},
}


def network(**more):
    return TransformCoding(TransformCoding.Hyperparameters(**{"transform": "balle2018-relu", "channels": 16, "latent_channels": 32, **more}))


@torch.no_grad()
def lively(**more):
    """A network whose maps between transforms and rounding are not the identity, and whose latents are not all 0."""
    torch.manual_seed(1)
    model = network(**more)
    for name, p in model.named_parameters():
        if name.startswith(("linear.", "lattice.")):
            p.add_(0.3 * torch.randn(p.shape))
    model.g_a[-1].weight.mul_(20)
    return model.eval()


@torch.no_grad()
@pytest.mark.parametrize("name", PAIRS)
def test_folded_networks_are_the_same(name, tmp_path):
    model = lively(**PAIRS[name])
    plain = folded(model)
    assert plain.linear is None and plain.lattice is None and plain.quantizer == "scalar" and plain.hyperparameters.latent_channels == 32
    x = pad(synthetic_picture(100, 70, 1), 64)
    ours, theirs = model(x, rounded=True), plain(x, rounded=True)
    assert (theirs.y_bits - ours.y_bits).abs().mean() < 1e-3 * ours.y_bits.mean()  # but for latents that are halfway
    assert (theirs.x_hat - ours.x_hat).abs().mean() < 1e-4
    with pytest.raises(ValueError, match="folded"):
        write_model(str(tmp_path / "model.safetensors"), model, "linear")
    write_model(str(tmp_path / "model.safetensors"), plain, "linear")
    restored = restore_model(*read_model(str(tmp_path / "model.safetensors")))
    assert torch.equal(code_fixed(restored, x)["reconstruction"], code_fixed(plain, x)["reconstruction"])


def test_networks_without_such_maps_are_left_alone():
    for model in (network(), network(lattice="basis"), network(lattice="e8")):
        assert folded(model) is model


def test_a_synthesis_that_cannot_take_a_map_up_is_named():
    model = network(transform="cheng2020-anchor", hyper="cheng2020", channels=32, linear="free")
    with pytest.raises(ValueError, match="cheng2020-anchor"):
        folded(model)


@pytest.mark.parametrize("more, message", (
    ({"linear": "cubic"}, "cubic"), ({"linear": "free", "linear_dimension": 5}, "32 channels"), ({"linear_dimension": 4}, "linear layer"),
    ({"lattice": "basis", "lattice_form": "round"}, "round"), ({"lattice": "e8", "lattice_form": "free"}, "lattice_form"),
    ({"lattice": "basis", "hyper": "none", "lattice_search": "exact"}, "hyperprior"), ({"lattice": "e8", "hyper": "none"}, "hyperprior"),
))
def test_bad_hyperparameters(more, message):
    with pytest.raises(ValueError, match=message):
        network(**more)


@pytest.mark.parametrize("form", ("free", "orthogonal", "bounded"))
def test_forms_of_a_basis(form):
    """Whatever an optimizer does: volume 1, and for the latter two an inverse that is as well-conditioned as promised."""
    torch.manual_seed(2)
    lattice = BasisLattice(8, 3, "babai", form)
    assert torch.equal(lattice.rows, torch.eye(8).repeat(3, 1, 1))
    optimizer = torch.optim.Adam(lattice.parameters(), 0.1)
    target = torch.randn(3, 8, 8)
    losses = []
    for _ in range(60):
        loss = (lattice.rows - 3 * target).square().sum()
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad.abs().sum() > 0 for p in lattice.parameters())
        optimizer.step()
        losses.append(loss.item())
    rows = lattice.rows.detach().double()
    assert losses[-1] < losses[0]
    torch.testing.assert_close(torch.linalg.det(rows).abs(), torch.ones(3, dtype=torch.double), rtol=0, atol=1e-4)
    singular = torch.linalg.svdvals(rows)
    limit = {"free": float("inf"), "orthogonal": 1.0, "bounded": BOUND}[form]
    assert singular.max() <= limit * (1 + 1e-5) and singular.min() >= (1 - 1e-5) / limit
    assert (singular.max() > 1.5) == (form != "orthogonal")
    torch.testing.assert_close((rows @ lattice.inverse().detach().double()), torch.eye(8, dtype=torch.double).repeat(3, 1, 1), rtol=0, atol=1e-3)


def test_files_of_bounded_bases_hold_the_matrix(tmp_path):
    model = lively(lattice="basis", lattice_form="bounded", lattice_groups=4)
    metadata = write_model(str(tmp_path / "model.safetensors"), model, "bounded")
    assert "lattice_form" not in json.loads(metadata["hyperparameters"])
    tensors, _ = read_model(str(tmp_path / "model.safetensors"))
    assert [name for name in tensors if name.startswith("lattice.")] == ["lattice.basis"]
    restored = restore_model(*read_model(str(tmp_path / "model.safetensors")))
    torch.testing.assert_close(restored.lattice.rows, model.lattice.rows.detach())


@pytest.mark.parametrize("more", ({}, {"lattice": "basis"}, {"hyper": "none"}, {"context": "autoregressive"}))
def test_relaxed_training_sees_noise(more):
    torch.manual_seed(3)
    settings = dict(architecture="transform-coding", hyperparameters={"transform": "balle2018-relu", "channels": 16, "latent_channels": 16, **more})
    model = training.build_model(training.Config(relaxed=True, **settings))
    seen = []
    model.g_s[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    x = torch.rand(1, 3, 64, 64)
    whole = lambda y: (y - y.round()).abs().max() < 1e-6
    if more.get("hyper") == "none":
        model(x)
        model(x, rounded=True)
        assert not whole(seen[0]) and whole(seen[1])
    else:
        a, b = model(x).x_hat, model(x).x_hat
        assert not torch.equal(a, b) and torch.equal(model(x, rounded=True).x_hat, model(x, rounded=True).x_hat)
        model.relaxed = False
        assert more.get("context") == "autoregressive" or torch.equal(model(x).x_hat, model(x).x_hat)
    for bad in (dict(hyperparameters={"lattice": "e8"}, architecture="transform-coding"), {}):
        with pytest.raises(SystemExit, match="relaxed"):
            training.build_model(training.Config(relaxed=True, **bad))


@torch.no_grad()
def test_klt_start_is_a_linear_codec():
    """Without rounding nothing but dropped components is lost; steps of the size for lambda cost what such steps do."""
    torch.manual_seed(4)
    crops = Crops([synthetic_picture(160, 128, i) for i in range(6)], 1)
    x = crops.batch(4, 128)
    psnr = lambda x_hat: -10 * torch.log10((x_hat - x).square().mean()).item()
    for weight in (0.01, 0.05):
        model = network(channels=64, latent_channels=256)
        before = psnr(model.synthesise(model.analyse(x)))
        from_block_klt(model, crops, weight)
        y = model.analyse(x)
        whole, rounded = psnr(model.synthesise(y)), psnr(model.synthesise(torch.round(y)))
        assert before < 15 and whole > 28 and 0.2 < whole - rounded
        # At most the error of steps that are small against all coefficients, of which 256 of 768 are there.
        assert 10 ** (-rounded / 10) - 10 ** (-whole / 10) < 1.1 * step_for(weight) ** 2 / 12
    for bad in (network(transform="balle2018"), PatchCheckerboard()):
        with pytest.raises(SystemExit, match="KLT"):
            from_block_klt(bad, crops, 0.01)


def test_transforms_learn_more_slowly_where_told(tmp_path):
    for i in range(6):
        Image.fromarray(synthetic_picture(96, 80, i)).save(tmp_path / f"{i}.png")
    config = training.Config(
        data=str(tmp_path), out=str(tmp_path / "run"), architecture="transform-coding", hyperparameters={"transform": "balle2018-relu", "channels": 16, "latent_channels": 16,
        "linear": "free"}, steps=2, batch=2, crop=64, late_share=0.0, lambda_min=0.01, lambda_max=0.01, warmup_steps=1, transform_share=0.0, klt=True, bf16=False)
    start = training.build_model(config)
    assert training.train(config)
    saved = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    model, _ = load_checkpoint(str(tmp_path / "run" / "checkpoint.pt"))
    assert saved["step"] == 2 and model.linear is None  # folded
    groups = saved["optimizer"]["param_groups"]
    assert [g["share"] for g in groups] == [1.0, 0.0] and groups[1]["lr"] == 0
    assert len(groups[1]["params"]) == sum(name.startswith(("g_a.", "g_s.")) for name, _ in start.named_parameters())


def test_the_search_can_be_another_than_in_training(tmp_path):
    model = lively(lattice="basis", lattice_dimension=4)
    metadata = write_model(str(tmp_path / "model.safetensors"), search_with(model, "exact"), "exact")
    assert json.loads(metadata["hyperparameters"])["lattice_search"] == "exact"
    for other in (network(), network(lattice="e8"), PatchCheckerboard()):
        assert search_with(other, None) is other
        with pytest.raises(SystemExit, match="basis"):
            search_with(other, "exact")
