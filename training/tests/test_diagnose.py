# SPDX-License-Identifier: Apache-2.0
import json

import pytest
import torch
from PIL import Image

from neuralcodec_training import diagnose
from neuralcodec_training.correlation import average_correlation
from neuralcodec_training.model_file import write_model
from neuralcodec_training.models import TransformCoding
from neuralcodec_training.plots import pyplot
from neuralcodec_training.randomised import randomised
from neuralcodec_training.reference import pad
from neuralcodec_training.synthetic import synthetic_picture

pytestmark = pytest.mark.usefixtures("one_thread")
NETWORKS = {"plain": {}, "basis": {"lattice": "basis"}, "e8": {"lattice": "e8"}, "levels": {"gain": 4, "variable_step": 1}}


def check(model, image, rate, reach=0.5):
    """Findings are those of a forward pass; quantization moves latents by `reach` at most."""
    findings, latents = diagnose.diagnose(model, image, rate)
    coded = model(pad(image, model.stride), torch.tensor([rate / 65535]), rounded=True)
    pixels = image.shape[0] * image.shape[1]
    assert findings["bpp"] == pytest.approx(coded.y_bits.sum().item() / pixels, rel=1e-3)
    assert findings["hyper_bpp"] == pytest.approx(coded.z_bits.sum().item() / pixels, rel=1e-3)
    assert findings["average_correlation"] == pytest.approx(average_correlation(coded.normalized), rel=1e-3)
    torch.testing.assert_close(torch.tensor(findings["channel_bpp"]), coded.y_bits.sum((0, 2, 3)) / pixels, rtol=1e-2, atol=1e-4, check_dtype=False)
    assert findings["bpp"] == pytest.approx(sum(findings["channel_bpp"]), rel=1e-4)
    best = findings["channels_by_rate"][0]
    assert findings["channel_bpp"][best] == max(findings["channel_bpp"])
    assert ((latents.normalized - latents.quantized) * latents.scales).abs().max() <= reach + 1e-3


@torch.no_grad()
def test_default_family(tiny):
    check(tiny, synthetic_picture(100, 70, 1), 30000)


@torch.no_grad()
@pytest.mark.parametrize("name", NETWORKS)
def test_published_networks(name):
    torch.manual_seed(0)
    model = TransformCoding(TransformCoding.Hyperparameters("balle2018", "mean-scale", "checkerboard", 16, 16, **NETWORKS[name]))
    check(randomised(model, 5).eval(), synthetic_picture(100, 70, 2), 30000, reach=1 if name == "e8" else 0.5)  # E8's covering radius, of a volume of 1


@torch.no_grad()
def test_without_a_hyperprior():
    with pytest.raises(ValueError, match="hyperprior"):
        diagnose.diagnose(TransformCoding(TransformCoding.Hyperparameters("balle2018", "none", "none", 16, 16)), synthetic_picture(64, 64, 1))


def test_command(tiny, tmp_path, capsys):
    Image.fromarray(synthetic_picture(100, 70, 3)).save(tmp_path / "picture.png")
    write_model(str(tmp_path / "tiny.safetensors"), tiny, "tiny")
    options = type("Options", (), {"model": str(tmp_path / "tiny.safetensors"), "image": str(tmp_path / "picture.png"), "out": str(tmp_path / "out"), "rate": 0.5, "channels": None, "window": 3})
    diagnose.run(options)
    findings = json.loads((tmp_path / "out" / "diagnosis.json").read_text())
    assert len(findings["correlation_map"]) == 3 and "average correlation" in capsys.readouterr().out
    assert len(list((tmp_path / "out").glob("channel-*.png"))) == (2 if pyplot() else 0)
    options.channels = [10000]
    with pytest.raises(SystemExit, match="10000"):
        diagnose.run(options)
