# SPDX-License-Identifier: Apache-2.0
"""A learned image codec: numpy arrays to .nic files and back. Also quantizers of vectors: lattices, scalar grids, codebooks (`Quantizer`).

>>> import numpy as np, neuralcodec
>>> picture = np.zeros((48, 64, 3), np.uint8)
>>> file = neuralcodec.encode(picture, quality=75)
>>> neuralcodec.decode(file).shape
(48, 64, 3)

The same picture, model and options give the same bytes, and the same file the same pixels, on every machine and with any number of threads.
Every function may be called from several threads at once; the interpreter lock is released while the library works.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np

from . import _native
from ._native import (
    BadModelError,
    BadStreamError,
    CancelledError,
    DecoderMismatchError,
    Error,
    LimitError,
    Model,
    ModelNotFoundError,
    TargetUnreachableError,
    UnsupportedError,
    cpu_info,
)
from .analysis import Analysis, _analysis
from .learning import LatticeFigures, LatticeReport
from .quantizers import Quantizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._native import _Buffer

    _Out = TypeVar("_Out")

__version__: str = _native.version()

__all__ = [
    "Analysis", "BadModelError", "BadStreamError", "CancelledError", "DecoderMismatchError", "Error", "Info", "LatticeFigures", "LatticeReport",
    "LimitError", "Metadata", "Model", "ModelNotFoundError", "Quantizer", "TargetUnreachableError", "UnsupportedError", "__version__", "analyze",
    "cpu_info", "decode", "encode", "read_info", "read_metadata",
]  # fmt: skip


@dataclass(frozen=True)
class Info:
    """What a file says of itself. For a file that needs no model (`stored`), `model_id` and `model_hash` are empty."""

    width: int
    height: int
    channels: int
    """1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha."""
    bit_depth: int
    """Of a sample: 8 or 16."""
    model_id: str
    model_hash: str
    """First 16 hexadecimal digits of `Model.hash`."""
    rate_parameter: int
    stored: bool
    format_version: int
    arithmetic_version: int
    payload_size: int
    alpha: bool
    alpha_size: int
    """Bytes of the coded alpha channel."""
    orientation: int
    """1 to 8 as Exif numbers them; 1, upright, where the file does not say. Pixels are never turned by the library."""
    icc_size: int
    exif_size: int
    xmp_size: int
    """Bytes of the metadata (`read_metadata`); 0: not there."""


@dataclass(frozen=True)
class Metadata:
    """What a file holds beside its pixels, byte for byte; None where it has none."""

    icc: bytes | None = None
    """ICC colour profile."""
    exif: bytes | None = None
    """Exif from its TIFF header on, without the six bytes ``Exif\\0\\0`` before it."""
    xmp: bytes | None = None
    """XMP packet: XML in UTF-8."""


_PILLOW_MODES = ("L", "LA", "RGB", "RGBA", "I;16", "I;16L", "I;16B", "I;16N")


def _pixels(image: Any) -> NDArray[Any]:
    """The image as a uint8 or uint16 array whose rows have no gaps, copied only where it must be."""
    pillow = sys.modules.get("PIL.Image")
    if pillow and isinstance(image, pillow.Image) and image.mode not in _PILLOW_MODES:
        raise UnsupportedError(f"image is a Pillow image of mode {image.mode}: convert it to L, LA, RGB, RGBA or I;16 first")
    array = np.asarray(image)
    if array.dtype not in (np.uint8, np.uint16, np.dtype(np.uint16).newbyteorder()):
        raise TypeError(f"image must have the type uint8 or uint16, not {array.dtype}")
    if not array.dtype.isnative:
        array = array.astype(np.uint16)
    if array.ndim not in (2, 3):
        raise ValueError(f"image must have the shape (H, W) or (H, W, 1...4), not {array.shape}")
    whole_rows = array.size > 0 and array[0].flags.c_contiguous and array.strides[0] >= array[0].nbytes
    return array if whole_rows else np.ascontiguousarray(array)


def _without_alpha(alpha: str) -> bool:
    if alpha not in ("lossless", "none"):
        raise ValueError(f"alpha must be 'lossless' or 'none', not {alpha!r}")
    return alpha == "none"


def _tiff(exif: _Buffer | None) -> _Buffer | None:
    """Exif without what stands before its TIFF header in JPEG files, and in Pillow."""
    return bytes(exif)[6:] if exif is not None and bytes(memoryview(exif)[:6]) == b"Exif\0\0" else exif


def encode(
    image: Any,
    quality: float | None = None,
    *,
    target_size: int | None = None,
    target_psnr: float | None = None,
    model: Model | None = None,
    threads: int = 0,
    max_pixels: int | None = None,
    max_memory: int | None = None,
    progress: Callable[[float], object] | None = None,
    alpha: str = "lossless",
    icc: _Buffer | None = None,
    exif: _Buffer | None = None,
    xmp: _Buffer | None = None,
) -> bytes:
    """Encodes a picture as the bytes of a .nic file.

    image: uint8 or uint16, of shape (H, W), (H, W, 1) gray, (H, W, 2) gray and alpha, (H, W, 3) RGB or (H, W, 4) RGB and alpha: an array, a memoryview, a
        Pillow image, or anything else `numpy.asarray` takes. Alpha is straight, not multiplied into the colours.
    At most one of:
      quality: 0 (smallest) to 100 (best); 75 when no target is given.
      target_size: bytes of the whole file, never exceeded.
      target_psnr: dB over all colour samples, the peak being 255 or 65535; the smallest file that reaches it.
    model: None is the model inside the library.
    threads: 0 is all cores; does not change the bytes.
    max_pixels, max_memory: limits, 2^28 pixels and 4 GiB of working memory by default; 0 is no limit.
    progress: called in this thread with the fraction done, 0 to 1. Returning False cancels, and an exception ends the call and is passed on.
    alpha: 'lossless' keeps an alpha channel exactly, 'none' leaves it out.
    icc, exif, xmp: metadata to keep, byte for byte, up to 16 MiB each; it counts in target_size. Exif may begin with b"Exif\\0\\0", which is dropped.

    >>> ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    >>> encode(ramp) == encode(ramp, 75, threads=1)
    True
    >>> len(encode(ramp, target_size=400)) <= 400
    True
    >>> encode(ramp, 75, target_size=400)
    Traceback (most recent call last):
        ...
    ValueError: ...
    """
    return _native.encode(
        _pixels(image), quality=quality, target_size=target_size, target_psnr=target_psnr, model=model, threads=threads,
        max_pixels=max_pixels, max_memory=max_memory, progress=progress, without_alpha=_without_alpha(alpha), icc=icc, exif=_tiff(exif), xmp=xmp,
    )  # fmt: skip


@overload
def decode(
    data: _Buffer, *, model: Model | None = ..., threads: int = ..., out: None = ..., max_pixels: int | None = ..., max_memory: int | None = ...,
    progress: Callable[[float], object] | None = ..., alpha: str = ..., bit_depth: int | None = ...,
) -> NDArray[Any]: ...  # fmt: skip


@overload
def decode(
    data: _Buffer, *, model: Model | None = ..., threads: int = ..., out: _Out, max_pixels: int | None = ..., max_memory: int | None = ...,
    progress: Callable[[float], object] | None = ..., alpha: str = ..., bit_depth: int | None = ...,
) -> _Out: ...  # fmt: skip


def decode(
    data: Any,
    *,
    model: Model | None = None,
    threads: int = 0,
    out: Any = None,
    max_pixels: int | None = None,
    max_memory: int | None = None,
    progress: Callable[[float], object] | None = None,
    alpha: str = "lossless",
    bit_depth: int | None = None,
) -> Any:
    """Decodes a .nic file to a uint8 or uint16 array of shape (H, W, C): C is 1 for gray, 2 for gray and alpha, 3 for RGB, 4 for RGB and alpha.

    data: the file, in anything bytes-like.
    model: None is the model the file names, looked for in the library and then as `Model` does.
    threads: 0 is all cores; does not change the pixels.
    out: a writable buffer of the picture's type and shape to decode into and to return, with gaps between its rows if you like (a part of a larger
        array); bytes in the gaps are not touched. After an error its pixels are undefined.
    max_pixels, max_memory, progress: as for `encode`.
    alpha: 'none' leaves out an alpha channel.
    bit_depth: None is the file's; 8 scales samples of 16 bits to 8, rounded.

    >>> file = encode(np.full((2, 3), 128, np.uint8))
    >>> decode(file).shape
    (2, 3, 1)
    >>> canvas = np.zeros((10, 10), np.uint8)
    >>> part = decode(file, out=canvas[4:6, 5:8])
    >>> decode(file[:20])
    Traceback (most recent call last):
        ...
    neuralcodec.BadStreamError: ...
    """
    answer = _native.decode(
        data, model=model, threads=threads, out=out, max_pixels=max_pixels, max_memory=max_memory, progress=progress,
        without_alpha=_without_alpha(alpha), bit_depth=bit_depth,
    )  # fmt: skip
    return np.asarray(answer) if out is None else out


def analyze(
    image: Any,
    quality: float | None = None,
    *,
    model: Model | None = None,
    window: int = 5,
    threads: int = 0,
    max_pixels: int | None = None,
    max_memory: int | None = None,
    progress: Callable[[float], object] | None = None,
) -> Analysis:
    """Finds what a model leaves to code in a picture: its latents, the means and scales predicted of them, the spatial correlation that is left when these
    are taken out, and the bits of each latent.

    image, model, threads, max_pixels, max_memory, progress: as for `encode`. Alpha is no part of the analysis.
    quality: 0 (smallest) to 100 (best); None: 75. No matter to a model of one rate.
    window: side of the correlation maps in latents: odd, 3 to 31.

    A model with a factorized prior has no means and scales: UnsupportedError.

    >>> found = analyze(np.arange(64 * 96, dtype=np.uint16).reshape(64, 96), window=3)
    >>> found.latent.shape[1:], found.correlation_map.shape
    ((4, 8), (3, 3))
    >>> bool(np.isclose(found.channel_bpp.sum(), found.bpp))
    True
    """
    return _analysis(
        _native.analyze(
            _pixels(image), quality=quality, model=model, window=window, threads=threads, max_pixels=max_pixels, max_memory=max_memory, progress=progress,
        )
    )  # fmt: skip


def read_info(data: _Buffer) -> Info:
    """Reads the header of a .nic file without decoding it.

    >>> info = read_info(encode(np.zeros((2, 3, 3), np.uint8)))
    >>> info.width, info.height, info.channels, info.bit_depth
    (3, 2, 3, 8)
    """
    return Info(**_native.read_info(data))


def read_metadata(data: _Buffer) -> Metadata:
    """Reads ICC profile, Exif and XMP of a .nic file without decoding it.

    >>> read_metadata(encode(np.zeros((2, 3, 3), np.uint8), xmp=b"<x:xmpmeta/>")).xmp
    b'<x:xmpmeta/>'
    """
    return Metadata(**_native.read_metadata(data))
