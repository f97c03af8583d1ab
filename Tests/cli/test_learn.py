# SPDX-License-Identifier: Apache-2.0
"""lattice learn, against the Python package."""
import os
import pty
import signal
import subprocess
import time

import neuralcodec
import numpy as np
import pytest
from staged import COMMAND


@pytest.fixture
def samples(command):
    values = (np.random.default_rng(1).normal(size=(2000, 2)) @ [[5, 4.5], [0, 5]]).astype(np.float32)
    np.save(command.path("samples.npy"), values)
    return values


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ([], {}),
        (["--search", "exact", "--no-classical-start", "--node-limit", "50"], {"search": "exact", "classical_start": False, "node_limit": 50}),
        (["--search", "nearest-plane", "--model", "laplace"], {"search": "nearest-plane", "model": "laplace"}),
        (["--orthogonality", "hard", "--scale", "0.5", "--seed", "7"], {"orthogonality": "hard", "scale": 0.5, "seed": 7}),
        (["--orthogonality", "none", "--condition-limit", "2", "--lambda", "3"], {"orthogonality": "none", "condition_limit": 2, "lam": 3}),
        (["--orthogonality-weight", "5", "--batch", "50", "--learning-rate", "0.1"], {"orthogonality_weight": 5, "batch": 50, "learning_rate": 0.1}),
        (["--dimension", "1", "--starts", "2", "--threads", "3"], {"dimension": 1, "starts": 2}),
    ],
    ids=str,
)
def test_same_as_the_package(command, samples, arguments, options):
    result = command.json("lattice", "learn", "samples.npy", "-o", "basis.npy", "--steps", "30", *arguments)
    learned = neuralcodec.Quantizer.learn(samples, steps=30, **options)
    report, basis = learned.report, np.load(command.path("basis.npy"))
    assert basis.dtype == np.float32 and np.array_equal(basis * np.float32(learned.scale), learned.basis)
    for name in ("objective", "scalar_objective", "orthogonality_defect", "condition", "error_deviation", "proven", "start", "samples", "held_out"):
        assert result[name] == getattr(report, name), name
    for name in ("scalar", "babai", "nearest_plane", "exact"):
        assert result[name] == vars(getattr(report, name))
    assert (result["dimension"], result["search"]) == (learned.dimension, options.get("search", "babai")) and command.names() == ["basis.npy", "samples.npy"]


def test_the_basis_quantizes(command, samples):
    text = command.run("lattice", "learn", "samples.npy", "--output", "basis.npy", "--scale", "0.7").stdout.decode()
    lines = text.splitlines()
    assert lines[0].split() == ["lattice", "2", "dimensions,", "for", "babai", "at", "scale", "0.7"] and "1600 to learn from, 400 held out" in lines[1]
    assert lines[9].split() == ["search", "squared", "error", "bits", "a", "value", "chained", "NSM"] and len(lines) == 14
    mse = command.json("quantize", "--basis", "basis.npy", "--scale", "0.7", "samples.npy", "points.npy")["mse"]
    assert mse == pytest.approx(0.49 / 12, rel=0.05)
    assert command.json("lattice", "info", "--basis", "basis.npy")["volume"] == pytest.approx(1, abs=1e-5)


def test_the_correlation_goes_with_the_basis(command, samples):
    """From samples to coded bytes: what the package's own quantizer writes."""
    options = ("--search", "exact", "--scale", "0.5")
    command.run("lattice", "learn", "samples.npy", "-o", "basis.npy", "--correlation", "correlation.npy", "--steps", "30", *options)
    learned = neuralcodec.Quantizer.learn(samples, steps=30, search="exact", scale=0.5)
    assert np.array_equal(np.load(command.path("correlation.npy")), learned.correlation) and 0.6 < learned.correlation[0, 1] < 0.7
    command.run("quantize", "--basis", "basis.npy", *options, "samples.npy", "points.npy", "--indices", "indices.npy")
    coder = ("--basis", "basis.npy", "--correlation", "correlation.npy", *options, "--scales", "6")
    command.run("lattice", "encode", *coder, "indices.npy", "coded")
    indices = np.load(command.path("indices.npy"))
    assert command.path("coded").read_bytes() == learned.encode(indices, 6)
    command.run("lattice", "decode", *coder, "--shape", "2000,2", "coded", "again.npy")
    assert np.array_equal(np.load(command.path("again.npy")), indices)
    both = command.run("lattice", "learn", "samples.npy", "-o", "basis2.npy", "--correlation", "-", "--steps", "3")
    assert both.stdout.startswith(b"\x93NUMPY") and b"best start" in both.stderr
    assert "only one file" in command.fails("lattice", "learn", "samples.npy", "-o", "-", "--correlation", "-", status=64)


def test_standard_streams(command, samples):
    file = command.path("samples.npy").read_bytes()
    process = command.run("lattice", "learn", "-", "-o", "-", "--steps", "5", input=file)
    assert process.stdout.startswith(b"\x93NUMPY") and b"best start" in process.stderr
    command.run("lattice", "learn", "samples.npy", "-o", "basis.npy", "--steps", "5")
    assert command.path("basis.npy").read_bytes() == process.stdout


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((15, 2)), "15 samples are too few"), (np.zeros(()), "no axis of vectors"), (np.zeros((100, 65)), "65 dimensions"),
        (np.full((100, 2), np.nan), "not finite"), (np.full((100, 2), 1e9), "2^16 times the scale"), (np.zeros((100, 2), np.int32), "unsupported"),
        (np.zeros((0, 2)), "0 samples"), (np.zeros((5, 0)), "multiple of 0"),
    ],
)  # fmt: skip
def test_wrong_samples(command, array, message):
    np.save(command.path("samples.npy"), array)
    command.path("basis.npy").write_bytes(b"precious")
    said = command.fails("lattice", "learn", "samples.npy", "-o", "basis.npy")
    assert said.startswith("neuralcodec: samples.npy") and message in said
    assert command.path("basis.npy").read_bytes() == b"precious" and command.names() == ["basis.npy", "samples.npy"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--output"), (["-o", "b.npy", "more"], "more"), (["-o", "b.npy", "--dimension", "65"], "--dimension 65"), (["-o", "b.npy", "--dimension", "0"], "--dimension 0"),
        (["-o", "b.npy", "--scale", "0"], "--scale 0"), (["-o", "b.npy", "--scale", "1e-35"], "scale of 1e-35"), (["-o", "b.npy", "--search", "best"], "best"),
        (["-o", "b.npy", "--node-limit", "5"], "--node-limit is for --search exact"), (["-o", "b.npy", "--no-classical-start"], "is for --search exact"),
        (["-o", "b.npy", "--orthogonality", "hard", "--orthogonality-weight", "1"], "is for --orthogonality penalty"),
        (["-o", "b.npy", "--search", "exact", "--orthogonality-weight", "1"], "is for --orthogonality penalty"),
        (["-o", "b.npy", "--search", "exact", "--orthogonality", "hard"], "leaves the exact search nothing"),
        (["-o", "b.npy", "--orthogonality", "soft"], "soft"), (["-o", "b.npy", "--orthogonality-weight", "nan"], "orthogonality weight"),
        (["-o", "b.npy", "--lambda", "0"], "lambda of 0"), (["-o", "b.npy", "--condition-limit", "1"], "condition limit"), (["-o", "b.npy", "--steps", "0"], "0 steps"),
        (["-o", "b.npy", "--batch", "0"], "batch"), (["-o", "b.npy", "--starts", "0"], "0 starts"), (["-o", "b.npy", "--learning-rate", "0"], "rate of learning"),
        (["-o", "b.npy", "--seed=-1"], "-1"), (["-o", "b.npy", "--threads", "1025"], "--threads 1025"), (["-o", "b.npy", "--model", "cauchy"], "cauchy"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_wrong_usage(command, samples, arguments, message):
    assert message in command.fails("lattice", "learn", "samples.npy", *arguments, status=64)
    assert command.names() == ["samples.npy"]


def test_dimension_that_does_not_fit(command, samples):
    assert "the last axis of samples is a multiple of 3" in command.fails("lattice", "learn", "samples.npy", "-o", "b.npy", "--dimension", "3")
    assert "No such file" in command.fails("lattice", "learn", "none.npy", "-o", "b.npy")
    assert "No such file" in command.fails("lattice", "learn", "samples.npy", "-o", "none/b.npy", "--steps", "1")


def test_interrupted(command, samples):
    arguments = [COMMAND, "lattice", "learn", "samples.npy", "-o", "basis.npy", "--steps", "1000000"]
    process = subprocess.Popen(arguments, cwd=command.folder, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130 and command.names() == ["samples.npy"]


def test_progress_is_drawn_on_a_terminal(command, samples):
    leader, follower = pty.openpty()
    process = subprocess.Popen([COMMAND, "lattice", "learn", "samples.npy", "-o", "basis.npy", "--steps", "1000000"], cwd=command.folder, stderr=follower)
    os.close(follower)
    seen = b""
    while b"learning [" not in seen:  # a second after the start
        seen += os.read(leader, 1000)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    os.close(leader)
