# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from neuralcodec_training.complexity import costs, network_parts, receiver_parts, sender_parts
from neuralcodec_training.layers import RateConv
from neuralcodec_training.models import PatchCheckerboard, TransformCoding
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
    assert 2 * parts["context"] == total("context")  # which PyTorch computes everywhere, and a decoder where it is needed
    assert parts["means and scales"] == total("parameters_out")
    assert parts["synthesis blocks"] == total("synthesis")
    assert parts["unembed"] == total("unembed")
    assert parts["render"] == total("grid", "render")
    assert sender_parts(h)["embed"] == total("embed")
    assert sender_parts(h)["analysis blocks"] == total("analysis")
    assert sender_parts(h)["hyper analysis"] == total("hyper_analysis")


def test_published_networks_are_counted():
    """By hand: 5x5 convolutions of stride 2, each with a GDN but the last; transposed ones, whose taps per output are a quarter."""
    N, M = 16, 32
    model = TransformCoding(TransformCoding.Hyperparameters("balle2018", "mean-scale", "checkerboard", N, M))
    parts = network_parts(model)
    at = lambda fraction, macs: macs / fraction**2
    gdn = at(2, N * N) + at(4, N * N) + at(8, N * N)
    assert parts["analysis"] == at(2, 25 * 3 * N) + at(4, 25 * N * N) + at(8, 25 * N * N) + at(16, 25 * N * M) + gdn
    assert parts["synthesis"] == at(16, 25 * M * N) + at(8, 25 * N * N) + at(4, 25 * N * N) + at(2, 25 * N * 3) + gdn
    assert parts["hyper analysis"] == at(16, 9 * M * N) + at(32, 25 * N * N) + at(64, 25 * N * N)
    a, b = M * 10 // 3, M * 8 // 3
    assert parts["context"] == at(16, 12 * M * 2 * M / 2 + 4 * M * a + a * b + b * 2 * M)
    receiver, sender = costs(model)
    assert set(receiver) == {"synthesis", "hyper synthesis", "context"} and set(sender) == {"analysis", "hyper analysis", "hyper synthesis", "context"}


def test_attention_is_counted():
    h = TransformCoding.Hyperparameters(
        "swin", "swin", "none", 16, 32, stage_channels=[16, 16, 32, 32], depths=[1, 0, 0, 0], hyper_stage_channels=[16, 16], hyper_depths=[0, 0], window=4, hyper_window=2, head_channels=8)
    block = (3 + 1 + 8) * 16 * 16 + 2 * 16 * 16  # linear layers, and 16 keys a token twice
    found = network_parts(TransformCoding(h))
    assert found["analysis"] == (3 * 4 * 16 + block) / 4 + (64 * 16) / 16 + (64 * 32) / 64 + (128 * 32) / 256
