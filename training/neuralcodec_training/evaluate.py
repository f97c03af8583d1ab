# SPDX-License-Identifier: Apache-2.0
"""evaluate: rate and distortion of real files, through the built library, beside other codecs measured in the same run and published curves."""
import json
import math
import os
import sys
import tempfile

from .bd_rate import bd_rate
from .library import DEFAULT_COMMAND, Library
from .peers import PEERS, measure_peer
from .pictures import load_folder, load_picture, mean_points
from .plots import plot_curves

QUALITIES = (0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
PLOTTED = ("vtm", "bpg_444_x265_ycbcr", "jpeg2000", "compressai/bmshj2018-hyperprior", "compressai/mbt2018-mean", "compressai/cheng2020-anchor")  # of the anchors


def measure_file(library, path, image, quality, folder):
    """(bpp of the whole file, PSNR, MS-SSIM) of one picture."""
    coded, decoded = os.path.join(folder, "coded.nic"), os.path.join(folder, "decoded.png")
    library.encode(path, coded, quality)
    library.decode(coded, decoded)
    return 8 * os.path.getsize(coded) / (image.shape[0] * image.shape[1]), *library.compare(image, load_picture(decoded))


def measure_library(library, pictures, qualities):
    """[(bpp, PSNR, MS-SSIM)], means over the pictures (path -> array)."""
    with tempfile.TemporaryDirectory() as folder:
        return [mean_points([measure_file(library, path, image, q, folder) for path, image in pictures.items()]) for q in qualities]


def load_anchors(path):
    """(name -> [(bpp, PSNR)], name -> where it is from) of a file of curves: name -> {"bpp": [...], "psnr": [...], "source": text}."""
    with open(path) as f:
        found = json.load(f)
    try:
        return {name: list(zip(curve["bpp"], curve["psnr"], strict=True)) for name, curve in found.items()}, {name: curve.get("source", "") for name, curve in found.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SystemExit(f"{path}: a curve has bpp and psnr, lists of one length ({error})") from error


def decibels(similarity):
    """MS-SSIM on a scale on which its differences near 1 can be seen."""
    return -10 * math.log10(max(1 - similarity, 1e-10))


def quality_curve(points, column):
    """[(bpp, PSNR)] for column 1, [(bpp, MS-SSIM in dB)] for column 2; None where that was not measured. Of points that are no better for their bits only the first stays."""
    if any(len(p) <= column or p[column] is None for p in points):
        return None
    curve = []
    for p in sorted(points):
        quality = p[column] if column == 1 else decibels(p[column])
        if not curve or quality > curve[-1][1]:
            curve.append((p[0], quality))
    return curve


def differences(curves, column=1):
    """Name -> BD-rate in percent of the library against the others; None without a common range, or where it was not measured."""
    own = quality_curve(curves["neuralcodec"], column)
    found = {}
    for name, points in curves.items():
        other = quality_curve(points, column)
        if name != "neuralcodec":
            found[name] = bd_rate(other, own) if own and other and min(len(own), len(other)) > 1 else None
    return found


def percent(difference):
    return "-" if difference is None else f"{difference:+.1f} %"


def markdown(settings, curves, sources):
    """Tables of the library's points and of the BD-rates, as lines. sources: name -> where a curve is from, of those that were not measured now."""
    number = lambda v, form: "-" if v is None else format(v, form)
    lines = ["| quality | bpp | PSNR (dB) | MS-SSIM |", "|---|---|---|---|"]
    lines += [f"| {q:g} | {bpp:.4f} | {quality:.3f} | {number(similarity, '.5f')} |" for q, (bpp, quality, similarity) in zip(settings["neuralcodec"], curves["neuralcodec"])]
    lines += ["", "| against | where from | BD-rate, PSNR | BD-rate, MS-SSIM |", "|---|---|---|---|"]
    by_psnr, by_similarity = differences(curves), differences(curves, 2)
    return lines + [f"| {name} | {sources.get(name, 'measured in this run')} | {percent(by_psnr[name])} | {percent(by_similarity[name])} |" for name in by_psnr]


def plot(prefix, curves, names, title):
    """PREFIX.png and .svg of PSNR, PREFIX-ms-ssim.png and .svg; False where matplotlib is missing."""
    drawn = True
    for column, suffix, label in ((1, "", "PSNR (dB)"), (2, "-ms-ssim", "MS-SSIM (dB: -10 log10(1 - MS-SSIM))")):
        chosen = {name: curve for name in names if (curve := quality_curve(curves[name], column))}
        if "neuralcodec" in chosen:
            highest = 1.1 * max(bpp for bpp, _ in chosen["neuralcodec"])
            drawn = all([plot_curves(f"{prefix}{suffix}.{kind}", chosen, title, label, bold=("neuralcodec",), limit=highest) for kind in ("png", "svg")]) and drawn
    return drawn


def add_command(commands):
    p = commands.add_parser("evaluate", help="measure the built library on a folder of .png pictures, beside other codecs")
    p.add_argument("--data", required=True, metavar="FOLDER")
    p.add_argument("--neuralcodec", default=DEFAULT_COMMAND, metavar="PATH", help="the library's command (default: %(default)s)")
    p.add_argument("--model", metavar="NAME.safetensors", help="default: the library's own")
    p.add_argument("--qualities", type=lambda t: [float(v) for v in t.split(",")], default=QUALITIES, metavar="Q,Q,...")
    p.add_argument("--anchors", metavar="FILE.json", help='published curves: name -> {"bpp": [...], "psnr": [...]}')
    p.add_argument("--plotted", type=lambda t: t.split(","), default=PLOTTED, metavar="NAME,...", help="of the anchors (default: %(default)s)")
    p.add_argument("--json", default="evaluation.json", metavar="FILE", help="default: %(default)s")
    p.add_argument("--markdown", metavar="FILE.md", help="tables")
    p.add_argument("--plot", metavar="PREFIX", help="rate-distortion plots PREFIX.png, PREFIX.svg and PREFIX-ms-ssim.* (needs matplotlib)")
    p.set_defaults(run=run)


def run(o):
    pictures = {path: image for path, image in load_folder(o.data).items() if path.endswith(".png")}
    if not pictures:
        raise FileNotFoundError(f"no .png in {o.data!r}")
    anchors, sources = load_anchors(o.anchors) if o.anchors else ({}, {})
    library = Library(o.neuralcodec, o.model)
    curves = {"neuralcodec": measure_library(library, pictures, o.qualities)}
    settings = {"neuralcodec": list(o.qualities)}
    for peer in PEERS:
        if peer.missing():
            print(f"{peer.missing()} is not installed: {peer.name} not measured", file=sys.stderr)
        else:
            curves[peer.name] = measure_peer(peer, list(pictures.values()), library.compare)
            settings[peer.name] = peer.qualities
    curves |= anchors
    lines = markdown(settings, curves, sources)
    print(f"mean over {len(pictures)} pictures, whole files", *lines, sep="\n")
    if o.markdown:
        with open(o.markdown, "w") as f:
            f.write("\n".join(lines) + "\n")
    with open(o.json, "w") as f:
        json.dump({"pictures": [os.path.basename(p) for p in pictures], "model": o.model and os.path.basename(o.model), "qualities": settings, "curves": curves,
                   "bd_rate": differences(curves), "bd_rate_ms_ssim": differences(curves, 2)}, f, indent=1)
    names = [*settings, *(name for name in o.plotted if name in anchors)]
    if o.plot and not plot(o.plot, curves, names, f"mean over {len(pictures)} pictures"):
        print("matplotlib is not installed: no plot", file=sys.stderr)
