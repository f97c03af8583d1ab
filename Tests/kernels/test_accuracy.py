# SPDX-License-Identifier: Apache-2.0
"""The kernels' functions, layer normalization, softmax and attention against binary64."""
import subprocess

from test_kernels import FLAGS, HERE, KERNELS, clang


def test_errors_stay_within_their_limits(tmp_path):
    program = str(tmp_path / "accuracy")
    sources = [HERE / "accuracy" / "accuracy.c", *sorted(KERNELS.glob("*.c"))]
    subprocess.run([clang(), *FLAGS, "-Wall", "-Wextra", "-Werror", *map(str, sources), "-lm", "-o", program], check=True)
    result = subprocess.run([program], capture_output=True, text=True)
    print(result.stdout)
    assert result.returncode == 0, result.stdout
