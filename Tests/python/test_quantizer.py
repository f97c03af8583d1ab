# SPDX-License-Identifier: Apache-2.0
"""neuralcodec.Quantizer against the real library and against numpy."""

import copy
import doctest
import gc
import hashlib
import itertools
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import neuralcodec
import numpy as np
import pytest
from neuralcodec import Quantizer

NAMED = [("scalar", None, 1), ("scalar", 3, 3), ("zn", 4, 4), ("a2", None, 2), ("an", 3, 3), ("d4", None, 4), ("dn", 5, 5), ("e8", None, 8),
         ("barnes-wall", None, 16), ("leech", None, 24)]  # fmt: skip
SKEWED = np.array([[1, 0, 0], [0.6, 0.9, 0], [-0.4, 0.3, 0.7]])
named = pytest.mark.parametrize(("name", "dimension", "n"), NAMED)


@pytest.fixture
def random():
    return np.random.default_rng(1)


def everything() -> list[Quantizer]:
    """One of each kind."""
    quantizers = [Quantizer(name, dimension, scale=0.7) for name, dimension, _ in NAMED]
    quantizers.append(Quantizer("scalar", scale=0.5, offset=0.2, dead_zone=0.8))
    quantizers += [Quantizer(basis=SKEWED, search=search) for search in ("babai", "nearest-plane", "exact")]
    quantizers.append(Quantizer(codebook=(np.arange(300) * 37 % 101 - 50).reshape(50, 6) / 32, scale=0.5))
    return quantizers


# ---- Nearest points ------------------------------------------------------------------------------------------------------------------------


@named
def test_points_are_in_the_lattice_and_come_back_from_their_indices(name, dimension, n, random):
    q = Quantizer(name, dimension, scale=0.75)
    assert (q.name, q.dimension, q.index_count, q.scale, q.codewords) == (name, n, n, 0.75, None)
    x = random.normal(0, 3, (500, n)).astype(np.float32)
    points, indices = q.quantize(x)
    assert points.shape == indices.shape == x.shape and points.dtype == np.float32 and indices.dtype == np.int32
    assert np.allclose(indices @ q.basis.astype(float), points, atol=1e-4)
    assert np.array_equal(q.dequantize(indices), points)
    assert abs(abs(np.linalg.det(q.basis.astype(float))) / q.volume - 1) < 1e-5
    error = np.mean((x - points) ** 2) / q.volume ** (2 / n)
    assert error == pytest.approx(q.nsm, rel=0.12) and q.nsm <= 1 / 12


def parity(x):
    """The point of D_n closest to each row of x: Conway and Sloane, 1982."""
    near = np.rint(x)
    error = x - near
    odd = near.sum(axis=1) % 2 == 1
    at = np.abs(error).argmax(axis=1)
    rows = np.arange(len(x))[odd]
    near[rows, at[odd]] += np.where(error[rows, at[odd]] < 0, -1, 1)
    return near


def test_d4_is_the_nearest(random):
    x = random.normal(0, 5, (5000, 4)).astype(np.float32)
    assert np.array_equal(Quantizer("d4").quantize(x)[0], parity(x.astype(float)))


def test_e8_is_the_nearest(random):
    x = random.normal(0, 5, (5000, 8)).astype(np.float32)
    points = Quantizer("e8").quantize(x, return_indices=False)
    candidates = np.stack([parity(x.astype(float)), parity(x.astype(float) - 0.5) + 0.5])
    distances = ((candidates - x) ** 2).sum(axis=2)
    assert np.allclose(((points - x) ** 2).sum(axis=1), distances.min(axis=0), atol=1e-4)
    doubled = 2 * points
    assert np.array_equal(doubled, np.rint(doubled)) and not (doubled % 2 != doubled[:, :1] % 2).any() and not (points.sum(axis=1) % 2).any()


def test_exact_search_is_the_nearest(random):
    x = random.normal(0, 2, (300, 3)).astype(np.float32)
    offsets = np.array(list(itertools.product(range(-3, 4), repeat=3))) @ SKEWED
    errors = {}
    for search in ("babai", "nearest-plane", "exact"):
        q = Quantizer(basis=SKEWED, search=search)
        points, indices, proven = q.quantize(x, return_proven=True)
        assert proven.shape == (300,) and proven.dtype == bool and proven.all() == (search == "exact") and np.array_equal(q.dequantize(indices), points)
        errors[search] = ((x - points) ** 2).sum(axis=1)
        if search == "babai":
            assert np.array_equal(indices, np.rint(x @ np.linalg.inv(SKEWED)))
        if search == "exact":
            assert (((x[:, None] - (points[:, None] + offsets)) ** 2).sum(axis=2).min(axis=1) > errors["exact"] - 1e-4).all()
    assert errors["exact"].mean() < errors["nearest-plane"].mean() < errors["babai"].mean()


def test_a_node_limit_leaves_points_unproven(random):
    basis, x = random.normal(size=(20, 20)), 5 * random.normal(size=(30, 20))
    limited = Quantizer(basis=basis, search="exact", node_limit=25)
    points, proven = limited.quantize(x, return_indices=False, return_proven=True)
    assert proven.mean() < 0.5
    best = Quantizer(basis=basis, search="exact").quantize(x, return_indices=False)
    assert (((x - best) ** 2).sum(axis=1) <= ((x - points) ** 2).sum(axis=1) * (1 + 1e-5)).all()


def test_codebook(random):
    words, x = random.normal(size=(37, 5)).astype(np.float32), random.normal(size=(400, 5))
    q = Quantizer(codebook=words, scale=2)
    assert (q.name, q.dimension, q.index_count, q.volume, q.nsm, q.basis) == ("codebook", 5, 1, None, None, None)
    assert np.array_equal(q.codewords, 2 * words)
    points, indices, proven = q.quantize(x, return_proven=True)
    assert indices.shape == (400,) and proven.all()
    assert np.array_equal(indices, ((x[:, None] - 2 * words) ** 2).sum(axis=2).argmin(axis=1))
    assert np.array_equal(points, 2 * words[indices]) and np.array_equal(q.dequantize(indices), points)
    assert q.quantize(x.reshape(4, 100, 5))[1].shape == (4, 100) and q.quantize(x[0])[1].shape == ()
    assert q.dequantize(indices[3]).shape == (5,) and q.dequantize(3).shape == (5,)
    for wrong in (x.reshape(200, 10), 0.5, x[:, :4]):
        with pytest.raises(ValueError, match="last axis must be 5"):
            q.quantize(wrong)
    for wrong in ([37], [-1], [2**31 - 1]):
        with pytest.raises(ValueError, match="not in the codebook"):
            q.dequantize(wrong)


def test_scalar_offset_and_dead_zone():
    q = Quantizer("scalar", scale=2, offset=0.5, dead_zone=0.75)
    points, indices = q.quantize([0.5, 1.9, 2, 2.1, -1, -1.1, 5])
    assert indices.tolist() == [0, 0, 0, 1, 0, -1, 2] and points.tolist() == [0.5, 0.5, 0.5, 2.5, 0.5, -1.5, 4.5]
    assert q.nsm is None and q.volume == 2 and q.basis.tolist() == [[2]]


def test_ties_go_to_even():
    x = np.arange(-9, 10) / 2
    points = Quantizer("zn").quantize(x)[0]
    assert np.array_equal(points, np.rint(x)) and not np.signbit(points[points == 0]).any()


def test_values_that_are_not_finite_or_huge():
    x = np.array([np.nan, np.inf, -np.inf, 1e300, -1e30, 2.0**20, 0.4, -0.4])
    points, indices = Quantizer("zn", scale=0.5).quantize(x)
    assert indices.tolist() == [0, 2**20, -(2**20), 2**20, -(2**20), 2**20, 1, -1] and np.array_equal(points, indices / 2)
    clean = np.where(np.isnan(x), 0, np.clip(x, -(2.0**20), 2.0**20))
    e8 = Quantizer("e8")
    assert np.array_equal(e8.quantize(x)[0], e8.quantize(clean)[0])
    for search in ("babai", "nearest-plane", "exact"):
        q = Quantizer(basis=SKEWED, search=search)
        with_nan, with_zero = q.quantize([[np.nan, 3, -2], [1, np.nan, 5]])[1], q.quantize([[0, 3, -2], [1, 0, 5]])[1]
        assert np.array_equal(with_nan, with_zero) and with_nan.any()
        points, indices, proven = q.quantize([[np.inf, 0, 0], [1e38, -1e38, np.nan]], return_proven=True)
        assert np.abs(indices).max() <= 2**20 and np.isfinite(points).all() and not proven.any() and indices[0].tolist() == [2**20, 0, 0]


# ---- Arrays --------------------------------------------------------------------------------------------------------------------------------


def test_shapes_and_products(random):
    q = Quantizer("d4")
    flat = random.normal(size=(120, 4)).astype(np.float32)
    points, indices = q.quantize(flat)
    for shape in [(480,), (60, 8), (2, 3, 80), (120, 1, 4), (2, 2, 3, 40)]:
        p, i, proven = q.quantize(flat.reshape(shape), return_proven=True)
        assert p.shape == i.shape == shape and proven.shape == shape[:-1] and proven.all()
        assert np.array_equal(p.reshape(-1, 4), points) and np.array_equal(i.reshape(-1, 4), indices)
        assert q.dequantize(i).shape == shape and np.array_equal(q.dequantize(i), p)
    for shape in [(0,), (0, 4), (3, 0), (0, 8), (5, 0, 4)]:
        p, i, proven = q.quantize(np.zeros(shape), return_proven=True)
        assert p.shape == i.shape == shape and proven.shape == shape[:-1] and q.dequantize(i).shape == shape
    for shape in [(), (3,), (4, 3), (0, 5), (4, 6)]:
        with pytest.raises(ValueError, match=r"x has the shape .*multiple of 4"):
            q.quantize(np.zeros(shape))
        with pytest.raises(ValueError, match=r"indices has the shape .*multiple of 4"):
            q.dequantize(np.zeros(shape, np.int32))


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f4", "f8", ">f8", "longdouble", "i1", "u2", "i4", ">i4", "u8"])
def test_real_numbers_are_rounded_to_float32(dtype):
    x = np.arange(16).reshape(2, 8).astype(dtype)
    assert np.array_equal(Quantizer("zn").quantize(x)[0], np.arange(16).reshape(2, 8))
    assert np.array_equal(Quantizer("zn", scale=1e-3).quantize(x.astype("f8") + 1e-12)[1], 1000 * np.arange(16).reshape(2, 8))


@pytest.mark.parametrize("x", [[1j], ["1.0"], [None], [True], [[1], [2, 3]], object(), b"abcd", np.zeros(4, "M8[s]")], ids=str)
def test_other_values_are_refused(x):
    with pytest.raises((TypeError, ValueError)):
        Quantizer("zn").quantize(x)


@pytest.mark.parametrize("indices", [[1.0], [True], ["1"], [None], np.zeros(4)], ids=str)
def test_indices_are_integers(indices):
    with pytest.raises(TypeError, match="integers"):
        Quantizer("zn").dequantize(indices)


def test_integers_of_other_sizes():
    q = Quantizer("zn")
    for dtype in ("i1", "u1", "i2", ">i4", "i8", "u8"):
        assert q.dequantize(np.array([3, 5], dtype)).tolist() == [3, 5]
    for wrong in (np.int64(2**31), np.int64(-(2**31) - 1), np.uint64(2**63), np.uint32(2**31)):
        with pytest.raises(ValueError, match="int32"):
            q.dequantize(wrong.reshape(1))


def test_memory_layouts(random):
    q = Quantizer("d4")
    x = random.normal(size=(40, 12)).astype(np.float32)
    points, indices = q.quantize(x)
    wide = np.zeros((40, 20), np.float32)
    wide[:, 3:15] = x
    read_only = x.copy()
    read_only.flags.writeable = False
    unaligned = np.frombuffer(b"x" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)
    for view in (wide[:, 3:15], np.asfortranarray(x), x[::-1].copy()[::-1], read_only, unaligned, x.tolist(), memoryview(x), np.repeat(x, 2, 0)[::2]):
        p, i = q.quantize(view)
        assert np.array_equal(p, points) and np.array_equal(i, indices) and p.flags.c_contiguous
    assert np.array_equal(q.dequantize(np.asfortranarray(indices)), points) and np.array_equal(q.dequantize(indices.tolist()), points)


def test_out(random):
    q = Quantizer("e8", scale=0.3)
    x = random.normal(size=(50, 16)).astype(np.float32)
    points, indices = q.quantize(x)
    out, indices_out = np.empty_like(points), np.empty_like(indices)
    answer = q.quantize(x, out, indices_out)
    assert answer[0] is out and answer[1] is indices_out and np.array_equal(out, points) and np.array_equal(indices_out, indices)
    again = np.empty_like(points)
    assert q.dequantize(indices, out=again) is again and np.array_equal(again, points)
    assert q.quantize(x, out=again, return_indices=False) is again
    # In place, and over other parts of the same memory.
    inplace = x.copy()
    assert q.quantize(inplace, out=inplace)[0] is inplace and np.array_equal(inplace, points)
    memory = np.zeros((60, 16), np.float32)
    for shift in (-3, 3, 10):
        source, target = memory[5:55], memory[5 + shift : 55 + shift] if shift < 6 else memory[10:60]
        source[:] = x
        q.quantize(source, out=target)
        assert np.array_equal(target, points)
    source = memory[5:55]
    source[:] = x
    own = source.view(np.int32)
    assert np.array_equal(q.quantize(source, indices_out=own)[0], points) and np.array_equal(own, indices)
    assert np.array_equal(q.dequantize(own, out=source), points)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"out": np.empty((4, 8))}, TypeError, "float32, not float64"),
        ({"out": np.empty((4, 8), ">f4")}, TypeError, "float32"),
        ({"out": np.empty((4, 8), np.float32).tolist()}, TypeError, "float32, not list"),
        ({"out": np.empty((8, 4), np.float32)}, ValueError, r"\(8, 4\), not \(4, 8\)"),
        ({"out": np.empty(32, np.float32)}, ValueError, "shape"),
        ({"out": np.empty((8, 4), np.float32).T}, ValueError, "C-contiguous"),
        ({"out": np.empty((4, 16), np.float32)[:, ::2]}, ValueError, "C-contiguous"),
        ({"out": np.broadcast_to(np.float32(0), (4, 8))}, ValueError, "C-contiguous"),
        ({"out": np.zeros(129, np.uint8)[1:].view(np.float32).reshape(4, 8)}, ValueError, "aligned"),
        ({"out": np.frombuffer(bytes(128), np.float32).reshape(4, 8)}, ValueError, "writeable"),
        ({"indices_out": np.empty((4, 8), np.int64)}, TypeError, "int32, not int64"),
        ({"indices_out": np.empty((4, 8), np.uint32)}, TypeError, "int32"),
        ({"indices_out": np.empty(4, np.int32)}, ValueError, "shape"),
        ({"indices_out": np.empty((4, 8), np.int32), "return_indices": False}, ValueError, "return_indices"),
        ({"threads": -1}, ValueError, "threads"),
        ({"threads": 1025}, ValueError, "threads"),
        ({"threads": 1.5}, TypeError, "float"),
    ],
)
def test_wrong_outputs(options, error, match):
    q = Quantizer("e8")
    with pytest.raises(error, match=match):
        q.quantize(np.zeros((4, 8)), **options)
    if "out" in options:
        with pytest.raises(error, match=match):
            q.dequantize(np.zeros((4, 8), np.int32), out=options["out"])


def test_outputs_do_not_share_memory():
    memory = np.zeros(16, np.float32)
    with pytest.raises(ValueError, match="share memory"):
        Quantizer("e8").quantize(np.zeros(8), memory[:8], memory[4:12].view(np.int32))


def test_codebook_outputs(random):
    q = Quantizer(codebook=np.eye(3))
    indices = np.empty((4, 5), np.int32)
    assert q.quantize(random.normal(size=(4, 5, 3)), indices_out=indices)[1] is indices
    with pytest.raises(ValueError, match="shape"):
        q.quantize(np.zeros((4, 3)), indices_out=np.empty((4, 1), np.int32))


# ---- The same everywhere -------------------------------------------------------------------------------------------------------------------


def digest() -> str:
    """Of what all kinds of quantizers make of fixed vectors; enough of them for several threads."""
    x = (np.arange(120 * 1000, dtype=np.uint64) * 2654435761 % 2**32 // 256).astype(np.float32) / 2**20 - 8
    x[::7] = np.rint(2 * x[::7]) / 2
    x[::1001] = np.nan
    digest = hashlib.sha256()
    for q in everything():
        for array in q.quantize(x[: len(x) // q.dimension * q.dimension].reshape(-1, q.dimension)):
            digest.update(array.tobytes())
    return digest.hexdigest()[:16]


DIGEST = "215d976cdfdcc5cd"


def test_the_answers_are_the_same_on_every_path(monkeypatch):
    assert digest() == DIGEST
    tried = 0
    for isa in ("portable", "avx2", "avx512", "neon"):
        monkeypatch.setenv("NEURALCODEC_ISA", isa)
        try:
            assert digest() == DIGEST, isa
            tried += 1
        except neuralcodec.UnsupportedError:
            pass
    assert tried


def test_threads_change_nothing(random):
    x = random.normal(size=(30000, 24))
    for q in (Quantizer("leech"), Quantizer(basis=SKEWED, search="exact")):
        first = q.quantize(x, threads=1)
        for threads in (0, 2, 3, 8):
            assert all(np.array_equal(a, b) for a, b in zip(first, q.quantize(x, threads=threads), strict=True))
            assert np.array_equal(q.dequantize(first[1], threads=threads), first[0])


def test_many_python_threads(random):
    quantizers, x = everything(), random.normal(size=24 * 15 * 20)

    def work(_):
        return [q.quantize(x.reshape(-1, q.dimension))[0].tobytes() for q in quantizers]

    expected = work(0)
    with ThreadPoolExecutor(4) as pool:
        assert all(answer == expected for answer in pool.map(work, range(8)))


def test_the_interpreter_lock_is_released(random):
    q, x = Quantizer(basis=random.normal(size=(24, 24)), search="exact"), random.normal(0, 9, size=(3000, 24))
    ticks, done = 0, threading.Event()

    def work():
        q.quantize(x, threads=1)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.wait(0.001):
        ticks += 1
    thread.join()
    assert ticks > 3


# ---- Training ------------------------------------------------------------------------------------------------------------------------------


def test_training(random):
    centres = 10 * random.normal(size=(12, 3))
    samples = centres[random.integers(0, 12, 3000)] + 0.1 * random.normal(size=(3000, 3))
    fractions = []
    q = Quantizer.train_codebook(samples, 12, seed=5, progress=fractions.append)
    assert fractions == sorted(set(fractions)) and fractions[-1] == 1
    assert type(q) is Quantizer and q.codewords.shape == (12, 3) and q.name == "codebook"
    points = q.quantize(samples, return_indices=False)
    assert np.mean((samples - points) ** 2) < np.mean((samples - samples.mean(axis=0)) ** 2) / 20
    same = Quantizer.train_codebook(samples.astype(np.float32), 12, 5, threads=3)
    assert np.array_equal(q.codewords, same.codewords)
    assert not np.array_equal(q.codewords, Quantizer.train_codebook(samples, 12).codewords)
    assert np.array_equal(np.sort(Quantizer.train_codebook(samples[:12], 12).codewords, axis=0), np.sort(samples[:12].astype(np.float32), axis=0))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"size": 0}, ValueError, "size"), ({"size": 101}, ValueError, "101 codewords from 100"), ({"size": 2.5}, TypeError, "float"),
        ({"seed": -1}, ValueError, "seed"), ({"seed": 2**64}, ValueError, "seed"), ({"rounds": 0}, ValueError, "rounds"),
        ({"rounds": 2**32}, ValueError, "rounds"), ({"tolerance": -1}, ValueError, "tolerance"), ({"tolerance": float("nan")}, ValueError, "tolerance"),
        ({"tolerance": "x"}, TypeError, "str"), ({"threads": 2000}, ValueError, "threads"), ({"progress": 3}, TypeError, "callable"),
        ({"samples": np.zeros(100)}, ValueError, "two axes"), ({"samples": np.zeros((100, 0))}, ValueError, "dimension"),
        ({"samples": np.zeros((100, 513))}, ValueError, "513"), ({"samples": [["a"]]}, TypeError, "real numbers"),
        ({"progress": lambda _: False}, neuralcodec.CancelledError, "cancel"), ({"progress": lambda _: 1 / 0}, ZeroDivisionError, "division"),
    ],
)  # fmt: skip
def test_wrong_training(options, error, match, random):
    arguments = {"samples": random.normal(size=(100, 2)), "size": 4} | options
    with pytest.raises(error, match=match):
        Quantizer.train_codebook(arguments.pop("samples"), **arguments)


# ---- Construction --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({}, TypeError, "a name, a basis or a codebook"),
        ({"name": "e8", "basis": np.eye(2)}, TypeError, "only one"),
        ({"basis": np.eye(2), "codebook": np.eye(2)}, TypeError, "only one"),
        ({"name": np.eye(2)}, TypeError, "basis="),
        ({"name": "e7"}, ValueError, "'e7'; known are scalar, zn, a2"),
        ({"name": "E8"}, ValueError, "'E8'"),
        ({"name": "e8\0"}, ValueError, "null"),
        ({"name": "e8", "dimension": 7}, ValueError, "8 dimensions, not 7"),
        ({"name": "an"}, ValueError, "needs a dimension"),
        ({"name": "zn", "dimension": 65}, ValueError, "65"),
        ({"name": "zn", "dimension": -1}, ValueError, "-1"),
        ({"name": "zn", "dimension": 2.0}, TypeError, "float"),
        ({"name": "e8", "scale": 0}, ValueError, "scale of 0"),
        ({"name": "e8", "scale": -1}, ValueError, "scale"),
        ({"name": "e8", "scale": float("nan")}, ValueError, "scale"),
        ({"name": "e8", "scale": float("inf")}, ValueError, "scale"),
        ({"name": "e8", "scale": "1"}, TypeError, "str"),
        ({"name": "e8", "offset": 0.5}, ValueError, "only the quantizer 'scalar'"),
        ({"name": "scalar", "offset": float("inf")}, ValueError, "offset"),
        ({"name": "scalar", "dead_zone": -1}, ValueError, "dead zone"),
        ({"name": "e8", "search": "exact"}, ValueError, "for a basis"),
        ({"codebook": np.eye(2), "node_limit": 5}, ValueError, "for a basis"),
        ({"basis": np.eye(2), "offset": 0.5}, ValueError, "only the quantizer 'scalar'"),
        ({"basis": np.eye(2), "search": "best"}, ValueError, "babai, nearest-plane, exact"),
        ({"basis": np.eye(2), "search": "exact", "node_limit": -1}, ValueError, "node_limit"),
        ({"basis": [1, 2]}, ValueError, "two axes"),
        ({"basis": np.zeros((2, 3))}, ValueError, "as many rows as columns"),
        ({"basis": np.eye(3), "dimension": 2}, ValueError, "3 columns, not 2"),
        ({"basis": np.zeros((0, 0))}, ValueError, "0 dimensions"),
        ({"basis": np.eye(65)}, ValueError, "1 to 64"),
        ({"basis": np.ones((3, 3))}, ValueError, "singular"),
        ({"basis": [[1, np.nan], [0, 1]]}, ValueError, "not finite"),
        ({"basis": [[1, 0], [0, 1e-7]]}, ValueError, "ill-conditioned"),
        ({"basis": [["a"]]}, TypeError, "real numbers"),
        ({"codebook": np.zeros((0, 4))}, ValueError, "0 codewords"),
        ({"codebook": np.zeros((4, 0))}, ValueError, "0 values"),
        ({"codebook": np.zeros(4)}, ValueError, "two axes"),
        ({"codebook": [[np.inf]]}, ValueError, "not finite"),
        ({"codebook": np.eye(3), "scale": 0}, ValueError, "scale"),
    ],
)
def test_wrong_arguments(arguments, error, match):
    with pytest.raises(error, match=match):
        Quantizer(**arguments)


def test_basis_and_codewords_are_copies():
    basis = SKEWED.astype(np.float32)
    q = Quantizer(basis=basis, scale=2)
    basis[:] = 0
    assert np.array_equal(q.basis, 2 * SKEWED.astype(np.float32)) and q.basis is not q.basis
    q.basis[:] = 0
    assert np.array_equal(pickle.loads(pickle.dumps(q)).basis, 2 * SKEWED.astype(np.float32))


def test_pickle_and_copy(random):
    x = random.normal(size=24 * 30)
    for q in [*everything(), Quantizer.train_codebook(x.reshape(-1, 2), 20), Quantizer(basis=SKEWED, search="exact", node_limit=4)]:
        for other in (pickle.loads(pickle.dumps(q)), copy.copy(q), copy.deepcopy(q)):
            assert repr(other) == repr(q) and (other.scale, other.volume, other.nsm) == (q.scale, q.volume, q.nsm)
            for a, b in zip(q.quantize(x.reshape(-1, q.dimension)), other.quantize(x.reshape(-1, q.dimension)), strict=True):
                assert np.array_equal(a, b)


def test_properties_cannot_be_set():
    q = Quantizer("e8")
    for name in ("name", "dimension", "index_count", "scale", "volume", "nsm", "basis", "codewords", "other"):
        with pytest.raises(AttributeError):
            setattr(q, name, 1)
    assert repr(q) == "<neuralcodec.Quantizer e8, 8 dimensions, scale 1.0>" and repr(Quantizer("zn")) == "<neuralcodec.Quantizer zn, 1 dimension, scale 1.0>"
    assert "3 codewords, 2 dimensions" in repr(Quantizer(codebook=np.zeros((3, 2))))
    assert Quantizer.__module__ == "neuralcodec"


def test_nothing_leaks():
    basis, codebook, x, out, indices = SKEWED.astype(np.float32), np.eye(4, dtype=np.float32), np.zeros((8, 3), np.float32), np.empty((8, 3), np.float32), None
    indices = np.empty((8, 3), np.int32)

    def work():
        q = Quantizer(basis=basis)
        q.quantize(x, out, indices, return_proven=True)
        q.dequantize(indices, out)
        Quantizer.train_codebook(x, 4, progress=lambda _: None)
        Quantizer(codebook=codebook)
        for call in (
            lambda: Quantizer(basis=0 * basis), lambda: Quantizer("e9"), lambda: q.quantize(x, threads=-1), lambda: q.quantize(x[:, :2]),
            lambda: q._handle.quantize(x, out[1:], None, None, 0), lambda: q._handle.quantize(x, out, indices[1:], None, 0),
            lambda: q._handle.quantize(x, out, None, out, 0), lambda: q._handle.quantize(x, indices, None, None, 0),
            lambda: q._handle.quantize(x, None, None, np.empty(7, bool), 0), lambda: q._handle.dequantize(indices, out[1:], 0),
            lambda: q._handle.rows(out[:2]), lambda: Quantizer.train_codebook(x, 4, progress=lambda _: 1 / 0),
            lambda: q._handle.create_basis(basis, 4, 1.0, 0, 0), lambda: q._handle.create_codebook(None, 1, 1, 1.0),
        ):  # fmt: skip
            with pytest.raises((ValueError, TypeError, ZeroDivisionError)):
                call()

    for _ in range(3):
        work()
    gc.collect()
    watched = [basis, codebook, x, out, indices, neuralcodec._native.Quantizer]
    references = [sys.getrefcount(thing) for thing in watched]
    for _ in range(40):
        work()
    gc.collect()
    assert all(abs(a - sys.getrefcount(thing)) < 20 for a, thing in zip(references, watched, strict=True))


def test_doc_strings():
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for test in doctest.DocTestFinder(exclude_empty=True).find(Quantizer, "Quantizer", module=False, globs={"np": np, "Quantizer": Quantizer}):
        runner.run(test)
    assert runner.failures == 0 and runner.tries >= 15
