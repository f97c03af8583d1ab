# SPDX-License-Identifier: Apache-2.0
"""Builds nicref, written from docs/format.md alone, and replays the conformance vectors with it: in plain loops, and with the library's kernels in their
place, on each path of this machine and, under qemu-user, on AArch64. Decoders must get the pixels, encoders the symbols and the latents."""

import hashlib
import json
import os
import struct
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
KERNELS = HERE.parent.parent / "Sources" / "CKernels"
CONFORMANCE = HERE.parent / "conformance"
GOLDENS = HERE.parent / "goldens"
CASES = json.loads((CONFORMANCE / "cases.json").read_text())
CODED = [case for case in CASES if "symbols" in case]  # the others are stored
SHARED = [path for path in sorted(HERE.glob("*.c")) if path.name not in ("plain_layers.c", "with_kernels.c")]
PLAIN = [*SHARED, HERE / "plain_layers.c"]
WITH_KERNELS = [*SHARED, HERE / "with_kernels.c", *sorted(KERNELS.glob("*.c"))]
PLAIN_FLAGS = ["-std=c11", "-O2", "-ffp-contract=off"]
KERNEL_FLAGS = [*PLAIN_FLAGS, f"-I{KERNELS / 'include'}"]

# A program and, where it runs the kernels, the path that it is told to take.
Program = namedtuple("Program", "command path")


@pytest.fixture(scope="session")
def plain(compile_native):
    return compile_native(PLAIN, *PLAIN_FLAGS, compiler="cc")


@pytest.fixture(scope="session")
def plain_sanitized(compile_sanitized):
    return compile_sanitized(PLAIN, *PLAIN_FLAGS)


@pytest.fixture(scope="session")
def plain_aarch64(compile_aarch64):
    return compile_aarch64(PLAIN, *PLAIN_FLAGS)


@pytest.fixture(scope="session")
def kernels(compile_native):
    return compile_native(WITH_KERNELS, *KERNEL_FLAGS)


@pytest.fixture(scope="session")
def kernels_sanitized(compile_sanitized):
    return compile_sanitized(WITH_KERNELS, *KERNEL_FLAGS)


@pytest.fixture(scope="session")
def kernels_aarch64(compile_aarch64):
    return compile_aarch64(WITH_KERNELS, *KERNEL_FLAGS)


def run(program, *arguments):
    environment = {name: value for name, value in os.environ.items() if name != "NEURALCODEC_ISA"}
    if program.path:
        environment["NEURALCODEC_ISA"] = program.path
    return subprocess.run([*program.command, *arguments], capture_output=True, text=True, timeout=120, env=environment)


PROGRAMS = [("plain", None), ("plain_sanitized", None), ("plain_aarch64", None)]
PROGRAMS += [(build, path) for build in ("kernels", "kernels_sanitized") for path in ("portable", "avx2", "avx512")]
PROGRAMS += [("kernels_aarch64", path) for path in ("portable", "neon")]


@pytest.fixture(scope="module", params=PROGRAMS, ids=lambda item: "-".join(filter(None, item)))
def program(request, tiny):
    build, path = request.param
    program = Program(request.getfixturevalue(build), path)
    result = run(program, tiny, CONFORMANCE / "dot-1x1.ppm", "0", os.devnull, os.devnull)
    if "no path of this machine" in result.stderr:
        pytest.skip(f"this machine has no {path}")
    return program


@pytest.fixture(scope="session")
def tiny():
    return GOLDENS / "tiny.safetensors"


def safetensors(file):
    """(first byte of the data, header)"""
    size = int.from_bytes(file[:8], "little")
    return 8 + size, json.loads(file[8:8 + size])


@pytest.fixture(scope="session")
def loud(tiny, tmp_path_factory):
    """The tiny model with the tensors of loud_tensors.safetensors in place of its own, and another id."""
    model, changes = bytearray(tiny.read_bytes()), (GOLDENS / "loud_tensors.safetensors").read_bytes()
    (to, tensors), (start, changed) = safetensors(model), safetensors(changes)
    for name in changed.keys() - {"__metadata__"}:
        assert [changed[name][key] for key in ("dtype", "shape")] == [tensors[name][key] for key in ("dtype", "shape")]
        (first, end), (source, source_end) = tensors[name]["data_offsets"], changed[name]["data_offsets"]
        model[to + first:to + end] = changes[start + source:start + source_end]
    path = tmp_path_factory.mktemp("model") / "loud.safetensors"
    path.write_bytes(model.replace(b'"id":"tiny"', b'"id":"loud"'))
    return path


@pytest.fixture(scope="session")
def models(tiny, loud):
    return {"tiny": tiny, "loud": loud, "slim": GOLDENS / "slim.safetensors"}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_every_file_has_a_case():
    assert sorted(case["file"] for case in CASES) == sorted(path.name for path in CONFORMANCE.glob("*.nic"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_pixels(program, models, case, tmp_path):
    output = tmp_path / "out.ppm"
    result = run(program, models[case["model"]], CONFORMANCE / case["file"], output)
    assert result.returncode == 0, result.stderr
    samples, picture = output.read_bytes(), (CONFORMANCE / case["picture"]).read_bytes()
    assert len(samples) == len(picture)
    header = samples.index(b"ENDHDR\n") + 7 if samples.startswith(b"P7") else len(b"\n".join(samples.split(b"\n", 3)[:3])) + 1
    assert samples[:header] == picture[:header]
    deep = b"65535\n" in samples[:header]
    little_endian = samples[header:] if not deep else b"".join(samples[i + 1:i + 2] + samples[i:i + 1] for i in range(header, len(samples), 2))
    assert sha256(little_endian) == case["pixels"]


@pytest.mark.parametrize("case", CODED, ids=lambda case: case["file"])
def test_symbols(program, models, case, tmp_path):
    (rate,) = struct.unpack_from("<H", (CONFORMANCE / case["file"]).read_bytes(), 18 + 11)
    symbols, latents = tmp_path / "symbols", tmp_path / "latents"
    result = run(program, models[case["model"]], CONFORMANCE / case["picture"], str(rate), symbols, latents)
    assert result.returncode == 0, result.stderr
    assert sha256(latents.read_bytes()) == case["latents"]
    assert sha256(symbols.read_bytes()) == case["symbols"]


@pytest.mark.parametrize("name", ["scene-100x75-q40.nic", "dot-1x1-q40.nic", "sight-61x47-rgba16-q45.nic", "static-5x4-la16-q45.nic"])
@pytest.mark.parametrize("build", ["plain", "plain_sanitized"])
def test_damage_is_refused(request, build, tiny, name, tmp_path):
    program = Program(request.getfixturevalue(build), None)
    whole = (CONFORMANCE / name).read_bytes()
    damaged = [whole[:size] for size in (0, 9, 30, 60, len(whole) - 1)] + [whole + b"\0"]
    for offset in range(0, len(whole), len(whole) // 20):
        damaged.append(whole[:offset] + bytes([whole[offset] ^ 0x10]) + whole[offset + 1:])
    for data in damaged:
        (tmp_path / "damaged.nic").write_bytes(data)
        result = run(program, tiny, tmp_path / "damaged.nic", tmp_path / "out.ppm")
        assert result.returncode == 1
        assert result.stderr.startswith("nicref: ") and result.stderr.count("\n") == 1
        assert not (tmp_path / "out.ppm").exists()


def test_an_unknown_path_is_refused(kernels, tiny):
    result = run(Program(kernels, "sse2"), tiny, CONFORMANCE / "dot-1x1.ppm", "0", os.devnull, os.devnull)
    assert result.returncode == 1 and "NEURALCODEC_ISA" in result.stderr
