# SPDX-License-Identifier: Apache-2.0
"""Integer frequency tables of the entropy coder, made from the model's distributions in binary64.

A table's frequencies sum to 2^16 and none is zero. Values outside a table are coded as its last entry, the escape, followed by raw bits.
"""
import heapq
import math

import numpy as np

TOTAL = 1 << 16
SCALES = 128
SCALE_MIN, SCALE_MAX = 0.11, 512.0
PRIOR_TAIL = 2.0**-17  # the hyperlatents' tables reach until a tail holds less than this
PRIOR_SYMBOLS = 4096  # at most, in a table of the hyperlatents
PRIOR_EDGES = np.arange(-PRIOR_SYMBOLS, PRIOR_SYMBOLS + 2) - 0.5  # between the symbols that a table could have


def allocate(probabilities, units):
    """Integer frequencies >= 1 with sum(units * frequencies) = 2^16 and the least expected code length.

    Entry i stands for units[i] symbols of probability probabilities[i] each, which share one frequency. The last unit that no entry with
    units 1 deserves more goes to one of those, so at least one must exist. Every entry gets the largest frequency whose last step still
    gains a common threshold of bits per unit; what remains is handed out by gain, which is optimal because the gains fall (concavity).
    """
    p, units = np.asarray(probabilities, np.float64), np.asarray(units, np.int64)

    def at(threshold):
        with np.errstate(divide="ignore", over="ignore"):
            return np.maximum(1, np.minimum(np.floor(-1 / np.expm1(-threshold / p)), TOTAL)).astype(np.int64)

    low, high = 1e-12, 10.0  # `at` falls with the threshold: too much at low, too little at high
    for _ in range(100):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if (units * at(middle)).sum() > TOTAL else (low, middle)
    frequencies = at(high)
    left = int(TOTAL - (units * frequencies).sum())
    if left < 0:
        raise ValueError("more symbols than frequencies")
    gain = lambda i: -float(p[i] * np.log1p(1 / frequencies[i]))
    queue = [(gain(i), i) for i in range(len(p))]
    heapq.heapify(queue)
    while left:
        _, i = heapq.heappop(queue)
        if units[i] <= left:
            frequencies[i] += 1
            left -= int(units[i])
            heapq.heappush(queue, (gain(i), i))
    return frequencies


erfc = np.vectorize(math.erfc, otypes=[np.float64])


def gaussian_scales():
    """The table's scales, log-spaced."""
    return np.exp(np.linspace(math.log(SCALE_MIN), math.log(SCALE_MAX), SCALES))


def gaussian_reach(sigma):
    """The largest magnitude that has its own entry."""
    return math.ceil(4 * sigma) + 1


def gaussian_cells(sigma, count):
    """Probabilities of 0, 1, ..., count - 1 (each also that of its negative) and of everything beyond, both sides together."""
    edges = 0.5 * erfc((np.arange(count + 1) - 0.5) / (sigma * math.sqrt(2)))  # upper tails, so that nothing cancels
    return edges[:-1] - edges[1:], 2 * edges[-1]


def gaussian_tables():
    """Tensors of the Gaussian tables: index of a log-scale = number of thresholds strictly below it, the nearest scale in the log domain."""
    logs = np.linspace(math.log(SCALE_MIN), math.log(SCALE_MAX), SCALES)
    return tables_of_scales(gaussian_scales(), (logs[1:] + logs[:-1]) / 2)


def published_scales():
    """The 64 scales of Ballé's and CompressAI's coding tables."""
    return np.exp(np.linspace(math.log(0.11), math.log(256), 64))


def next_scale_tables(scales):
    """Tensors of Gaussian tables for ascending scales, used as CompressAI does: the smallest scale that is not below, so the thresholds are scales, all but the last."""
    return tables_of_scales(np.asarray(scales, np.float64), np.asarray(scales)[:-1])


def tables_of_scales(scales, thresholds):
    """A table a scale; of what the thresholds are to be compared with (a scale, its logarithm), the caller decides."""
    lengths, frequencies = [], []
    for sigma in scales:
        reach = gaussian_reach(sigma)
        cells, beyond = gaussian_cells(sigma, reach + 1)
        lengths.append(reach)
        frequencies.append(allocate(np.append(cells, beyond), [1] + [2] * reach + [1]))
    return {
        "gaussian.thresholds": thresholds.astype(np.float32),
        "gaussian.lengths": np.array(lengths, np.int32),
        "gaussian.frequencies": np.concatenate(frequencies).astype(np.uint16),
    }


def escape_bits(distance):
    """Raw bits of a value at a distance (1, 2, ...) from its table, as the library codes it: 5 of length, the length's own, and the side."""
    return 6 + np.floor(np.log2(distance))


def gaussian_excess(tables):
    """(entropy, excess) in bits a symbol for each table, coding integers of a Gaussian of exactly that scale, escapes included."""
    rows, start = [], 0
    for sigma, reach in zip(gaussian_scales(), tables["gaussian.lengths"]):
        f = tables["gaussian.frequencies"][start:start + reach + 2].astype(np.float64)
        start += reach + 2
        p, _ = gaussian_cells(sigma, math.ceil(14 * sigma) + 8)
        k = np.arange(len(p))
        inside = k <= reach
        cost = np.where(inside, 16 - np.log2(f[np.minimum(k, reach)]), 16 - np.log2(f[-1]) + escape_bits(np.maximum(k - reach, 1)))
        ideal = -np.log2(np.where(p > 0, p, 1))
        p = np.append(p[:1], 2 * p[1:])  # both signs
        entropy = float((p * ideal).sum())
        rows.append((entropy, float((p * cost).sum()) - entropy))
    return np.array(rows)


def prior_table(below, above):
    """(smallest symbol, frequencies) of one channel: what its distribution holds below and above each of PRIOR_EDGES."""
    reach = np.arange(-PRIOR_SYMBOLS, PRIOR_SYMBOLS + 1)
    cells = np.maximum(np.where(reach <= 0, below[1:] - below[:-1], above[:-1] - above[1:]), 0)
    centre = PRIOR_SYMBOLS  # index of symbol 0, which every table holds
    # Symbol i covers edges i to i + 1. From either end, skip the symbols beyond which, themselves included, the tail is still below the bound.
    first = min(centre, int((below[1:] < PRIOR_TAIL).sum()))
    last = max(centre, len(reach) - 1 - int((above[:-1] < PRIOR_TAIL).sum()))
    while last - first + 1 > PRIOR_SYMBOLS:  # escapes take what does not fit, the less likely end first
        if last > centre and (first == centre or cells[first] > cells[last]):
            last -= 1
        else:
            first += 1
    outside = below[first] + above[last + 1]
    p = np.append(cells[first:last + 1], outside)
    return int(reach[first]), allocate(np.maximum(p, 1e-30), np.ones(len(p)))


def mixture_tails(weights, means, log_scales):
    """The tails of mixtures of logistics around the medians; arguments (channels, components) of FactorizedPrior."""
    weights, means, scales = np.asarray(weights, np.float64), np.asarray(means, np.float64), np.exp(np.asarray(log_scales, np.float64))
    weights = np.exp(weights - weights.max(1, keepdims=True))
    for w, m, s in zip(weights / weights.sum(1, keepdims=True), means, scales):
        yield tuple((w * np.exp(-np.logaddexp(0, side * (PRIOR_EDGES[:, None] - m) / s))).sum(1) for side in (-1, 1))


def prior_tables(tails):
    """Tensors of the hyperlatents' tables, from each channel's (below, above) of `prior_table`.

    Symbol s of a channel stands for its median + s. The learned CDF is scanned on both sides until the tail is below 2^-17.
    """
    tables = [prior_table(*row) for row in tails]
    return {
        "prior.offsets": np.array([first for first, _ in tables], np.int32),
        "prior.lengths": np.array([len(f) - 1 for _, f in tables], np.int32),
        "prior.frequencies": np.concatenate([f for _, f in tables]).astype(np.uint16),
    }
