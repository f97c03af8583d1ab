# SPDX-License-Identifier: Apache-2.0
"""PSNR and MS-SSIM written a second time, in numpy, from the papers and pytorch-msssim's conventions, to hold Sources/NeuralCodec/Metrics against.

`python3 Tests/cli/reference_metrics.py` prints the golden numbers of Tests/NeuralCodecTests/MetricsTests.swift.
"""
import math

import numpy as np

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def psnr(a, b):
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def blur(plane):
    """11 x 11 Gaussian, sigma 1.5, only where the window lies inside."""
    window = np.exp(-np.arange(-5, 6) ** 2 / (2 * 1.5**2))
    window /= window.sum()
    view = np.lib.stride_tricks.sliding_window_view(plane, (11, 11))
    return np.einsum("yxij,i,j->yx", view, window, window, optimize=True)


def similarity(a, b):
    """Means of SSIM and of its contrast-structure part for one channel."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_a, mean_b = blur(a), blur(b)
    contrast = (2 * (blur(a * b) - mean_a * mean_b) + c2) / (blur(a * a) - mean_a**2 + blur(b * b) - mean_b**2 + c2)
    return np.mean((2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1) * contrast), np.mean(contrast)


def halve(plane):
    """Means of 2 x 2 samples, with a border of zeros around odd dimensions."""
    plane = np.pad(plane, [(side % 2, side % 2) for side in plane.shape])
    height, width = (side // 2 for side in plane.shape)
    return plane[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))


def ms_ssim(a, b):
    """Of two uint8 arrays (height, width[, channels]); None where a side is below 161."""
    if min(a.shape[:2]) < 161:
        return None
    channels = []
    for p, q in zip(np.atleast_3d(a).transpose(2, 0, 1).astype(np.float64), np.atleast_3d(b).transpose(2, 0, 1).astype(np.float64)):
        product = 1.0
        for scale, weight in enumerate(WEIGHTS):
            whole, contrast = similarity(p, q)
            product *= max(whole if scale == 4 else contrast, 0.0) ** weight
            p, q = halve(p), halve(q)
        channels.append(product)
    return float(np.mean(channels))


def golden_pair(width, height, channels):
    """Two pictures that are easy to make in any language: waves and a ramp, and the same with a pattern of errors."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    a = (x * x // 97 + 3 * y + (x * y) // 61 + 40 * c) % 256
    b = np.clip(a + (x * 7 + y * 13 + c * 5) % 23 - 11, 0, 255)
    return a.astype(np.uint8), b.astype(np.uint8)


if __name__ == "__main__":
    for size in ((161, 161, 1), (176, 208, 3), (203, 187, 3)):
        a, b = golden_pair(*size)
        print(size, f"psnr {psnr(a, b):.9f} ms_ssim {ms_ssim(a, b):.9f}")
