# SPDX-License-Identifier: Apache-2.0
"""calibrate: a quality map that makes quality 75 as close to the original as libjpeg's, on held-out training photographs."""
import io

import numpy as np
from PIL import Image

from .checkpoint import load_checkpoint
from .data import load_images
from .estimate import estimate_curve
from .model_file import QUALITIES, check_quality_map
from .pictures import load_picture, psnr

ANCHOR = 75  # the quality, here and in libjpeg, at which both reach the same PSNR
GRID = 17


def jpeg_psnr(image, quality):
    """Of Pillow's JPEG with 4:2:0 chroma."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return psnr(image, load_picture(buffer))


def rate_at_psnr(model, images, target):
    """Rate parameter at which the mean PSNR is `target`, by interpolation over a grid that is refined once."""
    low, high = 0.0, 65535.0
    for _ in range(2):
        rates = np.linspace(low, high, GRID)
        values = np.array([q for _, q in estimate_curve(model, images, rates)])
        if not values[0] <= target <= values[-1]:
            raise SystemExit(f"the target of {target:.2f} dB lies outside of the model's {values[0]:.2f} to {values[-1]:.2f} dB")
        i = min(int((values <= target).sum()) - 1, GRID - 2)
        low, high = rates[i], rates[i + 1]
    return float(np.interp(target, values, rates))


def quality_map_through(rate):
    """Straight lines through (0, 0), (75, rate), (100, 65535), at the 11 qualities of a map."""
    return check_quality_map(round(float(v)) for v in np.interp(QUALITIES, (0, ANCHOR, 100), (0, rate, 65535)))


def add_command(commands):
    p = commands.add_parser("calibrate", help="propose a quality map: quality 75 as libjpeg's in PSNR")
    p.add_argument("checkpoint")
    p.add_argument("--data", default="../shared/data/train", metavar="FOLDER", help="training photographs, of which the held-out ones are used (default: %(default)s)")
    p.set_defaults(run=run)


def run(o):
    model, _ = load_checkpoint(o.checkpoint)
    _, images = load_images(o.data)
    target = float(np.mean([jpeg_psnr(i, ANCHOR) for i in images]))
    rate = rate_at_psnr(model, images, target)
    print(f"libjpeg at quality {ANCHOR}: {target:.2f} dB, mean over {len(images)} held-out photographs; reached at rate parameter {rate:.0f}")
    print("--quality-map " + ",".join(map(str, quality_map_through(rate))))
