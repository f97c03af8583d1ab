# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from neuralcodec_training.correlation import MASKS, average_correlation, correlation_loss, correlation_map, correlation_mask
from neuralcodec_training.models.patch_checkerboard import Hyperparameters, PatchCheckerboard
from neuralcodec_training.train import Config, loss_of


def noise(seed=0, size=(2, 8, 64, 64)):
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def test_map_of_white_noise_is_a_point():
    found = correlation_map(noise())
    assert found.shape == (5, 5)
    assert found[2, 2] == pytest.approx(1, abs=0.02)
    assert (found * correlation_mask("point")).abs().max() < 0.02
    assert average_correlation(noise()) < 0.01


def test_map_is_the_mean_of_products():
    v = noise(1, (1, 2, 5, 6))
    found = correlation_map(v, 3)
    assert found[2, 1] == pytest.approx((v[..., 1:, :] * v[..., :-1, :]).mean().item(), rel=1e-5)  # one row below
    assert found[0, 2] == pytest.approx((v[..., :-1, 1:] * v[..., 1:, :-1]).mean().item(), rel=1e-5)  # above, right
    assert torch.equal(found, found.flip(0, 1))


def test_moving_average_shows():
    v = noise(2, (1, 4, 96, 96))
    v = (v[..., 1:] + v[..., :-1]) / 2**0.5
    found = correlation_map(v)
    assert found[2, 1] == pytest.approx(0.5, abs=0.02) and found[2, 3] == pytest.approx(0.5, abs=0.02)
    assert correlation_loss(v) == pytest.approx(0.5, abs=0.05)
    assert correlation_loss(v, mask="short-cross") < 0.01


def test_pairs():
    v = noise(3, (1, 1, 6, 7))
    rows, columns = torch.meshgrid(torch.arange(6), torch.arange(7), indexing="ij")
    anchors = (rows + columns) % 2 == 0
    alone = torch.where(anchors, v, torch.zeros(()))
    pairs = correlation_map(v, 5, "anchors")
    assert pairs[2, 3] == 0  # neighbours are never both anchors
    counted = (anchors[2:, :] & anchors[:-2, :]).sum()
    assert pairs[4, 2] == pytest.approx(((alone[..., 2:, :] * alone[..., :-2, :]).sum() / counted).item(), rel=1e-5)
    unexplained = correlation_map(v, 5, "unexplained")
    assert unexplained[1, 2] == 0 and unexplained[4, 2] == correlation_map(v, 5)[4, 2]


@pytest.mark.parametrize("mask,left", [("point", 24), ("short-cross", 20), ("box", 16), ("long-cross", 16)])
def test_masks(mask, left):
    assert correlation_mask(mask).sum() == left


def test_bad_arguments():
    for call in (lambda: correlation_map(noise(), 4), lambda: correlation_mask("square"), lambda: correlation_map(noise(), 5, "some")):
        with pytest.raises(ValueError):
            call()


@pytest.mark.parametrize("mask", MASKS)
def test_loss_reaches_transform_and_hyperprior(mask):
    small = Hyperparameters(64, 32, 16, 16, 32, 16, 1, 1, 1, 3)
    torch.manual_seed(0)
    model = PatchCheckerboard(small)
    torch.nn.init.normal_(model.parameters_out.weight, std=0.1)
    x, r = torch.rand(2, 3, 128, 128), torch.rand(2)
    coded = model(x, r)
    correlation_loss(coded.normalized, mask=mask).backward()
    assert model.embed.weight.grad.abs().sum() > 0 and model.hidden.weight.grad.abs().sum() > 0
    plain = loss_of(Config(bf16=False), model, x, r)
    weighted = loss_of(Config(bf16=False, correlation_alpha=100.0, correlation_mask=mask), model, x, r)
    assert weighted > plain


def test_a_relative_map_does_not_know_scales():
    v = noise(4, (1, 4, 64, 64))
    v = v[..., 1:] + v[..., :-1]
    assert correlation_loss(v / 3, relative=True) == pytest.approx(correlation_loss(v, relative=True).item(), rel=1e-4)
    assert correlation_loss(v / 3) == pytest.approx(correlation_loss(v).item() / 81, rel=1e-4)
    assert correlation_loss(torch.zeros_like(v), relative=True) == 0


def test_the_loss_sets_in_later():
    torch.manual_seed(0)
    model, x, r = PatchCheckerboard(Hyperparameters(64, 32, 16, 16, 32, 16, 1, 1, 1, 3)), torch.rand(1, 3, 128, 128), torch.rand(1)

    def value(step, **settings):
        torch.manual_seed(1)
        return loss_of(Config(bf16=False, correlation_alpha=100.0, correlation_after=5, **settings), model, x, r, step).item()

    assert value(4) == value(0) < value(5) == value(6)
