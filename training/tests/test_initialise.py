# SPDX-License-Identifier: Apache-2.0
"""Starting from a trained model of other hyperparameters."""
from dataclasses import replace

import pytest
import torch

from neuralcodec_training.initialise import from_model, narrowed, separated
from neuralcodec_training.models import PatchCheckerboard
from neuralcodec_training.reference import pad
from neuralcodec_training.synthetic import synthetic_picture
from neuralcodec_training.tiny_model import HYPERPARAMETERS

RATES = torch.tensor([0.1, 0.8])


@pytest.fixture(scope="module")
def pictures():
    return torch.cat([pad(synthetic_picture(128, 128, seed), 64) for seed in (3, 4)])


def started(tiny, pictures, **changes):
    model = PatchCheckerboard(replace(HYPERPARAMETERS, **changes))
    from_model(model, tiny, pictures, RATES)
    return model.eval()


@torch.no_grad()
def outputs(model, pictures):
    coded = model(pictures, RATES, rounded=True)
    return coded.x_hat, coded.y_bits


def test_a_further_analysis_block_changes_nothing_at_first(tiny, pictures):
    model = started(tiny, pictures, analysis_blocks=3)
    for a, b in zip(outputs(model, pictures), outputs(tiny, pictures)):
        assert torch.equal(a, b)


def test_a_product_of_two_convolutions_is_taken_apart():
    torch.manual_seed(1)
    depthwise, pointwise = torch.randn(5, 1, 3, 3), torch.randn(7, 5, 1, 1)
    found = separated(pointwise * depthwise[:, 0])
    torch.testing.assert_close(found[1] * found[0][:, 0], pointwise * depthwise[:, 0])


def test_a_dense_hidden_layer_becomes_its_nearest_product(tiny, pictures):
    dense, model = tiny.hidden.weight, started(tiny, pictures, separable_hidden=1)
    product = model.hidden.weight * model.hidden_depthwise.weight[:, 0]
    best = sum(torch.linalg.svdvals(dense[:, i].flatten(1))[1:].square().sum() for i in range(dense.shape[1]))
    torch.testing.assert_close((product - dense).square().sum(), best)


def test_inputs_that_say_nothing_new_are_dropped_without_loss():
    torch.manual_seed(2)
    values = torch.randn(400, 4) + 1
    inputs = torch.cat([values, 0.1 * values @ torch.randn(4, 3) + 2], 1)  # the last three follow from the others
    weight, bias = torch.randn(5, 7), torch.randn(5)
    kept, fitted, moved = narrowed(inputs, weight, bias, 4)
    difference = (inputs[:, kept] @ fitted.t() + moved) - (inputs @ weight.t() + bias)
    assert len(kept) == 4 and difference.abs().max() < 0.03 * (inputs @ weight.t()).std()


def test_narrower_blocks_come_near(tiny, pictures):
    full, _ = outputs(tiny, pictures)
    error = {}
    for width in (16, 32):
        narrow, _ = outputs(started(tiny, pictures, synthesis_mix_channels=width), pictures)
        error[width] = (narrow - full).square().mean().item()
    assert error[32] == 0 and 0 < error[16] < 0.02 * full.var().item()


@pytest.mark.parametrize("changes, words", (({"knots": 4}, "is \\(3, "), ({"render_blocks": 0}, "the new model has no render.0"), ({"core_channels": 32, "latent_channels": 48}, "there, and")))
def test_other_widths_are_refused(tiny, pictures, changes, words):
    with pytest.raises(SystemExit, match=words):
        started(tiny, pictures, **changes)
