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
from .learning import LatticeFigures, LatticeReport
from .quantizers import Quantizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._native import _Buffer

    _Out = TypeVar("_Out")

__version__: str = _native.version()

__all__ = [
    "BadModelError", "BadStreamError", "CancelledError", "DecoderMismatchError", "Error", "Info", "LatticeFigures", "LatticeReport", "LimitError", "Model",
    "ModelNotFoundError", "Quantizer", "TargetUnreachableError", "UnsupportedError", "__version__", "cpu_info", "decode", "encode", "read_info",
]  # fmt: skip


@dataclass(frozen=True)
class Info:
    """What a file says of itself. For a file that needs no model (`stored`), `model_id` and `model_hash` are empty."""

    width: int
    height: int
    channels: int
    bit_depth: int
    model_id: str
    model_hash: str
    """First 16 hexadecimal digits of `Model.hash`."""
    rate_parameter: int
    stored: bool
    format_version: int
    arithmetic_version: int
    payload_size: int


def _pixels(image: Any) -> NDArray[np.uint8]:
    """The image as a uint8 array whose rows have no gaps, copied only where it must be."""
    pillow = sys.modules.get("PIL.Image")
    if pillow and isinstance(image, pillow.Image) and image.mode not in ("L", "RGB"):
        raise UnsupportedError(f"image is a Pillow image of mode {image.mode}: convert it to RGB or L first")
    array = np.asarray(image)
    if array.dtype == np.uint16:
        raise UnsupportedError("image has the type uint16: 16-bit samples are not supported, only uint8")
    if array.dtype != np.uint8:
        raise TypeError(f"image must have the type uint8, not {array.dtype}")
    if array.ndim not in (2, 3):
        raise ValueError(f"image must have the shape (H, W), (H, W, 1) or (H, W, 3), not {array.shape}")
    whole_rows = array.size > 0 and array[0].flags.c_contiguous and array.strides[0] >= array[0].size
    return array if whole_rows else np.ascontiguousarray(array)


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
) -> bytes:
    """Encodes a picture as the bytes of a .nic file.

    image: uint8, of shape (H, W), (H, W, 1) or (H, W, 3): an array, a memoryview, a Pillow image, or anything else `numpy.asarray` takes.
    At most one of:
      quality: 0 (smallest) to 100 (best); 75 when no target is given.
      target_size: bytes of the whole file, never exceeded.
      target_psnr: dB over all samples; the smallest file that reaches it.
    model: None is the model inside the library.
    threads: 0 is all cores; does not change the bytes.
    max_pixels, max_memory: limits, 2^28 pixels and 4 GiB of working memory by default; 0 is no limit.
    progress: called in this thread with the fraction done, 0 to 1. Returning False cancels, and an exception ends the call and is passed on.

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
        max_pixels=max_pixels, max_memory=max_memory, progress=progress,
    )  # fmt: skip


@overload
def decode(
    data: _Buffer, *, model: Model | None = ..., threads: int = ..., out: None = ..., max_pixels: int | None = ..., max_memory: int | None = ...,
    progress: Callable[[float], object] | None = ...,
) -> NDArray[np.uint8]: ...  # fmt: skip


@overload
def decode(
    data: _Buffer, *, model: Model | None = ..., threads: int = ..., out: _Out, max_pixels: int | None = ..., max_memory: int | None = ...,
    progress: Callable[[float], object] | None = ...,
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
) -> Any:
    """Decodes a .nic file to a uint8 array of shape (H, W, C), C = 1 for gray and 3 for RGB.

    data: the file, in anything bytes-like.
    model: None is the model the file names, looked for in the library and then as `Model` does.
    threads: 0 is all cores; does not change the pixels.
    out: a writable uint8 buffer of the picture's shape to decode into and to return, with gaps between its rows if you like (a part of a larger
        array); bytes in the gaps are not touched. After an error its pixels are undefined.
    max_pixels, max_memory, progress: as for `encode`.

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
    answer = _native.decode(data, model=model, threads=threads, out=out, max_pixels=max_pixels, max_memory=max_memory, progress=progress)
    return np.asarray(answer) if out is None else out


def read_info(data: _Buffer) -> Info:
    """Reads the header of a .nic file without decoding it.

    >>> info = read_info(encode(np.zeros((2, 3, 3), np.uint8)))
    >>> info.width, info.height, info.channels, info.bit_depth
    (3, 2, 3, 8)
    """
    return Info(**_native.read_info(data))
