# SPDX-License-Identifier: Apache-2.0
"""diagnose: what a model leaves to code in a picture: correlation of its normalized latents, rate of each channel, and pictures of a channel."""
import json
import os

import torch

from .checkpoint import load_any
from .correlation import correlation_map, mean_off_centre
from .latents import latents_of
from .pictures import load_picture
from .plots import pyplot, save_figure
from .reference import pad


def diagnose(model, image, rate=65535, window=5):
    """(findings, Latents) of a uint8 picture; the findings are plain numbers and lists, rates in bits per pixel ("bpp" of the latents without hyperlatents)."""
    latents, y_bits, z_bits = latents_of(model, pad(image, model.stride), rate)
    if latents is None:
        raise ValueError("a model without a hyperprior has no scales to normalize its latents with")
    pixels = image.shape[0] * image.shape[1]
    maps = [correlation_map(v.double(), window) for v in (latents.normalized, latents.quantized)]
    channels = latents.bits.double().sum((0, 2, 3)) / pixels
    return {
        "bpp": y_bits / pixels, "hyper_bpp": z_bits / pixels,
        "average_correlation": mean_off_centre(maps[0]), "average_correlation_quantized": mean_off_centre(maps[1]),
        "correlation_map": maps[0].tolist(), "correlation_map_quantized": maps[1].tolist(),
        "channel_bpp": channels.tolist(), "channels_by_rate": channels.argsort(descending=True).tolist(),
    }, latents


def panels(latents, channel):
    """Title -> map (H, W) of one channel."""
    return {title: values[0, channel].numpy() for title, values in
            (("latent", latents.y), ("mean", latents.means), ("scale", latents.scales), ("normalized", latents.normalized), ("normalized, quantized", latents.quantized))}


def draw(path, image, findings, latents, channel):
    """The picture, a channel's maps and the correlation map in one figure, PNG or SVG; False where matplotlib is missing."""
    plt = pyplot()
    if plt is None:
        return False
    figure, axes = plt.subplots(2, 4, figsize=(14, 6), layout="constrained")
    axes = iter(axes.flat)
    next(axes).imshow(image)

    def shown(axis, values, title, **options):
        figure.colorbar(axis.imshow(values, **options), ax=axis, shrink=0.7)
        axis.set_title(title, fontsize=9)

    for title, values in panels(latents, channel).items():
        around_zero = {} if title == "scale" else {"cmap": "RdBu", "vmin": -abs(values).max(), "vmax": abs(values).max()}
        shown(next(axes), values, title, **around_zero)
    off_centre = torch.tensor(findings["correlation_map"])
    off_centre[off_centre.shape[0] // 2, off_centre.shape[1] // 2] = 0
    limit = max(float(off_centre.abs().max()), 1e-6)
    shown(next(axes), off_centre.numpy(), f"correlation, average {findings['average_correlation']:.4f}", cmap="RdBu", vmin=-limit, vmax=limit)
    rates = next(axes)
    rates.plot(sorted(findings["channel_bpp"], reverse=True))
    rates.set_title("bits per pixel of the channels", fontsize=9)
    figure.suptitle(f"channel {channel}: {findings['channel_bpp'][channel]:.4f} of {findings['bpp']:.4f} bits per pixel", fontsize=10)
    save_figure(plt, path)
    return True


def add_command(commands):
    p = commands.add_parser("diagnose", help="correlation of a picture's latents, rate of each channel, and pictures of them")
    p.add_argument("model", help="checkpoint.pt or NAME.safetensors")
    p.add_argument("image", help="a picture (.png, .jpg)")
    p.add_argument("--out", required=True, metavar="DIR", help="receives diagnosis.json and channel-N.png")
    p.add_argument("--rate", type=float, default=0.5, metavar="R", help="rate parameter between 0 and 1, of models of several rates (default: %(default)s)")
    p.add_argument("--channels", type=lambda t: [int(v) for v in t.split(",")], metavar="C,C,...", help="to draw (default: the two of the highest rate)")
    p.add_argument("--window", type=int, default=5, help="of the correlation map (default: %(default)s)")
    p.set_defaults(run=run)


def run(o):
    image = load_picture(o.image)
    model = load_any(o.model)
    findings, latents = diagnose(model, image, round(65535 * o.rate), o.window)
    if o.model.endswith(".safetensors") and model.architecture == "transform-coding":
        findings["hyper_bpp"] = None  # the file has tables of the distribution, not the distribution
    os.makedirs(o.out, exist_ok=True)
    with open(os.path.join(o.out, "diagnosis.json"), "w") as f:
        json.dump(findings, f, indent=1)
    print(f"latents {findings['bpp']:.4f} bits per pixel" + ("" if findings["hyper_bpp"] is None else f", hyperlatents {findings['hyper_bpp']:.4f}"))
    print(f"average correlation {findings['average_correlation']:.4f}, of the quantized latents {findings['average_correlation_quantized']:.4f}")
    for row in findings["correlation_map"]:
        print("  " + " ".join(f"{v:+.4f}" for v in row))
    for channel in o.channels or findings["channels_by_rate"][:2]:
        if not 0 <= channel < len(findings["channel_bpp"]):
            raise SystemExit(f"there is no channel {channel}: the model has {len(findings['channel_bpp'])}")
        path = os.path.join(o.out, f"channel-{channel}.png")
        print(path if draw(path, image, findings, latents, channel) else "matplotlib is not installed: no pictures")
