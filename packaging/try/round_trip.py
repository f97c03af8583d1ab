# SPDX-License-Identifier: Apache-2.0
"""A round trip with an installed package. Prints a hash of the file and the pixels, which is the same wherever it runs.

    python3 round_trip.py FOLDER     FOLDER: the package has to come from below it
"""
import hashlib
import importlib.metadata
import sys
from pathlib import Path

import neuralcodec
import numpy as np

assert Path(neuralcodec.__file__).is_relative_to(sys.argv[1]), neuralcodec.__file__
assert importlib.metadata.version("neuralcodec") == neuralcodec.__version__

y, x, c = np.ogrid[:90, :120, :3]
picture = ((x * 2 + y * (c + 1)) // 3 + 60 * ((x // 16 + y // 24) % 2)).astype(np.uint8)
file = neuralcodec.encode(picture, quality=80)
decoded = neuralcodec.decode(file)
assert decoded.shape == picture.shape and np.mean((decoded.astype(float) - picture) ** 2) < 100  # 28 dB

vectors = np.arange(80, dtype=np.float32).reshape(10, 8) / 7
quantizer = neuralcodec.Quantizer("e8", scale=0.5)
points, indices = quantizer.quantize(vectors)
assert (quantizer.dequantize(indices) == points).all() and np.abs(points - vectors).max() < 0.75

print(hashlib.sha256(file + decoded.tobytes() + points.tobytes()).hexdigest()[:16])
