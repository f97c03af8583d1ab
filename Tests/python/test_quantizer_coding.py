# SPDX-License-Identifier: Apache-2.0
"""Quantizer.rate, encode and decode against the real library."""

import pickle
import sys
import threading

import neuralcodec
import numpy as np
import pytest
from neuralcodec import Quantizer

SKEWED = np.array([[1, 0, 0], [0.6, 0.9, 0], [-0.4, 0.3, 0.7]])
CODED = [("scalar", 1), ("zn", 4), ("a2", 2), ("an", 3), ("d4", 4), ("dn", 5), ("e8", 8), ("barnes-wall", 16), ("leech", 24)]
coded = pytest.mark.parametrize(("name", "n"), CODED)


@pytest.fixture
def random():
    return np.random.default_rng(1)


@coded
def test_round_trip_and_size(name, n, random):
    q = Quantizer(name, n, scale=0.4)
    indices = q.quantize(random.normal(size=(100_000 // n, n)))[1]
    data = q.encode(indices, 1)
    back = q.decode(data, 1, indices.shape)
    assert type(data) is bytes and back.dtype == np.int32 and np.array_equal(back, indices)
    rate = q.rate(indices, 1)
    assert type(rate) is float and abs(8 * len(data) / rate - 1) < 0.005
    each = q.rate(indices, 1, per_vector=True)
    assert each.shape == (len(indices), 1) and each.dtype == np.float64 and each.sum() == pytest.approx(rate)


@pytest.mark.parametrize("search", ["babai", "nearest-plane", "exact"])
def test_basis(search, random):
    """Whatever the search, small steps cost the entropy of the vectors less the logarithm of the volume."""
    correlation = np.array([[1, 0.8, 0.3], [0.8, 1, 0.5], [0.3, 0.5, 1]])
    x = random.normal(size=(20000, 3)) @ np.linalg.cholesky(correlation).T * [1, 2, 0.5]
    q = Quantizer(basis=SKEWED, scale=0.05, search=search, correlation=correlation)
    indices, scales = q.quantize(x)[1], [1, 2, 0.5]
    data, rate = q.encode(indices, scales), q.rate(indices, scales)
    assert np.array_equal(q.decode(data, scales, 20000), indices) and abs(8 * len(data) / rate - 1) < 0.005
    entropy = 1.5 * np.log2(2 * np.pi * np.e) + 0.5 * np.log2(np.linalg.det(correlation))
    assert rate / len(indices) == pytest.approx(entropy - np.log2(q.volume), abs=0.03)
    assert Quantizer(basis=SKEWED, scale=0.05, search=search).rate(indices, scales) > rate + 0.2 * len(x)


def test_an_orthogonal_basis_costs_what_scalars_do(random):
    x, scales = random.normal(size=(2000, 4)) * [1, 2, 3, 0.3], [1, 2, 3, 0.3]
    q, scalar = Quantizer(basis=np.eye(4), scale=0.5), Quantizer("zn", 4, scale=0.5)
    assert q.rate(q.quantize(x)[1], scales) == pytest.approx(scalar.rate(scalar.quantize(x)[1], scales), rel=1e-9)


def test_correlation():
    correlation = np.array([[1, 0.5], [0.5, 1]])
    q = Quantizer(basis=np.eye(2), correlation=correlation)
    assert q.correlation.dtype == np.float32 and np.array_equal(q.correlation, correlation)
    assert np.array_equal(Quantizer("e8").correlation, np.eye(8)) and np.array_equal(Quantizer(basis=np.eye(3)).correlation, np.eye(3))
    assert Quantizer(codebook=np.eye(2)).correlation is None
    again = pickle.loads(pickle.dumps(q))
    assert np.array_equal(again.correlation, q.correlation) and again.encode([[5, 4]], 3) == q.encode([[5, 4]], 3)
    with pytest.raises(ValueError, match="correlation is for a basis"):
        Quantizer("e8", correlation=np.eye(8))
    for wrong, message in ((np.eye(3), "3 columns, not 2"), (np.ones((3, 2)), "6 values, not 2 rows of 2"), (2 * np.eye(2), "diagonal"),
                           ([[1, 0.5], [0.4, 1]], "symmetric"), ([[1, 2], [2, 1]], "impossible"), ([[1, np.nan], [np.nan, 1]], "finite")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            Quantizer(basis=np.eye(2), correlation=wrong)


def test_learned_quantizers_know_the_correlation(random):
    correlation = 0.9 ** abs(np.subtract.outer(range(4), range(4)))
    x = random.normal(size=(20000, 4)) @ np.linalg.cholesky(correlation).T
    q = Quantizer.learn(x[:10000], scale=0.25, search="exact", steps=60)
    assert q.correlation == pytest.approx(correlation, abs=0.02)
    assert q.rate(q.quantize(x[10000:])[1], 1) / 40000 == pytest.approx(q.report.exact.chained_rate, abs=0.03)
    again = pickle.loads(pickle.dumps(q))
    indices = q.quantize(x)[1]
    assert again.encode(indices, 1) == q.encode(indices, 1)
    independent = Quantizer(basis=q.basis / np.float32(0.25), scale=0.25, search="exact")
    assert independent.rate(indices, 1) > q.rate(indices, 1) + 0.3 * x.size


def test_scalar_rate_is_the_entropy(random):
    """-log2 of the probabilities of a rounded Gaussian."""
    q = Quantizer("scalar", scale=2, offset=0.7)
    indices = q.quantize(0.7 + random.normal(0, 3, (200_000, 1)))[1]
    p = np.bincount(indices[:, 0] - indices.min()) / len(indices)
    entropy = -np.sum(p[p > 0] * np.log2(p[p > 0]))
    assert q.rate(indices, 3) / len(indices) == pytest.approx(entropy, rel=0.002)


def test_lattices_cost_what_scalars_of_the_same_volume_do(random):
    """At small steps the rate is the differential entropy less the logarithm of the volume: exact points, not coordinates."""
    x = random.normal(size=(3000, 48))
    for name, n in CODED:
        if name not in ("an", "dn"):
            q = Quantizer(name, n)
            q = Quantizer(name, n, scale=0.25 / q.volume ** (1 / n))
            rate = q.rate(q.quantize(x)[1], 1) / x.size
            assert rate == pytest.approx(0.5 * np.log2(2 * np.pi * np.e) + 2, abs=0.01), name


def test_shapes_of_scales(random):
    q = Quantizer("d4", scale=0.5)
    s = np.exp2(random.integers(-3, 3, size=(6, 5)))
    indices = q.quantize(np.repeat(s, 4, axis=1) * random.normal(size=(6, 20)))[1]
    data = q.encode(indices, s)  # (..., k)
    assert q.encode(indices, np.repeat(s, 4, axis=1)) == data and q.encode(indices.reshape(30, 4), s.reshape(30, 1)) == data
    assert q.encode(indices.reshape(6, 5, 4), s[:, :, None]) == data and q.encode(indices.ravel(), s.ravel()) == data
    for shape, scales in (((6, 20), s), ((6, 5, 4), s[:, :, None]), (30, s.reshape(30, 1)), ([120], s.ravel())):
        assert np.array_equal(q.decode(data, scales, shape).ravel(), indices.ravel())
    assert q.rate(indices, s, per_vector=True).shape == (6, 5) and q.rate(indices.ravel(), s.ravel(), per_vector=True).shape == (30,)
    row = np.repeat([1, 2, 4, 8, 1], 4).astype(np.float32)
    assert q.encode(indices, row) == q.encode(indices, np.broadcast_to(row, (6, 20)).astype(np.float64)) != data
    assert q.encode(indices, 2) == q.encode(indices, [2]) == q.encode(indices, np.full((6, 5), 2)) == q.encode(indices, np.float32(2))
    assert q.decode(q.encode(np.zeros((0, 4), int), 1), 1, 0).shape == (0, 4)


def test_memory_layouts_and_types(random):
    q = Quantizer("e8", scale=0.5)
    indices = q.quantize(random.normal(size=(40, 16)))[1]
    data = q.encode(indices, 1)
    assert q.encode(np.asfortranarray(indices), 1) == q.encode(indices.astype(np.int64), 1) == q.encode(indices.tolist(), 1) == data
    assert q.encode(np.repeat(indices, 2, axis=0)[::2], np.ones((40, 16))[:, ::-1]) == data
    for buffer in (bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
        assert np.array_equal(q.decode(buffer, 1, indices.shape), indices)


def test_not_a_number_counts_as_nothing(random):
    q = Quantizer("barnes-wall")
    indices = q.quantize(random.normal(size=(40, 16)))[1]
    assert q.encode(indices, np.nan) == q.encode(indices, 0) == q.encode(indices, -np.inf) != q.encode(indices, np.inf)
    assert q.encode(indices, np.inf) == q.encode(indices, 1e300)
    assert np.array_equal(q.decode(q.encode(indices, np.nan), 0, indices.shape), indices)


Q = Quantizer("e8")
ZEROS = np.zeros((5, 16), np.int32)
DATA = Q.encode(ZEROS, 1)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: Q.encode(ZEROS + 0.5, 1), TypeError, "indices must be integers"),
        (lambda: Q.encode(ZEROS[:, :12], 1), ValueError, r"\(5, 12\); the last axis must be a multiple of 8"),
        (lambda: Q.encode(np.int32(3), 1), ValueError, "the last axis"),
        (lambda: Q.encode(ZEROS.astype(np.int64) + (1 << 31), 1), ValueError, "fit int32"),
        (lambda: Q.encode(ZEROS + 10**7, 1), ValueError, "vector 0 .*too far"),
        (lambda: Q.rate(ZEROS + 10**7, 1), ValueError, "too far"),
        (lambda: Quantizer("zn").encode([[1 << 21]], 1), ValueError, "2097152 of vector 0 is beyond 1048576"),
        (lambda: Q.encode(ZEROS, np.ones(3)), ValueError, r"scales of the shape \(3,\) do not broadcast"),
        (lambda: Q.encode(ZEROS, np.ones((5, 4))), ValueError, "do not broadcast"),
        (lambda: Q.encode(ZEROS, np.ones((1, 5, 16))), ValueError, "do not broadcast"),
        (lambda: Q.encode(ZEROS, "1"), TypeError, "scales must hold real numbers"),
        (lambda: Q.encode(ZEROS, None), TypeError, "scales must hold real numbers"),
        (lambda: Q.encode(ZEROS, 1j), TypeError, "scales must hold real numbers"),
        (lambda: Q.decode("text", 1, 5), TypeError, "bytes-like"),
        (lambda: Q.decode(DATA, 1, (5, 12)), ValueError, "multiple of 8"),
        (lambda: Q.decode(DATA, 1, -1), ValueError, "negative"),
        (lambda: Q.decode(DATA, 1, "5"), TypeError, "integer"),
        (lambda: Q.decode(b"", 1, 5), neuralcodec.BadStreamError, "damaged"),
        (lambda: Q.decode(DATA[:-4], 1, (5, 16)), neuralcodec.BadStreamError, "damaged"),
        (lambda: Q.decode(DATA + b"1234", 1, (5, 16)), neuralcodec.BadStreamError, "damaged"),
        (lambda: Q.decode(DATA, 2, (5, 16)), neuralcodec.BadStreamError, "damaged"),
        (lambda: Quantizer(codebook=[[0.0], [1]]).encode([0, 1], 1), neuralcodec.UnsupportedError, "codebook"),
        (lambda: Quantizer(codebook=[[0.0, 2], [1, 3]]).rate([[0, 1]], 1), neuralcodec.UnsupportedError, "codebook"),
        (lambda: Quantizer(codebook=[[0.0], [1]]).decode(DATA, 1, 5), neuralcodec.UnsupportedError, "codebook"),
    ],
)  # fmt: skip
def test_wrong_arguments(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_many_threads(random):
    q = Quantizer("leech", scale=0.3)
    indices = q.quantize(random.normal(size=(500, 24)))[1]
    expected, results = q.encode(indices, 1), []
    fresh = Quantizer("leech", scale=0.3)  # whose coder is made by whichever comes first
    workers = [threading.Thread(target=lambda: results.append(fresh.encode(fresh.decode(expected, 1, 500), 1))) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [expected] * 8


def test_nothing_leaks():
    def work():
        Q.decode(Q.encode(ZEROS, 1), 1, (5, 16))
        Q.rate(ZEROS, 1, per_vector=True)
        for call in (
            lambda: Q.decode(DATA[:-4], scales, (5, 16)), lambda: Q._handle.encode(ZEROS, scales[:3]), lambda: Q._handle.encode(scales, ZEROS),
            lambda: Q._handle.rate(ZEROS, scales, scales), lambda: Q._handle.rate(ZEROS, scales, np.empty(3)), lambda: Q._handle.decode(DATA, ZEROS, out),
            lambda: Q._handle.decode(DATA, scales, scales), lambda: Q._handle.decode(scales, scales, out[:, :3]), lambda: Q._handle.decode("", scales, out),
        ):  # fmt: skip
            with pytest.raises((ValueError, TypeError, BufferError, neuralcodec.BadStreamError)):
                call()

    scales, out = np.ones(10, np.float32), np.empty((5, 16), np.int32)
    work()
    watched = [ZEROS, scales, out, DATA]
    references = [sys.getrefcount(thing) for thing in watched]
    for _ in range(40):
        work()
    assert [sys.getrefcount(thing) for thing in watched] == references
