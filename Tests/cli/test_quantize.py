# SPDX-License-Identifier: Apache-2.0
"""quantize and lattice, against numpy and the Python package."""
import io
import signal
import struct
import subprocess
import time

import neuralcodec
import numpy as np
import pytest
from staged import COMMAND

E8 = ("--lattice", "e8", "--scale", "0.5")


def npy(header, data=b"", version=(1, 0), size=None):
    """A .npy file with any header."""
    text = header.encode()
    size = len(text) if size is None else size
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version[0] == 1 else "<I", size) + text + data


# ---- quantize


@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
@pytest.mark.parametrize("shape", [(50, 24), (150, 8), (1200,), (2, 25, 24), (0, 8), (3, 0)])
def test_points_and_indices(command, save, load, vectors, dtype, shape):
    x = vectors.reshape(shape).astype(dtype) if np.prod(shape) else np.zeros(shape, dtype)
    save("in.npy", x)
    result = command.json("quantize", *E8, "in.npy", "out.npy", "--indices", "indices.npy")
    points, indices = neuralcodec.Quantizer("e8", scale=0.5).quantize(x)
    out = load("out.npy")
    assert out.dtype == np.float32 and out.shape == shape and np.array_equal(out, points)
    assert load("indices.npy").dtype == np.int32 and np.array_equal(load("indices.npy"), indices) and load("indices.npy").shape == shape
    assert {key: result[key] for key in ("name", "dimension", "scale", "vectors", "proven")} == {
        "name": "e8", "dimension": 8, "scale": 0.5, "vectors": x.size // 8, "proven": None}
    assert result["mse"] == (pytest.approx(np.mean((x.astype(float) - points) ** 2)) if x.size else None)
    command.run("quantize", *E8, "--from-indices", "indices.npy", "again.npy")
    assert command.path("again.npy").read_bytes() == command.path("out.npy").read_bytes()
    assert command.names() == ["again.npy", "in.npy", "indices.npy", "out.npy"]


def test_what_it_prints(command, save):
    save("in.npy", np.array([[0.25, 1, -0.5]]))
    text = command.run("quantize", "--lattice", "zn", "in.npy", "out.npy").stdout.decode()
    assert text == f"quantizer           zn, 1 dimension, scale 1\nvectors             3\nmean squared error  {(0.25**2 + 0.5**2) / 3}\n"
    save("in.npy", np.array([np.nan, 1]))
    assert "not finite" in command.run("quantize", "--lattice", "zn", "in.npy", "out.npy").stdout.decode()
    assert command.json("quantize", "--lattice", "zn", "in.npy", "out.npy")["mse"] is None


@pytest.mark.parametrize(
    "options", [{"name": "scalar", "scale": 0.3, "offset": -0.1, "dead_zone": 0.7}, {"name": "an", "dimension": 3}, {"name": "leech"}, {"name": "d4"}], ids=str)
def test_lattices_by_name(command, save, load, vectors, options):
    save("in.npy", vectors)
    arguments = [part for key, value in options.items() for part in ("--" + key.replace("name", "lattice").replace("_", "-"), str(value))]
    command.run("quantize", *arguments, "in.npy", "out.npy")
    assert np.array_equal(load("out.npy"), neuralcodec.Quantizer(**options).quantize(vectors)[0])


@pytest.mark.parametrize("search", [None, "babai", "nearest-plane", "exact"])
def test_basis(command, save, load, vectors, search):
    save("in.npy", vectors)
    basis = np.array([[1, 0, 0], [0.6, 0.9, 0], [-0.4, 0.3, 0.7]])
    save("basis.npy", basis)
    result = command.json("quantize", "--basis", "basis.npy", *(["--search", search] if search else []), "--scale", "2", "in.npy", "out.npy")
    assert np.array_equal(load("out.npy"), neuralcodec.Quantizer(basis=basis, search=search, scale=2).quantize(vectors)[0])
    assert result["proven"] == (400 if search == "exact" else None)


def test_node_limit(command, save, vectors):
    save("in.npy", 9 * vectors)
    save("basis.npy", np.random.default_rng(2).normal(size=(24, 24)))
    arguments = ("quantize", "--basis", "basis.npy", "--search", "exact", "in.npy", "out.npy")
    limited, whole = command.json(*arguments, "--node-limit", "30"), command.json(*arguments)
    assert limited["proven"] < whole["proven"] == 50 and limited["mse"] > whole["mse"]
    assert "proven closest      50\n" in command.run(*arguments).stdout.decode()


def test_codebook(command, save, load, vectors):
    words = vectors[:20, :6]
    save("words.npy", words)
    save("in.npy", vectors.reshape(2, 100, 6))
    command.run("quantize", "--codebook", "words.npy", "in.npy", "out.npy", "--indices", "indices.npy")
    points, indices = neuralcodec.Quantizer(codebook=words).quantize(vectors.reshape(2, 100, 6))
    assert np.array_equal(load("out.npy"), points) and np.array_equal(load("indices.npy"), indices) and indices.shape == (2, 100)
    command.run("quantize", "--codebook", "words.npy", "--from-indices", "indices.npy", "again.npy")
    assert np.array_equal(load("again.npy"), points)
    save("indices.npy", np.int32(20))
    assert "index 20 is not in the codebook" in command.fails("quantize", "--codebook", "words.npy", "--from-indices", "indices.npy", "again.npy")
    save("indices.npy", np.int32(19))
    command.run("quantize", "--codebook", "words.npy", "--from-indices", "indices.npy", "again.npy")
    assert np.array_equal(load("again.npy"), words[19].astype(np.float32))


def test_threads_change_nothing(command, save):
    save("in.npy", np.random.default_rng(1).normal(size=(30000, 8)).astype(np.float32))
    for threads in (0, 1, 2, 5):
        command.run("quantize", *E8, "in.npy", f"{threads}.npy", "--threads", threads)
        assert command.path(f"{threads}.npy").read_bytes() == command.path("0.npy").read_bytes()


def test_more_values_than_one_part(command, save, load):
    x = np.random.default_rng(1).normal(size=(150001, 9)).astype(np.float32)
    save("in.npy", x)
    result = command.json("quantize", "--lattice", "dn", "--dimension", "9", "in.npy", "out.npy", "--indices", "indices.npy")
    points, indices = neuralcodec.Quantizer("dn", 9).quantize(x)
    assert np.array_equal(load("out.npy"), points) and np.array_equal(load("indices.npy"), indices)
    assert result["mse"] == pytest.approx(np.mean((x.astype(float) - points) ** 2))


def test_standard_streams(command, save, load, vectors):
    save("in.npy", vectors)
    command.run("quantize", *E8, "in.npy", "out.npy")
    process = command.run("quantize", *E8, "-", "-", input=command.path("in.npy").read_bytes())
    assert process.stdout == command.path("out.npy").read_bytes() and b"mean squared error" in process.stderr
    process = command.run("quantize", *E8, "in.npy", "out.npy", "--indices", "-")
    assert np.load(io.BytesIO(process.stdout)).dtype == np.int32 and b"vectors" in process.stderr


def test_the_input_may_be_the_output(command, save, load, vectors):
    save("x.npy", vectors)
    command.run("quantize", *E8, "x.npy", "x.npy")
    assert np.array_equal(load("x.npy"), neuralcodec.Quantizer("e8", scale=0.5).quantize(vectors)[0])


def test_interrupted(command, save):
    random = np.random.default_rng(1)
    save("basis.npy", random.normal(size=(32, 32)))
    save("in.npy", random.normal(size=(100000, 32)))
    arguments = ["quantize", "--basis", "basis.npy", "--search", "exact", "in.npy", "out.npy", "--indices", "indices.npy"]
    process = subprocess.Popen([COMMAND, *arguments], cwd=command.folder, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130 and command.names() == ["basis.npy", "in.npy"]


# ---- .npy files


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_versions(command, load, version):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.arange(8.0), version=version)
    command.path("in.npy").write_bytes(buffer.getvalue())
    command.run("quantize", *E8, "in.npy", "out.npy")
    assert np.array_equal(load("out.npy"), np.arange(8))


@pytest.mark.parametrize(
    "header",
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (8,), }", '{"shape":(8L,),"fortran_order":False,"descr":"<f4"}\n',
     " { 'descr' : '<f4' , 'fortran_order' : True , 'shape' : ( 8 , ) } \t "],
)
def test_headers_of_other_writers(command, load, header):
    command.path("in.npy").write_bytes(npy(header, np.arange(8, dtype="<f4").tobytes()))
    command.run("quantize", *E8, "in.npy", "out.npy")
    assert np.array_equal(load("out.npy"), np.arange(8))


@pytest.mark.parametrize("dtype", [">f4", "<f2", "<i4", "<i8", "c8", "U3", "f4,i4", "?", "M8[s]"])
def test_other_types_are_refused(command, save, dtype):
    save("in.npy", np.zeros((2, 8), dtype))
    message = command.fails("quantize", *E8, "in.npy", "out.npy")
    assert message.startswith("neuralcodec: in.npy holds values of the type ") and "float32 ('<f4') and float64 ('<f8') can be read" in message
    assert command.names() == ["in.npy"]


def test_fortran_order_is_refused(command, save):
    save("in.npy", np.asfortranarray(np.zeros((4, 8))))
    assert "Fortran order" in command.fails("quantize", *E8, "in.npy", "out.npy")


def test_indices_must_be_int32(command, save):
    save("in.npy", np.zeros((2, 8), np.int64))
    assert "int32 ('<i4') can be read" in command.fails("quantize", *E8, "--from-indices", "in.npy", "out.npy")


GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (8,), }\n"


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "not a .npy file"),
        (b"\x93NUMPY\x01\x00", "not a .npy file"),
        (b"P6\n7 5\n255\n" + bytes(100), "not a .npy file"),
        (npy(GOOD, bytes(32), version=(4, 0)), "version 4.0"),
        (npy(GOOD, bytes(32), version=(1, 1)), "version 1.1"),
        (npy(GOOD, size=60000), "truncated in its .npy header"),
        (npy(GOOD, size=2**32 - 1, version=(2, 0)), "truncated in its .npy header"),
        (npy(GOOD, bytes(31)), "truncated: its shape (8,) needs 32 bytes, and 31 are there"),
        (npy(GOOD, bytes(33)), "1 bytes more"),
        (npy(GOOD.replace("(8,)", "(8, 10000000, 1000000000)")), "truncated: its shape (8, 10000000, 1000000000) needs"),
        (npy(GOOD.replace("(8,)", "(8, 4000000000000000000, 4000000000000000000)")), "impossible"),
        (npy(GOOD.replace("(8,)", "(8, 99999999999999999999)")), "damaged"),
        (npy(GOOD.replace("(8,)", "(" + "1, " * 65 + ")"), bytes(4)), "damaged"),
        *[
            (npy(text, bytes(32)), "header is damaged")
            for text in (
                "", "{", "{}", "[1]", GOOD[:-3], GOOD + "x", GOOD.replace("(8,)", "8"), GOOD.replace("(8,)", "(-8,)"), GOOD.replace("(8,)", "(8 8)"),
                GOOD.replace("(8,)", "(8"), GOOD.replace("False", "0"), GOOD.replace("shape", "form"), GOOD.replace("descr", "shape"), GOOD.replace("'<f4'", "<f4"),
                GOOD.replace("'<f4'", "'<f4"), GOOD.replace("'<f4'", "[('a', '<f4')"), GOOD.replace("}", "'more': 1}"), "{'descr': '<f4', 'shape': (8,)}", "\0" * 60,
            )
        ],
    ],
)  # fmt: skip
def test_damaged_files(command, file, message):
    command.path("in.npy").write_bytes(file)
    command.path("out.npy").write_bytes(b"precious")
    said = command.fails("quantize", *E8, "in.npy", "out.npy")
    assert said.startswith("neuralcodec: in.npy") and message in said
    assert command.path("out.npy").read_bytes() == b"precious" and command.names() == ["in.npy", "out.npy"]


@pytest.mark.parametrize("shape", [(), (12,), (8, 7), (3, 4)])
def test_lengths_that_are_no_multiple(command, save, shape):
    save("in.npy", np.zeros(shape))
    assert f"in.npy has the shape {shape}; the last axis of vectors of e8 is a multiple of 8" in command.fails("quantize", *E8, "in.npy", "out.npy")
    save("in.npy", np.zeros(shape, np.int32))
    assert "the last axis of indices of e8" in command.fails("quantize", *E8, "--from-indices", "in.npy", "out.npy")


def test_wrong_bases_and_codebooks(command, save, vectors):
    save("in.npy", vectors)
    cases = [("--basis", np.ones((3, 3)), "singular"), ("--basis", np.eye(3)[:2], "as many rows as columns"), ("--basis", np.full((2, 2), np.nan), "not finite"),
             ("--basis", np.zeros(4), "not two axes"), ("--basis", np.eye(65), "1 to 64"), ("--basis", np.zeros((0, 0)), "0 dimensions"),
             ("--basis", np.eye(3, dtype=np.int32), "unsupported"), ("--codebook", np.zeros((0, 3)), "0 codewords"), ("--codebook", np.full((2, 2), 1e30), "beyond"),
             ("--codebook", np.eye(5), "the last axis of vectors of the codebook is 5")]  # fmt: skip
    for option, array, message in cases:
        save("what.npy", array)
        assert message in command.fails("quantize", option, "what.npy", "in.npy", "out.npy"), message
    assert command.names() == ["in.npy", "what.npy"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["quantize", "in.npy", "out.npy"], "one of --lattice, --basis and --codebook is needed"),
        (["quantize", "--lattice", "e8", "--basis", "in.npy", "in.npy", "out.npy"], "--lattice and --basis exclude each other"),
        (["quantize", "--lattice", "e7", "in.npy", "out.npy"], "there is no quantizer 'e7'"),
        (["quantize", "--lattice", "e8", "--dimension", "7", "in.npy", "out.npy"], "8 dimensions, not 7"),
        (["quantize", "--lattice", "an", "in.npy", "out.npy"], "needs a dimension"),
        (["quantize", "--lattice", "e8", "--scale", "0", "in.npy", "out.npy"], "--scale 0.0 is not positive"),
        (["quantize", "--lattice", "e8", "--scale", "nan", "in.npy", "out.npy"], "--scale nan"),
        (["quantize", "--lattice", "e8", "--scale", "1e-35", "in.npy", "out.npy"], "scale of 1e-35"),
        (["quantize", "--lattice", "e8", "--offset", "-0.5", "in.npy", "out.npy"], "--offset and --dead-zone are for --lattice scalar"),
        (["quantize", "--lattice", "scalar", "--dead-zone", "-0.5", "in.npy", "out.npy"], ""),
        (["quantize", "--lattice", "scalar", "--offset", "inf", "in.npy", "out.npy"], "offset"),
        (["quantize", "--lattice", "e8", "--search", "exact", "in.npy", "out.npy"], "--search is for --basis"),
        (["quantize", "--basis", "in.npy", "--search", "best", "in.npy", "out.npy"], "best"),
        (["quantize", "--basis", "in.npy", "--node-limit", "9", "in.npy", "out.npy"], "--node-limit is for --search exact"),
        (["quantize", "--basis", "in.npy", "--dimension", "9", "in.npy", "out.npy"], "--dimension is for --lattice"),
        (["quantize", "--lattice", "e8", "--from-indices", "--indices", "x.npy", "in.npy", "out.npy"], "exclude each other"),
        (["quantize", "--lattice", "e8", "--threads", "1025", "in.npy", "out.npy"], "--threads 1025"),
        (["quantize", "--lattice", "e8", "--indices", "-", "in.npy", "-"], "standard output"),
        (["quantize", "--basis", "-", "-", "out.npy"], "standard input"),
        (["quantize", "--lattice", "e8", "in.npy"], "out"),
        (["lattice", "info"], "either a name or --basis"),
        (["lattice", "info", "e8", "--basis", "in.npy"], "either a name or --basis"),
        (["lattice", "info", "e7"], "there is no quantizer 'e7'"),
        (["lattice", "info", "an"], "needs a dimension"),
        (["lattice", "info", "e8", "--scale=-1"], "--scale -1"),
        (["lattice", "info", "--basis", "in.npy", "--dimension", "8"], "--dimension is for a name"),
        (["lattice", "list", "more"], "more"),
        (["lattice", "frobnicate"], "frobnicate"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage(command, save, arguments, message):
    save("in.npy", np.eye(8))
    assert message in command.fails(*arguments, status=64)
    assert command.names() == ["in.npy"]


def test_files_that_cannot_be_opened(command, save, vectors):
    save("in.npy", vectors)
    for arguments in ([*E8, "none.npy", "out.npy"], [*E8, "in.npy", "none/out.npy"], ["--basis", "none.npy", "in.npy", "out.npy"]):
        assert "No such file" in command.fails("quantize", *arguments)
    assert "No space left" in command.fails("quantize", *E8, "in.npy", "/dev/full")
    assert command.names() == ["in.npy"]


# ---- lattice


def test_list(command):
    lattices = {lattice["name"]: lattice for lattice in command.json("lattice", "list")}
    assert list(lattices) == ["scalar", "zn", "a2", "an", "d4", "dn", "e8", "barnes-wall", "leech"]
    assert lattices["e8"] == {
        "name": "e8", "dimension": 8, "volume": 1, "minimal_norm": 2, "nsm": pytest.approx(929 / 12960), "gain_db": pytest.approx(0.654, abs=1e-3)}
    assert [lattices[name]["minimal_norm"] for name in ("zn", "a2", "d4", "barnes-wall", "leech")] == [1, 2, 2, 8, 32]
    assert lattices["an"] == {"name": "an", "dimension": None, "volume": None, "minimal_norm": None, "nsm": None, "gain_db": None}
    assert lattices["scalar"]["gain_db"] == 0
    lines = command.run("lattice", "list").stdout.decode().splitlines()
    assert len(lines) == 10 and lines[0].split() == ["name", "dimension", "volume", "minimal", "norm", "NSM", "gain", "(dB)"]
    assert lines[7].split() == ["e8", "8", "1", "2", "0.071682", "0.654"] and lines[4].split() == ["an", "1", "to", "64", "-", "-", "-", "-"]
    assert len({len(line.rsplit("  ", 1)[0]) for line in lines}) <= 2  # columns are aligned


@pytest.mark.parametrize(
    ("name", "dimension"),
    [("zn", 3), ("scalar", None), ("a2", None), ("an", 1), ("an", 6), ("dn", 1), ("dn", 2), ("dn", 7), ("e8", None), ("barnes-wall", None)])
@pytest.mark.parametrize("scale", [1, 0.3])
def test_info(command, name, dimension, scale):
    arguments = ["lattice", "info", name, "--scale", scale, *(["--dimension", dimension] if dimension else [])]
    info, q = command.json(*arguments), neuralcodec.Quantizer(name, dimension, scale=scale)
    assert (info["name"], info["dimension"], info["scale"], info["volume"], info["nsm"]) == (name, q.dimension, scale, q.volume, q.nsm)
    assert np.array_equal(np.float32(info["basis"]), q.basis) and info["orthogonality_defect"] is None
    # The shortest vectors are among small combinations of rows.
    gram = np.array(info["basis"]) @ np.array(info["basis"]).T
    n, rng = q.dimension, np.random.default_rng(1)
    u = np.concatenate([np.eye(n, dtype=int), rng.integers(-1, 2, (20000, n))])
    norms = np.einsum("vi,ij,vj->v", u, gram, u)[u.any(axis=1)]
    assert norms.min() > info["minimal_norm"] - 1e-4 and (n > 8 or norms.min() == pytest.approx(info["minimal_norm"], rel=1e-4))
    text = command.run(*arguments).stdout.decode()
    assert text.startswith(f"lattice       {name}\ndimension     {q.dimension}\nscale         {scale}\nvolume ") and f"dB over Z^{q.dimension}\n" in text


def test_info_of_a_basis(command, save):
    basis = np.array([[1, 0], [0.9, 0.5]])
    save("basis.npy", basis)
    info = command.json("lattice", "info", "--basis", "basis.npy", "--scale", 3)
    assert info["name"] == "basis" and info["volume"] == pytest.approx(4.5, rel=1e-6) and info["minimal_norm"] is None and info["scale"] == 3
    assert info["orthogonality_defect"] == pytest.approx(np.sqrt(1.06) / 0.5, rel=1e-6)
    assert info["nsm_babai"] == pytest.approx(2.06 / 12, rel=1e-6) and info["nsm_nearest_plane"] == pytest.approx(1.25 / 12, rel=1e-6)
    assert info["gain_db_babai"] == pytest.approx(-10 * np.log10(2.06)) and np.allclose(info["basis"], 3 * basis)
    text = command.run("lattice", "info", "--basis", "basis.npy").stdout.decode()
    assert "orthogonality defect" in text and "NSM of rounding       0.171667, -3.139 dB over Z^2\n" in text and "NSM of nearest plane" in text
    save("basis.npy", np.triu(np.full((64, 64), 0.999), 1) + np.eye(64))
    assert "orthogonality defect" in command.run("lattice", "info", "--basis", "basis.npy").stdout.decode()
    save("basis.npy", np.ones((2, 2)))
    assert "basis.npy: the basis is singular" in command.fails("lattice", "info", "--basis", "basis.npy")


def test_lattice_alone_shows_its_help():
    assert subprocess.run([COMMAND, "lattice"], capture_output=True, check=True).stdout.startswith(b"OVERVIEW")
