# SPDX-License-Identifier: Apache-2.0
"""Entropy-coded bytes against -log2 of the default model's own probabilities, measured in binary64 by neuralcodec-bench (`make test` builds it)."""
import json
import os
import subprocess
from pathlib import Path

import neuralcodec
import numpy as np
import pytest

import coders

REPOSITORY = Path(__file__).resolve().parents[2]
BENCH = Path(os.environ.get("NEURALCODEC_BENCH", REPOSITORY / ".build/products/release/neuralcodec-bench"))
KODAK = sorted(coders.kodak_folder().glob("kodim??.png"))

pytestmark = pytest.mark.skipif(not BENCH.exists(), reason=f"{BENCH} is not built (make test builds it)")


def excess(pictures):
    """Per cent by which the payloads of five qualities exceed the ideal; beside them a file holds at most 72 bytes."""
    output = subprocess.run([BENCH, "entropy", REPOSITORY / "models/nic-2.safetensors", *pictures], check=True, capture_output=True, text=True).stdout
    rows = json.loads(output.splitlines()[-1])
    assert [row["quality"] for row in rows] == [10, 30, 50, 70, 90]
    assert all(row["other_bytes"] <= 72 for row in rows)
    return [row["excess_percent"] for row in rows]


@pytest.mark.skipif(len(KODAK) != 24, reason=f"the 24 Kodak pictures are not in {coders.kodak_folder()} (NEURALCODEC_KODAK)")
def test_payload_is_ideal_on_kodak():
    assert all(abs(percent) <= 1 for percent in excess(KODAK))


def test_payload_is_nearly_ideal_on_a_small_picture():
    # The four states take 16 bytes that code nothing, which a small file feels.
    assert all(abs(percent) <= 3 for percent in excess([REPOSITORY / "examples/photo.png"]))


def test_latents_are_what_the_picture_codes(tmp_path):
    """Rounded, they take about the bytes of the file: other tables, and no hyperlatents."""
    picture = REPOSITORY / "examples/photo.png"
    output = subprocess.run([BENCH, "latents", "default", tmp_path, "50", picture], check=True, capture_output=True, text=True).stdout
    (row,) = json.loads(output.splitlines()[-1])
    residuals, scales = (np.load(tmp_path / f"photo.{what}.npy") for what in ("residuals", "scales"))
    assert residuals.dtype == scales.dtype == np.float32 and residuals.shape == scales.shape == tuple(row["shape"])
    q = neuralcodec.Quantizer("scalar")
    indices = q.quantize(residuals)[1]
    assert np.mean(indices != 0) > 0.01
    size = len(q.encode(indices, scales))
    assert 0.85 < 8 * size / residuals.size / row["file_bits_a_latent"] < 1.02
