# SPDX-License-Identifier: Apache-2.0
"""Gray and RGB, with and without alpha, of 8 and 16 bits, and what stands beside the pixels."""

import struct

import neuralcodec
import numpy as np
import pytest
from helpers import picture

TYPES = [(channels, dtype) for channels in (1, 2, 3, 4) for dtype in (np.uint8, np.uint16)]


def image(height, width, channels, dtype, seed=0):
    """Colours like a photograph's, and a soft-edged disc as alpha."""
    peak = np.iinfo(dtype).max
    colours = picture(height, width, 1 if channels < 3 else 3, seed).astype(np.uint32) * (peak // 255)
    if dtype == np.uint16:
        colours = np.minimum(colours + np.random.default_rng(seed).integers(0, 200, colours.shape), peak)
    y, x = np.ogrid[:height, :width]
    disc = np.clip(1.3 - np.hypot(2 * x / width - 1, 2 * y / height - 1), 0, 1)[:, :, None] * peak
    return np.concatenate([colours, disc.astype(np.uint32)], axis=2)[:, :, :channels if channels % 2 else None].astype(dtype)


def colour_psnr(a, b):
    colours = slice(0, 1 if a.shape[2] < 3 else 3)
    error = np.mean((a[:, :, colours].astype(float) - b[:, :, colours]) ** 2)
    return 10 * np.log10(float(np.iinfo(a.dtype).max) ** 2 / error)


@pytest.mark.parametrize(("channels", "dtype"), TYPES)
def test_round_trip(channels, dtype):
    source = image(90, 120, channels, dtype)
    assert source.shape == (90, 120, channels)
    file = neuralcodec.encode(source, 80)
    info = neuralcodec.read_info(file)
    assert (info.width, info.height, info.channels, info.bit_depth, info.stored) == (120, 90, channels, source.itemsize * 8, False)
    assert info.alpha == (channels % 2 == 0) and (info.alpha_size > 0) == info.alpha
    decoded = neuralcodec.decode(file)
    assert decoded.shape == source.shape and decoded.dtype == dtype
    assert colour_psnr(source, decoded) > 25
    if info.alpha:
        assert np.array_equal(decoded[:, :, -1], source[:, :, -1])


@pytest.mark.parametrize(("channels", "dtype"), TYPES)
def test_stored(channels, dtype):
    source = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (5, 4, channels), dtype, endpoint=True)
    file = neuralcodec.encode(source)
    assert neuralcodec.read_info(file).stored and np.array_equal(neuralcodec.decode(file), source)
    assert len(file) <= 71 + 13 + source.nbytes


@pytest.mark.parametrize(("channels", "dtype"), TYPES)
def test_views_and_out(channels, dtype):
    source = image(40, 50, channels, dtype)
    file = neuralcodec.encode(source, 60)
    for view in (source[::-1].copy()[::-1], np.repeat(source, 2, axis=1)[:, ::2], np.pad(source, ((1, 2), (3, 4), (0, 0)))[1:-2, 3:-4], np.asfortranarray(source)):
        assert neuralcodec.encode(view, 60) == file
    if dtype == np.uint16:
        assert neuralcodec.encode(source.astype(">u2"), 60) == neuralcodec.encode(source.astype("<u2"), 60) == file
    decoded = neuralcodec.decode(file)
    canvas = np.full((44, 61, channels), 99, dtype)
    part = canvas[2:42, 5:55]
    assert neuralcodec.decode(file, out=part) is part
    assert np.array_equal(part, decoded)
    assert np.count_nonzero(canvas != 99) <= decoded.size and (canvas[:2] == 99).all() and (canvas[:, :5] == 99).all() and (canvas[:, 55:] == 99).all()


def test_gray_without_channel_axis():
    for dtype in (np.uint8, np.uint16):
        gray = image(20, 30, 1, dtype)
        assert neuralcodec.encode(gray[:, :, 0]) == neuralcodec.encode(gray)


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_left_out(channels, dtype):
    source = image(60, 70, channels, dtype)
    plain = neuralcodec.encode(np.ascontiguousarray(source[:, :, :-1]), 70)
    assert neuralcodec.encode(source, 70, alpha="none") == plain
    file = neuralcodec.encode(source, 70)
    without = neuralcodec.decode(file, alpha="none")
    assert without.shape == (60, 70, channels - 1) and np.array_equal(without, neuralcodec.decode(plain))
    assert np.array_equal(neuralcodec.decode(file)[:, :, :-1], without)
    out = np.empty_like(without)
    neuralcodec.decode(file, alpha="none", out=out)
    assert np.array_equal(out, without)
    with pytest.raises(ValueError, match="shape"):
        neuralcodec.decode(file, out=out)
    for call in (lambda: neuralcodec.encode(source, alpha="lossy"), lambda: neuralcodec.decode(file, alpha=None)):
        with pytest.raises(ValueError, match="alpha must be"):
            call()


def test_16_bits_as_8():
    source = image(60, 70, 4, np.uint16)
    file = neuralcodec.encode(source, 90)
    decoded = neuralcodec.decode(file, bit_depth=8)
    assert decoded.dtype == np.uint8 and np.array_equal(decoded[:, :, 3], np.round(source[:, :, 3] / 257).astype(np.uint8))
    assert np.abs(decoded.astype(float) - neuralcodec.decode(file) / 257.0).max() < 0.51
    out = np.zeros((60, 70, 4), np.uint8)
    assert np.array_equal(neuralcodec.decode(file, bit_depth=8, out=out), decoded)
    with pytest.raises(TypeError, match="8 bits, the picture of 16"):
        neuralcodec.decode(file, out=out)
    with pytest.raises(neuralcodec.UnsupportedError, match="8 bits"):
        neuralcodec.decode(neuralcodec.encode(image(9, 9, 3, np.uint8)), bit_depth=16)
    for depth in (0, 7, 12, 32):
        with pytest.raises(ValueError, match=str(depth)):
            neuralcodec.decode(file, bit_depth=depth)


@pytest.mark.parametrize(("channels", "dtype"), TYPES)
def test_targets(channels, dtype):
    source = image(200, 220, channels, dtype)
    small = len(neuralcodec.encode(source, 5, icc=b"p" * 500))
    file = neuralcodec.encode(source, target_size=small + 300, icc=b"p" * 500)
    assert small < len(file) <= small + 300
    target = 32.0
    reached = colour_psnr(source, neuralcodec.decode(neuralcodec.encode(source, target_psnr=target)))
    assert target <= reached < target + 0.2
    with pytest.raises(neuralcodec.TargetUnreachableError, match="of them alpha and metadata") as caught:
        neuralcodec.encode(source, target_size=400, icc=b"p" * 500)
    assert 512 < caught.value.nearest_size <= small


# ---- Metadata ------------------------------------------------------------------------------------------------------------------------------


def tiff(orientation, order="<"):
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, 1) + entry + bytes(4)


ICC, XMP = bytes(range(256)) * 3, "<x:xmpmeta>ä</x:xmpmeta>".encode()


@pytest.mark.parametrize(("channels", "dtype"), TYPES)
def test_metadata(channels, dtype):
    source = image(9, 12, channels, dtype)
    exif = tiff(8, ">")
    file = neuralcodec.encode(source, icc=ICC, exif=exif, xmp=memoryview(XMP))
    assert neuralcodec.read_metadata(file) == neuralcodec.Metadata(ICC, exif, XMP)
    info = neuralcodec.read_info(file)
    assert (info.icc_size, info.exif_size, info.xmp_size, info.orientation) == (len(ICC), len(exif), len(XMP), 8)
    plain = neuralcodec.encode(source)
    assert np.array_equal(neuralcodec.decode(file), neuralcodec.decode(plain))
    assert len(file) == len(plain) + 3 * 12 + len(ICC) + len(exif) + len(XMP)
    assert neuralcodec.read_metadata(plain) == neuralcodec.Metadata() and neuralcodec.read_info(plain).orientation == 1
    assert neuralcodec.encode(source, icc=b"", exif=None, xmp=bytearray()) == plain


def test_exif_with_the_marker_of_jpeg_files():
    source = np.zeros((3, 3), np.uint8)
    assert neuralcodec.encode(source, exif=b"Exif\0\0" + tiff(3)) == neuralcodec.encode(source, exif=tiff(3))
    assert neuralcodec.read_info(neuralcodec.encode(source, exif=tiff(3))).orientation == 3


def test_bad_metadata():
    source = np.zeros((3, 3), np.uint8)
    with pytest.raises(neuralcodec.LimitError, match="XMP has 16777217 bytes"):
        neuralcodec.encode(source, xmp=bytes(2**24 + 1))
    with pytest.raises(ValueError, match="TIFF header"):
        neuralcodec.encode(source, exif=b"no Exif")
    for name in ("icc", "exif", "xmp"):
        with pytest.raises(TypeError):
            neuralcodec.encode(source, **{name: "text"})
    with pytest.raises(neuralcodec.BadStreamError):
        neuralcodec.read_metadata(b"\x8eNIC")
