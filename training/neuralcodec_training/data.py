# SPDX-License-Identifier: Apache-2.0
"""Photographs held in memory, and random crops of them."""
import glob
import os

import numpy as np
import torch
from PIL import Image

HELD_OUT = 12  # the last images of the sorted list whose name starts with `bsds`: never trained on, used to watch the training


def load_images(folder):
    """(training images, held-out images) as lists of uint8 arrays (H, W, 3)."""
    names = sorted(n for e in ("jpg", "jpeg", "png") for n in glob.glob(os.path.join(folder, "*." + e)))
    if not names:
        raise FileNotFoundError(f"no .jpg or .png in {folder!r}")
    preferred = [n for n in names if os.path.basename(n).startswith("bsds")] or names
    held = set(preferred[-min(HELD_OUT, max(1, len(names) // 10)):])
    load = lambda n: np.asarray(Image.open(n).convert("RGB"))
    return [load(n) for n in names if n not in held], [load(n) for n in names if n in held]


class Crops:
    """Endless random crops: images drawn by the square root of their area, flipped and transposed at random."""

    def __init__(self, images, seed):
        self.images = images
        self.rng = np.random.default_rng(seed)
        area = np.array([float(i.shape[0] * i.shape[1]) for i in images]) ** 0.5
        self.probability = area / area.sum()

    def array(self, side):
        while True:
            image = self.images[self.rng.choice(len(self.images), p=self.probability)]
            if min(image.shape[:2]) >= side:
                break
        top = self.rng.integers(0, image.shape[0] - side + 1)
        left = self.rng.integers(0, image.shape[1] - side + 1)
        crop = image[top:top + side, left:left + side]
        if self.rng.integers(2):
            crop = crop[:, ::-1]
        if self.rng.integers(2):
            crop = crop.transpose(1, 0, 2)
        return crop

    def batch(self, count, side):
        """(count, 3, side, side) float in [0, 1]."""
        return torch.from_numpy(np.stack([self.array(side) for _ in range(count)])).permute(0, 3, 1, 2).float() / 255


def to_tensor(image, multiple):
    """(1, 3, H, W) in [0, 1], cropped to multiples of `multiple`."""
    h, w = (s // multiple * multiple for s in image.shape[:2])
    return torch.from_numpy(image[:h, :w].copy()).permute(2, 0, 1)[None].float() / 255
