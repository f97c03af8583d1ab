# SPDX-License-Identifier: Apache-2.0
"""`make bench`: the entropy coders of `constriction` (PyPI) on the symbols and scales that `neuralcodec-bench rans` has just coded, and the ratio.

    python constriction_coder.py FOLDER RANS.json

constriction has a batch call for a Gaussian a symbol, which computes probabilities on the way: the one that fits a codec. Its tables (Categorical) serve runs of
symbols of one distribution only; here they get the symbols sorted by scale, which no decoder could do, and the sorting is not counted. Its lookup tables are
in the Rust library only.
"""
import json
import math
import statistics
import sys
import time
from pathlib import Path

import constriction
import numpy as np

model, queue, stack = constriction.stream.model, constriction.stream.queue, constriction.stream.stack

ROUNDS = 3


class Ans:
    name = "ans"

    def encode(batches):
        coder = stack.AnsCoder()
        for symbols, *distribution in reversed(batches):
            coder.encode_reverse(symbols, *distribution)
        return coder.get_compressed()

    decoder = stack.AnsCoder


class Range:
    name = "range"

    def encode(batches):
        coder = queue.RangeEncoder()
        for symbols, *distribution in batches:
            coder.encode(symbols, *distribution)
        return coder.get_compressed()

    decoder = queue.RangeDecoder


def one_each(symbols, indices, scales):
    """One batch, a Gaussian for each symbol."""
    most = int(np.abs(symbols).max())
    return [(symbols, model.QuantizedGaussian(-most, most), np.zeros(len(symbols)), scales.astype(np.float64))]


def sorted_tables(lazy):
    """A batch for each scale index, coded with the table of its median scale."""

    def batches(symbols, indices, scales):
        order = np.argsort(indices, kind="stable")
        bounds = np.flatnonzero(np.diff(indices[order])) + 1
        result = []
        for part in np.split(order, bounds):
            most, width = int(np.abs(symbols[part]).max()) + 1, float(np.median(scales[part])) * math.sqrt(2)
            edges = np.array([math.erf((k - 0.5) / width) for k in range(-most, most + 2)])
            probabilities = np.maximum(np.diff(edges), 1e-12)
            result.append((symbols[part] + most, model.Categorical(probabilities, lazy=lazy, perfect=False)))
        return result

    return batches


def decode(coder, compressed, batches):
    decoder = coder.decoder(compressed)
    return [decoder.decode(distribution[0], *(distribution[1:] or [len(symbols)])) for symbols, *distribution in batches]


def timed(call):
    start = time.thread_time()
    result = call()
    return result, time.thread_time() - start


def measure(coder, batches):
    """Bits, and medians of millions of symbols a second."""
    count = sum(len(batch[0]) for batch in batches)
    encode_times, decode_times = [], []
    for _ in range(ROUNDS):
        compressed, seconds = timed(lambda: coder.encode(batches))
        encode_times.append(seconds)
        decoded, seconds = timed(lambda: decode(coder, compressed, batches))
        decode_times.append(seconds)
        assert all(np.array_equal(a, b[0]) for a, b in zip(decoded, batches))
    return 32 * len(compressed), *(count / statistics.median(times) / 1e6 for times in (encode_times, decode_times))


def main(folder, ours):
    rows = []
    for own in json.loads(Path(ours).read_text())["results"]:
        read = lambda kind, dtype: np.fromfile(Path(folder, f"{own['name']}.{kind}"), dtype)
        workload = read("symbols", np.int32), read("indices", np.uint8), read("scales", np.float32)
        speed = own["encode"]["msymbols_per_s"], own["decode"]["msymbols_per_s"]
        print(f"{own['name']}: {len(workload[0])} symbols; millions a second, and how many times faster libneuralcodec is")
        print(f"  {'libneuralcodec':40}{speed[0]:8.1f} {'':7} {speed[1]:9.1f} {'':7} {own['bits'] / own['symbols']:10.4f} bits/symbol")
        for name, batches in (("a Gaussian a symbol", one_each), ("tables, sorted", sorted_tables(False)), ("lazy tables, sorted", sorted_tables(True))):
            prepared = batches(*workload)
            for coder in (Ans, Range):
                bits, encode, decode_ = measure(coder, prepared)
                label = f"constriction {coder.name}, {name}"
                print(f"  {label:40}{encode:8.1f} {speed[0] / encode:6.2f}x {decode_:9.1f} {speed[1] / decode_:6.2f}x {bits / own['symbols']:10.4f}")
                rows.append({"workload": own["name"], "coder": label, "encode_msymbols_per_s": encode, "decode_msymbols_per_s": decode_, "bits": bits,
                             "encode_ratio": speed[0] / encode, "decode_ratio": speed[1] / decode_})
    print(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
