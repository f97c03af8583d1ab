# SPDX-License-Identifier: Apache-2.0
"""The C test programs once more, with AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer: what they do to the library's memory, and what it
does not give back. `make test-asan` instruments the library as well."""

import subprocess
from pathlib import Path

import pytest

PROGRAMS = sorted((Path(__file__).resolve().parents[1] / "c").glob("*.c"))


@pytest.mark.parametrize("source", PROGRAMS, ids=lambda source: source.stem)
def test_program(source, prefix, compile_sanitized):
    flags = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O1", f"-I{prefix / 'include'}"]
    program = compile_sanitized([source], *flags, libraries=[f"-L{prefix / 'lib'}", "-lneuralcodec", f"-Wl,-rpath,{prefix / 'lib'}", "-lpthread"])
    result = subprocess.run(program, capture_output=True, text=True, timeout=200)
    assert result.returncode == 0, result.stderr
