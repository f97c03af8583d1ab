# SPDX-License-Identifier: Apache-2.0
"""Lattice, scalar and codebook quantizers; see `Quantizer`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from . import _native
from .learning import LatticeReport, _report

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    _Floats = NDArray[np.float32]
    _Integers = NDArray[np.int32]
    _Booleans = NDArray[np.bool_]

_SEARCHES = {"babai": 0, "nearest-plane": 1, "exact": 2}  # nc_search
_ORTHOGONALITIES = {None: 0, "none": 1, "penalty": 2, "hard": 3}  # nc_orthogonality
_MODELS = {"gaussian": 0, "laplace": 1}  # nc_coordinate_model


def _floats(values: Any, name: str) -> _Floats:
    """As C-contiguous, aligned float32: the array itself where it is one, else a copy, rounded."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must hold real numbers, not {array.dtype}")
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite
        return np.require(array, np.float32, ["C", "A"])


def _integers(values: Any, name: str) -> _Integers:
    """As C-contiguous, aligned int32: the array itself where it is one, else a copy."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, not {array.dtype}")
    if array.dtype != np.int32 and array.size and not np.iinfo(np.int32).min <= array.min() <= array.max() <= np.iinfo(np.int32).max:
        raise ValueError(f"{name} must fit int32")
    return np.require(array, np.int32, ["C", "A"])


def _output(out: Any, name: str, dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    if not isinstance(out, np.ndarray) or out.dtype != dtype:
        raise TypeError(f"{name} must be an array of {dtype.__name__}, not {out.dtype if isinstance(out, np.ndarray) else type(out).__name__}")
    if out.shape != shape:
        raise ValueError(f"{name} has the shape {out.shape}, not {shape}")
    if not (out.flags.c_contiguous and out.flags.aligned and out.flags.writeable):
        raise ValueError(f"{name} must be C-contiguous, aligned and writeable")


class Quantizer:
    """Maps vectors to the points of a lattice, of a scalar grid or of a codebook, and to integers that index them.

    Exactly one of:
      name: "scalar", "zn", "a2", "an", "d4", "dn", "e8", "barnes-wall" (16 dimensions) or "leech" (24); dimension is for "scalar" and "zn"
        (default 1), "an" and "dn". The closest point, always.
      basis: an array (n, n), n up to 64, whose rows span a lattice. search is "babai" (rounding in that basis, the default), "nearest-plane"
        (Babai's other algorithm) or "exact" (the closest point; node_limit integers are tried for a vector at most, 0: no limit).
        correlation: an array (n, n), that of the vectors' coordinates, for the entropy coder alone (`rate`, `encode`, `decode`); None: they are
        independent.
      codebook: an array (count, n) of codewords. The closest one, always.
    scale: multiplies the points.
    offset, dead_zone: of "scalar": the point of index i is i * scale + offset, and |x - offset| <= dead_zone * scale gives index 0.

    A Quantizer is immutable, may be used by many threads at once, and can be pickled. The same vectors give the same points and indices on every
    machine and with any number of threads.

    >>> q = Quantizer("e8", scale=0.5)
    >>> x = np.random.default_rng(1).normal(size=(1000, 8))
    >>> points, indices = q.quantize(x)
    >>> points.shape, points.dtype, indices.shape, indices.dtype
    ((1000, 8), dtype('float32'), (1000, 8), dtype('int32'))
    >>> np.array_equal(q.dequantize(indices), points)
    True
    >>> np.allclose(indices @ q.basis, points)
    True
    >>> Quantizer("e7")
    Traceback (most recent call last):
        ...
    ValueError: there is no quantizer 'e7'; ...
    """

    __slots__ = ("_arguments", "_handle", "_info", "_learned")

    _handle: _native.Quantizer
    _info: _native._QuantizerInfo
    _arguments: dict[str, Any]
    _learned: LatticeReport | None

    def __init__(
        self,
        name: str | None = None,
        dimension: int | None = None,
        *,
        scale: float = 1.0,
        offset: float = 0.0,
        dead_zone: float = 0.0,
        basis: ArrayLike | None = None,
        search: Literal["babai", "nearest-plane", "exact"] | None = None,
        node_limit: int = 0,
        correlation: ArrayLike | None = None,
        codebook: ArrayLike | None = None,
    ) -> None:
        if (name is not None) + (basis is not None) + (codebook is not None) != 1:
            raise TypeError("a Quantizer needs a name, a basis or a codebook, and only one of them")
        if basis is None and (search is not None or node_limit):
            raise ValueError("search and node_limit are for a basis: the others always give the closest point")
        if basis is None and correlation is not None:
            raise ValueError("correlation is for a basis")
        if name is None and (offset or dead_zone):
            raise ValueError("only the quantizer 'scalar' has an offset and a dead zone")
        if name is not None:
            if not isinstance(name, str):
                raise TypeError(f"name must be a str, not {type(name).__name__}; a lattice by its rows is basis=, codewords are codebook=")
            handle = _native.Quantizer.create(name, dimension, scale, offset, dead_zone)
            arguments: dict[str, Any] = {"name": name, "dimension": dimension, "scale": scale, "offset": offset, "dead_zone": dead_zone}
        elif basis is not None:
            rows = _matrix(basis, "basis", dimension)
            if rows.shape[0] != rows.shape[1]:
                raise ValueError(f"basis must have as many rows as columns, not the shape {rows.shape}")
            if search is not None and search not in _SEARCHES:
                raise ValueError(f"search must be one of {', '.join(_SEARCHES)}, not {search!r}")
            matrix = None if correlation is None else _matrix(correlation, "correlation", len(rows))
            handle = _native.Quantizer.create_basis(rows, len(rows), scale, _SEARCHES[search or "babai"], node_limit, matrix)
            arguments = {
                "basis": rows.copy(), "scale": scale, "search": search, "node_limit": node_limit, "correlation": None if matrix is None else matrix.copy()
            }  # fmt: skip
        else:
            rows = _matrix(codebook, "codebook", dimension)
            handle = _native.Quantizer.create_codebook(rows, rows.shape[0], rows.shape[1], scale)
            arguments = {"codebook": rows.copy(), "scale": scale}
        self._adopt(handle, arguments)

    def _adopt(self, handle: _native.Quantizer, arguments: dict[str, Any]) -> None:
        self._handle, self._info, self._arguments, self._learned = handle, handle.info(), arguments, None

    @classmethod
    def train_codebook(
        cls,
        samples: ArrayLike,
        size: int,
        seed: int = 1,
        rounds: int = 50,
        tolerance: float = 1e-4,
        threads: int = 0,
        progress: Callable[[float], object] | None = None,
    ) -> Quantizer:
        """A Quantizer on a codebook of `size` codewords for an array (count, n) of samples, count >= size (Linde, Buzo and Gray, 1980).

        The first codewords are samples, drawn with the seed; then, round after round, each codeword becomes the mean of the samples nearest to it,
        until a round lowers the squared error by no more than tolerance of it, or after so many rounds. The same samples, size, seed, rounds and
        tolerance give the same codebook on every machine, with any number of threads. NaN counts as 0.
        progress: as for `neuralcodec.encode`.

        >>> samples = np.random.default_rng(1).normal(size=(2000, 2))
        >>> q = Quantizer.train_codebook(samples, 16)
        >>> q.codewords.shape
        (16, 2)
        >>> bool(np.mean((samples - q.quantize(samples, return_indices=False)) ** 2) < 0.12)
        True
        """
        rows = _matrix(samples, "samples", None)
        self = cls.__new__(cls)
        handle = _native.Quantizer.train_codebook(rows, rows.shape[0], rows.shape[1], size, seed, rounds, tolerance, threads, progress)
        self._adopt(handle, {})
        self._arguments = {"codebook": self.codewords}
        return self

    @classmethod
    def learn(
        cls,
        samples: ArrayLike,
        dimension: int | None = None,
        *,
        scale: float = 1.0,
        search: Literal["babai", "nearest-plane", "exact"] = "babai",
        node_limit: int = 0,
        lam: float | None = None,
        orthogonality: Literal["none", "penalty", "hard"] | None = None,
        orthogonality_weight: float | None = None,
        condition_limit: float | None = None,
        model: Literal["gaussian", "laplace"] = "gaussian",
        steps: int = 600,
        batch: int = 256,
        learning_rate: float = 0.02,
        starts: int = 4,
        classical_start: bool = True,
        seed: int = 1,
        threads: int = 0,
        progress: Callable[[float], object] | None = None,
    ) -> Quantizer:
        """A Quantizer on a lattice whose basis is learned from samples; `report` says what came of it. |det basis| is scale^n. Its entropy coder has the
        samples' `correlation`.

        samples: an array (..., k * n) of finite values within 2^16 * scale; at least 8 n vectors, and 20. Every fifth is held out, to choose and measure.
        dimension: n, 1 to 64; None is the length of the last axis.
        scale, search, node_limit: those of the Quantizer. The search decides what is descended: "babai" and "nearest-plane" the rate of the coordinates,
            each coded by itself, + lam * distortion; "exact" the error of the closest point. With Babai's searches the gain over scalars is decorrelation
            alone; only "exact" can fill space better.
        lam: bits a value that a squared error of scale^2 a value costs; None is 6 / ln 2, the slope of rate against distortion at small steps.
        orthogonality: "penalty" adds orthogonality_weight (0.1) * |B B^T - I|^2 / n; "hard" keeps the rows orthonormal, which makes the lattice a
            rotation before a scalar quantizer; None is "penalty" for "babai" and "none" for the others.
        condition_limit: greatest ratio of the basis' singular values; None is 10, and 1000 for "exact".
        model: what coordinates are taken to be like: "gaussian", or "laplace" for peaked ones with long tails.
        steps, batch, learning_rate: steps of a descent, samples of a step, and the rate of the first step, which falls to 0.
        starts: descents from the identity, the principal axes (for "exact" only where steps are large), a classical lattice ("exact" only, and if
            classical_start), random bases.
        The same samples and options give the same basis on every machine, with any number of threads.
        progress: as for `neuralcodec.encode`.

        >>> random = np.random.default_rng(1)
        >>> samples = random.normal(size=(4000, 2)) @ [[5, 4.5], [0, 5]]
        >>> q = Quantizer.learn(samples)
        >>> q.report.babai.rate < q.report.scalar.rate - 0.15 and abs(q.report.babai.distortion - 1 / 12) < 0.005
        True
        >>> q = Quantizer.learn(samples, search="exact", classical_start=False)
        >>> round(q.report.exact.nsm, 3)  # the hexagonal lattice's is 0.0802
        0.08
        """
        rows = _floats(samples, "samples")
        if rows.ndim < 2:
            raise ValueError(f"samples must have two axes or more, not the shape {rows.shape}")
        n = rows.shape[-1] if dimension is None else operator.index(dimension)
        if n < 1 or rows.shape[-1] % n:
            raise ValueError(f"samples has the shape {rows.shape}; the last axis must be a multiple of {n}, the dimension")
        for name, value, known in (("search", search, _SEARCHES), ("orthogonality", orthogonality, _ORTHOGONALITIES), ("model", model, _MODELS)):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(filter(None, known))}, not {value!r}")
        if orthogonality_weight is not None and orthogonality != "penalty" and (orthogonality is not None or search != "babai"):
            raise ValueError("orthogonality_weight is for orthogonality='penalty'")
        handle, report = _native.Quantizer.learn(
            rows, rows.size // n, n, scale, _SEARCHES[search], node_limit, _number(lam, "lam"), _ORTHOGONALITIES[orthogonality],
            _number(orthogonality_weight, "orthogonality_weight"), _MODELS[model], _number(condition_limit, "condition_limit"), learning_rate, steps, batch,
            starts, classical_start, seed, threads, progress,
        )  # fmt: skip
        self = cls.__new__(cls)
        self._adopt(handle, {})
        self._arguments = {
            "basis": _unscaled(self._rows(n), self.scale), "scale": scale, "search": search, "node_limit": node_limit, "correlation": self.correlation
        }  # fmt: skip
        self._learned = _report(report)
        return self

    @overload
    def quantize(
        self, x: ArrayLike, out: _Floats | None = ..., indices_out: _Integers | None = ..., return_indices: Literal[True] = ..., *,
        return_proven: Literal[False] = ..., threads: int = ...,
    ) -> tuple[_Floats, _Integers]: ...  # fmt: skip

    @overload
    def quantize(
        self, x: ArrayLike, out: _Floats | None = ..., indices_out: None = ..., *, return_indices: Literal[False],
        return_proven: Literal[False] = ..., threads: int = ...,
    ) -> _Floats: ...  # fmt: skip

    @overload
    def quantize(
        self, x: ArrayLike, out: _Floats | None = ..., indices_out: _Integers | None = ..., return_indices: Literal[True] = ..., *,
        return_proven: Literal[True], threads: int = ...,
    ) -> tuple[_Floats, _Integers, _Booleans]: ...  # fmt: skip

    @overload
    def quantize(
        self, x: ArrayLike, out: _Floats | None = ..., indices_out: None = ..., *, return_indices: Literal[False],
        return_proven: Literal[True], threads: int = ...,
    ) -> tuple[_Floats, _Booleans]: ...  # fmt: skip

    def quantize(
        self,
        x: ArrayLike,
        out: _Floats | None = None,
        indices_out: _Integers | None = None,
        return_indices: bool = True,
        *,
        return_proven: bool = False,
        threads: int = 0,
    ) -> Any:
        """The point of each vector, and the integers that index it: (points, indices), or points alone if return_indices is False.

        x: an array of shape (..., dimension). For all but codebooks, the last axis may hold several vectors one after the other (the lattice's
            products): (..., k * dimension). float32 is used as it is; other real numbers are rounded to float32 in a copy. NaN counts as 0, and
            coordinates are clamped to +-2^20 steps.
        points: float32, of the shape of x, in out where that is given. out may be x.
        indices: int32, in indices_out where that is given; of the shape of x, for a codebook that without the last axis.
        return_proven: also return an array of bool without the last axis: True where the points of the row are certain to be closest ones; always so
            but for a basis, where search="exact" says it unless node_limit ended the search.
        threads: 0 is all cores; does not change the result.

        >>> Quantizer("zn").quantize([0.4, 1.5, -2.6])
        (array([ 0.,  2., -3.], dtype=float32), array([ 0,  2, -3], dtype=int32))
        >>> q = Quantizer(codebook=[[0, 0], [1, 1], [0, 2]])
        >>> q.quantize([[0.2, 1.2], [1, 0.9]])[1]
        array([2, 1], dtype=int32)
        >>> Quantizer("d4").quantize(np.zeros((10, 6)))
        Traceback (most recent call last):
            ...
        ValueError: x has the shape (10, 6); the last axis must be a multiple of 4, the dimension
        """
        vectors = _floats(x, "x")
        if self._info["codewords"]:
            if vectors.shape[-1:] != (self.dimension,):
                raise ValueError(f"x has the shape {vectors.shape}; the last axis must be {self.dimension}, the dimension of the codebook")
            indices_shape = vectors.shape[:-1]
        else:
            self._check_products(vectors, "x")
            indices_shape = vectors.shape
        if out is not None:
            _output(out, "out", np.float32, vectors.shape)
        if indices_out is not None:
            if not return_indices:
                raise ValueError("indices_out is given, and return_indices is False")
            _output(indices_out, "indices_out", np.int32, indices_shape)
        # Results must not appear where vectors are still to be read: only out may be x itself.
        if (out is not None and np.may_share_memory(out, vectors) and out.ctypes.data != vectors.ctypes.data) or (
            indices_out is not None and np.may_share_memory(indices_out, vectors)
        ):
            vectors = vectors.copy()
        if out is not None and indices_out is not None and np.may_share_memory(out, indices_out):
            raise ValueError("out and indices_out share memory")
        points = np.empty(vectors.shape, np.float32) if out is None else out
        indices = None if not return_indices else np.empty(indices_shape, np.int32) if indices_out is None else indices_out
        proven = np.empty((*vectors.shape[:-1], vectors.shape[-1] // self.dimension), np.bool_) if return_proven else None
        self._handle.quantize(vectors, points, indices, proven, threads)
        answers = [points, *([] if indices is None else [indices]), *([] if proven is None else [proven.all(axis=-1)])]
        return answers[0] if len(answers) == 1 else tuple(answers)

    def dequantize(self, indices: ArrayLike, out: _Floats | None = None, *, threads: int = 0) -> _Floats:
        """The points of indices, bit for bit those that `quantize` gave with them.

        indices: integers, shaped as `quantize` returns them.
        out: a float32 array to write them to.

        >>> Quantizer("a2", scale=2).dequantize([[0, 0], [1, 1]]).shape
        (2, 2)
        """
        array = _integers(indices, "indices")
        if self._info["codewords"]:
            shape = (*array.shape, self.dimension)
        else:
            self._check_products(array, "indices")
            shape = array.shape
        if out is None:
            out = np.empty(shape, np.float32)
        else:
            _output(out, "out", np.float32, shape)
            if np.may_share_memory(out, array):
                array = array.copy()
        self._handle.dequantize(array, out, threads)
        return out

    def rate(self, indices: ArrayLike, scales: ArrayLike, *, per_vector: bool = False) -> float | NDArray[np.float64]:
        """Bits of the entropy coder's model for indices, as a float: what `encode` writes, but for 32 bytes and a few parts in 10^5.

        indices: integers, shaped as `quantize` returns them: (..., k * dimension).
        scales: standard deviations of the vectors' coordinates before they were quantized, in the units of the vectors, around 0 (of "scalar": around
            the offset); a number, or an array that broadcasts to the shape of the indices (a scale for each) or to (..., k) (one for each vector).
            NaN counts as 0. Wrong scales cost bytes, nothing else. The coordinates are taken to be independent; with a basis, to have its `correlation`.
        per_vector: return an array of the bits of each vector, of shape (..., k), instead of their sum.

        A codebook raises UnsupportedError: there is no model of its indices.

        >>> q = Quantizer("e8", scale=0.5)
        >>> x = np.random.default_rng(1).normal(size=(1000, 8))
        >>> points, indices = q.quantize(x)
        >>> 3.0 < q.rate(indices, 1) / x.size < 3.1
        True
        >>> q.rate(indices, 0.1) > q.rate(indices, 1)
        True
        >>> q.rate(indices, np.ones((1000, 1)), per_vector=True).shape
        (1000, 1)
        """
        array = self._coded(indices)
        flat = self._scales(scales, array.shape)
        if not per_vector:
            return self._handle.rate(array, flat, None)
        bits = np.empty((*array.shape[:-1], array.shape[-1] // self.dimension), np.float64)
        self._handle.rate(array, flat, bits)
        return bits

    def encode(self, indices: ArrayLike, scales: ArrayLike) -> bytes:
        """Entropy-codes indices; see `rate` for the arguments. Neither shape nor scales are part of the bytes, and no checksum: `decode` needs the same ones,
        and a quantizer that is the same in all, search and correlation included.
        The same indices, scales and quantizer give the same bytes on every machine.

        >>> q = Quantizer("leech", scale=0.2)
        >>> points, indices = q.quantize(np.random.default_rng(1).normal(size=(500, 24)))
        >>> data = q.encode(indices, 1)
        >>> np.array_equal(q.decode(data, 1, indices.shape), indices)
        True
        >>> abs(8 * len(data) / q.rate(indices, 1) - 1) < 0.01
        True
        >>> q.decode(data[:-4], 1, indices.shape)
        Traceback (most recent call last):
            ...
        neuralcodec.BadStreamError: the entropy-coded data is damaged
        """
        array = self._coded(indices)
        return self._handle.encode(array, self._scales(scales, array.shape))

    def decode(self, data: Any, scales: ArrayLike, shape: int | tuple[int, ...]) -> _Integers:
        """The indices that `encode` was given, an array of int32.

        data: bytes, or another object with a buffer. scales: as `encode` had them.
        shape: of the indices; an integer is a number of vectors, and stands for (shape, dimension).

        Raises BadStreamError where `encode` cannot have written the data for these scales and this shape. Damage may also go unnoticed, and gives
        the indices of other points: check the data where that matters.
        """
        indices = self._coded(np.empty(shape if isinstance(shape, (tuple, list)) else (shape, self.dimension), np.int32))
        self._handle.decode(data, self._scales(scales, indices.shape), indices)
        return indices

    def _coded(self, indices: ArrayLike) -> _Integers:
        if self._info["codewords"]:
            raise _native.UnsupportedError("the indices of a codebook cannot be coded: there is no model of their probabilities")
        array = _integers(indices, "indices")
        self._check_products(array, "indices")
        return array

    def _scales(self, scales: ArrayLike, shape: tuple[int, ...]) -> _Floats:
        """One for all, one for each vector, or one for each index."""
        array = _floats(scales, "scales")
        if array.size == 1 and array.ndim <= len(shape):
            return array.reshape(1)
        vectors = shape[-1] // self.dimension
        target = (*shape[:-1], vectors) if array.shape[-1] == vectors else shape
        try:
            return np.ascontiguousarray(np.broadcast_to(array, target))
        except ValueError:
            raise ValueError(f"scales of the shape {array.shape} do not broadcast to that of the indices, {shape}") from None

    def _check_products(self, array: NDArray[Any], name: str) -> None:
        if not array.ndim or array.shape[-1] % self.dimension:
            raise ValueError(f"{name} has the shape {array.shape}; the last axis must be a multiple of {self.dimension}, the dimension")

    @property
    def name(self) -> str:
        """ "e8", "scalar" and so on; "basis"; "codebook"."""
        return self._info["name"]

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._info["dimension"]

    @property
    def index_count(self) -> int:
        """Integers that index a point: dimension, or 1 for a codebook."""
        return self._info["index_count"]

    @property
    def scale(self) -> float:
        """As it is used: rounded to float32."""
        return self._info["scale"]

    @property
    def volume(self) -> float | None:
        """Volume of a cell, |det basis|; None for a codebook."""
        return None if self._info["codewords"] else self._info["volume"]

    @property
    def nsm(self) -> float | None:
        """Normalized second moment E|x - Q(x)|^2 / (n V^(2/n)) for uniform x: 1/12 for scalars; None where it is not known without measuring (a codebook,
        an exact search on a basis, a dead zone)."""
        return None if np.isnan(self._info["nsm"]) else self._info["nsm"]

    @property
    def basis(self) -> _Floats | None:
        """The rows that span the lattice at its scale, an array (n, n); None for a codebook."""
        return None if self._info["codewords"] else self._rows(self.dimension)

    @property
    def correlation(self) -> _Floats | None:
        """The correlation of the vectors' coordinates that the entropy coder counts on, an array (n, n); the unit matrix where none was given. None for a
        codebook."""
        if self._info["codewords"]:
            return None
        matrix = np.empty((self.dimension, self.dimension), np.float32)
        self._handle.correlation(matrix)
        return matrix

    @property
    def codewords(self) -> _Floats | None:
        """The codewords, an array (count, n); None for a lattice."""
        return self._rows(self._info["codewords"]) if self._info["codewords"] else None

    @property
    def report(self) -> LatticeReport | None:
        """What came of learning the lattice (`learn`); None for others."""
        return self._learned

    def _rows(self, count: int) -> _Floats:
        rows = np.empty((count, self.dimension), np.float32)
        self._handle.rows(rows)
        return rows

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self._arguments, self._learned)

    def __repr__(self) -> str:
        size = f"{self._info['codewords']} codewords, " if self._info["codewords"] else ""
        dimensions = "1 dimension" if self.dimension == 1 else f"{self.dimension} dimensions"
        return f"<neuralcodec.Quantizer {self.name}, {size}{dimensions}, scale {np.float32(self.scale)}>"


Quantizer.__module__ = "neuralcodec"


def _matrix(values: Any, name: str, dimension: int | None) -> _Floats:
    rows = _floats(values, name)
    if rows.ndim != 2:
        raise ValueError(f"{name} must have two axes, not the shape {rows.shape}")
    if dimension is not None and rows.shape[1] != dimension:
        raise ValueError(f"{name} has {rows.shape[1]} columns, not {dimension}, the dimension given")
    return rows


def _number(value: float | None, name: str) -> float:
    """NaN, which stands for the default, for None."""
    if value is None:
        return float("nan")
    if value != value:
        raise ValueError(f"{name} must be a number, not nan")
    return value


def _unscaled(rows: _Floats, scale: float) -> _Floats:
    """What gives the rows again, bit for bit, when it is multiplied with the scale: the quotient, or a neighbour of it."""
    factor = np.float32(scale)
    quotient = rows / factor
    for direction in (np.inf, -np.inf):
        near = quotient
        for _ in range(2):
            near = np.nextafter(near, np.float32(direction))
            quotient = np.where(quotient * factor == rows, quotient, near)
    return quotient


def _remade(kind: type[Quantizer], arguments: dict[str, Any], learned: LatticeReport | None = None) -> Quantizer:
    quantizer = kind(**arguments)
    quantizer._learned = learned
    return quantizer
