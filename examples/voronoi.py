#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws cells of lattices of equal volume in the plane, over samples of a correlated Gaussian, into one picture:

    python examples/voronoi.py cells.png

the integers, the hexagonal lattice A2, a lattice learned for Babai's rounding, and one learned for the exact search. Under each: the bits a value where the two
indices are coded each by itself and together, from frequencies, and the mean squared error. Prints the same.
Needs numpy, Pillow and the neuralcodec package.
"""

import argparse

import numpy as np
from neuralcodec import Quantizer
from PIL import Image, ImageDraw

SCALE = 1.0  # side of a square cell; all cells have its square as area
SLANT = np.array([[2.4, 1.9], [0.0, 1.2]])  # rows: what one of two independent sources adds to a sample
COLOURS = np.array([[252, 232, 200], [206, 226, 244], [214, 238, 208], [240, 212, 224], [228, 220, 246]], np.uint8)
EDGE, DOT, POINT = (70, 70, 80), (30, 90, 170), (180, 30, 30)
CAPTION = 44


def entropy(symbols: np.ndarray) -> float:
    """Bits a row."""
    counts = np.unique(symbols, axis=0, return_counts=True)[1]
    share = counts / counts.sum()
    return float(-(share * np.log2(share)).sum())


def measure(q: Quantizer, samples: np.ndarray) -> str:
    points, indices = q.quantize(samples)
    apart = np.mean([entropy(column) for column in indices.T])
    return f"bits apart {apart:.3f}, together {entropy(indices) / 2:.3f}; error {np.mean((samples - points) ** 2):.5f}"


def panel(q: Quantizer, title: str, figures: str, samples: np.ndarray, size: int, reach: float) -> Image.Image:
    """size x size pixels of the square -reach ... reach, its cells in colours, and two lines of text."""
    axis = (np.arange(size) + 0.5) / size * 2 * reach - reach
    plane = np.stack(np.meshgrid(axis, -axis), axis=-1)
    points, indices = q.quantize(plane)
    pixels = COLOURS[(indices[..., 0] + 2 * indices[..., 1]) % len(COLOURS)]
    edge = np.zeros((size, size), bool)
    edge[:, 1:] |= (indices[:, 1:] != indices[:, :-1]).any(axis=-1)
    edge[1:] |= (indices[1:] != indices[:-1]).any(axis=-1)
    pixels[edge] = EDGE
    image = Image.new("RGB", (size, size + CAPTION), "white")
    image.paste(Image.fromarray(pixels), (0, 0))
    draw = ImageDraw.Draw(image)

    def place(vectors):
        return (vectors * [1, -1] + reach) * size / (2 * reach)

    for x, y in place(samples[:1500]):
        draw.point((x, y), DOT)
    for x, y in place(np.unique(points.reshape(-1, 2), axis=0)):
        draw.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), POINT)
    draw.rectangle((0, size, size, size + CAPTION), "white")  # dots beyond the square
    draw.text((6, size + 6), title, "black")
    draw.text((6, size + 24), figures, "black")
    return image


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws the cells of lattices in the plane.")
    parser.add_argument("output", help="PNG file to write")
    parser.add_argument("--size", type=int, default=420, help="pixels of a panel's side")
    parser.add_argument("--samples", type=int, default=40000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    samples = np.random.default_rng(arguments.seed).normal(size=(arguments.samples, 2)) @ SLANT
    a2 = Quantizer("a2")
    lattices = [
        ("Z2, the integers", Quantizer("zn", 2, scale=SCALE)),
        ("A2, the hexagonal lattice", Quantizer("a2", scale=SCALE / a2.volume**0.5)),
        ("learned for Babai's rounding", Quantizer.learn(samples, scale=SCALE)),
        ("learned for the exact search", Quantizer.learn(samples, scale=SCALE, search="exact", classical_start=False)),
    ]
    panels = []
    for title, q in lattices:
        figures = measure(q, samples)
        print(f"{title}: {figures}")
        panels.append(panel(q, title, figures, samples, arguments.size, reach=4 * SCALE))
    width, height = panels[0].size
    sheet = Image.new("RGB", (2 * width + 8, 2 * height), "white")
    for index, image in enumerate(panels):
        sheet.paste(image, (index % 2 * (width + 8), index // 2 * height))
    sheet.save(arguments.output)


if __name__ == "__main__":
    main()
