# SPDX-License-Identifier: Apache-2.0
"""evaluate: rate and distortion of real files, through the built library, against cjpeg and cwebp measured in the same run."""
import json
import os
import sys
import tempfile

from .bd_rate import bd_rate
from .library import DEFAULT_COMMAND, Library
from .peers import PEERS, measure_peer
from .pictures import load_folder, load_picture, mean_points, psnr

QUALITIES = (10, 30, 50, 70, 90)


def measure_file(library, path, image, quality, folder):
    """(bpp of the whole file, PSNR) of one picture."""
    coded, decoded = os.path.join(folder, "coded.nic"), os.path.join(folder, "decoded.png")
    library.encode(path, coded, quality)
    library.decode(coded, decoded)
    return 8 * os.path.getsize(coded) / (image.shape[0] * image.shape[1]), psnr(image, load_picture(decoded))


def measure_library(library, pictures, qualities):
    """[(bpp, PSNR)], means over the pictures (path -> array)."""
    with tempfile.TemporaryDirectory() as folder:
        return [mean_points([measure_file(library, path, image, q, folder) for path, image in pictures.items()]) for q in qualities]


def plot(path, curves):
    """A rate-distortion plot as PNG; False where matplotlib is missing."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    for name, points in curves.items():
        pyplot.plot(*zip(*points), marker="o", markersize=3, label=name)
    pyplot.xlabel("bits per pixel")
    pyplot.ylabel("PSNR (dB)")
    pyplot.grid(alpha=0.3)
    pyplot.legend()
    pyplot.savefig(path, dpi=150, bbox_inches="tight")
    pyplot.close()
    return True


def add_command(commands):
    p = commands.add_parser("evaluate", help="measure the built library on a folder of .png pictures, beside cjpeg and cwebp")
    p.add_argument("--data", default="../shared/data/kodak", metavar="FOLDER", help="default: %(default)s")
    p.add_argument("--neuralcodec", default=DEFAULT_COMMAND, metavar="PATH", help="the library's command (default: %(default)s)")
    p.add_argument("--model", metavar="NAME.safetensors", help="default: the library's own")
    p.add_argument("--qualities", type=lambda t: [float(v) for v in t.split(",")], default=QUALITIES, metavar="Q,Q,...")
    p.add_argument("--json", default="evaluation.json", metavar="FILE", help="default: %(default)s")
    p.add_argument("--plot", metavar="FILE.png", help="rate-distortion plot (needs matplotlib)")
    p.set_defaults(run=run)


def run(o):
    pictures = {path: image for path, image in load_folder(o.data).items() if path.endswith(".png")}
    if not pictures:
        raise FileNotFoundError(f"no .png in {o.data!r}")
    curves = {"neuralcodec": measure_library(Library(o.neuralcodec, o.model), pictures, o.qualities)}
    settings = {"neuralcodec": list(o.qualities)}
    for peer in PEERS:
        if peer.available():
            curves[peer.name] = measure_peer(peer, list(pictures.values()))
            settings[peer.name] = peer.qualities
        else:
            print(f"{peer.command[0]} is not installed: not measured", file=sys.stderr)
    print(f"mean over {len(pictures)} pictures, whole files")
    for name, points in curves.items():
        print(name)
        for quality, (bpp, value) in zip(settings[name], points):
            print(f"  quality {quality:5g}  {bpp:7.4f} bpp  {value:6.3f} dB")
    differences = {name: bd_rate(points, curves["neuralcodec"]) for name, points in curves.items() if name != "neuralcodec"}
    for name, difference in differences.items():
        print(f"BD-rate of neuralcodec against {name}: " + ("no common PSNR range" if difference is None else f"{difference:+.1f} %"))
    with open(o.json, "w") as f:
        json.dump({"pictures": [os.path.basename(p) for p in pictures], "model": o.model and os.path.basename(o.model), "qualities": settings, "curves": curves, "bd_rate": differences}, f, indent=1)
    if o.plot and not plot(o.plot, curves):
        print("matplotlib is not installed: no plot", file=sys.stderr)
