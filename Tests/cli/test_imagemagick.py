# SPDX-License-Identifier: Apache-2.0
"""ImageMagick with the staged configuration: its programs read and write .nic files through the command. libvips does so through ImageMagick."""
import os
import shutil
import subprocess

import numpy as np
import pytest
from conftest import PREFIX, scene
from PIL import Image, ImageCms
from png_writer import png, profile_chunk

CONFIGURATION = PREFIX / "share/neuralcodec/ImageMagick"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def imagemagick():
    """Its own convert, whose name other programs bear too."""
    for name in ("magick", "convert-im6.q16", "/usr/bin/convert", "convert"):
        if shutil.which(name) and "ImageMagick" in subprocess.run([name, "-version"], capture_output=True, text=True).stdout:
            return name
    return None


CONVERT = imagemagick()


class Convert:
    """Runs ImageMagick in a folder, with a home of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = os.environ | {"MAGICK_CONFIGURE_PATH": str(CONFIGURATION), "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / ".config")}

    def run(self, *arguments, status=0, input=b"", **environment):
        process = subprocess.run([CONVERT, *map(str, arguments)], cwd=self.folder, env=self.environment | environment, input=input, capture_output=True)
        assert process.returncode == status, process.stderr.decode()
        return process


@pytest.fixture
def convert(command):
    if not CONVERT:
        pytest.skip("ImageMagick (imagemagick) is not installed")
    return Convert(command.folder)


def source(channels, dtype):
    picture = scene(40, 50, 4).astype(dtype)
    if dtype == np.uint16:
        picture = picture * 251 + np.random.default_rng(3).integers(0, 500, picture.shape).astype(np.uint16)
    return picture[:, :, {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]]


KINDS = [(channels, dtype) for channels in (1, 2, 3, 4) for dtype in (np.uint8, np.uint16)]


@pytest.mark.parametrize(("channels", "dtype"), KINDS)
def test_read(command, convert, channels, dtype):
    command.path("in.png").write_bytes(png(source(channels, dtype)))
    command.run("encode", "in.png", "in.nic", "-q", "70")
    convert.run("in.nic", "out.png")
    assert command.json("compare", "in.nic", "out.png")["identical"]


@pytest.mark.parametrize(("channels", "dtype"), KINDS)
def test_write(command, convert, channels, dtype):
    command.path("in.png").write_bytes(png(source(channels, dtype)))
    convert.run("in.png", "-quality", "60", "out.nic")
    command.run("encode", "in.png", "expected.nic", "-q", "60")
    assert command.path("out.nic").read_bytes() == command.path("expected.nic").read_bytes()


def test_quality(command, convert):
    command.write("in.png", scene(60, 80))
    sizes = []
    for quality in (1, 50, 100):
        convert.run("in.png", "-quality", quality, "out.nic")
        sizes.append(command.path("out.nic").stat().st_size)
    assert sizes == sorted(sizes) and sizes[0] < sizes[2] / 2
    # Without the option ImageMagick says 92, its own default.
    convert.run("in.png", "out.nic")
    command.run("encode", "in.png", "expected.nic", "-q", "92")
    assert command.path("out.nic").read_bytes() == command.path("expected.nic").read_bytes()


def test_other_formats(command, convert):
    command.write("in.png", scene(60, 80))
    convert.run("in.png", "-quality", "80", "in.nic")
    convert.run("in.nic", "-resize", "50%", "out.jpg")
    with Image.open(command.path("out.jpg")) as picture:
        assert picture.format == "JPEG" and picture.size == (40, 30)
    convert.run("out.jpg", "again.nic")
    assert command.json("info", "again.nic")["width"] == 40


def test_known_by_content(command, convert):
    if CONVERT == "magick":
        pytest.skip("ImageMagick 7.1 reads no magic.xml")
    command.write("in.png", scene(60, 80))
    command.run("encode", "in.png", "picture")
    convert.run("picture", "out.png")
    convert.run("-", "from_input.png", input=command.path("picture").read_bytes())
    for name in ("out.png", "from_input.png"):
        assert command.json("compare", "picture", name)["identical"]


def test_metadata(command, convert):
    command.path("in.png").write_bytes(png(scene(7, 9), chunks=[profile_chunk(PROFILE)]))
    convert.run("in.png", "out.nic")
    assert command.json("info", "out.nic")["icc_size"] == len(PROFILE)
    convert.run("out.nic", "again.png")
    with Image.open(command.path("again.png")) as picture:
        assert picture.info["icc_profile"] == PROFILE


def test_orientation_is_kept(command, convert):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(scene(20, 30)).save(command.path("in.jpg"), exif=exif)
    convert.run("in.jpg", "out.nic")
    info = command.json("info", "out.nic")
    assert (info["width"], info["height"], info["orientation"]) == (30, 20, 6)


def test_names_with_spaces_and_quotes(command, convert):
    command.write("in.png", scene(20, 30))
    for name in ("a picture.nic", "it's.nic", "a;b$(c).nic"):
        convert.run("in.png", name)
        convert.run(name, "out.png")
        assert command.json("compare", name, "out.png")["identical"]


@pytest.mark.parametrize("part", [0.02, 0.1, 0.5, 0.99])
def test_truncated(command, convert, part):
    command.write("in.png", scene(60, 80))
    command.run("encode", "in.png", "whole.nic")
    whole = command.path("whole.nic").read_bytes()
    command.path("in.nic").write_bytes(whole[: int(part * len(whole))])
    process = convert.run("in.nic", "out.png", status=1)
    assert b"neuralcodec: " in process.stderr and b"truncated" in process.stderr
    assert not command.path("out.png").exists()


def test_damaged(command, convert):
    command.write("in.png", scene(60, 80))
    command.run("encode", "in.png", "in.nic")
    file = bytearray(command.path("in.nic").read_bytes())
    file[len(file) // 2] ^= 1
    command.path("in.nic").write_bytes(file)
    process = convert.run("in.nic", "out.png", status=1)
    assert b"damaged" in process.stderr and not command.path("out.png").exists()


def test_wrong_quality(command, convert):
    command.write("in.png", scene(20, 30))
    process = convert.run("in.png", "-quality", "101", "out.nic", status=1)
    assert b"101" in process.stderr and not command.path("out.nic").exists()


def test_configuration_in_the_home(command, convert):
    """~/.config/ImageMagick, as docs/imagemagick.md says."""
    command.write("in.png", scene(20, 30))
    shutil.copytree(CONFIGURATION, command.path(".config/ImageMagick"))
    convert.run("in.png", "-quality", "50", "out.nic", MAGICK_CONFIGURE_PATH="")
    assert command.json("info", "out.nic")["width"] == 30


def test_libvips_reads_and_writes_through_imagemagick(command, convert):
    operations = subprocess.run(["vips", "-l"], capture_output=True, text=True).stdout if shutil.which("vips") else ""
    if "magickload" not in operations or "magicksave" not in operations:
        pytest.skip("vips (libvips-tools) with ImageMagick is not installed")
    command.write("in.png", scene(60, 80))
    for arguments in (["magicksave", "in.png", "out.nic", "--quality", "70"], ["magickload", "out.nic", "out.png"]):
        subprocess.run(["vips", *arguments], check=True, cwd=command.folder, env=convert.environment)
    command.run("encode", "in.png", "expected.nic", "-q", "70")
    assert command.path("out.nic").read_bytes() == command.path("expected.nic").read_bytes()
    assert command.json("compare", "out.nic", "out.png")["identical"]
