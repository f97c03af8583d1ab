# SPDX-License-Identifier: Apache-2.0
import json
import math

import pytest
import torch
from PIL import Image

from neuralcodec_training.data import HELD_OUT, Crops, load_images
from neuralcodec_training.initialise import from_klt
from neuralcodec_training.models import PatchCheckerboard
from neuralcodec_training.reference import code, pad
from neuralcodec_training.synthetic import synthetic_picture
from neuralcodec_training.tiny_model import HYPERPARAMETERS
from neuralcodec_training.train import Config, estimate, load_config, train


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for i in range(10):
        Image.fromarray(synthetic_picture(160, 128, i)).save(folder / f"{i:02d}.png")
    return str(folder)


def rows(out):
    with open(f"{out}/log.jsonl") as f:
        return [json.loads(line) for line in f]


def test_a_short_run_and_its_resumption(photographs, tmp_path):
    out = str(tmp_path / "run")
    settings = dict(data=photographs, out=out, hyperparameters=vars(HYPERPARAMETERS), batch=4, crop=64, late_crop=64, bf16=False, warmup_steps=5, report_minutes=0.001)
    train(Config(steps=20, **settings))
    first = torch.load(f"{out}/checkpoint.pt", weights_only=True)
    log = rows(out)
    assert log[0]["step"] == 0 and log[-1]["step"] == first["step"] > 0
    losses = [row["loss"] for row in log if "loss" in row]
    assert losses and all(map(math.isfinite, losses))
    bpp = lambda row: sum(point[1] for point in row["points"])
    assert bpp(log[-1]) < bpp(log[0])  # the entropy model learns first
    train(Config(steps=30, **settings))
    second = torch.load(f"{out}/checkpoint.pt", weights_only=True)
    resumed = rows(out)[len(log):]
    assert all(row["step"] > first["step"] for row in resumed) and resumed[-1]["step"] == second["step"]
    assert second["elapsed"] > first["elapsed"]
    steps = lambda saved: {int(state["step"]) for state in saved["optimizer"]["state"].values()}
    assert steps(first) == {first["step"]} and steps(second) == {second["step"]}  # the optimizer went on from where it was
    assert all(torch.isfinite(v).all() for v in second["ema"].values())
    train(Config(steps=30, **settings))  # nothing left to do
    assert torch.load(f"{out}/checkpoint.pt", weights_only=True)["step"] == second["step"]


def test_loss_falls(photographs):
    from neuralcodec_training.train import loss_of

    torch.manual_seed(1)
    config = Config()
    crops = Crops(load_images(photographs)[0], 1)
    model = PatchCheckerboard(HYPERPARAMETERS)
    from_klt(model, crops, config.lambda_of)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    x, r = crops.batch(4, 64), torch.tensor([0.1, 0.4, 0.6, 0.9])
    losses = []
    for _ in range(25):
        loss = loss_of(config, model, x, r)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(map(math.isfinite, losses)) and losses[-1] < 0.9 * losses[0]


def test_klt_start_is_a_linear_codec(photographs):
    """With all 768 components nothing but rounding is lost; PSNR and rate rise with the rate parameter."""
    crops = Crops(load_images(photographs)[0], 1)
    h = PatchCheckerboard.Hyperparameters(**{**vars(HYPERPARAMETERS), "latent_channels": 768})
    model = PatchCheckerboard(h).eval()
    from_klt(model, crops, Config().lambda_of)
    picture = pad(synthetic_picture(128, 64, 3), 64)
    points = estimate(model, [picture], (0.0, 0.5, 1.0))
    assert points[0][1] < points[1][1] < points[2][1] and points[0][2] < points[1][2] < points[2][2]
    assert points[2][2] > 40


def test_forward_agrees_with_the_step_by_step_reference(tiny):
    x = pad(synthetic_picture(96, 70, 4), 64)
    x_hat, y_bits, z_bits, _ = tiny(x, torch.tensor([20000 / 65535]), rounded=True)
    values = code(tiny, x, 20000)
    assert (x_hat - values["reconstruction"]).abs().max() < 1e-4
    assert y_bits.shape == values["y_symbols"].shape and z_bits.shape == values["z_symbols"].shape


def test_held_out_pictures_are_not_trained_on(photographs):
    images, held = load_images(photographs)
    assert len(images) + len(held) == 10 and 1 <= len(held) <= HELD_OUT
    assert not any((a.shape == b.shape) and (a == b).all() for a in images for b in held)


def test_settings(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("minutes: 3\nbatch: 2\n")
    config = load_config(str(file), ["batch=5", "bf16=false", 'hyperparameters={"knots": 3}'])
    assert (config.minutes, config.batch, config.bf16, config.hyperparameters) == (3, 5, False, {"knots": 3})
    with pytest.raises(SystemExit):
        load_config(None, ["no_such_setting=1"])


def test_an_exported_model_is_a_starting_point(photographs, tmp_path):
    from neuralcodec_training.model_file import round_weights, write_model
    from neuralcodec_training.train import starting_model

    model = round_weights(PatchCheckerboard(HYPERPARAMETERS))
    path = str(tmp_path / "model.safetensors")
    write_model(path, model, "start")
    weights = starting_model(path).state_dict()
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    train(Config(data=photographs, out=str(tmp_path / "run"), weights=path, hyperparameters=vars(HYPERPARAMETERS), batch=2, crop=64, late_crop=64, bf16=False, minutes=0.02))
    assert rows(str(tmp_path / "run"))[-1]["step"] > 0
