# SPDX-License-Identifier: Apache-2.0
"""What an arm is judged by: estimated rate, PSNR and correlation on pictures, and real bytes and times through the library."""
import os
import resource
import tempfile

import numpy as np
import torch

from ..correlation import correlation_map, mean_off_centre
from ..latents import fixed_latents
from ..pictures import load_picture, mean_points, psnr
from ..reference import code_fixed, ideal_bits, pad, to_picture

BATCH = 6  # pictures at once: a sequential context is slow by its steps, not by its pictures


def batches(images):
    """Lists of pictures of one size."""
    by_shape = {}
    for image in images:
        by_shape.setdefault(image.shape, []).append(image)
    return [group[i:i + BATCH] for group in by_shape.values() for i in range(0, len(group), BATCH)]


@torch.no_grad()
def measure_estimate(model, images, window=5):
    """bpp and PSNR, means over uint8 pictures, and the average correlation of normalized latents: that of the mean map."""
    rows, maps, counts = [], [], []
    for batch in batches(images):
        h, w = batch[0].shape[:2]
        values = code_fixed(model, torch.cat([pad(image, model.stride) for image in batch]))
        bpp = sum(ideal_bits(model, values)) / (len(batch) * h * w)
        rows += [(bpp, psnr(image, to_picture(x[None])[:h, :w])) for image, x in zip(batch, values["reconstruction"])]
        found = fixed_latents(model, values)
        if found:
            maps.append(torch.stack([correlation_map(v.double(), window) for v in (found.normalized, found.quantized)]))
            counts.append(len(batch))
    bpp, quality = mean_points(rows)
    result = {"bpp": bpp, "psnr": quality}
    if maps:
        mean = sum(n * m for n, m in zip(counts, maps)) / sum(counts)
        result |= {"correlation": mean_off_centre(mean[0]), "correlation_quantized": mean_off_centre(mean[1]), "map": np.round(mean[0].numpy(), 5).tolist()}
    return result


def children_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_files(library, pictures):
    """Of whole files on one thread: bpp and PSNR, and processor seconds a picture of each command, start and picture files included."""
    rows, seconds = [], {"encode": 0.0, "decode": 0.0}
    with tempfile.TemporaryDirectory() as folder:
        coded, decoded = os.path.join(folder, "coded.nic"), os.path.join(folder, "decoded.ppm")
        for path, image in pictures.items():
            begin = children_seconds()
            library.encode(path, coded, 75)  # of any quality: there is one rate
            middle = children_seconds()
            library.decode(coded, decoded)
            seconds["encode"] += middle - begin
            seconds["decode"] += children_seconds() - middle
            rows.append((8 * os.path.getsize(coded) / (image.shape[0] * image.shape[1]), psnr(image, load_picture(decoded))))
    bpp, quality = mean_points(rows)
    return {"bpp": bpp, "psnr": quality, **{f"{name}_seconds": round(total / len(rows), 4) for name, total in seconds.items()}}
