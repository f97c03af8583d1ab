# SPDX-License-Identifier: Apache-2.0
"""The staged library's Python binding, and C programs that link it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from staged import PREFIX, REPOSITORY

sys.path.insert(0, str(PREFIX / "python"))
os.environ["PYTHONPATH"] = os.pathsep.join([str(PREFIX / "python"), *filter(None, [os.environ.get("PYTHONPATH")])])
os.environ["PKG_CONFIG_PATH"] = os.pathsep.join([str(PREFIX / "lib" / "pkgconfig"), *filter(None, [os.environ.get("PKG_CONFIG_PATH")])])


@pytest.fixture(scope="session")
def prefix() -> Path:
    return PREFIX


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def compile_program(tmp_path_factory):
    """Compiles a C file with what pkg-config says, in a folder outside the source tree; returns the program's path."""

    def compile_program(source: Path, *flags: str) -> Path:
        program = tmp_path_factory.mktemp("program") / source.stem
        needed = subprocess.run(["pkg-config", "--cflags", "--libs", "neuralcodec"], check=True, capture_output=True, text=True).stdout.split()
        command = [os.environ.get("CC", "cc"), "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O1", "-g", "-Wall", "-Wextra", "-pedantic", "-Werror"]
        command += [str(source), "-o", str(program), *needed, f"-Wl,-rpath,{PREFIX / 'lib'}", "-lpthread", "-lm", *flags]
        subprocess.run(command, check=True, cwd=program.parent)
        return program

    return compile_program
