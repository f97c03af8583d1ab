# SPDX-License-Identifier: Apache-2.0
"""The lattice quantizers against independent definitions: membership, optimality, shells, covering radii, second moments, ties, hostile input."""
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
KERNELS = HERE.parent.parent / "Sources" / "CKernels"
FLAGS = ["-std=c2x", "-O2", f"-I{KERNELS / 'include'}", f"-I{HERE / 'lattices'}"]


@pytest.fixture(scope="module")
def lattices(compile_native):
    return compile_native([*sorted((HERE / "lattices").glob("*.c")), *sorted(KERNELS.glob("*.c"))], *FLAGS)


@pytest.mark.parametrize("part", [[], ["leech"], ["bases"]], ids=["classical", "leech", "bases"])
def test_lattices_are_what_they_say(lattices, part):
    result = subprocess.run([*lattices, *part], capture_output=True, text=True)
    print(result.stdout)
    assert result.returncode == 0, result.stdout
