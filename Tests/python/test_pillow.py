# SPDX-License-Identifier: Apache-2.0
"""Pillow with neuralcodec.pillow."""

import doctest
import io
import subprocess
import sys

import neuralcodec
import neuralcodec.pillow
import numpy as np
import pytest
from helpers import picture, psnr
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError


def saved(image: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, "NIC", **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize(("mode", "channels"), [("L", None), ("LA", 2), ("RGB", 3), ("RGBA", 4)])
@pytest.mark.parametrize("size", [(1, 1), (33, 70), (70, 130)])
def test_round_trip_is_that_of_the_library(tmp_path, mode, channels, size):
    pixels = picture(*size, channels)
    path = tmp_path / "picture.NIC"
    Image.fromarray(pixels).save(path, quality=60)
    assert path.read_bytes() == neuralcodec.encode(pixels, 60)
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size, image.get_format_mimetype()) == ("NIC", mode, size[::-1], "image/x-nic")
        assert (np.asarray(image) == neuralcodec.decode(path.read_bytes()).reshape(pixels.shape)).all()


def test_it_is_there_only_once_imported():
    program = "from PIL import Image; Image.init(); print('NIC' in Image.OPEN); import neuralcodec.pillow; print('NIC' in Image.OPEN, Image.EXTENSION['.nic'])"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "False\nTrue NIC\n"
    program = "import sys, neuralcodec; print(any(name.startswith('PIL') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "False\n"


def test_options():
    image = Image.fromarray(picture(90, 120))
    assert saved(image) == neuralcodec.encode(image) == saved(image, quality=75, unknown=1)
    assert saved(image, target_size=1500) == neuralcodec.encode(image, target_size=1500)
    assert saved(image, target_psnr=33, threads=1) == neuralcodec.encode(image, target_psnr=33)
    for wrong in ({"quality": 101}, {"quality": 50, "target_size": 1000}):
        with pytest.raises(ValueError):
            saved(image, **wrong)
    with pytest.raises(neuralcodec.LimitError):
        saved(image, max_pixels=100)
    with pytest.raises(neuralcodec.TargetUnreachableError):
        saved(image, target_size=80)


def test_another_model(repository):
    model = neuralcodec.Model(repository / "Tests/goldens/tiny.safetensors")
    image = Image.fromarray(picture(64, 64))
    data = saved(image, model=model)
    assert data == neuralcodec.encode(image, model=model)
    unknown = opened(data)  # its header is no secret
    assert unknown.info["model"] == model.id and unknown.size == (64, 64)
    with pytest.raises(OSError, match=model.id):
        unknown.load()


def test_pixels_are_decoded_when_needed(monkeypatch):
    data = saved(Image.fromarray(picture(40, 50)))
    calls = []
    monkeypatch.setattr(neuralcodec.pillow, "decode", lambda data, **options: calls.append(len(data)) or neuralcodec.decode(data, **options))
    image = opened(data)
    assert image.size == (50, 40) and image.mode == "RGB" and calls == []
    image.load()
    image.getpixel((3, 4))
    assert calls == [len(data)]


def test_info():
    assert opened(saved(Image.fromarray(picture(64, 64)), quality=50)).info == {"model": "nic-2", "stored": False, "bit_depth": 8}
    assert opened(saved(Image.new("L", (1, 1)))).info == {"model": "", "stored": True, "bit_depth": 8}


@pytest.mark.parametrize(("mode", "kept"), [("1", "L"), ("P", "RGB"), ("CMYK", "RGB"), ("YCbCr", "RGB"), ("HSV", "RGB"), ("LAB", "RGB")])
def test_converted_modes(mode, kept):
    source = Image.fromarray(picture(48, 64))
    image = source.convert("RGB").convert(mode) if mode != "LAB" else Image.merge("LAB", source.split())
    assert saved(image, quality=90) == neuralcodec.encode(image.convert(kept), 90)
    assert opened(saved(image)).mode == kept


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
def test_gray_of_16_bits(mode):
    pixels = picture(48, 64, None).astype(np.uint16) * 251
    image = Image.fromarray(pixels.astype(">u2" if mode == "I;16B" else "<u2"))
    assert image.mode == mode
    data = saved(image, quality=90)
    assert data == neuralcodec.encode(pixels, 90)
    again = opened(data)
    assert again.mode == "I;16" and again.info["bit_depth"] == 16 and (np.asarray(again) == neuralcodec.decode(data)[:, :, 0]).all()


@pytest.mark.parametrize(("mode", "channels"), [("LA", 2), ("RGB", 3), ("RGBA", 4)])
def test_others_of_16_bits_are_rounded(mode, channels):
    data = neuralcodec.encode(picture(48, 64, channels).astype(np.uint16) * 251)
    image = opened(data)
    assert (image.mode, image.info["bit_depth"]) == (mode, 16)
    assert (np.asarray(image) == neuralcodec.decode(data, bit_depth=8)).all()


@pytest.mark.parametrize("mode", ["I", "F"])
def test_modes_that_a_file_cannot_hold(tmp_path, mode):
    with pytest.raises(OSError, match=f"cannot write mode {mode}"):
        Image.new(mode, (8, 8)).save(tmp_path / "picture.nic")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("mode", "kept"), [("1", "LA"), ("L", "LA"), ("P", "RGBA"), ("RGB", "RGBA")])
def test_transparency_becomes_alpha(mode, kept):
    image = Image.fromarray(picture(30, 40)).convert(mode)
    image.info["transparency"] = image.getpixel((3, 4))
    data = saved(image)
    assert opened(data).mode == kept and data == neuralcodec.encode(image.convert(kept))
    assert opened(data).getchannel("A").getpixel((3, 4)) == 0


@pytest.mark.parametrize(("mode", "kept"), [("PA", "RGBA"), ("RGBa", "RGBA"), ("La", "LA")])
def test_alpha_of_other_modes(mode, kept):
    image = Image.fromarray(picture(30, 40, 4)).convert({"PA": "RGBA", "RGBa": "RGBA", "La": "LA"}[mode])
    if mode == "PA":
        image = Image.merge("LA", image.split()[2:]).convert("PA")
    else:
        image = image.convert(mode)
    assert saved(image, quality=80) == neuralcodec.encode(image.convert(kept), 80)


def test_alpha_left_out():
    image = Image.fromarray(picture(30, 40, 4))
    assert saved(image, alpha="none") == saved(image.convert("RGB"))


# ---- Metadata

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/></x:xmpmeta>"


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_metadata():
    data = saved(Image.fromarray(picture(30, 40)), icc_profile=PROFILE, exif=turned(6), xmp=XMP)
    metadata = neuralcodec.read_metadata(data)
    assert (metadata.icc, metadata.xmp) == (PROFILE, XMP) and neuralcodec.read_info(data).orientation == 6
    image = opened(data)
    assert image.info["icc_profile"] == PROFILE and image.info["xmp"] == XMP and image.getexif()[0x0112] == 6
    assert ImageOps.exif_transpose(image).size == (30, 40)
    # Another format takes them as they are.
    file = io.BytesIO()
    image.save(file, "JPEG", exif=image.info["exif"], xmp=image.info["xmp"])
    jpeg = Image.open(file)
    assert jpeg.getexif()[0x0112] == 6 and jpeg.info["xmp"] == XMP
    assert saved(Image.fromarray(picture(30, 40)), exif=image.info["exif"], icc_profile=PROFILE, xmp=XMP) == data


def test_only_the_profile_is_kept_by_itself():
    image = opened(saved(Image.fromarray(picture(30, 40)), icc_profile=PROFILE, exif=turned(6), xmp=XMP))
    assert neuralcodec.read_metadata(saved(image)) == neuralcodec.Metadata(icc=PROFILE)
    assert neuralcodec.read_metadata(saved(image, icc_profile=None)) == neuralcodec.Metadata()
    other = Image.new("CMYK", (8, 8))
    other.info["icc_profile"] = PROFILE
    assert neuralcodec.read_metadata(saved(other)) == neuralcodec.Metadata()


def test_wrong_metadata():
    with pytest.raises(ValueError, match="(?i)exif"):
        saved(Image.new("L", (8, 8)), exif=b"neither")


def test_damaged_files():
    data = saved(Image.fromarray(picture(60, 70)))
    for bad in (data[:-1], data[:30], data[:9], data[:40] + bytes([data[40] ^ 1]) + data[41:], data + b"x"):
        with pytest.raises(UnidentifiedImageError):
            opened(bad)


def test_a_file_that_is_damaged_after_opening(tmp_path):
    path = tmp_path / "picture.nic"
    path.write_bytes(saved(Image.fromarray(picture(60, 70))))
    image = Image.open(path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(OSError):
        image.load()


def test_usual_operations(tmp_path):
    pixels = picture(100, 140)
    path = tmp_path / "picture.nic"
    Image.fromarray(pixels).save(path, quality=95)
    with Image.open(path) as image:
        assert image.crop((10, 20, 50, 60)).size == (40, 40)
        image.thumbnail((70, 70))
        assert image.size == (70, 50)
    with Image.open(path) as image:
        assert psnr(np.asarray(image.copy()), pixels) > 28
        image.save(tmp_path / "picture.png")
        image.save(path, quality=40)  # over itself
    with Image.open(tmp_path / "picture.png") as png, Image.open(path) as again:
        assert png.size == again.size and (np.asarray(png) != np.asarray(again)).any()


def test_documentation():
    failed, tried = doctest.testmod(neuralcodec.pillow)
    assert tried >= 4 and failed == 0
