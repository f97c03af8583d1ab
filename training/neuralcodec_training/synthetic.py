# SPDX-License-Identifier: Apache-2.0
"""Made-up pictures for tests and golden files: integer arithmetic and a frozen random stream, so that they are the same everywhere."""
import numpy as np


def synthetic_picture(width, height, seed):
    """uint8 (height, width, 3): smooth gradients, a disc, slanted stripes with hard edges, and noise."""
    random = np.random.RandomState(seed)  # its streams are frozen, unlike those of default_rng
    y, x = np.mgrid[0:height, 0:width]
    corners = random.randint(30, 226, (2, 2, 3))
    u, v = (x * 256 // width)[..., None], (y * 256 // height)[..., None]
    picture = (corners[0, 0] * (256 - u) * (256 - v) + corners[0, 1] * u * (256 - v) + corners[1, 0] * (256 - u) * v + corners[1, 1] * u * v) // 65536
    side = min(width, height)
    for _ in range(3):
        centre_x, centre_y, radius = random.randint(0, width), random.randint(0, height), random.randint(side // 10 + 2, side // 3 + 3)
        picture[(x - centre_x) ** 2 + (y - centre_y) ** 2 < radius * radius] = random.randint(0, 256, 3)
    period = int(random.randint(6, 12))
    stripes = (x + 2 * y) // period % 2 == 1
    picture[stripes & (x > width // 2) & (y > height // 2)] += random.randint(-60, 61, 3)
    amplitude = int(random.randint(4, 10))
    return np.clip(picture + random.randint(-amplitude, amplitude + 1, picture.shape), 0, 255).astype(np.uint8)
