# SPDX-License-Identifier: Apache-2.0
"""Against CompressAI, where it has the same building block or network. Runs only where CompressAI can be imported."""
import pytest
import torch

from neuralcodec_training.import_compressai import SOURCES, current_name, import_model
from neuralcodec_training.layers import lower_bound
from neuralcodec_training.models import TransformCoding
from neuralcodec_training.priors import LIKELIHOOD_BOUND, SCALE_BOUND, gaussian_bits
from neuralcodec_training.randomised import randomised
from neuralcodec_training.reference import code_fixed, ideal_bits, pad
from neuralcodec_training.synthetic import synthetic_picture

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


def compressai_network(architecture):
    models = pytest.importorskip("compressai.models", exc_type=ImportError)
    vbr = {"vr_entbttlnck": True}
    return {
        "bmshj2018-factorized": lambda: models.FactorizedPrior(16, 32), "bmshj2018-factorized-relu": lambda: models.FactorizedPriorReLU(16, 32),
        "bmshj2018-hyperprior": lambda: models.ScaleHyperprior(16, 32), "mbt2018-mean": lambda: models.MeanScaleHyperprior(16, 32),
        "mbt2018": lambda: models.JointAutoregressiveHierarchicalPriors(16, 32), "cheng2020-anchor": lambda: models.Cheng2020Anchor(32),
        "cheng2020-attn": lambda: models.Cheng2020Attention(32), "cheng2020-anchor-checkerboard": lambda: models.Cheng2020AnchorCheckerboard(32),
        "bmshj2018-hyperprior-vbr": lambda: models.ScaleHyperpriorVbr(16, 32, **vbr), "mbt2018-mean-vbr": lambda: models.MeanScaleHyperpriorVbr(16, 32, **vbr),
        "mbt2018-vbr": lambda: models.JointAutoregressiveHierarchicalPriorsVbr(16, 32),
    }[architecture]().eval()


def lively_network(architecture):
    """A CompressAI network with the weights of a randomised one of ours, but for what makes a rate variable."""
    source = SOURCES[architecture]
    N, M = (32, 32) if "cheng" in architecture else (16, 32)
    weights = randomised(TransformCoding(TransformCoding.Hyperparameters(source.transform, source.hyper, source.context, N, M)), 3).state_dict()
    torch.manual_seed(1)
    network = compressai_network(architecture)
    state = network.state_dict()
    for name in state:
        ours = current_name(name)
        if ours == "entropy_bottleneck.quantiles":
            state[name][:, 0, 1] = weights["entropy_bottleneck.medians"]
        elif ours in weights:
            state[name] = weights[ours]
    torch.nn.Module.load_state_dict(network, state)
    return network


@pytest.mark.parametrize("architecture", [name for name in SOURCES if name != "lic-tcm"])
def test_imported_networks(architecture):
    """Latents, rates and reconstruction of a checkpoint's network and of its import; of autoregressive ones the parameters for latents that are known."""
    network = lively_network(architecture)
    model = import_model(network.state_dict(), architecture)
    x = pad(synthetic_picture(100, 70, 9), model.stride)
    levels = {"s": 5} if SOURCES[architecture].variable_rate else {}
    rate = round(65535 * 5 / 7) if levels else 65535
    with torch.no_grad():
        values = code_fixed(model, x, rate)
        torch.testing.assert_close(values["y"], network.g_a(x), rtol=1e-4, atol=1e-4)
        if SOURCES[architecture].context == "autoregressive" and not levels:
            context = network.context_prediction(values["y_hat"])
            scales, means = network.entropy_parameters(torch.cat([network.h_s(values["z_hat"]), context], 1)).chunk(2, 1)
            torch.testing.assert_close(values["scales"], scales, rtol=1e-3, atol=1e-3)
            torch.testing.assert_close(values["means"], means, rtol=1e-3, atol=1e-3)
            torch.testing.assert_close(values["reconstruction"], network.g_s(values["y_hat"]), rtol=1e-4, atol=1e-4)
            return
        found = network(x, **levels)
        torch.testing.assert_close(values["reconstruction"], found["x_hat"], rtol=1e-3, atol=1e-3)
        expected = -sum(t.log2().sum().item() for t in found["likelihoods"].values())
        assert sum(ideal_bits(model, values, rate)) == pytest.approx(expected, rel=1e-2)
