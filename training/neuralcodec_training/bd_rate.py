# SPDX-License-Identifier: Apache-2.0
"""Bjontegaard delta rate: piecewise-cubic (PCHIP) over log rate, on the overlapping PSNR range."""
import numpy as np


def pchip_slopes(x, y):
    """Fritsch-Carlson slopes at the points x (strictly increasing): the interpolation never overshoots the data."""
    h, d = np.diff(x), np.diff(y) / np.diff(x)
    if len(x) == 2:
        return np.array([d[0], d[0]])
    w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    same = d[:-1] * d[1:] > 0
    safe = np.where(same, d[:-1], 1.0), np.where(same, d[1:], 1.0)
    inner = np.where(same, (w1 + w2) / (w1 / safe[0] + w2 / safe[1]), 0.0)

    def end(h0, h1, d0, d1):
        slope = ((2 * h0 + h1) * d0 - h0 * d1) / (h0 + h1)
        if slope * d0 <= 0:
            return 0.0
        return 3 * d0 if d0 * d1 < 0 and abs(slope) > 3 * abs(d0) else slope

    return np.concatenate([[end(h[0], h[1], d[0], d[1])], inner, [end(h[-1], h[-2], d[-1], d[-2])]])


def pchip(x, y):
    """The interpolating function of the points (x, y), x strictly increasing."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    slopes = pchip_slopes(x, y)

    def f(v):
        i = np.clip(np.searchsorted(x, v, side="right") - 1, 0, len(x) - 2)
        h = x[i + 1] - x[i]
        t = (v - x[i]) / h
        return ((1 + 2 * t) * (1 - t) ** 2 * y[i] + t * (1 - t) ** 2 * h * slopes[i]
                + t**2 * (3 - 2 * t) * y[i + 1] + t**2 * (t - 1) * h * slopes[i + 1])

    return f


def integral(f, knots, low, high):
    """Of a function that is a cubic between consecutive knots, where Simpson's rule is exact."""
    cuts = np.unique(np.concatenate([[low, high], [k for k in knots if low < k < high]]))
    a, b = cuts[:-1], cuts[1:]
    return float(((b - a) / 6 * (f(a) + 4 * f((a + b) / 2) + f(b))).sum())


def bd_rate(reference, test):
    """Mean rate difference of `test` to `reference` in percent (negative: test needs less) at equal PSNR; None without a common PSNR range.

    Each curve is a sequence of (bpp, PSNR), at least two points, of which PSNR must rise with bpp.
    """
    curves = []
    for points in (reference, test):
        points = np.asarray(sorted(points, key=lambda p: p[1]), float)
        if len(points) < 2 or (np.diff(points[:, 1]) <= 0).any():
            raise ValueError("a rate-distortion curve needs at least two points of different PSNR")
        curves.append((np.log(points[:, 0]), points[:, 1]))
    low, high = max(c[1][0] for c in curves), min(c[1][-1] for c in curves)
    if high <= low:
        return None
    mean = [integral(pchip(psnr, rate), psnr, low, high) / (high - low) for rate, psnr in curves]
    return 100 * (np.exp(mean[1] - mean[0]) - 1)
