# SPDX-License-Identifier: Apache-2.0
"""The kernels' functions, layer normalization, softmax and attention against binary64."""
import subprocess

from test_kernels import FLAGS, HERE, KERNELS


def test_errors_stay_within_their_limits(compile_native):
    program = compile_native([HERE / "accuracy" / "accuracy.c", *sorted(KERNELS.glob("*.c"))], *FLAGS)
    result = subprocess.run(program, capture_output=True, text=True)
    print(result.stdout)
    assert result.returncode == 0, result.stdout
