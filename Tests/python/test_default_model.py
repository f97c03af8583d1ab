# SPDX-License-Identifier: Apache-2.0
"""What the default model promises for pictures of every kind; the tiny model's tests cover the mechanics."""
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import neuralcodec

PHOTO = Path(__file__).resolve().parents[2] / "examples" / "photo.png"


def photo(width, height):
    """The shipped photograph, enlarged or reduced."""
    return np.asarray(Image.open(PHOTO).convert("RGB").resize((width, height), Image.BICUBIC))


def text(width=300, height=120):
    picture = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(picture)
    for line in range(height // 14):
        draw.text((4, 14 * line), "The quick brown fox jumps over the lazy dog, 0123456789.", fill=0)
    return np.asarray(picture)


def psnr(a, b):
    error = np.mean((a.astype(float) - b.reshape(a.shape)) ** 2)
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


@pytest.mark.parametrize("size, least", [((1, 1), 99), ((1, 65), 25), ((65, 1), 25), ((15, 17), 25), ((511, 513), 34), ((4000, 3000), 40)])
def test_sizes(size, least):
    source = photo(*size)
    file = neuralcodec.encode(source, quality=75)
    decoded = neuralcodec.decode(file)
    assert decoded.shape == source.shape and psnr(source, decoded) >= least
    assert len(file) <= source.size + 72


@pytest.mark.parametrize("quality", [0, 50, 100])
@pytest.mark.parametrize("name, source", [
    ("flat", np.full((100, 130, 3), (200, 30, 90), np.uint8)),
    ("text", text()),
    ("checkerboard", ((np.add.outer(np.arange(96), np.arange(111)) & 1) * 255).astype(np.uint8)),
    ("noise", np.random.default_rng(3).integers(0, 256, (97, 103, 3), dtype=np.uint8)),
    ("gray photograph", photo(201, 133).mean(2).astype(np.uint8)),
])
def test_kinds(name, source, quality):
    file = neuralcodec.encode(source, quality=quality)
    decoded = neuralcodec.decode(file)
    assert decoded.shape == (*source.shape[:2], 1 if source.ndim == 2 else 3)
    assert len(file) <= source.size + 1024
    if quality == 100:
        assert psnr(source, decoded) >= {"noise": 13, "checkerboard": 12}.get(name, 33)


@pytest.mark.parametrize("target", [2500, 6000, 15000, 40000])
def test_target_size_is_used(target):
    file = neuralcodec.encode(photo(451, 300), target_size=target)
    assert 0.97 * target <= len(file) <= target or len(file) == len(neuralcodec.encode(photo(451, 300), quality=100))


@pytest.mark.parametrize("target", [30.0, 35.0, 39.0])
def test_target_psnr_is_reached_and_not_exceeded_by_much(target):
    source = photo(451, 300)
    assert target <= psnr(source, neuralcodec.decode(neuralcodec.encode(source, target_psnr=target))) <= target + 0.05
