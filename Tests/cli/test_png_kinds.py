# SPDX-License-Identifier: Apache-2.0
"""What a PNG may hold goes through a .nic file and back: every colour type and depth, transparency, profiles, Exif and XMP. Files are made and read here
and by Pillow, not by the command."""
import shutil
import struct
import subprocess
import zlib

import numpy as np
import pytest
from neuralcodec import read_metadata
from PIL import Image, ImageCms
from png_writer import KINDS, chunks_of, png, profile_chunk, random_png, raw_png, raw_profile, raw_profile_chunk, text_chunk, xmp_chunk
from scenes import scene

CASES = [(*kind, interlaced, transparent) for kind in KINDS for interlaced in (False, True) for transparent in (False, True) if not transparent or kind[0] in (0, 2, 3)]


def samples_of(file):
    """(height, width, channels) of a PNG without interlacing, palette and low depths, which is what the command writes."""
    chunks = dict(chunks_of(file))
    width, height, depth, colour_type, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert depth in (8, 16) and interlaced == 0
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    pixel = channels * depth // 8
    data = zlib.decompress(b"".join(content for kind, content in chunks_of(file) if kind == b"IDAT"))
    rows = np.frombuffer(data, np.uint8).reshape(height, 1 + width * pixel)
    out = np.zeros((height + 1, width * pixel + pixel), int)
    for y, row in enumerate(rows):
        for i, byte in enumerate(row[1:].tolist()):
            left, above, corner = out[y + 1, i], out[y, i + pixel], out[y, i]
            estimate = left + above - corner
            nearest = min((abs(estimate - left), 0, left), (abs(estimate - above), 1, above), (abs(estimate - corner), 2, corner))[2]
            out[y + 1, i + pixel] = (byte + [0, left, above, (left + above) // 2, nearest][row[0]]) % 256
    flat = out[1:, pixel:].astype(np.uint8).tobytes()
    return np.frombuffer(flat, np.uint8 if depth == 8 else ">u2").reshape(height, width, channels).astype(np.uint8 if depth == 8 else np.uint16)


def is_valid(path):
    """pngcheck's opinion, where it is installed."""
    if shutil.which("pngcheck"):
        subprocess.run(["pngcheck", "-q", path], check=True, capture_output=True)
    with Image.open(path) as picture:
        picture.load()


@pytest.mark.parametrize(("colour_type", "depth", "interlaced", "transparent"), CASES)
def test_every_kind(command, colour_type, depth, interlaced, transparent):
    random = np.random.default_rng([colour_type, depth, interlaced, transparent])
    for _ in range(3):
        file, expected = random_png(random, colour_type, depth, interlaced, transparent)
        command.path("in.png").write_bytes(file)
        if depth < 16 and not (colour_type == 0 and depth in (2, 4) and transparent):  # what Pillow makes of it: 8 bits, and no key of 2 or 4
            mode = ("L", "LA", "RGB", "RGBA")[expected.shape[2] - 1]
            with Image.open(command.path("in.png")) as picture:
                assert np.array_equal(np.asarray(picture.convert(mode)).reshape(expected.shape), expected)
        # Room for everything: stored without loss.
        assert command.run("encode", "in.png", "out.nic", "--target-size", "1M").stderr == b""
        info = command.json("info", "out.nic")
        height, width, channels = expected.shape
        assert [info[name] for name in ("width", "height", "channels", "bit_depth", "alpha")] == [width, height, channels, 16 if depth == 16 else 8, channels % 2 == 0]
        command.run("decode", "out.nic", "again.png")
        is_valid(command.path("again.png"))
        again = samples_of(command.path("again.png").read_bytes())
        assert again.dtype == expected.dtype and np.array_equal(again, expected)
        assert command.json("compare", "in.png", "out.nic")["identical"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_lossy_colours_with_exact_alpha(command, channels, dtype):
    peak = np.iinfo(dtype).max
    source = scene(90, 120, 4).astype(dtype) * (peak // 255)
    source = source[:, :, {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]]
    command.path("in.png").write_bytes(png(source))
    command.run("encode", "in.png", "out.nic", "-q", "60")
    command.run("decode", "out.nic", "again.png")
    again = samples_of(command.path("again.png").read_bytes())
    assert again.dtype == dtype and again.shape == source.shape
    result = command.json("compare", "in.png", "again.png")
    colours = slice(0, 1 if channels < 3 else 3)
    psnr = 10 * np.log10(float(peak) ** 2 / np.mean((source[:, :, colours].astype(float) - again[:, :, colours]) ** 2))
    assert abs(result["psnr"] - psnr) < 1e-9 and psnr > 22 and not result["identical"]
    if channels % 2 == 0:
        assert np.array_equal(again[:, :, -1], source[:, :, -1]) and result["alpha_identical"]
        command.run("encode", "in.png", "opaque.nic", "-q", "60", "--alpha", "none")
        command.run("decode", "opaque.nic", "opaque.png")
        command.run("decode", "out.nic", "dropped.png", "--alpha", "none")
        opaque = samples_of(command.path("opaque.png").read_bytes())
        assert np.array_equal(opaque, again[:, :, :-1]) and np.array_equal(opaque, samples_of(command.path("dropped.png").read_bytes()))
    else:
        assert result["alpha_identical"] is None and result["alpha_psnr"] is None
    if dtype == np.uint16:
        command.run("decode", "out.nic", "eight.png", "--bit-depth", "8")
        eight = samples_of(command.path("eight.png").read_bytes())
        assert eight.dtype == np.uint8 and np.abs(eight - again / 257.0).max() < 0.51
    # The other formats.
    ending = "pam" if channels % 2 == 0 else "ppm"
    command.run("decode", "out.nic", f"again.{ending}")
    assert command.json("compare", f"again.{ending}", "again.png")["identical"]
    command.run("encode", f"again.{ending}", "second.nic", "--target-size", "1M")
    assert command.json("compare", "second.nic", "again.png")["identical"]


def test_alpha_of_other_pictures_is_told(command):
    source = np.dstack([scene(20, 20), np.full((20, 20), 200, np.uint8)])
    command.path("a.png").write_bytes(png(source))
    source[3, 4, 3] = 210
    command.path("b.png").write_bytes(png(source))
    result = command.json("compare", "a.png", "b.png")
    assert result["psnr"] is None and not result["alpha_identical"] and not result["identical"]
    assert abs(result["alpha_psnr"] - 10 * np.log10(255**2 / (100 / 400))) < 1e-9
    assert "alpha" in command.run("compare", "a.png", "b.png").stdout.decode()
    command.path("c.png").write_bytes(png(source[:, :, :3]))
    assert "differ in size or kind: 20 x 20 RGB with alpha, 8 bits and 20 x 20 RGB, 8 bits" in command.fails("compare", "a.png", "c.png")


def test_ppm_cannot_hold_alpha(command):
    command.path("in.png").write_bytes(png(np.zeros((4, 5, 4), np.uint8)))
    command.run("encode", "in.png", "out.nic")
    assert "--alpha none" in command.fails("decode", "out.nic", "out.ppm")
    command.run("decode", "out.nic", "out.ppm", "--alpha", "none")


# ---- Metadata ------------------------------------------------------------------------------------------------------------------------------

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
EXIF = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + bytes(4)
XMP = "<?xpacket begin='\ufeff'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>äöü</x:xmpmeta>".encode() * 50
ALL = [profile_chunk(PROFILE), (b"eXIf", EXIF), xmp_chunk(XMP)]


def metadata_of(path):
    """As Pillow reads it."""
    with Image.open(path) as picture:
        picture.load()
        xmp = picture.info.get("XML:com.adobe.xmp")
        return picture.info.get("icc_profile"), picture.info.get("exif", b"").removeprefix(b"Exif\0\0") or None, xmp.encode() if xmp else None


@pytest.mark.parametrize(("channels", "dtype"), [(c, t) for c in (1, 2, 3, 4) for t in (np.uint8, np.uint16)])
def test_metadata_comes_through(command, channels, dtype):
    # Also a profile of RGB in a gray picture, which libpng by itself would drop.
    command.path("in.png").write_bytes(png(np.zeros((7, 9, channels), dtype), chunks=ALL))
    assert command.run("encode", "in.png", "out.nic").stderr == b""
    info = command.json("info", "out.nic")
    assert (info["icc_size"], info["exif_size"], info["xmp_size"], info["orientation"]) == (len(PROFILE), len(EXIF), len(XMP), 6)
    text = command.run("info", "out.nic").stdout.decode()
    assert f"ICC profile of {len(PROFILE)} bytes, Exif of {len(EXIF)} bytes, XMP of {len(XMP)} bytes" in text and "orientation  6" in text
    command.run("decode", "out.nic", "again.png")
    is_valid(command.path("again.png"))
    assert metadata_of(command.path("again.png")) == (PROFILE, EXIF, XMP)
    assert samples_of(command.path("again.png").read_bytes()).shape == (7, 9, channels), "pixels are not turned"


@pytest.mark.parametrize(
    ("strip", "kept"), [("icc", (0, 1, 1)), ("exif", (1, 0, 1)), ("xmp", (1, 1, 0)), ("icc,xmp", (0, 1, 0)), ("exif,icc,xmp", (0, 0, 0)), ("all", (0, 0, 0))]
)
def test_strip(command, strip, kept):
    command.path("in.png").write_bytes(png(scene(7, 9), chunks=ALL))
    expected = tuple(content if keep else None for keep, content in zip(kept, (PROFILE, EXIF, XMP)))
    command.run("encode", "in.png", "stripped.nic", "--strip", strip)
    command.run("decode", "stripped.nic", "a.png")
    command.run("encode", "in.png", "whole.nic")
    command.run("decode", "whole.nic", "b.png", "--strip", strip)
    assert metadata_of(command.path("a.png")) == metadata_of(command.path("b.png")) == expected
    if not any(kept):
        command.path("plain.png").write_bytes(png(scene(7, 9)))
        command.run("encode", "plain.png", "plain.nic")
        assert command.path("plain.nic").read_bytes() == command.path("stripped.nic").read_bytes()


def test_wrong_options(command):
    command.write("in.png", scene(8, 8))
    for arguments in (["--strip", "gps"], ["--strip", "icc,"], ["--strip", ""], ["--alpha", "lossy"]):
        command.fails("encode", "in.png", "out.nic", *arguments, status=64)
    command.run("encode", "in.png", "out.nic")
    for arguments in (["--bit-depth", "12"], ["--strip", "x"]):
        command.fails("decode", "out.nic", "out.png", *arguments, status=64)
    assert "8 bits" in command.fails("decode", "out.nic", "out.png", "--bit-depth", "16")
    assert command.names() == ["in.png", "out.nic"]


def test_xmp_compressed_or_behind_the_pixels(command):
    for chunks, late in (([xmp_chunk(XMP, compressed=True)], []), ([], [xmp_chunk(XMP)]), ([(b"iTXt", b"Comment\0\0\0\0\0hello"), xmp_chunk(XMP)], [])):
        command.path("in.png").write_bytes(png(scene(7, 9), chunks=chunks, late_chunks=late))
        command.run("encode", "in.png", "out.nic")
        assert command.json("info", "out.nic")["xmp_size"] == len(XMP)


def raw_text(text):
    return text_chunk(b"Raw profile type exif", text)


EXIF_TEXT = raw_profile("exif", EXIF)


@pytest.mark.parametrize(
    ("chunk", "lost"),
    [
        (raw_text(b""), "Exif"),
        (raw_text(b"exif\n"), "Exif"),
        (raw_text(b"\nexif"), "Exif"),
        (raw_text(b"\nexif\n"), "Exif"),
        (raw_text(b"\nexif\n      26"), "Exif"),
        (raw_text(b"\nexif\n       0\n"), "Exif"),
        (raw_text(EXIF_TEXT.replace(b" 26\n", b"-26\n")), "Exif"),
        (raw_text(EXIF_TEXT.replace(b" 26\n", b" 25\n")), "Exif"),
        (raw_text(EXIF_TEXT.replace(b" 26\n", b" 27\n")), "Exif"),
        (raw_text(EXIF_TEXT.replace(b" 26\n", b"4294967322\n")), "Exif"),
        (raw_text(EXIF_TEXT.replace(b" 26\n", b"1" * 40 + b"\n")), "Exif"),
        (raw_text(EXIF_TEXT[:-2]), "Exif"),
        (raw_text(EXIF_TEXT.replace(b"4", b"g")), "Exif"),
        (raw_text(EXIF_TEXT.replace(b"4", b"\0")), "Exif"),
        (raw_profile_chunk("exif", b"Exif\0\0"), "Exif"),
        (raw_profile_chunk("APP1", b"neither of the two"), "Exif"),
        (raw_profile_chunk("xmp", b"http://ns.adobe.com/xap/1.0/\0"), "XMP"),
        (raw_profile_chunk("exif", EXIF + bytes(2**24)), "Exif"),
        (raw_profile_chunk("xmp", bytes(2**24 + 1), b"zTXt"), "XMP"),
        (text_chunk(b"Raw profile type xmp", bytes(2**27), b"zTXt"), "XMP"),
        ((b"zTXt", b"Raw profile type icc\0"), "ICC profile"),
        ((b"zTXt", b"Raw profile type icc\0\1" + zlib.compress(raw_profile("icc", PROFILE))), "ICC profile"),
        ((b"zTXt", b"Raw profile type icc\0\0" + zlib.compress(raw_profile("icc", PROFILE))[:-9]), "ICC profile"),
        ((b"iTXt", b"Raw profile type icc\0\0\0"), "ICC profile"),
        ((b"iCCP", b"name\0\0" + zlib.compress(PROFILE)[:-9]), "ICC profile"),
        ((b"iCCP", b"name\0\x01" + zlib.compress(PROFILE)), "ICC profile"),
        ((b"iCCP", b"name"), "ICC profile"),
        ((b"iCCP", b"name\0\0" + zlib.compress(bytes(2**24 + 65536))), "ICC profile"),  # a small chunk that would take any memory
        ((b"eXIf", b"neither"), "Exif"),
        ((b"iTXt", b"XML:com.adobe.xmp\0\x01\0\0\0" + zlib.compress(bytes(2**26))), "XMP"),
        ((b"iTXt", b"XML:com.adobe.xmp\0\0"), "XMP"),
        ((b"gAMA", struct.pack(">I", 100000)), "gamma"),
        ((b"cICP", bytes([9, 16, 0, 1])), "colour space (cICP)"),
    ],
)
def test_what_cannot_be_kept_is_told(command, chunk, lost):
    pixels = scene(8, 8)
    command.path("in.png").write_bytes(png(pixels, chunks=[chunk]))
    assert command.run("encode", "in.png", "out.nic").stderr.decode() == f"neuralcodec: warning: the {lost} of in.png is not kept\n"
    command.write("plain.png", pixels)
    command.run("encode", "plain.png", "plain.nic")
    assert command.path("plain.nic").read_bytes() == command.path("out.nic").read_bytes()


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt"])
def test_raw_profiles(command, kind):
    """Those of ImageMagick and of older programs, before or behind the pixels."""
    for chunks in (
        [raw_profile_chunk("icc", PROFILE, kind), raw_profile_chunk("exif", b"Exif\0\0" + EXIF, kind), raw_profile_chunk("xmp", XMP, kind)],
        [
            raw_profile_chunk("icm", PROFILE, kind),
            raw_profile_chunk("APP1", b"Exif\0\0" + EXIF, kind),
            raw_profile_chunk("APP1", b"http://ns.adobe.com/xap/1.0/\0" + XMP, kind),
        ],
        [profile_chunk(PROFILE), raw_profile_chunk("app1", EXIF, kind, upper=True), text_chunk(b"XML:com.adobe.xmp", XMP, kind)],
    ):
        for places in ({"chunks": chunks}, {"late_chunks": chunks}):
            command.path("in.png").write_bytes(png(scene(7, 9), **places))
            assert command.run("encode", "in.png", "out.nic").stderr == b""
            metadata = read_metadata(command.path("out.nic").read_bytes())
            assert (metadata.icc, metadata.exif, metadata.xmp) == (PROFILE, EXIF, XMP)


def test_own_chunks_count_before_raw_profiles(command):
    others = [raw_profile_chunk("icc", b"another"), raw_profile_chunk("exif", b"MM\0*another"), raw_profile_chunk("xmp", b"another"), raw_text(b"damaged")]
    for places in ({"chunks": others + ALL}, {"chunks": ALL, "late_chunks": others}):
        command.path("in.png").write_bytes(png(scene(7, 9), **places))
        assert command.run("encode", "in.png", "out.nic").stderr == b""
        metadata = read_metadata(command.path("out.nic").read_bytes())
        assert (metadata.icc, metadata.exif, metadata.xmp) == (PROFILE, EXIF, XMP)


def test_other_texts_are_passed_over(command):
    texts = [text_chunk(keyword, b"text") for keyword in (b"Comment", b"Raw profile type iptc", b"Raw profile type ", b"raw profile type exif", b"XML:com.adobe.xmp2")]
    command.path("in.png").write_bytes(png(scene(7, 9), chunks=[*texts, (b"tEXt", b""), (b"zTXt", b"Raw profile type exif"), (b"iTXt", b"\0")]))
    assert command.run("encode", "in.png", "out.nic").stderr == b""
    info = command.json("info", "out.nic")
    assert (info["icc_size"], info["exif_size"], info["xmp_size"]) == (0, 0, 0)


def test_raw_profiles_are_written(command):
    long = XMP * 100  # many lines
    command.path("in.png").write_bytes(png(scene(7, 9), chunks=[profile_chunk(PROFILE), (b"eXIf", EXIF), xmp_chunk(long)]))
    command.run("encode", "in.png", "out.nic")
    command.run("decode", "out.nic", "raw.png", "--raw-profiles")
    command.run("decode", "out.nic", "again.png")
    is_valid(command.path("raw.png"))
    chunks = chunks_of(command.path("raw.png").read_bytes())
    assert [pair for pair in chunks if pair[0] == b"tEXt"] == [
        raw_profile_chunk("icc", PROFILE), raw_profile_chunk("exif", b"Exif\0\0" + EXIF), raw_profile_chunk("xmp", long)]
    assert {kind for kind, _ in chunks} == {b"IHDR", b"tEXt", b"IDAT", b"IEND"}
    with Image.open(command.path("raw.png")) as picture:
        assert picture.getexif()[0x0112] == 6
    assert command.json("compare", "raw.png", "again.png")["identical"]
    command.run("encode", "raw.png", "second.nic")
    command.run("encode", "again.png", "third.nic")
    assert command.path("second.nic").read_bytes() == command.path("third.nic").read_bytes()
    metadata = read_metadata(command.path("second.nic").read_bytes())
    assert (metadata.icc, metadata.exif, metadata.xmp) == (PROFILE, EXIF, long)
    command.run("decode", "out.nic", "stripped.png", "--raw-profiles", "--strip", "icc,xmp")
    assert [content for kind, content in chunks_of(command.path("stripped.png").read_bytes()) if kind == b"tEXt"] == [chunks[2][1]]
    for arguments in (["out.ppm"], ["out.png", "--format", "pam"]):
        assert "--raw-profiles" in command.fails("decode", "out.nic", *arguments, "--raw-profiles", status=64)


def test_gamma_that_says_nothing_new(command):
    gamma = b"gAMA", struct.pack(">I", 100000)
    for chunks in ([(b"gAMA", struct.pack(">I", 45455))], [gamma, (b"sRGB", b"\0")], [gamma, profile_chunk(PROFILE)]):
        command.path("in.png").write_bytes(png(scene(8, 8), chunks=chunks))
        assert command.run("encode", "in.png", "out.nic").stderr == b""


def test_target_size_counts_metadata_and_alpha(command):
    source = np.dstack([scene(150, 160), (np.hypot(*np.ogrid[-75:75, -80:80]) * 3).clip(0, 255).astype(np.uint8)])
    command.path("in.png").write_bytes(png(source, chunks=ALL))
    command.run("encode", "in.png", "smallest.nic", "-q", "0")
    smallest = command.path("smallest.nic").stat().st_size
    command.run("encode", "in.png", "out.nic", "--target-size", smallest + 500)
    assert smallest < command.path("out.nic").stat().st_size <= smallest + 500
    message = command.fails("encode", "in.png", "none.nic", "--target-size", 1000, status=3)
    assert f"the smallest file of this picture takes {smallest} bytes" in message and "alpha and metadata" in message


# ---- Netpbm of other kinds -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pam(command, channels, dtype):
    samples = np.random.default_rng(channels).integers(0, np.iinfo(dtype).max, (6, 5, channels), dtype, endpoint=True)
    kind = ("GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA")[channels - 1]
    header = f"P7\n# a comment\nHEIGHT 6\nWIDTH 5\n\nMAXVAL {np.iinfo(dtype).max}\nDEPTH {channels}\nTUPLTYPE {kind}\nENDHDR\n".encode()
    content = samples.astype(">u2" if dtype == np.uint16 else np.uint8).tobytes()
    command.path("in.pam").write_bytes(header + content)
    command.path("in.png").write_bytes(png(samples))
    assert command.json("compare", "in.pam", "in.png")["identical"]
    command.run("encode", "in.pam", "out.nic")
    command.run("decode", "out.nic", "-", "--format", "pam").stdout.endswith(content)


def test_16_bit_ppm(command):
    samples = np.random.default_rng(5).integers(0, 65535, (6, 5, 3), np.uint16, endpoint=True)
    content = b"P6 5 6 65535\n" + samples.astype(">u2").tobytes()
    command.path("in.ppm").write_bytes(content)
    command.run("encode", "in.ppm", "out.nic")
    command.run("decode", "out.nic", "out.ppm")
    assert command.path("out.ppm").read_bytes().endswith(content[13:]) and command.json("compare", "in.ppm", "out.ppm")["bit_depth"] == 16


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"P7\nWIDTH 1\n", "damaged"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 5\nMAXVAL 255\nENDHDR\n12345", "damaged"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 0\nMAXVAL 255\nENDHDR\n", "damaged"),
        (b"P7\nWIDTH 0\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\n", "damaged"),
        (b"P7\nWIDTH -1\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\n", "damaged"),
        (b"P7\nDEPTH 1\nMAXVAL 255\nENDHDR\n", "damaged"),
        (b"P7\nSIZE 1\nENDHDR\n", "damaged"),
        (b"P7\n" + b"#" * 300 + b"\nENDHDR\n", "damaged"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 1\nENDHDR\n1", "maximum value 1,"),
        (b"P7\nWIDTH 2\nHEIGHT 2\nDEPTH 4\nMAXVAL 65535\nENDHDR\n" + bytes(31), "truncated"),
        (b"P5\n7 5\n1023\n" + bytes(70), "maximum value 1023,"),
    ],
)
def test_bad_pam(command, file, message):
    command.path("in.pam").write_bytes(file)
    assert message in command.fails("encode", "in.pam", "out.nic")
