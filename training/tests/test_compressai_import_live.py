# SPDX-License-Identifier: Apache-2.0
"""CompressAI's models, imported and run by the built library, beside CompressAI itself. Runs only where both are there."""
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neuralcodec_training import __main__ as main
from neuralcodec_training.import_compressai import SOURCES
from neuralcodec_training.library import Library
from neuralcodec_training.models import TransformCoding
from neuralcodec_training.randomised import randomised
from neuralcodec_training.reference import code_fixed, pad, to_picture

theirs = pytest.importorskip("compressai.models", reason="CompressAI is not installed: imports are not compared with it", exc_type=ImportError)
zoo = pytest.importorskip("compressai.zoo", exc_type=ImportError)

ROOT = Path(__file__).parents[2]
COMMAND = os.environ.get("NEURALCODEC_BIN") or str(ROOT / "build/bin/neuralcodec")
pytestmark = pytest.mark.skipif(not os.access(COMMAND, os.X_OK), reason=f"no command {COMMAND}: build the library, or set NEURALCODEC_BIN")
CONTAINER = 71  # bytes of a file beside its payload
START = 32  # bytes of a payload without symbols

# CompressAI's name -> its class and the widths that it takes.
NETWORKS = {
    "bmshj2018-factorized": (theirs.FactorizedPrior, (32, 48)),
    "bmshj2018-factorized-relu": (theirs.FactorizedPriorReLU, (32, 48)),
    "bmshj2018-hyperprior": (theirs.ScaleHyperprior, (32, 48)),
    "mbt2018-mean": (theirs.MeanScaleHyperprior, (32, 48)),
    "mbt2018": (theirs.JointAutoregressiveHierarchicalPriors, (32, 48)),
    "cheng2020-anchor": (theirs.Cheng2020Anchor, (32,)),
    "cheng2020-attn": (theirs.Cheng2020Attention, (32,)),
}


@torch.no_grad()
def fit_scales(model, picture):
    """Scales around the deviations of what they are to code, so that few symbols are as unlikely as the 1e-9 at which CompressAI's likelihoods end."""
    values = code_fixed(model, pad(picture, model.stride))
    deviation = (values["y"] - values["means"]).square().mean((0, 2, 3)).sqrt()
    scales = values["scales"]
    factor = 0.2 * deviation / scales.std((0, 2, 3)).clamp(min=1e-3)
    (layer, _, _), rows = model.parameter_layers()[0], slice(len(deviation))  # its first outputs are the scales
    layer.weight[rows] *= factor[:, None, None, None]
    layer.bias[rows] = (layer.bias[rows] - scales.mean((0, 2, 3))) * factor + deviation


@torch.no_grad()
def lively(name, picture):
    """A model of CompressAI's with random weights that give symbols worth coding, ready to code."""
    make, widths = NETWORKS[name]
    source = SOURCES[name]
    drawn = TransformCoding(TransformCoding.Hyperparameters(source.transform, source.hyper, source.context, widths[0], widths[-1]))
    randomised(drawn, seed=len(name), narrow=False)
    if drawn.hyper is not None:
        fit_scales(drawn, picture)
    net = make(*widths).eval()
    weights = {n: t for n, t in drawn.state_dict().items() if n not in ("scale_table", "entropy_bottleneck.medians")}
    missing, unexpected = torch.nn.Module.load_state_dict(net, weights, strict=False)
    assert not unexpected and not set(missing) & {n for n, _ in net.named_parameters()} - {"entropy_bottleneck.quantiles"}
    net.entropy_bottleneck.quantiles.copy_(drawn.entropy_bottleneck.medians[:, None, None] + torch.tensor([-40.0, 0, 40]))
    net.update(force=True)
    return net


def imported(state, name, folder, monkeypatch):
    """The library with the model file that import-compressai makes of what torch.save wrote."""
    checkpoint, output = f"{folder}/checkpoint.pth.tar", f"{folder}/model.safetensors"
    torch.save(state, checkpoint)
    monkeypatch.setattr(sys, "argv", ["x", "import-compressai", checkpoint, "--architecture", name, "-o", output])
    main.main()
    return Library(COMMAND, output)


def coded(library, picture, folder):
    """(decoded picture, bytes of the payload)"""
    Image.fromarray(picture).save(f"{folder}/picture.png")
    library.encode(f"{folder}/picture.png", f"{folder}/file.nic", 75)
    library.decode(f"{folder}/file.nic", f"{folder}/decoded.png")
    return np.array(Image.open(f"{folder}/decoded.png")), os.path.getsize(f"{folder}/file.nic") - CONTAINER


@torch.no_grad()
def their_coding(net, name, picture):
    """(decoded picture, bytes) of CompressAI. Its forward pass of an autoregressive model is not what its coder does, so there the coder itself runs."""
    padding = 16 if SOURCES[name].hyper == "none" else 64
    x = pad(picture, padding)
    if SOURCES[name].context == "autoregressive":
        packed = net.compress(x)
        x_hat, size = net.decompress(**packed)["x_hat"], sum(len(strings[0]) for strings in packed["strings"])
    else:
        out = net(x)
        x_hat, size = out["x_hat"], sum(-torch.log2(p.double()).sum().item() for p in out["likelihoods"].values()) / 8
    return to_picture(x_hat)[:picture.shape[0], :picture.shape[1]], size


def compare(found, expected):
    """Equal within the rounding to 8 bits, but for what a symbol may change whose rounding PyTorch's sums put on the other side."""
    difference = np.abs(found.astype(int) - expected)
    assert (difference > 1).mean() < 1e-3
    assert (difference > 0).mean() < 1e-2


def photograph(name):
    """The project's photograph; a part of it where PyTorch goes from position to position. No side is a multiple of 64."""
    picture = np.array(Image.open(ROOT / "examples/photo.png").convert("RGB"))
    return picture[:180, :250] if SOURCES[name].context == "autoregressive" else picture


@pytest.mark.parametrize("name", NETWORKS)
def test_codec(name, tmp_path, monkeypatch):
    picture = photograph(name)
    net = lively(name, picture)
    found, size = coded(imported(net.state_dict(), name, tmp_path, monkeypatch), picture, tmp_path)
    expected, their_size = their_coding(net, name, picture)
    compare(found, expected)
    assert abs(size - their_size) <= 0.01 * their_size + START


def test_a_model_is_the_same_before_and_after_update(tmp_path, monkeypatch):
    net = theirs.MeanScaleHyperprior(16, 32)
    files = []
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
        imported(net.state_dict(), "mbt2018-mean", tmp_path / folder, monkeypatch)
        files.append((tmp_path / folder / "model.safetensors").read_bytes())
        net.update()
    assert net.gaussian_conditional.scale_table.numel() > 0 and files[0] == files[1]


def test_published_widths_as_a_trainer_saves_them(tmp_path, monkeypatch):
    """Initial weights, nearly all symbols 0."""
    torch.manual_seed(1)
    net = zoo.image_models["mbt2018-mean"](quality=1, pretrained=False).eval()
    net.update(force=True)
    saved = {"epoch": 7, "state_dict": {"module." + n: t for n, t in net.state_dict().items()}, "loss": torch.tensor(0.5), "optimizer": {"state": {}}}
    picture = photograph("mbt2018-mean")
    found, size = coded(imported(saved, "mbt2018-mean", tmp_path, monkeypatch), picture, tmp_path)
    expected, their_size = their_coding(net, "mbt2018-mean", picture)
    compare(found, expected)
    assert abs(size - their_size) <= 0.01 * their_size + START
