# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from os import PathLike
from typing import Any, TypedDict, final

from numpy.typing import NDArray
from typing_extensions import Buffer

_Buffer = Buffer | NDArray[Any]  # type checkers know an array as a Buffer from Python 3.12 on only

class Error(Exception): ...
class BadStreamError(Error): ...
class ModelNotFoundError(Error): ...
class BadModelError(Error): ...
class LimitError(Error): ...
class CancelledError(Error): ...
class UnsupportedError(Error): ...
class DecoderMismatchError(Error): ...

class TargetUnreachableError(Error):
    nearest_quality: float | None
    nearest_size: int | None
    nearest_psnr: float | None

@final
class Model:
    def __new__(cls, name_or_path: str | bytes | PathLike[str] | PathLike[bytes] = ...) -> Model: ...
    @classmethod
    def from_bytes(cls, data: _Buffer, /) -> Model: ...
    @property
    def id(self) -> str: ...
    @property
    def architecture(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def hash(self) -> str: ...
    @property
    def parameters(self) -> int: ...
    @property
    def variable_rate(self) -> bool: ...

class _QuantizerInfo(TypedDict):
    name: str
    dimension: int
    index_count: int
    codewords: int
    scale: float
    volume: float
    nsm: float

class _LatticeReport(TypedDict):
    scalar: tuple[float, float, float, float]
    babai: tuple[float, float, float, float]
    nearest_plane: tuple[float, float, float, float]
    exact: tuple[float, float, float, float]
    objective: float
    scalar_objective: float
    orthogonality_defect: float
    condition: float
    error_deviation: float
    proven: float
    start: int
    samples: int
    held_out: int

class _Analysis(TypedDict):
    shape: tuple[int, int, int]
    window: int
    quality: float
    rate_parameter: int
    bpp: float
    hyper_bpp: float
    average_correlation: float
    average_correlation_quantized: float
    correlation_map: bytes
    correlation_map_quantized: bytes
    channel_bpp: bytes
    latent: bytes
    mean: bytes
    scale: bytes
    normalized: bytes
    quantized: bytes
    bits: bytes

@final
class Quantizer:
    @classmethod
    def create(cls, name: str, dimension: int | None, scale: float, offset: float, dead_zone: float, /) -> Quantizer: ...
    @classmethod
    def create_basis(
        cls, rows: _Buffer, dimension: int, scale: float, search: int, node_limit: int | None, correlation: _Buffer | None, /
    ) -> Quantizer: ...  # fmt: skip
    @classmethod
    def create_codebook(cls, rows: _Buffer, count: int, dimension: int, scale: float, /) -> Quantizer: ...
    @classmethod
    def train_codebook(
        cls, samples: _Buffer, count: int, dimension: int, size: int, seed: int | None, rounds: int | None, tolerance: float, threads: int | None,
        progress: Callable[[float], object] | None, /,
    ) -> Quantizer: ...  # fmt: skip
    @classmethod
    def learn(
        cls, samples: _Buffer, count: int, dimension: int, scale: float, search: int, node_limit: int | None, lam: float, orthogonality: int, weight: float,
        model: int, condition_limit: float, learning_rate: float, steps: int | None, batch: int | None, starts: int | None, classical_start: bool,
        seed: int | None, threads: int | None, progress: Callable[[float], object] | None, /,
    ) -> tuple[Quantizer, _LatticeReport]: ...  # fmt: skip
    def info(self) -> _QuantizerInfo: ...
    def rows(self, out: _Buffer, /) -> None: ...
    def correlation(self, out: _Buffer, /) -> None: ...
    def quantize(self, vectors: _Buffer, points: _Buffer | None, indices: _Buffer | None, proven: _Buffer | None, threads: int | None, /) -> None: ...
    def dequantize(self, indices: _Buffer, points: _Buffer, threads: int | None, /) -> None: ...
    def rate(self, indices: _Buffer, scales: _Buffer, vectors: _Buffer | None, /) -> float: ...
    def encode(self, indices: _Buffer, scales: _Buffer, /) -> bytes: ...
    def decode(self, data: _Buffer, scales: _Buffer, indices: _Buffer, /) -> None: ...

class _InfoDict(TypedDict):
    width: int
    height: int
    channels: int
    bit_depth: int
    model_id: str
    model_hash: str
    rate_parameter: int
    stored: bool
    format_version: int
    arithmetic_version: int
    payload_size: int
    alpha: bool
    alpha_size: int
    orientation: int
    icc_size: int
    exif_size: int
    xmp_size: int

class _MetadataDict(TypedDict):
    icc: bytes | None
    exif: bytes | None
    xmp: bytes | None

def encode(
    image: _Buffer,
    *,
    quality: float | None = ...,
    target_size: int | None = ...,
    target_psnr: float | None = ...,
    model: Model | None = ...,
    threads: int = ...,
    max_pixels: int | None = ...,
    max_memory: int | None = ...,
    progress: Callable[[float], object] | None = ...,
    without_alpha: bool = ...,
    icc: _Buffer | None = ...,
    exif: _Buffer | None = ...,
    xmp: _Buffer | None = ...,
) -> bytes: ...
def decode(
    data: _Buffer,
    *,
    model: Model | None = ...,
    threads: int = ...,
    out: _Buffer | None = ...,
    max_pixels: int | None = ...,
    max_memory: int | None = ...,
    progress: Callable[[float], object] | None = ...,
    without_alpha: bool = ...,
    bit_depth: int | None = ...,
) -> Any: ...
def analyze(
    image: _Buffer,
    *,
    quality: float | None = ...,
    model: Model | None = ...,
    window: int = ...,
    threads: int = ...,
    max_pixels: int | None = ...,
    max_memory: int | None = ...,
    progress: Callable[[float], object] | None = ...,
) -> _Analysis: ...
def read_info(data: _Buffer, /) -> _InfoDict: ...
def read_metadata(data: _Buffer, /) -> _MetadataDict: ...
def cpu_info() -> str: ...
def version() -> str: ...
