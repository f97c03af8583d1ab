# SPDX-License-Identifier: Apache-2.0
"""lattice encode and lattice decode, against the Python package."""
import neuralcodec
import numpy as np
import pytest

E8 = ("--lattice", "e8", "--scale", "0.5")


def test_from_vectors_to_points_by_way_of_a_file(command, save, load, vectors):
    save("in.npy", vectors)
    command.run("quantize", *E8, "in.npy", "out.npy", "--indices", "indices.npy")
    result = command.json("lattice", "encode", *E8, "indices.npy", "coded", "--scales", "1")
    q = neuralcodec.Quantizer("e8", scale=0.5)
    data = q.encode(load("indices.npy"), 1)
    assert command.path("coded").read_bytes() == data
    assert result.pop("model_bits") == pytest.approx(q.rate(load("indices.npy"), 1))
    assert result == {"name": "e8", "dimension": 8, "scale": 0.5, "vectors": 150, "bytes": len(data), "bits_per_value": 8 * len(data) / vectors.size}
    text = command.run("lattice", "encode", *E8, "indices.npy", "coded", "--scales", "1").stdout.decode()
    assert text.startswith("vectors         150\n") and f"bytes           {len(data)}\n" in text and "model" in text and "bits per value" in text
    assert command.run("lattice", "decode", *E8, "coded", "again.npy", "--scales", "1", "--shape", "50,24").stdout == b""
    assert command.path("again.npy").read_bytes() == command.path("indices.npy").read_bytes()
    command.run("quantize", *E8, "--from-indices", "again.npy", "points.npy")
    assert command.path("points.npy").read_bytes() == command.path("out.npy").read_bytes()


@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
def test_scales_of_a_file(command, save, load, vectors, dtype):
    q = neuralcodec.Quantizer("e8", scale=0.5)
    scales = np.repeat(np.exp2(np.arange(150).reshape(50, 3) % 5 - 2), 8, axis=1).astype(dtype)
    indices = q.quantize(scales * vectors)[1]
    save("indices.npy", indices), save("each.npy", scales), save("vectors.npy", scales[:, ::8])
    for name in ("each", "vectors"):
        command.run("lattice", "encode", *E8, "indices.npy", name, "--scales", f"{name}.npy")
        assert command.path(name).read_bytes() == q.encode(indices, scales)
        command.run("lattice", "decode", *E8, name, "again.npy", "--scales", f"{name}.npy", "--shape", "50,24")
        assert np.array_equal(load("again.npy"), indices)
    command.path("again.npy").unlink()
    command.run("lattice", "decode", *E8, "each", "again.npy", "--scales", "each.npy")  # the shape is that of the scales
    assert np.array_equal(load("again.npy"), indices)


@pytest.mark.parametrize(
    "arguments", [("--lattice", "scalar", "--offset", "0.2"), ("--lattice", "an", "--dimension", "3"), ("--lattice", "leech"), ("--basis", "basis.npy")], ids=" ".join)
def test_other_quantizers_and_standard_streams(command, save, vectors, arguments):
    save("in.npy", vectors), save("basis.npy", np.array([[1, 0], [0.9, 0.5]]))
    command.run("quantize", *arguments, "in.npy", "out.npy", "--indices", "indices.npy")
    result = command.run("lattice", "encode", *arguments, "-", "-", "--scales", "0.9", input=command.path("indices.npy").read_bytes())
    assert b"bits per value" in result.stderr
    again = command.run("lattice", "decode", *arguments, "-", "-", "--scales", "0.9", "--shape", "50,24", input=result.stdout)
    assert again.stdout == command.path("indices.npy").read_bytes() and not again.stderr


def test_correlations_of_a_file(command, save, load, vectors):
    basis, correlation = np.array([[1, 0], [0.9, 0.5]]), np.array([[1, 0.7], [0.7, 1]])
    save("basis.npy", basis), save("correlation.npy", correlation)
    q = neuralcodec.Quantizer(basis=basis, search="nearest-plane", correlation=correlation)
    indices = q.quantize(vectors)[1]
    save("indices.npy", indices)
    options = ("--basis", "basis.npy", "--search", "nearest-plane", "--correlation", "correlation.npy", "--scales", "0.9")
    assert command.json("lattice", "encode", *options, "indices.npy", "coded")["model_bits"] == pytest.approx(q.rate(indices, 0.9))
    assert command.path("coded").read_bytes() == q.encode(indices, 0.9)
    command.run("lattice", "decode", *options, "coded", "again.npy", "--shape", "50,24")
    assert np.array_equal(load("again.npy"), indices)
    save("three.npy", np.eye(3)), save("wrong.npy", np.array([[1, 2.0], [2, 1]]))
    encode = ("lattice", "encode", "indices.npy", "out", "--scales", "1", "--basis", "basis.npy", "--correlation")
    assert "three.npy has the shape (3, 3); a correlation for this basis has (2, 2)" in command.fails(*encode, "three.npy")
    assert "wrong.npy: the correlation is impossible" in command.fails(*encode, "wrong.npy")
    assert "basis.npy" not in command.fails(*encode, "missing.npy")
    assert "--correlation is for --basis" in command.fails("lattice", "encode", *E8, "indices.npy", "out", "--scales", "1", "--correlation", "correlation.npy", status=64)


def test_nothing(command, save):
    save("indices.npy", np.zeros((0, 8), np.int32))
    assert command.json("lattice", "encode", *E8, "indices.npy", "coded", "--scales", "1")["bits_per_value"] is None
    command.run("lattice", "decode", *E8, "coded", "again.npy", "--scales", "1", "--shape", "0,8")
    assert command.path("again.npy").read_bytes() == command.path("indices.npy").read_bytes()


def test_damage_leaves_no_file(command, save, vectors):
    q = neuralcodec.Quantizer("e8", scale=0.5)
    data = q.encode(q.quantize(vectors)[1], 1)
    for name, content in (("short", data[:-8]), ("long", data + b"1234"), ("empty", b""), ("noise", bytes(range(200)))):
        command.path(name).write_bytes(content)
        assert f"{name}: the entropy-coded data is damaged" in command.fails("lattice", "decode", *E8, name, "out.npy", "--scales", "1", "--shape", "50,24")
    command.path("coded").write_bytes(data)
    for arguments in (("--scales", "2", "--shape", "50,24"), ("--scales", "1", "--shape", "40,24")):
        assert "damaged" in command.fails("lattice", "decode", *E8, "coded", "out.npy", *arguments)
    assert "out.npy" not in command.names()


def test_wrong_files(command, save, vectors):
    save("floats.npy", vectors), save("odd.npy", np.zeros((5, 12), np.int32)), save("far.npy", np.full((5, 8), 10**8, np.int32))
    save("good.npy", np.zeros((5, 8), np.int32)), save("three.npy", np.ones(3)), save("integers.npy", np.ones((5, 8), np.int32))
    encode = ("lattice", "encode", *E8)
    assert "floats.npy holds values of the type '<f8'" in command.fails(*encode, "floats.npy", "out", "--scales", "1")
    assert "odd.npy has the shape (5, 12); the last axis of indices of e8 is a multiple of 8" in command.fails(*encode, "odd.npy", "out", "--scales", "1")
    assert "far.npy: the indices of vector 0 are those of a point too far out" in command.fails(*encode, "far.npy", "out", "--scales", "1")
    assert "three.npy has the shape (3,); the shape of scales is (5, 8), one for each index, or (5, 1)" in command.fails(
        *encode, "good.npy", "out", "--scales", "three.npy")
    assert "integers.npy holds values of the type '<i4'" in command.fails(*encode, "good.npy", "out", "--scales", "integers.npy")
    assert "missing.npy" in command.fails(*encode, "good.npy", "out", "--scales", "missing.npy")
    assert "missing.npy" in command.fails(*encode, "missing.npy", "out", "--scales", "1")
    save("codewords.npy", vectors)
    assert "the indices of a codebook cannot be coded" in command.fails("lattice", "encode", "--codebook", "codewords.npy", "good.npy", "out", "--scales", "1")
    command.path("coded").write_bytes(b"")
    assert "three.npy has the shape (3,); the last axis of indices of e8" in command.fails("lattice", "decode", *E8, "coded", "out.npy", "--scales", "three.npy")
    assert "--shape is (5, 12); the last axis" in command.fails("lattice", "decode", *E8, "coded", "out.npy", "--scales", "1", "--shape", "5,12")
    assert "out" not in command.names() and "out.npy" not in command.names()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("encode", *E8, "in", "out"), "--scales"),
        (("encode", *E8, "in", "out", "--scales=-1"), "0 or more"),
        (("encode", *E8, "in", "out", "--scales", "nan"), "0 or more"),
        (("encode", "in", "out", "--scales", "1"), "one of --lattice"),
        (("encode", *E8, "-", "out", "--scales", "-"), "standard input"),
        (("decode", *E8, "in", "out", "--scales", "1"), "--shape is needed"),
        (("decode", *E8, "in", "out", "--scales", "1", "--shape", "5,x"), "shape"),
        (("decode", *E8, "in", "out", "--scales", "1", "--shape=-5,8"), "shape"),
        (("decode", *E8, "in", "out", "--scales", "1", "--shape", "4611686018427387904,8"), "shape"),
        (("decode", *E8, "-", "out", "--scales", "-", "--shape", "5,8"), "standard input"),
    ],
    ids=str,
)
def test_wrong_usage(command, arguments, message):
    assert message in command.fails("lattice", *arguments, status=64)
