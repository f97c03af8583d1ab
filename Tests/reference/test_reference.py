# SPDX-License-Identifier: Apache-2.0
"""Builds nicref, the decoder written from docs/format.md alone, and decodes the conformance files with it."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
CONFORMANCE = HERE.parent / "conformance"
MODEL = HERE.parent / "goldens" / "tiny.safetensors"
CASES = json.loads((CONFORMANCE / "cases.json").read_text())
FLAGS = ["-std=c11", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"]


def build(folder, compiler, *flags):
    program = folder / "nicref"
    subprocess.run([compiler, *FLAGS, *flags, *sorted(HERE.glob("*.c")), "-lm", "-o", program], check=True)
    return [program]


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    if not shutil.which("cc"):
        pytest.skip("cc is not installed")
    return build(tmp_path_factory.mktemp("native"), "cc")


@pytest.fixture(scope="module")
def aarch64(tmp_path_factory):
    for tool in ("aarch64-linux-gnu-gcc", "qemu-aarch64"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    return ["qemu-aarch64", *build(tmp_path_factory.mktemp("aarch64"), "aarch64-linux-gnu-gcc", "-static")]


def decode(program, file, output):
    return subprocess.run([*program, MODEL, file, output], capture_output=True, text=True, timeout=60)


def check(program, case, folder):
    output = folder / "out.ppm"
    result = decode(program, CONFORMANCE / case["file"], output)
    assert result.returncode == 0, result.stderr
    magic, size, maximum, samples = output.read_bytes().split(b"\n", 3)
    width, height = map(int, size.split())
    assert maximum == b"255"
    assert len(samples) == width * height * {b"P5": 1, b"P6": 3}[magic]
    assert hashlib.sha256(samples).hexdigest() == case["pixels"]


def test_every_file_has_a_case():
    assert sorted(case["file"] for case in CASES) == sorted(path.name for path in CONFORMANCE.glob("*.nic"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_native(native, case, tmp_path):
    check(native, case, tmp_path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_aarch64(aarch64, case, tmp_path):
    check(aarch64, case, tmp_path)


@pytest.mark.parametrize("name", ["scene-100x75-q40.nic", "dot-1x1-q40.nic"])
def test_damage_is_refused(native, name, tmp_path):
    whole = (CONFORMANCE / name).read_bytes()
    damaged = [whole[:size] for size in (0, 9, 30, 60, len(whole) - 1)] + [whole + b"\0"]
    for offset in range(0, len(whole), len(whole) // 20):
        damaged.append(whole[:offset] + bytes([whole[offset] ^ 0x10]) + whole[offset + 1:])
    for data in damaged:
        (tmp_path / "damaged.nic").write_bytes(data)
        result = decode(native, tmp_path / "damaged.nic", tmp_path / "out.ppm")
        assert result.returncode == 1
        assert result.stderr.count("\n") == 1
        assert not (tmp_path / "out.ppm").exists()
