# SPDX-License-Identifier: Apache-2.0
"""Where the staged library is: NEURALCODEC_PREFIX, or build/ in the repository. Its python/ folder holds the binding (see bindings/python/setup.py)."""
import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PREFIX = Path(os.environ.get("NEURALCODEC_PREFIX", REPOSITORY / "build")).resolve()
COMMAND, LIBRARY = PREFIX / "bin/neuralcodec", PREFIX / "lib/libneuralcodec.so"

for staged in (COMMAND, LIBRARY):
    if not staged.exists():
        raise pytest.UsageError(f"{staged} does not exist: run make, or set NEURALCODEC_PREFIX")
