# SPDX-License-Identifier: Apache-2.0
"""Every kernel on every path against its portable twin, here and, where a cross compiler and qemu-user are installed, on AArch64.

The hashes in hashes.txt hold on every architecture; only a change of the format's arithmetic may change them.
"""
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
KERNELS = HERE.parent.parent / "Sources" / "CKernels"
SOURCES = sorted(HERE.glob("*.c")) + sorted(KERNELS.glob("*.c"))
FLAGS = ["-std=c2x", "-O2", f"-I{KERNELS / 'include'}", f"-I{HERE}"]
CROSS, EMULATOR, CROSS_INCLUDE = "aarch64-linux-gnu-gcc", "qemu-aarch64", Path("/usr/aarch64-linux-gnu/include")


def clang():
    """The Swift toolchain's clang: the one that compiles the library."""
    swift = shutil.which("swift")
    beside = Path(swift).resolve().parent / "clang" if swift else None
    return str(beside) if beside and beside.exists() else shutil.which("clang")


def check(command):
    """Runs the harness and compares its hashes with the recorded ones."""
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    hashes = {line[0]: line[1] for line in lines if len(line) > 1 and line[0] != "paths:"}
    assert hashes == dict(line.split() for line in (HERE / "hashes.txt").read_text().splitlines())
    return lines[-1][1:]


def test_paths_agree_here(tmp_path):
    program = str(tmp_path / "kernelcheck")
    subprocess.run([clang(), *FLAGS, "-Wall", "-Wextra", "-Werror", *map(str, SOURCES), "-lm", "-o", program], check=True)
    assert "portable" in check([program])


@pytest.mark.skipif(not (shutil.which(CROSS) and shutil.which(EMULATOR)), reason=f"{CROSS} or {EMULATOR} is not installed: the NEON kernels are not checked")
def test_paths_agree_on_aarch64(tmp_path):
    target = ["--target=aarch64-linux-gnu", f"-I{CROSS_INCLUDE}", "-ffp-contract=off"]
    subprocess.run([clang(), *target, *FLAGS, "-c", *map(str, SOURCES)], cwd=tmp_path, check=True)
    program = str(tmp_path / "kernelcheck")
    # Debian's cross compiler brings the linker and the C library; it compiles nothing.
    subprocess.run([CROSS, "-static", *map(str, sorted(tmp_path.glob("*.o"))), "-lm", "-o", program], check=True)
    assert check([EMULATOR, program]) == ["portable", "neon"]
