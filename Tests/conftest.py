# SPDX-License-Identifier: Apache-2.0
"""C programs of the tests: for this machine or, run by qemu-user, for AArch64; with sanitizers or without."""
import os
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

# A shell ignores SIGINT in what it starts in the background, and so would all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

KERNELS = Path(__file__).resolve().parent.parent / "Sources" / "CKernels"
CROSS, EMULATOR, CROSS_INCLUDE = "aarch64-linux-gnu-gcc", "qemu-aarch64", "/usr/aarch64-linux-gnu/include"
# Clamps stand before every conversion to an integer: float-cast-overflow, which `undefined` leaves out, would find one that is missing. pointer-overflow
# doubles the time of compilation; AddressSanitizer finds what comes of it.
SANITIZERS = ["-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize=pointer-overflow", "-fno-sanitize-recover=all"]


def swift_clang():
    """The Swift toolchain's clang: the one that compiles the library."""
    swift = shutil.which("swift")
    beside = Path(swift).resolve().parent / "clang" if swift else None
    return str(beside) if beside and beside.exists() else shutil.which("clang")


class Builder:
    """Called with sources, flags and libraries it makes a program, and returns the beginning of the command that runs it.

    The library's kernels among the sources are compiled once a session, whatever the flags of the others.
    """

    def __init__(self, make_folder, flags=(), kernel_flags=("-O2",), linker=None, linker_flags=(), runner=()):
        self.make_folder, self.compiler, self.linker_flags, self.runner = make_folder, swift_clang(), linker_flags, runner
        self.linker = linker or self.compiler
        self.flags = [*flags, "-Wall", "-Wextra", "-Werror"]
        self.kernel_flags = [*self.flags, "-std=c2x", f"-I{KERNELS / 'include'}", *kernel_flags]
        self.kernels = {}  # objects by source

    def __call__(self, sources, *flags, libraries=(), compiler=None):
        compiler, linker = compiler or self.compiler, compiler or self.linker
        missing = [str(tool) for tool in (compiler, linker, *self.runner) if not tool or not shutil.which(tool)]
        if missing:
            pytest.skip(f"{' and '.join(missing)} not installed")
        folder = self.make_folder()

        def compile_source(numbered):
            number, source = numbered
            if source in self.kernels:
                return self.kernels[source]
            target = folder / f"{number}.o"
            own = source.parent == KERNELS
            subprocess.run([compiler, *(self.kernel_flags if own else [*self.flags, *flags]), "-c", source, "-o", target], check=True)
            if own:
                self.kernels[source] = target
            return target

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(compile_source, enumerate(map(Path, sources))))
        subprocess.run([linker, *self.linker_flags, *objects, *libraries, "-lm", "-o", folder / "program"], check=True)
        return [*self.runner, folder / "program"]


@pytest.fixture(scope="session")
def compile_native(tmp_path_factory):
    return Builder(lambda: tmp_path_factory.mktemp("native"))


@pytest.fixture(scope="session")
def compile_sanitized(tmp_path_factory):
    """AddressSanitizer and UndefinedBehaviorSanitizer end the program at their first finding."""
    flags = [*SANITIZERS, "-fno-omit-frame-pointer", "-gline-tables-only"]
    return Builder(lambda: tmp_path_factory.mktemp("sanitized"), flags=flags, kernel_flags=["-O1"], linker_flags=[*SANITIZERS, "-fuse-ld=lld"])


@pytest.fixture(scope="session")
def compile_aarch64(tmp_path_factory):
    """Debian's cross compiler brings linker and C library; it compiles nothing."""
    flags = ["--target=aarch64-linux-gnu", f"-I{CROSS_INCLUDE}", "-ffp-contract=off"]
    return Builder(lambda: tmp_path_factory.mktemp("aarch64"), flags=flags, linker=CROSS, linker_flags=["-static"], runner=[EMULATOR])
