# SPDX-License-Identifier: Apache-2.0
"""A picture to code."""
import numpy as np


def scene(height, width, channels=3, seed=0):
    """Slopes, waves and edges with a little noise; (height, width) for one channel."""
    random = np.random.default_rng(seed)
    y, x, c = np.ogrid[:height, :width, :channels]
    pixels = 120 + 60 * np.sin((x + 5 * c) / 15) + 40 * np.cos((y - 9 * c) / 21) + 30 * ((x // 24 + y // 16) % 3 == 0) + random.normal(0, 2, (height, width, channels))
    pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    return pixels[:, :, 0] if channels == 1 else pixels
