# SPDX-License-Identifier: Apache-2.0
"""Which pictures the command reads and writes, to the sample."""
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from png_writer import png
from scenes import scene


def is_read_as(command, name, pixels):
    """Whether the command sees these pixels in a file: `compare` holds it against their PPM or PGM."""
    command.write("expected.ppm", pixels)
    result = command.json("compare", name, "expected.ppm")
    return result["identical"] and result["channels"] == (1 if pixels.ndim == 2 else 3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (3, 70), (37, 5), (64, 64)])
def test_png(command, size, channels):
    pixels = scene(*size, channels)
    assert is_read_as(command, command.write("in.png", pixels), pixels)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (2, 9), (13, 8), (41, 29)])
def test_interlaced_png(command, size, channels):
    pixels = scene(*size, channels)
    command.path("in.png").write_bytes(png(pixels.reshape(*size, channels), interlaced=True))
    assert is_read_as(command, "in.png", pixels)


@pytest.mark.parametrize("colours", [2, 4, 16, 200])
def test_palette_is_expanded(command, colours):
    picture = Image.fromarray(scene(20, 33)).quantize(colours)
    picture.save(command.path("in.png"), bits=max(int(np.ceil(np.log2(colours))), 1))
    assert is_read_as(command, "in.png", np.asarray(picture.convert("RGB")))


def test_low_depth_gray_is_expanded(command):
    pixels = (scene(9, 31, 1) > 120).astype(np.uint8) * 255
    Image.fromarray(pixels).convert("1").save(command.path("in.png"))
    assert is_read_as(command, "in.png", pixels)


def test_other_chunks_change_nothing(command):
    pixels = scene(8, 8)
    chunks = [(b"sBIT", bytes([5, 6, 5])), (b"bKGD", bytes(6)), (b"tEXt", b"Comment\0hello")]
    command.path("in.png").write_bytes(png(pixels, chunks=chunks))
    assert is_read_as(command, "in.png", pixels)


@pytest.mark.parametrize("header", ["P6\n7 5\n255\n", "P6 7 5 255 ", "P6\n# a comment\n 7\t# another\n5\r\n#\n255\n"])
def test_ppm_headers(command, header):
    pixels = scene(5, 7)
    command.path("in.ppm").write_bytes(header.encode() + pixels.tobytes() + b"more")
    assert is_read_as(command, "in.ppm", pixels)


@pytest.mark.parametrize(
    "file, message",
    [
        (b"P6\n7 5\n65535\n" + bytes(209), "truncated"),
        (b"P5\n7 5\n15\n" + bytes(35), "the maximum value 15"),
        (b"P3\n1 1\n255\n0 0 0\n", "P3"),
        (b"P4\n8 1\n\0", "P4"),
        (b"P6\n7 5\n255\n" + bytes(104), "truncated"),
        (b"P6\n2147483647 2147483647\n255\n" + bytes(104), "pixels"),
        (b"P6\n99999999999999999999 5\n255\n", "damaged"),
        (b"P6\n7 0\n255\n", "damaged"),
        (b"P6\n7 -5\n255\n", "damaged"),
        (b"P6\n7 5", "damaged"),
        (b"P6\n", "damaged"),
    ],
)
def test_bad_netpbm(command, file, message):
    command.path("in.ppm").write_bytes(file)
    assert message in command.fails("encode", "in.ppm", "out.nic", "--max-pixels", "1G")
    assert command.names() == ["in.ppm"]


@pytest.mark.parametrize(
    "file, kind",
    [(b"\xff\xd8\xff\xe0" + bytes(20), "a JPEG file"), (b"GIF89a", "a GIF file"), (b"RIFF\0\0\0\0WEBPVP8 ", "a WebP file"), (b"", "empty"), (b"hello", "not a picture")],
)
def test_other_files(command, file, kind):
    command.path("in.png").write_bytes(file)
    assert f"in.png is {kind}" in command.fails("encode", "in.png", "out.nic")


def test_damaged_png(command):
    command.write("good.png", scene(30, 40))
    good = command.path("good.png").read_bytes()
    for length in [*range(8, 60, 3), len(good) // 2, len(good) - 13, len(good) - 1]:
        command.path("in.png").write_bytes(good[:length])
        assert command.fails("encode", "in.png", "out.nic").startswith("neuralcodec: in.png: PNG: ")
    command.path("in.png").write_bytes(good[:30] + bytes([good[30] ^ 1]) + good[31:])
    assert "CRC" in command.fails("encode", "in.png", "out.nic")
    assert command.names() == ["good.png", "in.png"]


def test_pixel_limit_holds_before_the_pixels_are_read(command):
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    command.path("in.png").write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + struct.pack(">I", 9) + b"IDAT")
    assert "3600000000 pixels" in command.fails("encode", "in.png", "out.nic")
