# SPDX-License-Identifier: Apache-2.0
"""Importing this module teaches Pillow to open and save .nic files (format "NIC", type image/x-nic).

>>> import io, neuralcodec.pillow
>>> from PIL import Image
>>> file = io.BytesIO()
>>> Image.new("RGB", (64, 48), "teal").save(file, "NIC", quality=60)
>>> with Image.open(file) as picture:
...     picture.format, picture.mode, picture.size
('NIC', 'RGB', (64, 48))

`Image.open` reads the file, verifies its checksums and takes size, mode and `info` from its header; the pixels are decoded when they are first needed, with the
model that the file names. The modes are L, LA, RGB and RGBA, and I;16 for gray pictures of 16 bits; other pictures of 16 bits come scaled to 8, because Pillow
has no mode for them. `info` has "model" (its id, "" for colours stored without loss), "stored", "bit_depth" (of the file), and where the file has them,
"icc_profile", "exif" and "xmp". What the library has against a file is an OSError of `load`.

`Image.save` takes the arguments of `neuralcodec.encode`: quality, target_size, target_psnr, model, threads, max_pixels, max_memory, progress and alpha; others are
ignored, as by Pillow's own formats. Metadata is given as icc_profile, exif (bytes or `Image.Exif`) and xmp; the picture's own `info["icc_profile"]` is kept without
being asked for. The modes above are coded as they are; 1 becomes L, and P, CMYK, YCbCr, LAB and HSV become RGB, with alpha where they have transparency.
I and F are refused with an OSError: convert them first.
"""

from __future__ import annotations

from typing import IO, Any

from PIL import Image, ImageFile

from . import Error, decode, encode, read_info, read_metadata

_SIGNATURE = b"\x8eNIC\r\n\x1a\n"
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""By the number of channels."""
_GRAY_16 = ("I;16", "I;16L", "I;16B", "I;16N")
_COLOURS = {"1": "L", "L": "L", "La": "L", "LA": "L"} | dict.fromkeys(("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"), "RGB")
"""What the colours of a mode are coded as."""
_OPTIONS = ("quality", "target_size", "target_psnr", "model", "threads", "max_pixels", "max_memory", "progress", "alpha", "xmp")


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(_SIGNATURE)


class NICImageFile(ImageFile.ImageFile):
    format = "NIC"
    format_description = "libneuralcodec picture"

    def _open(self) -> None:
        assert self.fp is not None
        data = self.fp.read()
        try:
            info, metadata = read_info(data), read_metadata(data)
        except Error as error:
            raise SyntaxError(str(error)) from error  # Pillow's word for a file that a plugin cannot open
        self._size = (info.width, info.height)
        self._mode = "I;16" if (info.channels, info.bit_depth) == (1, 16) else _MODES[info.channels]
        self.info |= {"model": info.model_id, "stored": info.stored, "bit_depth": info.bit_depth}
        for name, value in (("icc_profile", metadata.icc), ("exif", metadata.exif), ("xmp", metadata.xmp)):
            if value is not None:
                self.info[name] = value
        self.tile = [("neuralcodec", (0, 0, *self.size), 0, ())]


class _Decoder(ImageFile.PyDecoder):
    """Reads the whole file itself."""

    _pulls_fd = True

    def decode(self, buffer: Any) -> tuple[int, int]:
        assert self.fd is not None
        try:
            pixels = decode(self.fd.read(), bit_depth=None if self.mode == "I;16" else 8)
        except Error as error:
            raise OSError(str(error)) from error
        self.set_as_raw(pixels.tobytes(), "I;16N" if self.mode == "I;16" else self.mode)
        return -1, 0  # done, without an error


def _save(picture: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    given = picture.encoderinfo
    options = {name: given[name] for name in _OPTIONS if name in given}
    options["icc"] = given.get("icc_profile", picture.info.get("icc_profile")) or None
    exif = given.get("exif")
    options["exif"] = (exif.tobytes() if isinstance(exif, Image.Exif) else exif) or None
    file.write(encode(_as_coded(picture), **options))


def _as_coded(picture: Image.Image) -> Image.Image:
    """The picture in a mode that can be coded."""
    transparent = picture.has_transparency_data
    if picture.mode in _GRAY_16 and not transparent:
        return picture
    if picture.mode not in _COLOURS:
        raise OSError(f"cannot write mode {picture.mode}{' with transparency' if transparent else ''} as NIC")
    mode = _COLOURS[picture.mode] + ("A" if transparent else "")
    return picture if picture.mode == mode else picture.convert(mode)


Image.register_open(NICImageFile.format, NICImageFile, _accept)
Image.register_save(NICImageFile.format, _save)
Image.register_decoder("neuralcodec", _Decoder)
Image.register_extension(NICImageFile.format, ".nic")
Image.register_mime(NICImageFile.format, "image/x-nic")
