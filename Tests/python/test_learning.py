# SPDX-License-Identifier: Apache-2.0
"""neuralcodec.Quantizer.learn, and the example that draws its cells."""

import copy
import pickle
import re
import subprocess
import sys

import neuralcodec
import numpy as np
import pytest
from neuralcodec import LatticeFigures, LatticeReport, Quantizer
from PIL import Image

SLANT = np.array([[5, 4.5], [0, 5]])
A2 = 5 / (36 * np.sqrt(3))


@pytest.fixture
def random():
    return np.random.default_rng(1)


@pytest.fixture
def slanted(random):
    return (random.normal(size=(3000, 2)) @ SLANT).astype(np.float32)


def saved(report, figures):
    """Bits a value against scalars, at equal distortion."""
    return report.scalar.rate - figures.rate + 0.5 * np.log2(report.scalar.distortion / figures.distortion)


@pytest.mark.parametrize("search", ["babai", "nearest-plane"])
@pytest.mark.parametrize("starts", [1, 4])
def test_rounding_gains_by_decorrelation(slanted, search, starts):
    q = Quantizer.learn(slanted, search=search, starts=starts)
    report = q.report
    assert type(q) is Quantizer and type(report) is LatticeReport and type(report.scalar) is LatticeFigures and q.name == "basis"
    correlation = np.corrcoef(slanted.T)[0, 1]
    assert saved(report, getattr(report, search.replace("-", "_"))) == pytest.approx(-0.25 * np.log2(1 - correlation**2), abs=0.05)
    assert abs(np.linalg.det(q.basis.astype(float))) == pytest.approx(1, abs=1e-5)
    assert (report.samples, report.held_out) == (2400, 600) and report.start in ("identity", "principal axes", "random")
    assert report.orthogonality_defect >= 1 and 1 <= report.condition <= 10 and report.scalar.nsm == pytest.approx(1 / 12)
    assert report.objective < report.scalar_objective - 0.15


def test_figures_are_those_of_the_quantizers(slanted):
    q = Quantizer.learn(slanted, scale=0.7)
    held = slanted[4::5]
    for search, figures in (("babai", q.report.babai), ("nearest-plane", q.report.nearest_plane), ("exact", q.report.exact)):
        points, indices = Quantizer(basis=q.basis, search=search).quantize(held)
        assert figures.distortion == pytest.approx(np.mean((held - points.astype(float)) ** 2), rel=1e-6)
        entropies = []
        for column in indices.T:
            share = np.unique(column, return_counts=True)[1] / len(held)
            entropies.append(-(share * np.log2(share)).sum() + (len(share) - 1) / (2 * len(held) * np.log(2)))
        assert figures.rate == pytest.approx(np.mean(entropies), abs=1e-9)
    assert q.report.objective == pytest.approx(q.report.babai.rate + 6 / np.log(2) * q.report.babai.distortion / 0.7**2)
    assert q.nsm == pytest.approx(q.report.babai.nsm, rel=1e-5)


def test_exact_search_fills_space(random):
    q = Quantizer.learn(random.normal(0, 5, (3000, 2)), search="exact", classical_start=False, starts=2)
    gram = q.basis.astype(float) @ q.basis.astype(float).T
    # The hexagonal lattice of area 1: both rows of length sqrt(2 / sqrt 3), at 60 degrees.
    assert np.diag(gram) == pytest.approx(2 / np.sqrt(3), rel=0.05) and abs(gram[0, 1]) == pytest.approx(1 / np.sqrt(3), rel=0.1)
    uniform = random.uniform(size=(400000, 2)) @ q.basis
    measured = np.mean((uniform - q.quantize(uniform, return_indices=False)) ** 2)
    assert A2 - 3e-4 < measured < A2 + 6e-4 and q.report.exact.nsm == pytest.approx(measured, abs=1.2e-3) and q.nsm is None
    classical = Quantizer.learn(random.normal(0, 3, (1000, 4)), search="exact", starts=2, steps=5)
    assert classical.report.start == "classical" and classical.report.exact.nsm == pytest.approx(0.0766, abs=1e-3)


def test_hard_constraint_is_a_linear_layer(random):
    samples = random.normal(size=(2000, 4)) @ np.triu(np.full((4, 4), 3.0))
    q = Quantizer.learn(samples, scale=0.5, orthogonality="hard", steps=100)
    rows = q.basis.astype(float) / 0.5
    assert np.allclose(rows @ rows.T, np.eye(4), atol=1e-6)
    points, indices = q.quantize(samples)
    layer = samples.astype(np.float32).astype(float) @ rows.T
    same = (indices == Quantizer("scalar", 4, scale=0.5).quantize(layer)[1]).all(axis=1)
    assert same.mean() > 0.995
    assert np.allclose(Quantizer("scalar", 4, scale=0.5).quantize(layer, return_indices=False)[same] @ rows, points[same], atol=1e-4)


def test_products_and_other_types(slanted):
    one = Quantizer.learn(slanted, steps=30)
    for samples in (slanted.reshape(-1, 4), slanted.reshape(30, 50, 4), slanted.astype(float).reshape(-1, 2)):
        assert np.array_equal(Quantizer.learn(samples, 2, steps=30).basis, one.basis)
    assert Quantizer.learn(slanted.reshape(-1, 4), steps=2).dimension == 4


def test_seed_and_threads(slanted):
    options = {"search": "exact", "steps": 30, "classical_start": False}
    one = Quantizer.learn(slanted, **options)
    for threads in (1, 2, 7):
        other = Quantizer.learn(slanted, threads=threads, **options)
        assert np.array_equal(other.basis, one.basis) and other.report == one.report
    assert not np.array_equal(Quantizer.learn(slanted, seed=2, **options).basis, one.basis)


def test_options_reach_the_library(slanted):
    basis = Quantizer.learn(slanted, steps=40).basis
    for options in ({"lam": 1}, {"orthogonality": "hard"}, {"model": "laplace"}, {"batch": 16}, {"learning_rate": 0.1}, {"scale": 2}, {"orthogonality_weight": 100}):
        assert not np.array_equal(Quantizer.learn(slanted, steps=40, starts=1, **options).basis, Quantizer.learn(slanted, steps=40, starts=1).basis), options
    assert np.array_equal(Quantizer.learn(slanted, steps=40, lam=6 / np.log(2), orthogonality="penalty", orthogonality_weight=0.1, condition_limit=10).basis, basis)
    assert Quantizer.learn(slanted, orthogonality="none", condition_limit=1.01, starts=1).report.condition <= 1.01 + 1e-5


@pytest.mark.parametrize("scale", [1, 0.7, 1 / 3, 1e-3 * 5, 3.3333])
def test_pickle_and_copy(slanted, scale):
    q = Quantizer.learn(slanted, scale=scale, search="exact", node_limit=20, steps=5)
    for other in (pickle.loads(pickle.dumps(q)), copy.copy(q), copy.deepcopy(q)):
        assert np.array_equal(other.basis, q.basis) and (other.scale, other.report, repr(other)) == (q.scale, q.report, repr(q))
        assert all(np.array_equal(a, b) for a, b in zip(q.quantize(slanted), other.quantize(slanted), strict=True))
    assert Quantizer("e8").report is None and Quantizer(basis=np.eye(2)).report is None
    with pytest.raises(AttributeError):
        q.report = None


def test_progress_and_cancelling(slanted):
    fractions = []
    Quantizer.learn(slanted, steps=10, starts=2, progress=fractions.append)
    assert fractions == sorted(set(fractions)) and fractions[-1] == 1 and len(fractions) == 21
    calls = []
    with pytest.raises(neuralcodec.CancelledError):
        Quantizer.learn(slanted, progress=lambda fraction: calls.append(fraction) or len(calls) < 5)
    assert len(calls) == 5
    with pytest.raises(ZeroDivisionError):
        Quantizer.learn(slanted, progress=lambda _: 1 / 0)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"samples": np.zeros(100)}, ValueError, "two axes"), ({"samples": np.zeros((100, 0))}, ValueError, "multiple of 0"),
        ({"samples": np.zeros((1000, 65))}, ValueError, "65 dimensions"), ({"samples": np.zeros((15, 2))}, ValueError, "15 samples are too few"),
        ({"samples": np.zeros((100, 5)), "dimension": 2}, ValueError, "multiple of 2"), ({"dimension": 0}, ValueError, "multiple of 0"),
        ({"dimension": 2.0}, TypeError, "float"), ({"samples": [["a", "b"]] * 100}, TypeError, "real numbers"),
        ({"samples": np.full((100, 2), np.nan)}, ValueError, "in sample 0 is not finite"), ({"samples": np.full((100, 2), 1e39)}, ValueError, "not finite"),
        ({"samples": np.full((100, 2), 1e6)}, ValueError, "2\\^16 times the scale"), ({"scale": 0}, ValueError, "scale of 0"), ({"scale": "1"}, TypeError, "str"),
        ({"search": "best"}, ValueError, "search must be one of babai, nearest-plane, exact"), ({"orthogonality": "soft"}, ValueError, "none, penalty, hard"),
        ({"model": "cauchy"}, ValueError, "gaussian, laplace"), ({"search": None}, ValueError, "search must be"), ({"node_limit": -1}, ValueError, "node_limit"),
        ({"lam": 0}, ValueError, "lambda of 0"), ({"lam": float("nan")}, ValueError, "lam must be a number"), ({"lam": "x"}, TypeError, "str"),
        ({"orthogonality_weight": -1}, ValueError, "orthogonality weight"), ({"condition_limit": 1}, ValueError, "condition limit"),
        ({"learning_rate": 0}, ValueError, "rate of learning"), ({"learning_rate": float("nan")}, ValueError, "rate of learning"),
        ({"steps": 0}, ValueError, "steps"), ({"steps": 2.5}, TypeError, "float"), ({"steps": 2**31}, ValueError, "steps"), ({"batch": 0}, ValueError, "batch"),
        ({"batch": 2**20}, ValueError, "batch"), ({"starts": 0}, ValueError, "starts"), ({"starts": 1000}, ValueError, "starts"), ({"seed": -1}, ValueError, "seed"),
        ({"threads": 2000}, ValueError, "threads"), ({"progress": 3}, TypeError, "callable"),
        ({"orthogonality": "hard", "orthogonality_weight": 1}, ValueError, "is for orthogonality='penalty'"),
        ({"search": "exact", "orthogonality": "hard"}, ValueError, "leaves the exact search nothing"),
    ],
)  # fmt: skip
def test_wrong_arguments(options, error, match, slanted):
    arguments = {"samples": slanted} | options
    with pytest.raises(error, match=match):
        Quantizer.learn(arguments.pop("samples"), **arguments)


def test_example_draws_cells(repository, tmp_path):
    picture = tmp_path / "cells.png"
    command = [sys.executable, repository / "examples" / "voronoi.py", picture, "--size", "120", "--samples", "4000"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    apart = [float(text) for text in re.findall(r"bits apart ([\d.]+)", result.stdout)]
    errors = [float(text) for text in re.findall(r"error ([\d.]+)", result.stdout)]
    assert len(apart) == len(errors) == 4 and apart[2] < apart[0] - 0.1 and errors[3] < 0.98 * errors[0]
    with Image.open(picture) as image:
        assert image.size == (248, 328) and len(image.getcolors(1 << 24)) > 5
