# SPDX-License-Identifier: Apache-2.0
"""experiment-report: the tables of docs/experiments.md and plots, from the results' JSON."""
import glob
import json
import os
import re

import numpy as np

from ..bd_rate import bd_rate
from ..plots import plot_curves
from .arms import ARMS, MIDDLE, TABLES

BEGIN, END = "<!-- {}: made by experiment-report -->\n", "<!-- end of {} -->\n"


def load_results(folder):
    """(arm, seed) -> result."""
    rows = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path) as f:
            row = json.load(f)
        rows[row["arm"], row["seed"]] = row
    return rows


def points(result, where):
    """[(bpp, PSNR)] of an arm's rates: estimated on the pictures "kodak" or "held_out", of whole "files" of Kodak's, or of "files_exact"; None where that was not measured."""
    return [(r[where]["bpp"], r[where]["psnr"]) for r in result["rates"]] if all(where in r for r in result["rates"]) else None


def middle(result):
    return next(r for r in result["rates"] if r["lambda"] == MIDDLE)


def mean_and_range(values, form):
    """"mean (least ... greatest)", a lone value by itself, a dash for none."""
    values = [v for v in values if v is not None]
    if not values:
        return "-"
    text = format(float(np.mean(values)), form)
    return text if len(values) == 1 else f"{text} ({format(min(values), form)} to {format(max(values), form)})"


def difference(results, reference, name, seed, where):
    """BD-rate in percent between two arms of one seed, None where either is missing. The exact search is compared with the reference's files as they are."""
    both = [(results.get((reference, seed)), where.removesuffix("_exact")), (results.get((name, seed)), where)]
    curves = [row and points(row, measured) for row, measured in both]
    return bd_rate(*curves) if all(curves) else None


def table_lines(table, results):
    """Of a Markdown table: a row for each arm that has a result, means over its seeds."""
    lines = ["| arm | seeds | BD-rate, estimated (%) | BD-rate, files (%) | average correlation | of quantized latents | centre of the map | decoding (s) | training (min) |",
             "|---|---|---|---|---|---|---|---|---|"]
    budgets = set()
    for name in table.arms:
        rows = {seed: results[name, seed] for seed in table.seeds if (name, seed) in results}
        if not rows:
            lines.append(f"| {ARMS[name].title} | not run | | | | | | | |")
            continue
        budgets |= {tuple(row["budget"].values()) for row in rows.values()}
        of = lambda *keys: [value(middle(row), keys) for row in rows.values()]
        centres = [found and found[len(found) // 2][len(found) // 2] for found in of(table.pictures, "map")]
        against = lambda where: mean_and_range([difference(results, table.arms[0], name, seed, where) for seed in rows], "+.2f")
        on_kodak = table.pictures == "kodak"
        minutes = [(row["main_seconds"] + sum(r["processor_seconds"] for r in row["rates"])) / 60 for row in rows.values()]
        lines.append(f"| {ARMS[name].title} | {len(rows)} | {against(table.pictures)} | {against('files') if on_kodak else '-'} | {mean_and_range(of(table.pictures, 'correlation'), '.4f')} | "
                     f"{mean_and_range(of(table.pictures, 'correlation_quantized'), '.4f')} | {mean_and_range(centres, '.3f')} | {mean_and_range(of('files', 'decode_seconds'), '.3f')} | {mean_and_range(minutes, '.1f')} |")
        if on_kodak and any(points(row, "files_exact") for row in rows.values()):
            lines.append(f"| {ARMS[name].title}, closest points | {len(rows)} | - | {against('files_exact')} | | | | | |")
    if len(budgets) > 1:
        raise ValueError(f"arms of different budgets in one table: {budgets}")
    return lines


def value(row, keys):
    for key in keys:
        row = row.get(key) if row else None
    return row


def replace_tables(text, results):
    """The page with each table between its markers made anew; a table without markers is left out."""
    for key, table in TABLES.items():
        begin, end = BEGIN.format(key), END.format(key)
        made = begin + "\n".join(table_lines(table, results)) + "\n" + end
        text = re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _: made, text, flags=re.S)
    return text


def mean_curve(name, table, results):
    """[(bpp, PSNR)], the mean over seeds; None where nothing was measured."""
    curves = [curve for seed in table.seeds if (name, seed) in results and (curve := points(results[name, seed], table.pictures))]
    return np.mean(curves, 0).tolist() if curves else None


def plot_tables(results, folder):
    """Rate-distortion plots as PNG and SVG, of tables that have two results; returns the paths."""
    paths = []
    for key, table in TABLES.items():
        curves = {ARMS[name].title: curve for name in table.arms if (curve := mean_curve(name, table, results))}
        if len(curves) > 1:
            paths += [path for kind in ("png", "svg") if plot_curves(path := os.path.join(folder, f"experiment-{key}.{kind}"), curves, table.title)]
    return paths


def add_command(commands):
    p = commands.add_parser("experiment-report", help="tables and plots of experiments from their JSON")
    p.add_argument("--results", default="training/experiments", metavar="FOLDER", help="default: %(default)s")
    p.add_argument("--page", default="docs/experiments.md", metavar="FILE", help="whose tables are made anew (default: %(default)s)")
    p.add_argument("--plots", metavar="FOLDER", help="also plots, as PNG and SVG (needs matplotlib)")
    p.set_defaults(run=run)


def run(o):
    results = load_results(o.results)
    with open(o.page) as f:
        text = f.read()
    made = replace_tables(text, results)
    with open(o.page, "w") as f:
        f.write(made)
    print(f"{o.page}: {len(results)} results")
    if o.plots:
        paths = plot_tables(results, o.plots)
        print("\n".join(paths) or "no plots: too few results, or no matplotlib")
