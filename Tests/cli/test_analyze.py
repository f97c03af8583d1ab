# SPDX-License-Identifier: Apache-2.0
"""neuralcodec analyze."""
import json

import numpy as np
import pytest
from scenes import scene
from staged import REPOSITORY

TINY = REPOSITORY / "Tests/goldens/tiny.safetensors"
ZOO = REPOSITORY / "Tests/conformance/zoo"
PLANES = ("latent", "mean", "scale", "normalized", "quantized")


@pytest.fixture
def picture(command):
    return command.write("in.png", scene(150, 200))


def test_figures(command, picture):
    found = command.json("analyze", picture, "-q", "40", "--window", "7", "--model", TINY)
    command.run("encode", picture, "out.nic", "-q", "40", "--model", TINY)
    info = command.json("info", "out.nic")
    bits = (found["bpp"] + found["hyper_bpp"]) * found["width"] * found["height"]
    assert abs(bits - 8 * info["payload_size"]) < 256 + 1e-3 * bits
    assert (found["rate_parameter"], found["model_id"], found["quality"]) == (info["rate_parameter"], info["model_id"], 40)
    assert found["model_hash"].startswith(info["model_hash"])
    assert (found["width"], found["height"]) == (200, 150) and found["latent_shape"][1:] == [12, 16]
    assert len(found["channel_bpp"]) == found["latent_shape"][0] and sum(found["channel_bpp"]) == pytest.approx(found["bpp"])
    assert found["channels_by_rate"] == sorted(range(len(found["channel_bpp"])), key=lambda c: -found["channel_bpp"][c])
    for suffix in ("", "_quantized"):
        values = np.array(found["correlation_map" + suffix])
        assert values.shape == (7, 7) and (values == values[::-1, ::-1]).all()
        values[3, 3] = 0
        assert abs(values).sum() / 48 == pytest.approx(found["average_correlation" + suffix])
    assert found["pictures"] == [] and command.names() == ["in.png", "out.nic"]
    text = command.run("analyze", picture, "-q", "40", "--model", TINY).stdout.decode()
    assert f"{found['bpp']:.4f}" in text and f"{found['hyper_bpp']:.4f}" in text and f"of most bits per pixel: {found['channels_by_rate'][0]} (" in text


def test_pictures(command, picture):
    report = command.json("analyze", picture, "--out", "a/b", "--model", TINY)
    assert json.loads(command.path("a/b/analysis.json").read_bytes()) == report
    top = report["channels_by_rate"][:2]
    expected = {f"channel-{channel}-{plane}.png" for channel in top for plane in PLANES} | {"rate.png", "correlation.png", "correlation-quantized.png"}
    assert {item["file"] for item in report["pictures"]} == expected
    assert {path.name for path in command.path("a/b").iterdir()} == expected | {"analysis.json"}
    _, rows, columns = report["latent_shape"]
    for item in report["pictures"]:
        pixels, side = command.pixels(f"a/b/{item['file']}"), item["pixels_per_value"]
        cells = (5, 5) if item["file"].startswith("correlation") else (rows, columns)
        assert pixels.shape == (cells[0] * side, cells[1] * side, 3) and item["low"] < item["high"], item
        values = pixels[::side, ::side]
        assert (np.repeat(np.repeat(values, side, 0), side, 1) == pixels).all(), item
        assert len(np.unique(values.reshape(-1, 3), axis=0)) > 4, item
        if item["plane"] not in ("scale", "bits"):
            assert item["low"] == -item["high"]
    # The middle of the map is redder than what is around it, and a shade of red is a positive value.
    item = next(item for item in report["pictures"] if item["file"] == "correlation.png")
    values = command.pixels("a/b/correlation.png")[16::32, 16::32].astype(int)
    signs = np.array(report["correlation_map"])
    clear = abs(signs) > 0.05 * item["high"]
    assert (np.sign(values[..., 0] - values[..., 2])[clear] == np.sign(signs)[clear]).all()
    assert tuple(values[2, 2]) == (140, 16, 30)


def test_chosen_channels(command, picture):
    command.run("analyze", picture, "--out", "out", "--channels", "3,0", "--model", TINY)
    report = json.loads(command.path("out/analysis.json").read_bytes())
    assert [item["channel"] for item in report["pictures"]] == [3] * 5 + [0] * 5 + [None] * 3
    # Another time, in the same folder.
    text = command.run("analyze", picture, "--out", "out", "--channels", "1", "--model", TINY, "--threads", "1").stdout.decode()
    assert "out" in text and command.path("out/channel-1-mean.png").exists()


def test_colours_are_those_of_the_values(command, picture):
    """The rate's picture, whose range is stated, gives the latents' bits back."""
    report = command.json("analyze", picture, "--out", "out", "--model", TINY)
    item = next(item for item in report["pictures"] if item["plane"] == "bits")
    stops = np.array([(0, 0, 0), (76, 20, 120), (210, 70, 70), (250, 170, 60), (255, 250, 200)], float)
    ramp = np.stack([np.interp(np.linspace(0, 4, 2001), range(5), stops[:, i]) for i in range(3)], 1)
    values = command.pixels("out/rate.png")[:: item["pixels_per_value"], :: item["pixels_per_value"]].reshape(-1, 3)
    positions = ((values[:, None].astype(float) - ramp) ** 2).sum(2).argmin(1) / 2000
    bits = item["low"] + positions * (item["high"] - item["low"])
    assert bits.sum() == pytest.approx(report["bpp"] * 200 * 150, rel=0.01)


def test_inputs(command):
    gray = scene(70, 90)[:, :, 0]
    command.write("gray.png", gray)
    command.path("gray.pgm").write_bytes(b"P5 90 70 255\n" + gray.tobytes())
    png, pgm = (command.json("analyze", name) for name in ("gray.png", "gray.pgm"))
    assert png == pgm
    assert command.json("analyze", "-", input=command.path("gray.pgm").read_bytes()) == pgm


def test_threads_change_nothing(command, picture):
    assert command.json("analyze", picture, "--threads", "1") == command.json("analyze", picture, "--threads", "3")


@pytest.mark.parametrize("name", ["mean-scale", "scale", "lattice-e8", "lattice-basis", "variable-rate", "swin-channel-wise-narrow"])
def test_published_networks(command, picture, name):
    model = ZOO / f"{name}.safetensors"
    found = command.json("analyze", picture, "--model", model)
    command.run("encode", picture, "out.nic", "--model", model)
    info = command.json("info", "out.nic")
    bits = (found["bpp"] + found["hyper_bpp"]) * 200 * 150
    assert not info["stored"] and abs(bits - 8 * info["payload_size"]) < 256 + 2e-3 * bits
    assert (found["quality"] is None) == (name != "variable-rate")


def test_a_factorized_prior_has_no_scales(command, picture):
    message = command.fails("analyze", picture, "--model", ZOO / "factorized.safetensors", "--out", "out")
    assert "in.png" in message and "factorized prior" in message and not command.path("out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["in.png", "more.png"], ["in.png", "--window", "4"], ["in.png", "--window", "1"], ["in.png", "--window", "33"], ["in.png", "--window", "x"],
        ["in.png", "-q", "101"], ["in.png", "--channels", "0"], ["in.png", "--out", "o", "--channels", "a"], ["in.png", "--out", "o", "--channels", "1,,2"],
        ["in.png", "--out", "o", "--channels", "-1"], ["in.png", "--out", "o", "--channels", "1,1"], ["in.png", "--threads", "1025"],
    ],
)  # fmt: skip
def test_wrong_usage(command, picture, arguments):
    command.fails("analyze", *arguments, status=64)
    assert command.names() == ["in.png"]


def test_failures(command, picture):
    assert "there is no channel 9999" in command.fails("analyze", picture, "--out", "out", "--channels", "9999")
    assert "pixels" in command.fails("analyze", picture, "--max-pixels", "100")
    assert "bytes of working memory" in command.fails("analyze", picture, "--max-memory", "64K")
    command.path("text").write_text("no picture")
    assert "text" in command.fails("analyze", "text")
    assert command.names() == ["in.png", "text"]
    assert "Not a directory" in command.fails("analyze", picture, "--out", "text")
