# SPDX-License-Identifier: Apache-2.0
"""Every kernel on every path against its portable twin, here and, where a cross compiler and qemu-user are installed, on AArch64.

The hashes in hashes.txt hold on every architecture; only a change of the format's arithmetic may change them.
"""
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
KERNELS = HERE.parent.parent / "Sources" / "CKernels"
SOURCES = sorted(HERE.glob("*.c")) + sorted(KERNELS.glob("*.c"))
FLAGS = ["-std=c2x", "-O2", f"-I{KERNELS / 'include'}", f"-I{HERE}"]


def check(command):
    """Runs the harness and compares its hashes with the recorded ones; returns the paths."""
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    hashes = {line[0]: line[1] for line in lines if len(line) > 1 and line[0] != "paths:"}
    assert hashes == dict(line.split() for line in (HERE / "hashes.txt").read_text().splitlines())
    return lines[-1][1:]


def test_paths_agree_here(compile_native):
    assert "portable" in check(compile_native(SOURCES, *FLAGS))


def test_paths_agree_with_sanitizers(compile_sanitized):
    assert "portable" in check(compile_sanitized(SOURCES, *FLAGS))


def test_paths_agree_on_aarch64(compile_aarch64):
    assert check(compile_aarch64(SOURCES, *FLAGS)) == ["portable", "neon"]
