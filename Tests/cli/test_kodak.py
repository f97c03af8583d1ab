# SPDX-License-Identifier: Apache-2.0
"""The default model on the 24 Kodak pictures: real files, through the command and through the Python package.

NEURALCODEC_KODAK names the folder of kodim01.png ... kodim24.png.
"""
import functools
import io

import coders
import numpy as np
import pytest
import reference_metrics
from PIL import Image

neuralcodec = pytest.importorskip("neuralcodec", reason="the Python package is not staged")

PICTURES = sorted(coders.kodak_folder().glob("kodim??.png"))
QUALITIES = (10, 30, 50, 70, 90)
JPEG_QUALITIES = (5, 10, 20, 30, 50, 65, 80, 90, 95)

pytestmark = pytest.mark.skipif(len(PICTURES) != 24, reason=f"the 24 Kodak pictures are not in {coders.kodak_folder()} (NEURALCODEC_KODAK)")


@functools.cache
def samples(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@functools.cache
def ppm(path):
    return coders.ppm(path)


def rate_and_psnr(path, size, pixels):
    original = samples(path)
    return 8 * size / (original.shape[0] * original.shape[1]), reference_metrics.psnr(original, pixels)


@functools.cache
def through_python(path, quality):
    """The file, and (bits per pixel, PSNR)."""
    file = neuralcodec.encode(samples(path), quality=quality)
    return file, rate_and_psnr(path, len(file), neuralcodec.decode(file))


@functools.cache
def through_jpeg(path, quality):
    """(bits per pixel, PSNR) of cjpeg -optimize."""
    coded = coders.cjpeg(ppm(path), quality)
    with Image.open(io.BytesIO(coded.pixels)) as picture:
        return rate_and_psnr(path, coded.size, np.asarray(picture))


def mean(code, quality):
    """Mean over the pictures of bits per pixel and of PSNR."""
    return np.mean([code(path, quality) for path in PICTURES], axis=0)


def nic(path, quality):
    return through_python(path, quality)[1]


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_command_and_python_agree(command, path):
    for quality in QUALITIES:
        command.run("encode", path, "out.nic", "--quality", quality)
        command.run("decode", "out.nic", "out.ppm")
        file, (_, psnr) = through_python(path, quality)
        assert command.path("out.nic").read_bytes() == file
        assert reference_metrics.psnr(samples(path), command.pixels("out.ppm")) == psnr
        info = command.json("info", "out.nic")
        assert info["file_size"] - info["payload_size"] <= 72 and not info["stored"]


def test_rate_against_jpeg():
    ours = [mean(nic, quality) for quality in QUALITIES]
    jpeg = [mean(through_jpeg, quality) for quality in JPEG_QUALITIES]
    difference = coders.load_bd_rate()(jpeg, ours)
    print("nic", *(f"{rate:.3f} bpp {psnr:.2f} dB" for rate, psnr in ours), sep="\n  ")
    print("cjpeg -optimize", *(f"{rate:.3f} bpp {psnr:.2f} dB" for rate, psnr in jpeg), sep="\n  ")
    print(f"BD-rate {difference:.1f} %")
    assert difference <= -30


def test_quality_75_looks_like_jpeg_75():
    assert abs(mean(nic, 75)[1] - mean(through_jpeg, 75)[1]) <= 1


def test_rate_and_psnr_rise_with_quality():
    curve = np.array([mean(nic, quality) for quality in range(0, 101, 10)])
    assert (np.diff(curve, axis=0) > 0).all(), curve
