# SPDX-License-Identifier: Apache-2.0
"""The staged loader in gdk-pixbuf: what GTK's viewers, thumbnailers and file managers do. Nothing is installed: the list of loaders and the type of the
files are found through the environment."""
import base64
import os
import shutil
import struct
import subprocess

import neuralcodec
import numpy as np
import pytest
from PIL import Image, ImageCms
from png_writer import png
from scenes import scene
from staged import PREFIX, REPOSITORY

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
CORRUPT, NO_MEMORY, BAD_OPTION, UNKNOWN_TYPE, FAILED = 0, 1, 2, 3, 5  # of GdkPixbufError


def exif(orientation):
    return b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0) + bytes(4)


def variable(name):
    answer = subprocess.run(["pkg-config", f"--variable={name}", "gdk-pixbuf-2.0"], capture_output=True, text=True)
    return answer.stdout.strip()


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    missing = [program for program in ("pkg-config", "cc", "update-mime-database") if not shutil.which(program)]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed")
    if not variable("prefix"):
        pytest.skip("gdk-pixbuf's development files (libgdk-pixbuf-2.0-dev) are not installed")
    loader = PREFIX / "lib/gdk-pixbuf-2.0" / variable("gdk_pixbuf_binary_version") / "loaders/libpixbufloader-nic.so"
    assert loader.exists(), "gdk-pixbuf is there, the loader was not built"
    folder = tmp_path_factory.mktemp("gdk-pixbuf")
    (folder / "loaders.cache").write_bytes(subprocess.run([variable("gdk_pixbuf_query_loaders"), loader], check=True, capture_output=True).stdout)
    # gdk-pixbuf may ask GLib for the type of a file before it looks for a loader.
    (folder / "mime/packages").mkdir(parents=True)
    shutil.copy(REPOSITORY / "packaging/neuralcodec.xml", folder / "mime/packages")
    environment = os.environ | {"GDK_PIXBUF_MODULE_FILE": str(folder / "loaders.cache"), "XDG_DATA_HOME": str(folder)}
    subprocess.run(["update-mime-database", folder / "mime"], check=True, env=environment)
    return environment


@pytest.fixture(scope="module")
def program(environment, tmp_path_factory):
    """Tests/cli/pixbuf.c."""
    program = tmp_path_factory.mktemp("program") / "pixbuf"
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "gdk-pixbuf-2.0"], check=True, capture_output=True, text=True).stdout.split()
    subprocess.run(["cc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", REPOSITORY / "Tests/cli/pixbuf.c", "-o", program, *flags], check=True)
    return program


class Pixbuf:
    """Runs the program in a folder."""

    def __init__(self, program, environment, folder):
        self.program, self.environment, self.folder = program, environment, folder

    def run(self, *arguments, status=0):
        process = subprocess.run([self.program, *map(str, arguments)], capture_output=True, cwd=self.folder, env=self.environment)
        assert process.returncode == status, process.stderr.decode()
        return process

    def load(self, *arguments):
        """Pixels, orientation and profile."""
        line, _, pixels = self.run(*arguments).stdout.partition(b"\n")
        width, height, channels, orientation, profile = line.split()
        profile = None if profile == b"-" else base64.b64decode(profile)
        return np.frombuffer(pixels, np.uint8).reshape(int(height), int(width), int(channels)), orientation.decode(), profile

    def fails(self, *arguments):
        """GdkPixbufError and what the loader says; gdk-pixbuf may say first which file it is about."""
        code, message = self.run(*arguments, status=1).stderr.decode().split(": ", 1)
        return int(code), message.strip().removeprefix("Failed to load image “a.nic”: ")

    def write(self, name, content):
        (self.folder / name).write_bytes(content)
        return name


@pytest.fixture
def pixbuf(program, environment, tmp_path):
    return Pixbuf(program, environment, tmp_path)


def source(channels, dtype, height=61, width=47):
    """An odd width, so that a pixbuf's rows have gaps."""
    picture = scene(height, width, 4).astype(dtype)
    if dtype == np.uint16:
        picture = picture * 257 + np.random.default_rng(5).integers(-100, 100, picture.shape).clip(-int(picture.min()), 0).astype(np.uint16)
    return picture[:, :, {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]]


def as_pixbuf(pixels):
    """What a pixbuf holds of decoded pixels: 8 bits, rounded to nearest, and three colours."""
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    channels = pixels.shape[2]
    return pixels[:, :, {1: [0, 0, 0], 2: [0, 0, 0, 1], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]]


# ---- Loading


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(("channels", "dtype"), [(c, t) for c in (1, 2, 3, 4) for t in (np.uint8, np.uint16)])
def test_load(pixbuf, channels, dtype, stored):
    picture = source(channels, dtype)
    file = neuralcodec.encode(picture, target_size=10**6) if stored else neuralcodec.encode(picture, 80)
    decoded = neuralcodec.decode(file)
    assert not stored or np.array_equal(decoded, picture)
    pixels, orientation, profile = pixbuf.load("load", pixbuf.write("a.nic", file))
    assert np.array_equal(pixels, as_pixbuf(decoded))
    assert (orientation, profile) == ("-", None)


def test_every_value_of_16_bits_is_rounded(pixbuf):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    file = neuralcodec.encode(values, target_size=10**6)
    assert np.array_equal(neuralcodec.decode(file), values), "stored without loss"
    pixels, *_ = pixbuf.load("load", pixbuf.write("a.nic", file))
    assert np.array_equal(pixels, as_pixbuf(values))


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_profile_and_orientation(pixbuf, orientation):
    picture = source(3, np.uint8)
    file = neuralcodec.encode(picture, icc=PROFILE, exif=exif(orientation))
    pixels, found, profile = pixbuf.load("load", pixbuf.write("a.nic", file))
    assert pixels.shape == picture.shape, "loaders turn nothing"
    assert found == (str(orientation) if orientation > 1 else "-") and profile == PROFILE


@pytest.mark.parametrize("piece", [1, 7, 1000, 10**6])
def test_pieces_of_any_length(pixbuf, piece):
    name = pixbuf.write("a.nic", neuralcodec.encode(source(4, np.uint8), 60))
    assert np.array_equal(pixbuf.load("chunks", piece, name)[0], pixbuf.load("load", name)[0])


def test_size_alone(pixbuf):
    # The name does not tell the type.
    name = pixbuf.write("picture", neuralcodec.encode(source(2, np.uint16)))
    assert pixbuf.run("size", name).stdout == b"47 61 nic image/x-nic 1\n"


def test_scaled(pixbuf):
    pixels, *_ = pixbuf.load("scaled", 16, pixbuf.write("a.nic", neuralcodec.encode(scene(60, 40))))
    assert pixels.shape == (24, 16, 3)


def test_threads(pixbuf):
    name = pixbuf.write("a.nic", neuralcodec.encode(scene(200, 300)))
    assert pixbuf.run("threads", 8, name).stdout == b"same\n"


def test_one_pixel(pixbuf):
    pixels, *_ = pixbuf.load("load", pixbuf.write("a.nic", neuralcodec.encode(np.array([[[7, 200]]], np.uint8), target_size=1000)))
    assert pixels.tolist() == [[[7, 7, 7, 200]]]


# ---- What cannot be loaded


def test_truncated(pixbuf):
    file = neuralcodec.encode(source(4, np.uint16), icc=PROFILE)
    for length in (8, 20, 70, len(file) // 2, len(file) - 1):
        code, message = pixbuf.fails("load", pixbuf.write("a.nic", file[:length]))
        assert code == CORRUPT and message.startswith("NIC: ") and "truncated" in message, message


def test_damaged(pixbuf):
    file = bytearray(neuralcodec.encode(source(3, np.uint8)))
    for position in range(8, len(file), len(file) // 20):
        damaged = bytes(file[:position]) + bytes([file[position] ^ 0x10]) + bytes(file[position + 1 :])
        for arguments in (("load",), ("chunks", 100)):
            code, message = pixbuf.fails(*arguments, pixbuf.write("a.nic", damaged))
            # The bytes at 8 and 9 are versions.
            assert code == (UNKNOWN_TYPE if position < 10 else CORRUPT) and message.startswith("NIC: "), message


def test_too_many_pixels(pixbuf):
    from_file = neuralcodec.encode(np.zeros((4, 4, 1), np.uint8), target_size=1000)
    head = bytearray(from_file[10:59])  # length, type, payload and checksum of HEAD
    for width, height in ((2**31, 1), (2**16, 2**16), (2**32 - 1, 2**32 - 1)):
        struct.pack_into("<II", head, 8, width, height)
        struct.pack_into("<I", head, 45, crc32c(head[:45]))
        code, message = pixbuf.fails("load", pixbuf.write("a.nic", from_file[:10] + bytes(head) + from_file[59:]))
        assert code == NO_MEMORY and message.startswith("NIC: "), message


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_missing_model(pixbuf):
    model = neuralcodec.Model(REPOSITORY / "Tests/goldens/tiny.safetensors")
    code, message = pixbuf.fails("load", pixbuf.write("a.nic", neuralcodec.encode(source(3, np.uint8), model=model)))
    assert code == FAILED and message.startswith("NIC: ") and model.id in message


# ---- Saving


@pytest.mark.parametrize("channels", [3, 4])
def test_save(pixbuf, channels):
    picture = source(channels, np.uint8)
    pixbuf.write("in.png", png(picture))
    pixbuf.run("save", "in.png", "plain.nic")
    pixbuf.run("save", "in.png", "out.nic", "quality", "90", "icc-profile", base64.b64encode(PROFILE).decode())
    assert (pixbuf.folder / "plain.nic").read_bytes() == neuralcodec.encode(picture)
    assert (pixbuf.folder / "out.nic").read_bytes() == neuralcodec.encode(picture, 90, icc=PROFILE)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("quality", "101"), "101"), (("quality", "good"), "good"), (("quality", "nan"), "nan"), (("quality", ""), "quality"),
        (("icc-profile", ""), "icc-profile"), (("tEXt::a", "b"), "tEXt::a"),
    ],
)
def test_wrong_options(pixbuf, options, named):
    pixbuf.write("in.png", png(source(3, np.uint8)))
    code, message = pixbuf.fails("save", "in.png", "out.nic", *options)
    assert code == BAD_OPTION and message.startswith("NIC: ") and named in message


def test_save_where_nothing_can_be_written(pixbuf):
    pixbuf.write("in.png", png(source(3, np.uint8)))
    code, message = pixbuf.fails("save", "in.png", "nowhere/out.nic")
    assert code == -1 and "nowhere/out.nic" in message


# ---- Thumbnails


def test_thumbnailer(pixbuf, environment):
    entry = dict(line.split("=", 1) for line in (PREFIX / "share/thumbnailers/neuralcodec.thumbnailer").read_text().splitlines() if "=" in line)
    assert "image/x-nic" in entry["MimeType"].split(";")
    if not shutil.which(entry["TryExec"]):
        pytest.skip(f"{entry['TryExec']} not installed")
    # Turned upright, as the thumbnailer does with other formats.
    pixbuf.write("in.nic", neuralcodec.encode(scene(200, 300), exif=exif(6)))
    command = [{"%s": "64", "%u": (pixbuf.folder / "in.nic").as_uri(), "%o": "out.png"}.get(word, word) for word in entry["Exec"].split()]
    subprocess.run(command, check=True, cwd=pixbuf.folder, env=environment)
    with Image.open(pixbuf.folder / "out.png") as thumbnail:
        assert thumbnail.format == "PNG" and thumbnail.size == (43, 64)
    pixbuf.write("in.nic", neuralcodec.encode(scene(200, 300))[:1000])
    process = subprocess.run(command, cwd=pixbuf.folder, env=environment, capture_output=True, text=True)
    assert process.returncode != 0 and "truncated" in process.stderr
