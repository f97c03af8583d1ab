# SPDX-License-Identifier: Apache-2.0
"""Folders of pictures to measure on, and PSNR."""
import glob
import math
import os

import numpy as np
from PIL import Image


def load_folder(folder):
    """Path -> uint8 array (H, W, 3), in order of names."""
    names = sorted(n for e in ("png", "jpg", "jpeg") for n in glob.glob(os.path.join(folder, "*." + e)))
    if not names:
        raise FileNotFoundError(f"no .png or .jpg in {folder!r}")
    return {n: load_picture(n) for n in names}


def load_picture(file):
    """uint8 array (H, W, 3) of a path or a file object."""
    with Image.open(file) as image:
        return np.array(image.convert("RGB"))


def psnr(a, b):
    """In dB over all samples of two 8-bit pictures; 99 where they are equal."""
    if a.shape != b.shape:
        raise ValueError(f"pictures of different size: {a.shape} and {b.shape}")
    mse = np.mean((a.astype(np.float64) - b) ** 2)
    return 99.0 if mse == 0 else 10 * math.log10(255**2 / mse)


def mean_points(points):
    """(mean bpp, mean PSNR), or as many means as the points have numbers; None where a point has None."""
    return tuple(None if None in column else float(np.mean(column)) for column in zip(*points))
