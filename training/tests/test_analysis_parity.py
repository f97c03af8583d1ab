# SPDX-License-Identifier: Apache-2.0
"""`neuralcodec.analyze` of the library beside `diagnose`. Runs only where the Python package is built."""
import functools
import os

import numpy as np
import pytest
import torch

from neuralcodec_training.checkpoint import load_any
from neuralcodec_training.diagnose import diagnose
from neuralcodec_training.model_file import write_model
from neuralcodec_training.models import TransformCoding
from neuralcodec_training.randomised import randomised
from neuralcodec_training.synthetic import synthetic_picture

neuralcodec = pytest.importorskip("neuralcodec", reason="the Python package is not built: its parity with PyTorch is not checked")
pytestmark = pytest.mark.usefixtures("one_thread")

SHIPPED = os.path.join(os.path.dirname(__file__), "..", "..", "models", "nic-2.safetensors")
# Context, and what else the network needs.
NETWORKS = {
    "scale": ("none", {"hyper": "scale"}),
    "mean-scale": ("none", {}),
    "checkerboard": ("checkerboard", {}),
    "autoregressive": ("autoregressive", {}),
    "channel-wise": ("channel-wise", {"slices": [16, 16], "max_support_slices": 1, "latent_channels": 32}),
    "levels": ("checkerboard", {"gain": 4, "variable_step": 1}),
    "babai": ("none", {"lattice": "basis", "lattice_search": "babai", "lattice_groups": 2}),
    "exact": ("none", {"lattice": "basis", "lattice_search": "exact", "lattice_dimension": 4}),
    "e8": ("checkerboard", {"lattice": "e8"}),
}
PLANES = ("latent", "mean", "scale", "normalized", "quantized")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """The path of a lively network's file."""
    folder = tmp_path_factory.mktemp("models")

    @functools.cache
    def make(name):
        context, more = NETWORKS[name]
        torch.manual_seed(0)
        model = TransformCoding(TransformCoding.Hyperparameters(**{"transform": "balle2018", "hyper": "mean-scale", "context": context, "channels": 16, "latent_channels": 16, **more}))
        path = str(folder / f"{name}.safetensors")
        write_model(path, randomised(model, 7, narrow=False), name[:8])
        return path

    return make


def check(path, image, quality, exact_rates=True):
    """Few symbols fall otherwise in PyTorch, whose sums run in another order."""
    found = neuralcodec.analyze(image, quality, model=neuralcodec.Model(path))
    expected, latents = diagnose(load_any(path), image, found.rate_parameter)
    for name, theirs in zip(PLANES, (latents.y, latents.means, latents.scales, latents.normalized, latents.quantized)):
        ours, theirs = getattr(found, name), theirs[0].numpy()
        assert ours.shape == theirs.shape
        near = np.isclose(ours, theirs, rtol=1e-3, atol=1e-3 * np.abs(theirs).max())
        assert near.mean() > 0.99, name
    for suffix in ("", "_quantized"):
        theirs = np.array(expected["correlation_map" + suffix])
        np.testing.assert_allclose(getattr(found, "correlation_map" + suffix), theirs, rtol=2e-2, atol=2e-3 * theirs.max())
        assert getattr(found, "average_correlation" + suffix) == pytest.approx(expected["average_correlation" + suffix], rel=2e-2)
    if exact_rates:
        # Far out the library escapes, for fewer bits than a Gaussian gives. The scales of tables are up to 13 % apart, and the next one above is taken.
        tame = np.abs(latents.quantized[0].numpy()) < 3
        ours, theirs = (np.where(tame, bits, 0).sum((1, 2), dtype=float) for bits in (found.bits, latents.bits[0].numpy()))
        assert tame.mean() > 0.8 and ours.sum() == pytest.approx(theirs.sum(), rel=2e-2)
        np.testing.assert_allclose(ours, theirs, rtol=5e-2, atol=2e-3 * theirs.sum())
        assert found.bpp < 1.01 * expected["bpp"]
    return found, expected


@pytest.mark.parametrize("name", ("tiny", "slim"))
@pytest.mark.parametrize("quality", (20, 80))
def test_default_family(request, name, quality):
    check(request.getfixturevalue(name + "_file"), synthetic_picture(200, 136, 3), quality)


def test_shipped_model():
    found, expected = check(SHIPPED, synthetic_picture(200, 136, 3), 60)
    assert found.hyper_bpp == pytest.approx(expected["hyper_bpp"], rel=2e-2)


@pytest.mark.parametrize("name", NETWORKS)
def test_published_networks(network, name):
    check(network(name), synthetic_picture(200, 136, 4), 75, exact_rates=name != "e8")  # PyTorch's bits of classical lattices are a stand-in
