# SPDX-License-Identifier: Apache-2.0
"""Time a vector of uniform scalar quantization (USQ), lattices (LVQ) and codebooks (GVQ) at dimensions 1 to 32, one core.

    PYTHONPATH=build/python python Benchmarks/quantizer_times.py [--plot FILE.svg]     needs matplotlib for the plot

USQ: a uniform scalar quantizer on every coordinate. LVQ, by name: the closest point of E8, Barnes-Wall and Leech. LVQ, basis: a random basis, by Babai's rounding, by nearest
plane, and exact, the closest point. Learned bases are nearer to orthogonal, which an exact search takes less time for. GVQ: the nearest of so many random codewords; at
n dimensions, 2^(R n) would be needed for R bits a coordinate. Points and indices are computed. Times are of the processor, medians of rounds. The last line is JSON.
"""
import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
from neuralcodec import Quantizer

DIMENSIONS = (1, 8, 16, 24, 32)
NAMED = {8: "e8", 16: "barnes-wall", 24: "leech"}
COLUMNS = ("USQ", "LVQ by name", "LVQ Babai", "LVQ nearest plane", "LVQ exact", "GVQ 256", "GVQ 4096")


def quantizers(n, random):
    yield "USQ", Quantizer("scalar", n)
    if n in NAMED:
        q = Quantizer(NAMED[n])
        yield "LVQ by name", Quantizer(NAMED[n], scale=1 / q.volume ** (1 / n))
    rows = random.normal(size=(n, n))
    rows /= abs(np.linalg.det(rows)) ** (1 / n)
    for search, label in (("babai", "Babai"), ("nearest-plane", "nearest plane"), ("exact", "exact")):
        yield f"LVQ {label}", Quantizer(basis=rows, search=search)
    for codewords in (256, 4096):
        yield f"GVQ {codewords}", Quantizer(codebook=2 * random.normal(size=(codewords, n)))


def nanoseconds(q, x):
    """Processor time a vector: one call of few vectors where they are slow, of all where they are fast."""
    count = 64
    while True:
        part = np.ascontiguousarray(x[:count])
        points, indices = q.quantize(part, threads=1)
        start = time.process_time()
        q.quantize(part, points, indices, threads=1)
        once = time.process_time() - start
        if once > 0.01 or count >= len(x):
            break
        count = min(4 * count, len(x))
    calls, start = 0, time.process_time()
    while time.process_time() - start < 0.03:
        q.quantize(part, points, indices, threads=1)
        calls += 1
    return 1e9 * (time.process_time() - start) / calls / len(part)


def plot(path, medians):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "quantizer-times", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6.5, 4))
    for column in COLUMNS:
        points = [(n, medians[n][column]) for n in DIMENSIONS if column in medians[n]]
        axis.plot(*zip(*points), marker="o", markersize=3, linewidth=1, label=column)
    axis.set(yscale="log", xlabel="dimension", ylabel="ns a vector, one core", xticks=DIMENSIONS)
    axis.legend(fontsize=7, frameon=False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--plot", type=Path, help="SVG file to draw")
    options = parser.parse_args()
    random = np.random.default_rng(1)
    kinds = {n: list(quantizers(n, random)) for n in DIMENSIONS}
    inputs = {n: random.normal(0, 2, (1 << 16, n)).astype(np.float32)[: (1 << 18) // n] for n in DIMENSIONS}
    times = {n: {label: [] for label, _ in kinds[n]} for n in DIMENSIONS}
    for _ in range(options.rounds):
        for n in DIMENSIONS:
            for label, q in kinds[n]:
                times[n][label].append(nanoseconds(q, inputs[n]))
    medians = {n: {label: statistics.median(t) for label, t in times[n].items()} for n in DIMENSIONS}
    cells = lambda value: "".join(f"{value(column):>18}" for column in COLUMNS)  # noqa: E731
    print(f"ns a vector, processor time of one thread, medians of {options.rounds} rounds; below, as a multiple of USQ of the same dimension\n{'n':>4}" + cells(str))
    for n in DIMENSIONS:
        row = medians[n]
        print(f"{n:4}" + cells(lambda column: f"{row[column]:.4g}" if column in row else "-"))
        print(f"{'':4}" + cells(lambda column: f"x {row[column] / row['USQ']:.3g}" if column in row else ""))
    if options.plot:
        plot(options.plot, medians)
        print(f"written: {options.plot}")
    print(json.dumps({"dimensions": [{"n": n, "ns": times[n], "median_ns": medians[n]} for n in DIMENSIONS]}))


if __name__ == "__main__":
    main()
