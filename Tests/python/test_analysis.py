# SPDX-License-Identifier: Apache-2.0
"""neuralcodec.analyze."""

import dataclasses

import neuralcodec
import numpy as np
import pytest
from helpers import picture
from neuralcodec import Analysis

PLANES = ("latent", "mean", "scale", "normalized", "quantized", "bits")


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    return picture(90, 150)


@pytest.fixture(scope="module")
def found(rgb) -> Analysis:
    return neuralcodec.analyze(rgb, 60)


def test_planes(found):
    assert type(found) is Analysis and found.quality == 60
    for name in PLANES:
        plane = getattr(found, name)
        assert plane.dtype == np.float32 and plane.shape == found.latent.shape and plane.shape[1:] == (8, 12) and not plane.flags.writeable
    assert (found.normalized == (found.latent - found.mean) / found.scale).all()
    symbols = found.quantized * found.scale
    assert abs(symbols - np.rint(symbols)).max() < 1e-3 and abs(symbols - (found.latent - found.mean)).max() <= 0.501
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.bpp = 0


def test_rates(rgb, found):
    info = neuralcodec.read_info(neuralcodec.encode(rgb, 60))
    bits = (found.bpp + found.hyper_bpp) * rgb.shape[0] * rgb.shape[1]
    assert info.rate_parameter == found.rate_parameter and abs(bits - 8 * info.payload_size) < 256 + 1e-3 * bits
    np.testing.assert_allclose(found.channel_bpp, found.bits.sum((1, 2), dtype=float) / (90 * 150), rtol=1e-9)
    assert found.channel_bpp.sum() == pytest.approx(found.bpp)
    order = found.channels_by_rate
    assert (np.diff(found.channel_bpp[order]) <= 0).all() and sorted(order) == list(range(len(order)))


@pytest.mark.parametrize("window", [3, 5, 9])
def test_correlation(rgb, found, window):
    found = neuralcodec.analyze(rgb, 60, window=window)
    reach, (height, width) = window // 2, found.latent.shape[1:]
    for plane, correlation, average in (
        (found.normalized, found.correlation_map, found.average_correlation),
        (found.quantized, found.correlation_map_quantized, found.average_correlation_quantized),
    ):
        v, expected = plane.astype(float), np.zeros((window, window))
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                if abs(dy) < height and abs(dx) < width:
                    here = v[:, max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
                    there = v[:, max(0, dy) : height - max(0, -dy), max(0, dx) : width - max(0, -dx)]
                    expected[reach + dy, reach + dx] = (here * there).mean()
        np.testing.assert_allclose(correlation, expected, rtol=1e-9, atol=1e-12)
        expected[reach, reach] = 0
        assert average == pytest.approx(abs(expected).sum() / (window**2 - 1))


def test_threads_and_pictures(rgb, found):
    again = neuralcodec.analyze(rgb, quality=60, threads=1)
    assert all((getattr(again, name) == getattr(found, name)).all() for name in (*PLANES, "correlation_map", "correlation_map_quantized", "channel_bpp"))
    wide = neuralcodec.analyze(rgb.astype(np.uint16) * 257, 60)
    assert wide.bpp == pytest.approx(found.bpp, rel=1e-3)
    transparent = np.dstack([rgb, np.full(rgb.shape[:2], 7, np.uint8)])
    assert (neuralcodec.analyze(transparent, 60).latent == found.latent).all()
    assert neuralcodec.analyze(rgb[:, :, 0]).quality == 75


def test_errors(rgb, repository):
    for window in (4, 32):
        with pytest.raises(ValueError, match="window"):
            neuralcodec.analyze(rgb, window=window)
    for options in ({"window": 1}, {"window": 33}, {"quality": 101}, {"quality": float("nan")}, {"threads": -1}):
        with pytest.raises(ValueError, match=next(iter(options))):
            neuralcodec.analyze(rgb, **options)
    for wrong in ({"model": "default"}, {"progress": 5}, {"window": 5.5}):
        with pytest.raises(TypeError):
            neuralcodec.analyze(rgb, **wrong)
    with pytest.raises(neuralcodec.LimitError, match="pixels"):
        neuralcodec.analyze(rgb, max_pixels=10)
    factorized = neuralcodec.Model(repository / "Tests/conformance/zoo/factorized.safetensors")
    with pytest.raises(neuralcodec.UnsupportedError, match="factorized prior"):
        neuralcodec.analyze(rgb, model=factorized)


def test_progress(rgb):
    seen: list[float] = []
    neuralcodec.analyze(rgb, progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == pytest.approx(1)
    with pytest.raises(neuralcodec.CancelledError):
        neuralcodec.analyze(rgb, progress=lambda fraction: False)

    def fail(fraction):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        neuralcodec.analyze(rgb, progress=fail)
