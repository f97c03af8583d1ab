# SPDX-License-Identifier: Apache-2.0
"""estimate: rate-distortion points of a checkpoint in PyTorch, rates from the model's probabilities, against measured cjpeg.

Rates are the payload's ideal code length; a real file adds at most 72 bytes and the coder's excess of below 1 %. `evaluate` measures real files.
"""
import json

import torch

from .bd_rate import bd_rate
from .checkpoint import add_search_option, load_checkpoint, search_with
from .peers import JPEG, measure_peer
from .pictures import load_folder, mean_points, psnr
from .reference import pad, to_picture


@torch.no_grad()
def estimate_picture(model, image, rate):
    """(bpp, PSNR) of a uint8 picture at a rate parameter 0 ... 65535."""
    h, w = image.shape[:2]
    x_hat, y_bits, z_bits, _ = model(pad(image, model.stride), torch.tensor([rate / 65535]), rounded=True)
    return (y_bits.sum() + z_bits.sum()).item() / (h * w), psnr(image, to_picture(x_hat)[:h, :w])


def estimate_curve(model, images, rates):
    """[(bpp, PSNR)], means over the images, for rate parameters 0 ... 65535."""
    return [mean_points([estimate_picture(model, image, rate) for image in images]) for rate in rates]


def add_command(commands):
    p = commands.add_parser("estimate", help="estimated rate-distortion points of a checkpoint, without the library")
    p.add_argument("checkpoint")
    p.add_argument("--data", required=True, metavar="FOLDER", help="pictures (.png, .jpg); Kodak's for evaluation only")
    p.add_argument("--rates", type=lambda t: [float(v) for v in t.split(",")], metavar="R,R,...", help="rate parameters between 0 and 1 (default: those that the model names)")
    p.add_argument("--json", metavar="FILE", help="also write the points there")
    add_search_option(p)
    p.set_defaults(run=run)


def run(o):
    model, saved = load_checkpoint(o.checkpoint)
    search_with(model, o.lattice_search)
    images = list(load_folder(o.data).values())
    rates = [round(65535 * r) for r in o.rates or model.rates]
    points = estimate_curve(model, images, rates)
    jpeg = measure_peer(JPEG, images)
    print(f"step {saved['step']}, {saved['elapsed'] / 60:.1f} minutes; mean over {len(images)} pictures, rates estimated")
    for rate, (bpp, quality) in zip(rates, points):
        print(f"  r {rate:5d}  {bpp:7.4f} bpp  {quality:6.3f} dB")
    difference = bd_rate(jpeg, points) if len(points) > 1 else None
    print("BD-rate against cjpeg -optimize: " + ("no common PSNR range" if difference is None else f"{difference:+.1f} %"))
    if o.json:
        with open(o.json, "w") as f:
            json.dump({"step": saved["step"], "minutes": saved["elapsed"] / 60, "rates": rates, "points": points, "cjpeg": jpeg, "bd_rate": difference}, f, indent=1)
