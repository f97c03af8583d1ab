# SPDX-License-Identifier: Apache-2.0
"""What neuralcodec(1) promises."""
import json
import os
import pty
import re
import signal
import stat
import subprocess
import time

import numpy as np
import pytest
import reference_metrics
from PIL import Image
from scenes import scene
from staged import COMMAND, PREFIX, REPOSITORY

HEADER = (REPOSITORY / "include/neuralcodec.h").read_text()
VERSION = ".".join(re.search(rf"NC_VERSION_{part} (\d+)", HEADER)[1] for part in ("MAJOR", "MINOR", "PATCH"))


# ---- Round trips


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 200), (16, 16), (67, 43), (130, 101)])
def test_round_trip(command, size, channels):
    pixels = scene(*size, channels)
    command.write("in.png", pixels)
    assert command.run("encode", "in.png", "out.nic", "-q", "90").stderr == b""
    assert command.run("decode", "out.nic", "out.png").stderr == b""
    decoded = command.pixels("out.png")
    assert decoded.shape == pixels.shape and reference_metrics.psnr(decoded, pixels) > 30
    command.run("decode", "out.nic", "out.ppm")
    assert (command.pixels("out.ppm") == decoded).all()
    assert command.path("out.ppm").read_bytes().startswith(b"P5" if channels == 1 else b"P6")


def test_the_format_of_the_input_does_not_matter(command):
    pixels = scene(50, 60)
    for name in ("in.png", "in.ppm"):
        command.write(name, pixels)
        command.run("encode", name, f"{name}.nic")
    assert command.path("in.png.nic").read_bytes() == command.path("in.ppm.nic").read_bytes()


def test_standard_streams(command):
    command.write("in.png", scene(40, 50))
    command.run("encode", "in.png", "file.nic")
    file = command.run("encode", "-", "-", input=command.path("in.png").read_bytes()).stdout
    assert file == command.path("file.nic").read_bytes()
    command.path("piped.png").write_bytes(command.run("decode", "-", "-", input=file).stdout)
    command.path("piped.ppm").write_bytes(command.run("decode", "-", "-", "--format", "ppm", input=file).stdout)
    command.run("decode", "file.nic", "file.png")
    assert command.path("piped.png").read_bytes() == command.path("file.png").read_bytes()
    assert (command.pixels("piped.ppm") == command.pixels("file.png")).all()
    assert command.json("compare", "-", "file.png", input=file)["identical"]
    assert command.json("info", "-", input=file)["width"] == 50


def test_a_large_standard_input_arrives_whole(command):
    pixels = scene(300, 500)
    command.write("in.ppm", pixels)
    assert command.json("compare", "-", "in.ppm", input=command.path("in.ppm").read_bytes())["identical"]


def test_format_option_wins_over_the_name(command):
    command.write("in.png", scene(8, 9))
    command.run("encode", "in.png", "out.nic")
    command.run("decode", "out.nic", "picture.dat", "--format", "png")
    command.run("decode", "out.nic", "picture.png", "--format", "ppm")
    assert command.path("picture.dat").read_bytes().startswith(b"\x89PNG")
    assert command.path("picture.png").read_bytes().startswith(b"P6\n9 8\n255\n")


def test_threads_do_not_change_anything(command):
    command.write("in.png", scene(150, 210))
    for threads in (0, 1, 2, 3, 7):
        command.run("encode", "in.png", f"{threads}.nic", "--threads", threads)
        command.run("decode", "0.nic", f"{threads}.png", "--threads", threads)
        assert command.path(f"{threads}.nic").read_bytes() == command.path("0.nic").read_bytes()
        assert command.path(f"{threads}.png").read_bytes() == command.path("0.png").read_bytes()


def test_quality(command):
    pixels = scene(128, 160)
    command.write("in.png", pixels)
    sizes, ratios = [], []
    for quality in (0, 25, 50.5, 75, 100):
        command.run("encode", "in.png", "out.nic", "--quality", quality)
        sizes.append(command.path("out.nic").stat().st_size)
        ratios.append(command.json("compare", "in.png", "out.nic")["psnr"])
    assert sizes == sorted(set(sizes)) and ratios == sorted(set(ratios))
    command.run("encode", "in.png", "default.nic")
    command.run("encode", "in.png", "75.nic", "--quality", "75")
    assert command.path("default.nic").read_bytes() == command.path("75.nic").read_bytes()


# ---- Targets


def test_target_size(command):
    command.write("in.png", scene(128, 192))
    command.run("encode", "in.png", "low.nic", "-q", "30")
    command.run("encode", "in.png", "high.nic", "-q", "90")
    low, high = command.path("low.nic").stat().st_size, command.path("high.nic").stat().st_size
    target = (low + high) // 2
    message = command.run("encode", "in.png", "out.nic", "--target-size", target, "--verbose").stderr.decode()
    size = command.path("out.nic").stat().st_size
    assert 0.9 * target < size <= target
    assert re.fullmatch(rf"neuralcodec: out.nic: {size} bytes, [\d.]+ bits per pixel, quality [\d.]+\n", message)


def test_target_size_with_a_suffix(command):
    command.write("in.png", scene(64, 64))
    command.run("encode", "in.png", "a.nic", "--target-size", "2048")
    command.run("encode", "in.png", "b.nic", "--target-size", "2k")
    assert command.path("a.nic").read_bytes() == command.path("b.nic").read_bytes()


def test_target_psnr(command):
    command.write("in.png", scene(128, 192))
    message = command.run("encode", "in.png", "out.nic", "--target-psnr", "34", "-v").stderr.decode()
    ratio = command.json("compare", "in.png", "out.nic")["psnr"]
    assert 34 <= ratio < 35
    assert f"PSNR {ratio:.2f} dB" in message


@pytest.mark.parametrize("target", [("--target-size", "60"), ("--target-psnr", "120")])
def test_unreachable_target(command, target):
    command.write("in.png", scene(128, 128))
    command.path("out.nic").write_bytes(b"precious")
    command.fails("encode", "in.png", "out.nic", *target, status=3)
    assert command.path("out.nic").read_bytes() == b"precious"
    assert command.names() == ["in.png", "out.nic"]


# ---- Usage


@pytest.mark.parametrize(
    "arguments",
    [
        ["encode"],
        ["encode", "in.png"],
        ["encode", "in.png", "out.nic", "more"],
        ["encode", "in.png", "out.nic", "--quality"],
        ["encode", "in.png", "out.nic", "--quality", "101"],
        ["encode", "in.png", "out.nic", "--quality", "-1"],
        ["encode", "in.png", "out.nic", "--quality=-1"],
        ["encode", "in.png", "out.nic", "--quality", "nan"],
        ["encode", "in.png", "out.nic", "--quality", "good"],
        ["encode", "in.png", "out.nic", "--quality", "50", "--target-size", "1000"],
        ["encode", "in.png", "out.nic", "--quality", "50", "--target-psnr", "30"],
        ["encode", "in.png", "out.nic", "--target-size", "1000", "--target-psnr", "30"],
        ["encode", "in.png", "out.nic", "--target-size", "0"],
        ["encode", "in.png", "out.nic", "--target-size", "10x"],
        ["encode", "in.png", "out.nic", "--target-size", "99999999999G"],
        ["encode", "in.png", "out.nic", "--target-psnr", "inf"],
        ["encode", "in.png", "out.nic", "--target-psnr", "-3"],
        ["encode", "in.png", "out.nic", "--threads", "-1"],
        ["encode", "in.png", "out.nic", "--threads", "1025"],
        ["encode", "in.png", "out.nic", "--frobnicate"],
        ["decode", "in.nic", "out.jpg"],
        ["decode", "in.nic", "out"],
        ["decode", "in.nic", "out.png", "--format", "jpeg"],
        ["compare", "-", "-"],
        ["frobnicate"],
    ],
)
def test_wrong_usage(command, arguments):
    command.write("in.png", scene(8, 8))
    command.fails(*arguments, status=64)
    assert command.names() == ["in.png"]


def test_exclusive_options_are_named(command):
    message = command.fails("encode", "a", "b", "--quality", "50", "--target-size", "1000", status=64)
    assert "--quality and --target-size exclude each other" in message


def test_version_and_help(command):
    version = command.run("--version").stdout.decode()
    assert re.fullmatch(rf"neuralcodec {re.escape(VERSION)} \(\w+, \d+ cores?\)\n", version)
    assert b"encode" in command.run("--help").stdout
    assert command.run().stdout == command.run("--help").stdout
    portable = command.run("--version", environment={"NEURALCODEC_ISA": "portable"}).stdout.decode()
    assert "(portable, " in portable


def test_unknown_instruction_set(command):
    command.write("in.png", scene(8, 8))
    command.fails("encode", "in.png", "out.nic", environment={"NEURALCODEC_ISA": "frobnicate"})


def test_the_man_page_has_every_option(command):
    page = (REPOSITORY / "docs/man/neuralcodec.1").read_text().replace("\\-", "-")
    batch, common = "Batches", "Common options"
    shared = {"encode": [batch, common], "decode": [batch, common], "transcode": ["encode", batch, common], "compare": [common], "analyze": [common]}
    for subcommand in ("encode", "decode", "transcode", "info", "compare", "analyze", "models", "quantize", "lattice list", "lattice info"):
        usage = command.run(*subcommand.split(), "--help").stdout.decode()
        sections = [re.search(rf"^\.SS {name}\b.*?(?=^\.S[SH] )", page, re.MULTILINE | re.DOTALL)[0] for name in [subcommand, *shared.get(subcommand, [])]]
        options = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", usage, re.MULTILINE)) - {"--help", "--version"}
        documented = set(re.findall(r"^\.BR? (?:-\w \", \" )?(--[\w-]+)", "".join(sections), re.MULTILINE))
        assert options == documented, subcommand


def test_the_man_page_is_staged():
    assert (PREFIX / "share/man/man1/neuralcodec.1").exists()


# ---- Failures leave nothing behind


def test_missing_files(command):
    assert command.fails("encode", "nothing.png", "out.nic") == "neuralcodec: cannot open nothing.png: No such file or directory\n"
    assert command.fails("decode", ".", "out.png") == "neuralcodec: cannot read .: Is a directory\n"
    command.write("in.png", scene(8, 8))
    assert "No such file or directory" in command.fails("encode", "in.png", "nowhere/out.nic")
    command.path("folder").mkdir()
    assert "Is a directory" in command.fails("encode", "in.png", "folder")
    assert command.names() == ["folder", "in.png"]


def test_full_device(command):
    command.write("in.png", scene(8, 8))
    assert "No space left" in command.fails("encode", "in.png", "/dev/full")
    command.run("encode", "in.png", "/dev/null")
    with open("/dev/full", "wb") as full:
        assert subprocess.run([COMMAND, "models"], stdout=full, stderr=subprocess.DEVNULL).returncode == 1


def test_damaged_files(command):
    command.write("in.png", scene(70, 80))
    command.run("encode", "in.png", "good.nic")
    good = command.path("good.nic").read_bytes()
    command.path("out.png").write_bytes(b"precious")
    cuts = [0, 1, 7, 8, 20, 40, len(good) // 2, len(good) - 1]
    flips = [0, 9, 16, 30, 60, len(good) // 2, len(good) - 1]
    for data in [good[:cut] for cut in cuts] + [good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :] for at in flips]:
        command.path("bad.nic").write_bytes(data)
        assert command.fails("decode", "bad.nic", "out.png").startswith("neuralcodec: bad.nic: ")
    assert command.path("out.png").read_bytes() == b"precious"
    assert command.names() == ["bad.nic", "good.nic", "in.png", "out.png"]
    assert "in.png" in command.fails("decode", "in.png", "out.png")
    assert ".nic file already" in command.fails("encode", "good.nic", "again.nic")


def test_limits(command):
    command.write("in.png", scene(100, 100))
    assert "10000" in command.fails("encode", "in.png", "out.nic", "--max-pixels", "9999")
    command.run("encode", "in.png", "out.nic", "--max-pixels", "10000")
    command.fails("encode", "in.png", "other.nic", "--max-memory", "1k")
    command.fails("decode", "out.nic", "out.png", "--max-pixels", "9999")
    command.fails("decode", "out.nic", "out.png", "--max-memory", "1k")
    command.run("decode", "out.nic", "out.png", "--max-memory", "0", "--max-pixels", "0")
    assert command.names() == ["in.png", "out.nic", "out.png"]


def test_output_keeps_links_and_permissions(command):
    command.write("in.png", scene(8, 8))
    command.run("encode", "in.png", "new.nic")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(command.path("new.nic").stat().st_mode) == 0o666 & ~mask
    command.path("real.nic").write_bytes(b"old")
    command.path("real.nic").chmod(0o600)
    command.path("link.nic").symlink_to("real.nic")
    command.run("encode", "in.png", "link.nic")
    assert command.path("link.nic").is_symlink()
    assert command.path("real.nic").read_bytes() == command.path("new.nic").read_bytes()
    assert stat.S_IMODE(command.path("real.nic").stat().st_mode) == 0o600


def test_input_may_be_the_output(command):
    Image.fromarray(scene(20, 30)).save(command.path("picture"), "png")
    command.run("encode", "picture", "picture")
    assert command.json("info", "picture")["width"] == 30


# ---- Interruption and progress


@pytest.fixture
def long_work(command):
    """An encode of some seconds, with its standard error on a terminal; yields the process and what the terminal shows."""
    pixels = np.tile(scene(512, 512), (6, 6, 1))
    command.write("large.ppm", pixels)
    terminal, inner = pty.openpty()
    process = subprocess.Popen([COMMAND, "encode", "large.ppm", "out.nic", "--target-psnr", "33", "--threads", "1"], stderr=inner, cwd=command.folder)
    os.close(inner)
    yield process, terminal
    process.kill()
    process.wait()
    os.close(terminal)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_work(command, long_work, number):
    process, terminal = long_work
    shown = b""
    while not re.search(rb"encoding \[#*\.+\] \d+%", shown):
        shown += os.read(terminal, 1000)
    process.send_signal(number)
    assert process.wait(timeout=60) == 128 + number
    assert command.names() == ["large.ppm"]


def test_interrupted_input(command):
    process = subprocess.Popen([COMMAND, "encode", "-", "out.nic"], stdin=subprocess.PIPE, cwd=command.folder)
    process.stdin.write(b"P6\n7 5\n255\n")
    process.stdin.flush()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    assert command.names() == []


# ---- info, compare, models


def test_info(command):
    pixels = scene(48, 64)
    command.write("in.png", pixels)
    command.run("encode", "in.png", "out.nic")
    size = command.path("out.nic").stat().st_size
    info = command.json("info", "out.nic")
    assert {key: info[key] for key in ("width", "height", "channels", "bit_depth", "stored", "file_size")} == {
        "width": 64, "height": 48, "channels": 3, "bit_depth": 8, "stored": False, "file_size": size}
    assert 0 < info["file_size"] - info["payload_size"] <= 72
    assert info["bits_per_pixel"] == pytest.approx(8 * size / (48 * 64))
    model = next(model for model in command.json("models") if model["default"])
    assert info["model_id"] == model["id"] and model["hash"].startswith(info["model_hash"]) and len(info["model_hash"]) == 16
    assert info["model_available"] is True and info["model_description"] == model["description"]
    text = command.run("info", "out.nic").stdout.decode()
    assert "64 x 48, RGB, 8 bits" in text and model["id"] in text and model["description"] in text and f"{size} bytes" in text
    command.write("gray.png", scene(48, 64, 1))
    command.run("encode", "gray.png", "gray.nic")
    assert command.json("info", "gray.nic")["channels"] == 1 and b"gray" in command.run("info", "gray.nic").stdout
    assert "in.png" in command.fails("info", "in.png")


def test_models(command):
    models = command.json("models")
    assert sum(model["default"] for model in models) == 1 and models[0]["default"]
    assert all(re.fullmatch("[0-9a-f]{64}", model["hash"]) and model["parameters"] > 0 and model["architecture"] for model in models)
    text = command.run("models").stdout.decode()
    assert f"{models[0]['id']} (default)" in text and models[0]["hash"] in text and models[0]["description"] in text


def test_another_model(command):
    tiny = REPOSITORY / "Tests/goldens/tiny.safetensors"
    command.write("in.png", scene(48, 64))
    command.run("encode", "in.png", "out.nic", "--model", tiny)
    info = command.json("info", "out.nic")
    assert info["model_available"] is False and info["model_description"] is None
    assert info["model_id"] in command.fails("decode", "out.nic", "out.png")
    assert info["model_hash"] in command.fails("decode", "out.nic", "out.png", "--model", "default")
    command.run("decode", "out.nic", "given.png", "--model", tiny)
    command.path("models").mkdir()
    command.path(f"models/{info['model_id']}.safetensors").symlink_to(tiny)
    environment = {"NEURALCODEC_MODEL_PATH": f"/nonexistent:{command.path('models')}"}
    command.run("decode", "out.nic", "found.png", environment=environment)
    assert command.path("given.png").read_bytes() == command.path("found.png").read_bytes()
    assert [model["id"] for model in command.json("models", environment=environment)].count(info["model_id"]) == 1
    command.run("encode", "in.png", "again.nic", "--model", info["model_id"], environment=environment)
    assert command.path("again.nic").read_bytes() == command.path("out.nic").read_bytes()
    command.fails("encode", "in.png", "again.nic", "--model", "nothing")
    command.path("bad.safetensors").write_bytes(tiny.read_bytes()[:-1])
    command.fails("encode", "in.png", "again.nic", "--model", "bad.safetensors")


def test_a_model_of_one_rate(command):
    model = REPOSITORY / "Tests/conformance/zoo/mean-scale.safetensors"
    facts = command.json("info", model)
    assert facts["architecture"] == "transform-coding" and json.loads(facts["hyperparameters"])["hyper"] == "mean-scale" and facts["quantizer"] == "scalar"
    assert facts["variable_rate"] is False and facts["parameters"] > 0 and 0 < facts["decode_kmac_per_pixel"] < facts["encode_kmac_per_pixel"]
    text = command.run("info", model).stdout.decode()
    assert facts["hash"] in text and "transform-coding" in text and "mean-scale" in text and re.search(r"rates +one", text)
    command.write("in.png", scene(64, 64))
    said = command.run("encode", "-v", "in.png", "out.nic", "--model", model).stderr.decode()
    assert "the model's only rate" in said and "quality" not in said
    command.run("encode", "in.png", "again.nic", "--model", model, "--quality", "3")
    assert command.path("again.nic").read_bytes() == command.path("out.nic").read_bytes()
    assert "of 65535" in command.run("info", "out.nic").stdout.decode()
    command.path("models").mkdir()
    command.path(f"models/{facts['id']}.safetensors").symlink_to(model)
    assert "the model's only one" in command.run("info", "out.nic", environment={"NEURALCODEC_MODEL_PATH": str(command.path("models"))}).stdout.decode()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(161, 175), (200, 162)])
def test_compare_agrees_with_the_reference(command, size, channels):
    a, b = scene(*size, channels), scene(*size, channels, seed=1)
    b = np.clip(b.astype(int) + (np.arange(b.size).reshape(b.shape) % 37 - 18), 0, 255).astype(np.uint8)
    command.write("a.png", a)
    command.write("b.ppm", b)
    result = command.json("compare", "a.png", "b.ppm")
    assert result["psnr"] == pytest.approx(reference_metrics.psnr(a, b), abs=1e-9)
    assert result["ms_ssim"] == pytest.approx(reference_metrics.ms_ssim(a, b), abs=1e-9)
    assert not result["identical"]
    text = command.run("compare", "a.png", "b.ppm").stdout.decode()
    assert text == f"PSNR     {result['psnr']:.4f} dB\nMS-SSIM  {result['ms_ssim']:.6f}\n"


def test_compare_small_and_equal(command):
    command.write("a.png", scene(160, 300))
    assert command.json("compare", "a.png", "a.png") == {
        "width": 300, "height": 160, "channels": 3, "bit_depth": 8, "identical": True, "psnr": None, "alpha_identical": None, "alpha_psnr": None, "ms_ssim": None,
    }  # fmt: skip
    text = command.run("compare", "a.png", "a.png").stdout
    assert b"infinite" in text and b"n/a" in text


def test_compare_different_sizes(command):
    command.write("a.png", scene(10, 12))
    command.write("b.png", scene(12, 10))
    command.write("c.png", scene(10, 12, 1))
    assert "12 x 10 RGB, 8 bits and 10 x 12 RGB, 8 bits" in command.fails("compare", "a.png", "b.png")
    assert "12 x 10 RGB, 8 bits and 12 x 10 gray, 8 bits" in command.fails("compare", "a.png", "c.png")
