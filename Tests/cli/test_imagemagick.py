# SPDX-License-Identifier: Apache-2.0
"""ImageMagick with the staged configuration: its programs read and write .nic files through the command. libvips does so through ImageMagick."""
import os
import shutil
import struct
import subprocess

import numpy as np
import pytest
from neuralcodec import read_metadata
from PIL import Image, ImageCms
from png_writer import png, profile_chunk, raw_profile_chunk, xmp_chunk
from scenes import scene
from staged import PREFIX

CONFIGURATION = PREFIX / "share/neuralcodec/ImageMagick"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# Orientation 6, and a note of the camera's with any bytes.
EXIF = b"MM\0*\0\0\0\x08\0\x02" + struct.pack(">HHIHHHHII", 0x0112, 3, 1, 6, 0, 0x927C, 7, 512, 38) + bytes(4) + bytes(range(256)) * 2
XMP = "<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>äöü</x:xmpmeta><?xpacket end='w'?>".encode()


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


@pytest.mark.parametrize(("channels", "depth", "kind"), [(3, 8, "png24"), (4, 8, "png32"), (3, 16, "png48"), (4, 16, "png64")])
def test_kinds_that_a_picture_does_not_need(command, convert, channels, depth, kind):
    """ImageMagick writes gray for grays, no alpha that is opaque, and 8 bits where they say all, unless it is told the kind."""
    ramp = scene(40, 50, 1).astype(np.uint16 if depth == 16 else np.uint8) * (257 if depth == 16 else 1)
    samples = np.dstack([ramp, ramp, ramp, np.full_like(ramp, 2**depth - 1)])[:, :, :channels]
    command.path("in.png").write_bytes(png(samples))
    for options, expected in ([], (1, 8)), (["-define", f"png:format={kind}"], (channels, depth)):
        convert.run("in.png", *options, "out.nic")
        info = command.json("info", "out.nic")
        assert (info["channels"], info["bit_depth"]) == expected


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


def metadata_of(path):
    """Of a .nic file."""
    metadata = read_metadata(path.read_bytes())
    return metadata.icc, metadata.exif, metadata.xmp


@pytest.mark.parametrize(("channels", "dtype"), KINDS)
def test_metadata_is_read(command, convert, channels, dtype):
    """What ImageMagick writes from a .nic file has the same bytes. The profile does not fit gray pictures, which is no matter of ours."""
    command.path("in.png").write_bytes(png(source(channels, dtype), chunks=[profile_chunk(PROFILE), (b"eXIf", EXIF), xmp_chunk(XMP)]))
    command.run("encode", "in.png", "in.nic", "-q", "70")
    assert metadata_of(command.path("in.nic")) == (PROFILE, EXIF, XMP)
    convert.run("in.nic", "out.jpg")
    with Image.open(command.path("out.jpg")) as picture:
        assert [picture.info[name] for name in ("icc_profile", "exif", "xmp")] == [PROFILE, b"Exif\0\0" + EXIF, XMP]
    assert convert.run("in.nic", "-format", "%[orientation]", "info:").stdout == b"RightTop"
    # PNG: XMP as a raw profile, which is how ImageMagick has it. A profile of RGB cannot stand in a gray one.
    convert.run("in.nic", "out.png")
    command.run("encode", "out.png", "again.nic")
    assert metadata_of(command.path("again.nic"))[channels < 3 :] == (PROFILE, EXIF, XMP)[channels < 3 :]
    convert.run("in.nic", "-quality", "70", "again.nic")
    assert metadata_of(command.path("again.nic"))[channels < 3 :] == (PROFILE, EXIF, XMP)[channels < 3 :]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_metadata_is_written(command, convert, mode):
    Image.fromarray(scene(20, 30)).convert(mode).save(command.path("in.jpg"), exif=b"Exif\0\0" + EXIF, xmp=XMP, icc_profile=PROFILE)
    convert.run("in.jpg", "out.nic")
    assert metadata_of(command.path("out.nic"))[mode == "L" :] == (PROFILE, EXIF, XMP)[mode == "L" :]
    info = command.json("info", "out.nic")
    assert (info["width"], info["height"], info["orientation"]) == (30, 20, 6)
    convert.run("out.nic", "-auto-orient", "upright.png")
    with Image.open(command.path("upright.png")) as picture:
        assert picture.size == (20, 30) and picture.getexif()[0x0112] == 1


def test_metadata_of_png_files(command, convert):
    """As raw profiles, in which all versions of ImageMagick read it."""
    chunks = [profile_chunk(PROFILE), raw_profile_chunk("exif", b"Exif\0\0" + EXIF), raw_profile_chunk("xmp", XMP, b"zTXt")]
    command.path("in.png").write_bytes(png(scene(20, 30), chunks=chunks))
    convert.run("in.png", "out.nic")
    assert metadata_of(command.path("out.nic")) == (PROFILE, EXIF, XMP)
    convert.run("in.png", "-strip", "out.nic")
    assert metadata_of(command.path("out.nic")) == (None, None, None)


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
    # libvips 8.16 adds Exif of its own.
    assert command.json("compare", "out.nic", "expected.nic")["identical"]
    assert command.json("compare", "out.nic", "out.png")["identical"]
