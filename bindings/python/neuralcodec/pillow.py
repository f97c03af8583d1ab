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
model that the file names. Files of 8 bits have the modes L, LA, RGB and RGBA; gray ones of 16 bits I;16, and others of 16 bits, for which Pillow has no modes, are
rounded to 8. `info` has "model" (its id, "" for pictures stored without loss), "stored" and "bit_depth" (8 or 16, of the file), and, where the file has them,
"icc_profile", "exif" and "xmp", so that `getexif`, `getxmp` and `ImageOps.exif_transpose` work. What the library has against a file is an OSError of `load`.

`Image.save` takes the arguments of `neuralcodec.encode`: quality, target_size, target_psnr, model, threads, max_pixels, max_memory, progress and alpha; and, as
Pillow's own formats do, icc_profile (by default that of `info`), exif (bytes or an `Image.Exif`) and xmp, which are not kept by themselves. Others are ignored.
The modes above are coded as they are, 1 as L, and P, CMYK, YCbCr, LAB and HSV as RGB, with alpha if they have transparency. The modes I and F are refused with an
OSError: convert them first.
"""

from __future__ import annotations

from typing import IO, Any

from PIL import Image, ImageFile

from . import Error, decode, encode, read_info, read_metadata

_SIGNATURE = b"\x8eNIC\r\n\x1a\n"
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""By the number of channels."""
_GRAY_16 = ("I;16", "I;16L", "I;16B", "I;16N")
_OPTIONS = ("quality", "target_size", "target_psnr", "model", "threads", "max_pixels", "max_memory", "progress", "alpha")


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(_SIGNATURE)


class NICImageFile(ImageFile.ImageFile):
    format = "NIC"
    format_description = "libneuralcodec picture"

    def _open(self) -> None:
        assert self.fp is not None
        file = self.fp.read()
        try:
            info, metadata = read_info(file), read_metadata(file)
        except Error as error:
            raise SyntaxError(str(error)) from error  # Pillow's word for a file that a plugin cannot open
        self._size = (info.width, info.height)
        self._mode = "I;16" if (info.channels, info.bit_depth) == (1, 16) else _MODES[info.channels]
        self.info.update(model=info.model_id, stored=info.stored, bit_depth=info.bit_depth)
        # With the six bytes that Pillow's JPEG files begin their Exif with.
        exif = metadata.exif and b"Exif\0\0" + metadata.exif
        self.info.update({name: content for name, content in (("icc_profile", metadata.icc), ("exif", exif), ("xmp", metadata.xmp)) if content})
        self.tile = [("neuralcodec", (0, 0, *self.size), 0, (self.mode,))]


class _Decoder(ImageFile.PyDecoder):
    """Reads the whole file itself."""

    _pulls_fd = True

    def decode(self, buffer: Any) -> tuple[int, int]:
        assert self.fd is not None
        (mode,) = self.args
        gray_16 = mode == "I;16"
        try:
            pixels = decode(self.fd.read(), bit_depth=None if gray_16 else 8)
        except Error as error:
            raise OSError(str(error)) from error
        # I;16 is little-endian everywhere.
        self.set_as_raw((pixels.astype("<u2", copy=False) if gray_16 else pixels).tobytes(), mode)
        return -1, 0  # done, without an error


def _coded_mode(picture: Image.Image) -> str:
    """The mode that the picture is coded in; OSError if there is none."""
    transparent = picture.has_transparency_data
    if picture.mode in ("1", "L", "LA", "La"):
        return "LA" if transparent else "L"
    if picture.mode in _GRAY_16 and not transparent:
        return picture.mode
    if picture.mode in ("P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "LAB", "HSV"):
        return "RGBA" if transparent else "RGB"
    raise OSError(f"cannot write mode {picture.mode}{' with transparency' if transparent else ''} as NIC")


def _save(picture: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    given = picture.encoderinfo
    options = {name: given[name] for name in _OPTIONS if name in given}
    # A profile of other colours than are coded is of no use.
    own_profile = None if picture.mode in ("CMYK", "YCbCr", "LAB", "HSV") else picture.info.get("icc_profile")
    exif = given.get("exif")
    mode = _coded_mode(picture)
    file.write(
        encode(
            picture if picture.mode == mode else picture.convert(mode),
            icc=given.get("icc_profile", own_profile) or None,
            exif=(exif.tobytes() if isinstance(exif, Image.Exif) else exif) or None,
            xmp=given.get("xmp") or None,
            **options,
        )
    )


Image.register_open(NICImageFile.format, NICImageFile, _accept)
Image.register_save(NICImageFile.format, _save)
Image.register_decoder("neuralcodec", _Decoder)
Image.register_extension(NICImageFile.format, ".nic")
Image.register_mime(NICImageFile.format, "image/x-nic")
