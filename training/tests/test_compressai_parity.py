# SPDX-License-Identifier: Apache-2.0
"""Against CompressAI, where it has the same building block. Runs only where CompressAI can be imported."""
import pytest
import torch

from neuralcodec_training.layers import lower_bound
from neuralcodec_training.priors import LIKELIHOOD_BOUND, SCALE_BOUND, gaussian_bits

compressai_models = pytest.importorskip("compressai.entropy_models", reason="CompressAI is not installed: parity with its building blocks is not checked", exc_type=ImportError)
compressai_ops = pytest.importorskip("compressai.ops", exc_type=ImportError)


def test_gaussian_likelihoods():
    """Within the precision of CompressAI's binary32 cumulative functions, for likelihoods well above the bound."""
    conditional = compressai_models.GaussianConditional(None, scale_bound=SCALE_BOUND, tail_mass=1e-9, likelihood_bound=LIKELIHOOD_BOUND).eval()
    scales = torch.tensor([0.05, 0.11, 0.3, 1, 4, 30, 200]).repeat_interleave(41)
    v = (torch.linspace(-4, 4, 41).repeat(7) * scales).round()
    bits = gaussian_bits(v, scales)
    _, likelihood = conditional(v[None, None], scales[None, None], training=False)
    assert (bits + torch.log2(likelihood[0, 0])).abs().max() < 1e-2


def test_gaussian_quantization_is_round_half_even():
    conditional = compressai_models.GaussianConditional(None).eval()
    v = torch.tensor([[[-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49, -7.51]]])
    assert (conditional.quantize(v, "dequantize") == torch.round(v)).all()


def test_lower_bound():
    theirs = compressai_ops.LowerBound(1.0)
    for sign in (-1.0, 1.0):
        x = torch.linspace(-1, 3, 17).requires_grad_()
        y = x.detach().clone().requires_grad_()
        a, b = lower_bound(x, 1.0), theirs(y)
        assert (a == b).all()
        a.backward(torch.full((17,), sign))
        b.backward(torch.full((17,), sign))
        assert (x.grad == y.grad).all()
