# SPDX-License-Identifier: Apache-2.0
"""Closest points of E8, Barnes-Wall and Leech, points alone, one core, beside PyTorch doing the same search in the same run.

    PYTHONPATH=build/python python Benchmarks/quantizer_torch.py [--rounds N]     needs PyTorch

The PyTorch versions are vectorized over vectors: E8 as D8 and D8 + 1/2; Barnes-Wall as 32 cosets of 2 D16, all at once; Leech as 8192 cosets of 4 D24, whose sums over
coordinates are two products with the matrix of the Golay code's words, and whose greatest errors are 24 maxima. All find closest points: distances must agree. Times are
of the processor, in turns, medians; nanoseconds a vector. The last line is JSON.
"""
import argparse
import json
import statistics
import time

import numpy as np
import torch
from neuralcodec import Quantizer

# Vectors a call, of PyTorch and of the library: in the caches, and long enough to be timed.
COUNTS = {"e8": (1 << 14, 1 << 14), "barnes-wall": (1 << 11, 1 << 13), "leech": (1 << 7, 1 << 12)}


def nearest_even(x):
    """The closest points of D_n, and their squared distances."""
    near = torch.round(x)
    error = x - near
    worst = error.abs().argmax(-1, keepdim=True)
    step = torch.where(torch.gather(error, -1, worst) < 0, -1.0, 1.0)
    odd = near.sum(-1, keepdim=True) % 2 != 0
    near = near.scatter_add(-1, worst, torch.where(odd, step, 0.0))
    return near, ((x - near) ** 2).sum(-1)


def e8(x):
    whole, a = nearest_even(x)
    half, b = nearest_even(x - 0.5)
    return torch.where((a <= b)[:, None], whole, half + 0.5)


def span(rows):
    """All sums modulo 2 of rows of bits, each once."""
    words = {0}
    for row in rows:
        mask = sum(int(bit) << i for i, bit in enumerate(row))
        words |= {word ^ mask for word in words}
    n = len(rows[0])
    return torch.tensor([[word >> i & 1 for i in range(n)] for word in sorted(words)], dtype=torch.float32)


class BarnesWall:
    def __init__(self):
        self.words = span(Quantizer("barnes-wall").basis.astype(int) % 2)
        assert self.words.shape == (32, 16)

    def __call__(self, x):
        points, distances = nearest_even((x[:, None] - self.words) / 2)
        best = distances.argmin(-1)
        return 2 * points[torch.arange(len(x)), best] + self.words[best]


class Leech:
    """x = m + 2 c + 4 z, c a word of the Golay code, the sum of z odd where m = 1 and even where m = 0."""

    def __init__(self):
        rows = Quantizer("leech").basis.astype(int)
        even = (rows % 2 == 0).all(axis=1)
        self.words = span(np.concatenate([rows[even] // 2, rows[~even]]) % 2)  # twice an odd row is even
        assert self.words.shape == (4096, 24)
        self.transposed = self.words.T.contiguous()
        self.bits = self.words.bool()

    def __call__(self, x):
        sides = [self.best(x - m, m) for m in (0, 1)]
        return torch.where((sides[0][1] <= sides[1][1])[:, None], sides[0][0], sides[1][0] + 1)

    def best(self, x, m):
        # Of each coordinate where its bit is 0, and where it is 1: the integer, the error.
        integers = [torch.round((x - 2 * bit) / 4) for bit in (0, 1)]
        errors = [((x - 2 * bit) / 4 - z).abs() for bit, z in zip((0, 1), integers)]
        squares = [e * e for e in errors]
        cost = squares[0].sum(-1, keepdim=True) + (squares[1] - squares[0]) @ self.transposed
        parity = (integers[0].sum(-1, keepdim=True) + (integers[1] - integers[0]) @ self.transposed + m) % 2
        worst = torch.zeros_like(cost)
        for i in range(24):
            worst = torch.maximum(worst, torch.where(self.bits[:, i], errors[1][:, i : i + 1], errors[0][:, i : i + 1]))
        cost = cost + parity * (1 - 2 * worst)
        least, word = cost.min(-1)
        c = self.words[word]
        t = (x - 2 * c) / 4
        near = torch.round(t)
        error = t - near
        where = error.abs().argmax(-1, keepdim=True)
        step = torch.where(torch.gather(error, -1, where) < 0, -1.0, 1.0)
        odd = (near.sum(-1, keepdim=True) + m) % 2 != 0
        return 2 * c + 4 * near.scatter_add(-1, where, torch.where(odd, step, 0.0)), least


def seconds(work):
    """Processor time of one call, over at least a twentieth of a second."""
    calls, start = 0, time.process_time()
    while time.process_time() - start < 0.05:
        work()
        calls += 1
    return (time.process_time() - start) / calls


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    results = []
    print(f"PyTorch {torch.__version__}; ns a vector, processor time of one thread, medians of {options.rounds} rounds (least to most)")
    print(f"{'':14}{'ours':>26}{'PyTorch':>30}{'ratio':>8}")
    for name, search in (("e8", e8), ("barnes-wall", BarnesWall()), ("leech", Leech())):
        q = Quantizer(name)
        theirs_count, ours_count = COUNTS[name]
        x = np.random.default_rng(1).normal(0, 4, (max(COUNTS[name]), q.dimension)).astype(np.float32)
        few, own = torch.from_numpy(x[:theirs_count]), np.ascontiguousarray(x[:ours_count])
        found, expected = q.quantize(x[:theirs_count], return_indices=False), search(few).numpy()
        distances = [((x[:theirs_count].astype(float) - p) ** 2).sum(-1) for p in (found, expected)]
        assert np.allclose(*distances, rtol=1e-5, atol=1e-5), name
        out, ours, theirs = np.empty_like(own), [], []
        for _ in range(options.rounds):
            ours.append(1e9 / ours_count * seconds(lambda: q.quantize(own, out, return_indices=False, threads=1)))
            theirs.append(1e9 / theirs_count * seconds(lambda: search(few)))
        a, b = statistics.median(ours), statistics.median(theirs)
        spread = lambda t: f"({min(t):.4g} to {max(t):.4g})"  # noqa: E731
        print(f"{name:14}{a:8.4g} {spread(ours):>17}{b:12.6g} {spread(theirs):>17}{b / a:8.0f}", flush=True)
        results.append({"name": name, "dimension": q.dimension, "ours_ns": ours, "torch_ns": theirs, "ratio": b / a})
    print(json.dumps({"torch": torch.__version__, "lattices": results}))


if __name__ == "__main__":
    main()
