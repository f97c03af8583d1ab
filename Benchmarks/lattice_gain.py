# SPDX-License-Identifier: Apache-2.0
"""Distortion at equal rate, in entropy-coded bytes, of scalars, lattices, learned lattices and a linear layer: on a correlated Gaussian and on a model's latents.

    python Benchmarks/lattice_gain.py [--model default] [--plot FILE.svg] BENCH PICTURE...     BENCH: the neuralcodec-bench program; pictures: PNG files, or folders

Needs the staged Python package (PYTHONPATH=build/python) and matplotlib. Every rate is that of Quantizer.encode, with the standard deviations that the source, or the
model, says; at a step of 1 it is decoded and compared. Cells of all quantizers have the volume step^n. What is in the tables:

    gain      dB by which the squared error is less than the scalar quantizer's where both take as many bytes, points as they are
    factor    the same where points are multiplied with a factor for each class of deviation/step, fitted on the other half of the data, for scalars too
    saved     percent of the bytes saved where errors are equal, with factors

Half of the data (every other picture) is for fitting: factors, the linear layer, learned lattices. The last line is JSON.
"""
import argparse
import itertools
import json
import subprocess
import tempfile
from pathlib import Path

import neuralcodec
import numpy as np
from neuralcodec import Quantizer

LATTICES = {"E8": "e8", "Barnes-Wall": "barnes-wall", "Leech": "leech"}
BLOCKS = {8: (2, 4), 16: (4, 4), 24: (4, 6)}
LEARNED = 8  # dimension of learned lattices and of the linear layer on latents
QUIET = 0.25  # deviation / step below which a block is left to scalars
LATENT_STEPS = [0.5, 0.71, 1.0, 1.41, 2.0]
GAUSSIAN_STEPS = [0.25, 0.35, 0.5, 0.71, 1.0, 1.41, 2.0, 2.83]
SMALLER_STEPS = [0.06, 0.09, 0.125, 0.18, *GAUSSIAN_STEPS]  # so that what needs fewer bits reaches the scalars' rates


# ---- What is compared: a codec takes x, deviations (both (count, n)) and a step, and gives back points and the number of bits


def unit(name, n):
    """A quantizer of cells of volume 1, with a step as scale."""
    volume = Quantizer(name, n).volume
    return lambda step: Quantizer(name, n, scale=step / volume ** (1 / n))


def coded(q, x, deviations, scales, check):
    points, indices = q.quantize(x)
    data = q.encode(indices, scales)
    assert not check or np.array_equal(q.decode(data, scales, indices.shape), indices)
    return points, 8 * len(data)


def scalar(x, deviations, step):
    return coded(Quantizer("scalar", scale=step), x, deviations, deviations, step == 1)


def scalar_with_dead_zone(x, deviations, step):
    """Values up to 0.6 steps become 0. The coder's tables are those of plain rounding; 0.9 of the deviation fits better."""
    return coded(Quantizer("scalar", scale=step, dead_zone=0.6), x, deviations, np.float32(0.9) * deviations, step == 1)


def lattice(name, n):
    make = unit(name, n)
    return lambda x, deviations, step: coded(make(step), x, deviations, deviations, step == 1)


def on_basis(rows, search, correlation):
    """A lattice by its rows: each coordinate is coded given those before it."""
    return lambda x, deviations, step: coded(
        Quantizer(basis=rows, scale=step, search=search, correlation=correlation), x, deviations, deviations, step == 1)


def linear_layer(axes, correlation):
    """Scalars along orthonormal columns, each coded by itself: their deviations come of those of x and its correlation."""

    def codec(x, deviations, step):
        points, bits = scalar((x @ axes).astype(np.float32), transformed_deviations(deviations, correlation, axes), step)
        return (points @ axes.T).astype(np.float32), bits

    return codec


def quiet_as_scalars(codec):
    """The codec where all of a block is busy, scalars elsewhere. The decoder knows the deviations, so which is which."""

    def both(x, deviations, step):
        busy = deviations.min(axis=1) >= QUIET * step
        points, bits = np.empty(x.shape, np.float32), 0
        for part, one in ((busy, codec), (~busy, scalar)):
            points[part], size = one(x[part], deviations[part], step)
            bits += size
        return points, bits

    return both


def transformed_deviations(deviations, correlation, matrix):
    """Deviations of x @ matrix, where x has those deviations and that correlation."""
    variances = np.zeros((len(deviations), matrix.shape[1]))
    for j in range(len(matrix)):
        mixed = (deviations * correlation[j]) @ matrix
        variances += mixed * (deviations[:, j : j + 1] * matrix[j])
    return np.sqrt(variances.clip(0)).astype(np.float32)


# ---- Curves


class Factors:
    """A factor for the points of each class of deviation/step: least squares on other data."""

    def __init__(self, points, x, deviations, step):
        classes = self.classes(deviations, step)
        squares = np.bincount(classes, (points * points).ravel(), 128)
        products = np.bincount(classes, (points * x).ravel(), 128)
        self.values = np.where(squares > 0, products / np.maximum(squares, 1e-30), 1).astype(np.float32)

    @staticmethod
    def classes(deviations, step):
        return np.clip(np.rint(10 * np.log2(deviations / step)) + 60, 0, 127).astype(np.int64).ravel()

    def __call__(self, points, deviations, step):
        return points * self.values[self.classes(deviations, step)].reshape(points.shape)


def curve(codec, halves, steps):
    """Bits a value, and squared error of a value of the points as they are and with factors, at each step: on the second half."""
    (fit, fit_deviations), (x, deviations) = halves
    result = []
    for step in steps:
        factors = Factors(codec(fit, fit_deviations, step)[0], fit, fit_deviations, step)
        points, bits = codec(x, deviations, step)
        plain = np.mean((x - points) ** 2, dtype=np.float64)
        scaled = np.mean((x - factors(points, deviations, step)) ** 2, dtype=np.float64)
        result.append((bits / x.size, plain, scaled))
    return np.array(result)


def at(x, xs, ys):
    """Linear interpolation; nan outside."""
    order = np.argsort(xs)
    return np.interp(x, xs[order], ys[order], left=np.nan, right=np.nan)


def against(reference, other):
    """Gains over the reference at each of its rates."""
    rates = reference[:, 0]
    plain, scaled = (10 * (np.log10(reference[:, k]) - at(rates, other[:, 0], np.log10(other[:, k]))) for k in (1, 2))
    same = np.exp2(at(np.log10(reference[:, 2]), np.log10(other[:, 2]), np.log2(other[:, 0])))
    return plain, scaled, 100 * (1 - same / rates)


def report(title, curves, rows, middle, results):
    """Prints the gains at some of the reference's rates, for each codec but the first, which is the reference."""
    reference = next(iter(curves.values()))
    print(f"\n{title}")
    print(f"{'bits a value':28}" + "".join(f"{reference[i, 0]:^24.3f}" for i in rows))
    print(f"{'':28}" + f"{'gain':>8}{'factor':>8}{'saved':>8}" * len(rows))
    gains = {}
    for name, values in curves.items():
        gains[name] = against(reference, values)
        if values is not reference:
            cells = ([*(f"{gain[i]:.3f}" for gain in gains[name][:2]), f"{gains[name][2][i]:.2f}%"] for i in rows)
            print(f"{name:28}" + "".join(f"{cell:>8}" for row in cells for cell in row).replace("nan%", "   -").replace("nan", "  -"), flush=True)
    clean = lambda a: [None if np.isnan(v) else round(float(v), 5) for v in a]  # noqa: E731
    results.append({"title": title, "operating_point": middle, "curves": [
        {"name": name, "bits": clean(v[:, 0]), "mse": clean(v[:, 1]), "mse_factors": clean(v[:, 2]), "gain_db": clean(gains[name][0]),
         "gain_db_factors": clean(gains[name][1]), "saved_percent": clean(gains[name][2])} for name, v in curves.items()]})  # fmt: skip


def learned(samples, name, step):
    """{label: (rows, search)} of lattices learned for a step."""
    found = {}
    for label, search in (("Babai", "babai"), ("exact", "exact")):
        rows = Quantizer.learn(samples, search=search, scale=step).basis.astype(float)
        found[f"learned {name}, {label}"] = (rows / abs(np.linalg.det(rows)) ** (1 / len(rows))).astype(np.float32), search
    return found


# ---- A correlated Gaussian


def gaussian(count, results, correlation=0.9):
    """Rows of 24 values of a first-order autoregressive source."""
    n = 24
    matrix = correlation ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    random = np.random.default_rng(1)
    x = (random.normal(size=(2 * count, n)) @ np.linalg.cholesky(matrix).T).astype(np.float32)

    def halves(values, deviations, columns):
        deviations = np.broadcast_to(deviations.astype(np.float32), values.shape)
        return [(values[part].reshape(-1, columns), deviations[part].reshape(-1, columns)) for part in (slice(count), slice(count, None))]

    raw = lambda columns: halves(x, np.ones(n), columns)  # noqa: E731
    curves = {"scalar": curve(scalar, raw(n), GAUSSIAN_STEPS)}
    for label, name in LATTICES.items():
        size = Quantizer(name).dimension
        curves[label] = curve(lattice(name, size), raw(size), SMALLER_STEPS)
    for size in (8, 24):
        part = matrix[:size, :size]
        variances, axes = np.linalg.eigh(part)
        turned = (x.reshape(-1, size) @ axes).astype(np.float32).reshape(len(x), -1)
        deviations = np.tile(np.sqrt(variances), n // size)
        curves[f"linear layer {size}, scalar"] = curve(scalar, halves(turned, deviations, n), SMALLER_STEPS)
        if size == 24:
            for label, name in LATTICES.items():
                # Blocks of one coefficient, from as many rows.
                columns = Quantizer(name).dimension
                whole = count // columns * columns
                blocks = [(v[:whole].T.reshape(-1, columns), d[:whole].T.reshape(-1, columns)) for v, d in halves(turned, deviations, n)]
                curves[f"linear layer 24, {label}"] = curve(lattice(name, columns), blocks, SMALLER_STEPS)
        curves[f"scalar {size}, chained"] = curve(on_basis(np.eye(size), "babai", part), raw(size), SMALLER_STEPS)
        for label, (rows, search) in learned(x[: 250 * size].reshape(-1, size), str(size), GAUSSIAN_STEPS[0]).items():
            curves[label] = curve(on_basis(rows, search, part), raw(size), SMALLER_STEPS)
    report(f"Gaussian, correlation {correlation} of neighbours, deviation 1", curves, [0, 2, 4, 6], None, results)
    return results[-1]


# ---- Latents


def read_latents(bench, model, quality, pictures):
    """[(residuals, deviations)] of each picture, (rows, columns, channels)."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([bench, "latents", model, folder, str(quality), *pictures], check=True, stdout=subprocess.DEVNULL)
        load = lambda picture, what: np.load(f"{folder}/{Path(picture).stem}.{what}.npy")  # noqa: E731
        return [(load(p, "residuals"), load(p, "scales")) for p in pictures]


def neighbours(array, n):
    """Blocks of positions of one channel that are coded in the same pass, every other one of a row; what is left over at the edges is dropped."""
    high, wide = BLOCKS[n]
    rows, columns = array.shape[0] // 4 * 4, array.shape[1] // 24 * 24  # the same values for all blocks
    passes = []
    for first in (0, 1):
        part = np.stack([array[row, (row + first) % 2 : columns : 2] for row in range(rows)])
        passes.append(part.reshape(rows // high, high, columns // 2 // wide, wide, -1).transpose(0, 2, 4, 1, 3).reshape(-1, n))
    return np.concatenate(passes)


def channels_of(array, n):
    """Channels of a position, in their order."""
    return array[:, :, : array.shape[2] // 48 * 48].reshape(-1, n)


def by_scale(latents):
    """The channels of each position in the order of their deviations."""
    values, deviations = latents
    order = np.argsort(-deviations, axis=2, kind="stable")
    return tuple(np.take_along_axis(a, order, 2) for a in (values, deviations))


def halves_of(latents, blocks, n):
    """Every other picture; of one alone, its upper and its lower half."""
    if len(latents) == 1:
        middle = latents[0][0].shape[0] // 2
        latents = [tuple(a[part] for a in latents[0]) for part in (slice(middle), slice(middle, None))]
    return [tuple(np.concatenate([blocks(a, n) for a in arrays]) for arrays in zip(*latents[k::2])) for k in (0, 1)]


def on_latents(latents, quality, results):
    groupings = {"neighbours": (latents, neighbours), "channels as stored": (latents, channels_of), "channels sorted by scale": ([by_scale(x) for x in latents], channels_of)}
    summary = {}
    for where, (values, blocks) in groupings.items():
        data = {n: halves_of(values, blocks, n) for n in BLOCKS}
        reference = curve(scalar, data[8], LATENT_STEPS)
        codecs = {label: (lattice(name, Quantizer(name).dimension), Quantizer(name).dimension) for label, name in LATTICES.items()}
        if where == "neighbours":
            codecs |= fitted(*data[LEARNED][0])
        for mixed in (False,) if where == "channels as stored" else (False, True):
            curves = {"scalar": reference}
            for label, (codec, n) in codecs.items():
                curves[label] = curve(quiet_as_scalars(codec) if mixed else codec, data[n], LATENT_STEPS)
            if not mixed:
                curves["scalar, dead zone"] = curve(scalar_with_dead_zone, data[8], LATENT_STEPS)
            title = f"latents, quality {quality}, {where}" + (f", blocks with a deviation below {QUIET} steps to scalars" if mixed else "")
            report(title, curves, [1, 2, 3], 2, results)
            summary[where, mixed] = results[-1]
    return summary


def fitted(x, deviations):
    """{label: (codec, n)} of a linear layer and learned lattices for blocks like those that are busy."""
    busy = deviations.min(axis=1) >= QUIET
    if busy.sum() < 1000:
        print("(the linear layer and learned lattices are left out: too few blocks to fit them)")
        return {}
    normal = x[busy] / deviations[busy]
    correlation = np.corrcoef(normal.T)
    strength = np.abs(correlation - np.diag(np.diag(correlation))).max()
    print(f"\nbusy neighbours, divided by their deviations, correlate by {strength:.3f} at most")
    _, axes = np.linalg.eigh(np.cov(x[busy].T))
    bases = {f"scalar {LEARNED}, chained": (np.eye(LEARNED), "babai")} | learned(x[busy][:20000], str(LEARNED), 1)
    codecs = {f"linear layer {LEARNED}, scalar": linear_layer(axes, correlation)} | {label: on_basis(*basis, correlation) for label, basis in bases.items()}
    return {label: (codec, LEARNED) for label, codec in codecs.items()}


def print_shares(latents, quality):
    """How latents and their bits spread over deviations: where a lattice has something to gain."""
    deviations = np.concatenate([d.ravel() for _, d in latents])
    values = np.concatenate([x.ravel() for x, _ in latents])
    q = Quantizer("scalar")
    bits = q.rate(q.quantize(values[:, None])[1], deviations[:, None], per_vector=True)[:, 0]
    print(f"\nquality {quality}, scalars: share of latents and of bits by deviation/step; bits a latent there")
    edges = [0, 0.25, 0.5, 1, 2, 4, np.inf]
    for low, high in itertools.pairwise(edges):
        part = (deviations >= low) & (deviations < high)
        mean = bits[part].mean() if part.any() else float("nan")
        print(f"{low:6g} to {high:<6g} {100 * part.mean():6.2f}% {100 * bits[part].sum() / bits.sum():6.2f}% {mean:7.3f}")


# ---- Plot


def plot(path, source, latents):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "lattice-gain", "svg.fonttype": "none", "font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
    import matplotlib.pyplot as plt

    panels = [(source, "gain_db_factors", "Gaussian, neighbours correlate by 0.9"), None]
    for quality, summary in latents.items():
        panels.append((summary["neighbours", True], "saved_percent", f"latents, quality {quality}, neighbours, quiet blocks scalar"))
        panels.append((summary["channels sorted by scale", True], "saved_percent", f"latents, quality {quality}, sorted by scale, quiet blocks scalar"))
    figure, axes = plt.subplots(len(panels) // 2, 2, figsize=(9, 1.3 * len(panels)))
    for axis, panel in zip(axes.flat, panels):
        if panel is None:
            axis.axis("off")
            axis.legend(*axes.flat[0].get_legend_handles_labels(), fontsize=7, frameon=False, loc="center left", title="Gaussian")
            continue
        result, key, title = panel
        if len(result["curves"]) > 10:
            axis.set_prop_cycle(color=matplotlib.colormaps["tab20"].colors)
        bits = result["curves"][0]["bits"]  # gains are at the scalars' rates
        for c in result["curves"][1:]:
            points = [(b, g) for b, g in zip(bits, c[key]) if g is not None]
            if points:
                axis.plot(*zip(*points), marker=".", linewidth=1, linestyle="--" if "linear" in c["name"] else "-", label=c["name"])
        axis.axhline(0, color="gray", linewidth=0.6)
        if result["operating_point"] is not None:
            axis.axvline(bits[result["operating_point"]], color="gray", linewidth=0.6, linestyle=":")
            axis.legend(fontsize=6, frameon=False)
        axis.set_title(title, fontsize=8)
        axis.set(xlabel="bits a value", ylabel="dB over scalars at equal bytes" if "db" in key else "% bytes saved at equal error")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--qualities", type=float, nargs="+", default=[20, 50, 80])
    parser.add_argument("--most", type=int, default=4, help="pictures used, evenly taken from those given")
    parser.add_argument("--count", type=int, default=20000, help="rows of 24 of the Gaussian")
    parser.add_argument("--plot", type=Path, help="SVG file to draw")
    options = parser.parse_args()
    files = [f for p in options.pictures for f in (sorted(p.glob("*.png")) if p.is_dir() else [p])]
    if not files:
        parser.error("there is no picture")
    files = [files[i] for i in sorted({round(k * (len(files) - 1) / max(options.most - 1, 1)) for k in range(options.most)})]
    print(f"neuralcodec {neuralcodec.__version__}; {len(files)} pictures: {', '.join(f.stem for f in files)}")
    results, latents = [], {}
    source = gaussian(options.count, results)
    for quality in options.qualities:
        data = read_latents(options.bench, options.model, quality, files)
        print_shares(data, f"{quality:g}")
        latents[f"{quality:g}"] = on_latents(data, f"{quality:g}", results)
    if options.plot:
        options.plot.parent.mkdir(parents=True, exist_ok=True)
        plot(options.plot, source, latents)
        print(f"\nwritten: {options.plot}")
    print(json.dumps({"pictures": [f.stem for f in files], "results": results}))


if __name__ == "__main__":
    main()
