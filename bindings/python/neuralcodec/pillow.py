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
model that the file names. `info` has "model" (its id, "" for pictures stored without loss) and "stored". What the library has against a file is an OSError of `load`.

`Image.save` takes the arguments of `neuralcodec.encode`: quality, target_size, target_psnr, model, threads, max_pixels, max_memory and progress; others are
ignored, as by Pillow's own formats. Modes L and RGB are coded as they are, 1 as L, and P, CMYK, YCbCr, LAB and HSV as RGB. Pictures with alpha or transparency and
those of 16 bits or more are refused with an OSError: convert them first.
"""

from __future__ import annotations

from typing import IO, Any

from PIL import Image, ImageFile

from . import Error, decode, encode, read_info

_SIGNATURE = b"\x8eNIC\r\n\x1a\n"
_MODES = {1: "L", 3: "RGB"}
"""By the number of channels."""
_CONVERTED = {"1": "L", "P": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB"}
_OPTIONS = ("quality", "target_size", "target_psnr", "model", "threads", "max_pixels", "max_memory", "progress")


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(_SIGNATURE)


class NICImageFile(ImageFile.ImageFile):
    format = "NIC"
    format_description = "libneuralcodec picture"

    def _open(self) -> None:
        assert self.fp is not None
        try:
            info = read_info(self.fp.read())
        except Error as error:
            raise SyntaxError(str(error)) from error  # Pillow's word for a file that a plugin cannot open
        self._size = (info.width, info.height)
        self._mode = _MODES[info.channels]
        self.info["model"] = info.model_id
        self.info["stored"] = info.stored
        self.tile = [("neuralcodec", (0, 0, *self.size), 0, (self.mode,))]


class _Decoder(ImageFile.PyDecoder):
    """Reads the whole file itself."""

    _pulls_fd = True

    def decode(self, buffer: Any) -> tuple[int, int]:
        assert self.fd is not None
        try:
            pixels = decode(self.fd.read())
        except Error as error:
            raise OSError(str(error)) from error
        self.set_as_raw(pixels.tobytes(), self.args[0])
        return -1, 0  # done, without an error


def _save(picture: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    options = {name: picture.encoderinfo[name] for name in _OPTIONS if name in picture.encoderinfo}
    mode = _CONVERTED.get(picture.mode, picture.mode)
    if mode not in _MODES.values() or picture.has_transparency_data:
        raise OSError(f"cannot write mode {picture.mode}{' with transparency' if picture.has_transparency_data else ''} as NIC")
    file.write(encode(picture if picture.mode == mode else picture.convert(mode), **options))


Image.register_open(NICImageFile.format, NICImageFile, _accept)
Image.register_save(NICImageFile.format, _save)
Image.register_decoder("neuralcodec", _Decoder)
Image.register_extension(NICImageFile.format, ".nic")
Image.register_mime(NICImageFile.format, "image/x-nic")
