# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from neuralcodec_training.complexity import receiver_parts, sender_parts
from neuralcodec_training.layers import RateConv
from neuralcodec_training.models import PatchCheckerboard
from neuralcodec_training.tiny_model import HYPERPARAMETERS


@pytest.mark.parametrize("h", (HYPERPARAMETERS, PatchCheckerboard.Hyperparameters()))
def test_formulas_count_the_convolutions(h):
    model = PatchCheckerboard(h)
    macs = {}

    def count(name):
        def hook(module, inputs, output):
            macs[name] = output[0].numel() * module.weight[0].numel() / (64 * 64)

        return hook

    for name, module in model.named_modules():
        if isinstance(module, (torch.nn.Conv2d, RateConv)):
            module.register_forward_hook(count(name))  # a second pass over parameters_out counts once
    with torch.no_grad():
        model(torch.rand(1, 3, 64, 64), torch.tensor([0.5]))
    total = lambda *prefixes: sum(v for k, v in macs.items() if k.startswith(prefixes))
    parts = receiver_parts(h)
    assert parts["hyper synthesis"] == total("hyper_synthesis", "hidden")
    assert parts["context"] == total("context")
    assert parts["means and scales"] == total("parameters_out")
    assert parts["synthesis blocks"] == total("synthesis")
    assert parts["unembed"] == total("unembed")
    assert parts["render"] == total("grid", "render")
    assert sender_parts(h)["embed"] == total("embed")
    assert sender_parts(h)["analysis blocks"] == total("analysis")
    assert sender_parts(h)["hyper analysis"] == total("hyper_analysis")
