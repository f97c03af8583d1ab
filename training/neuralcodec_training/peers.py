# SPDX-License-Identifier: Apache-2.0
"""Other codecs, measured freshly through their own commands."""
import io
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

from PIL import Image

from .pictures import load_picture, mean_points, psnr


@dataclass(frozen=True)
class Peer:
    """A command that codes the PPM file {input} at quality {q} into {output}, which Pillow can read."""

    name: str
    command: tuple
    qualities: tuple

    def available(self):
        return shutil.which(self.command[0]) is not None


JPEG = Peer("cjpeg -optimize", ("cjpeg", "-optimize", "-quality", "{q}", "-outfile", "{output}", "{input}"), (5, 10, 15, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95))
WEBP = Peer("cwebp -m 6", ("cwebp", "-quiet", "-m", "6", "-q", "{q}", "-o", "{output}", "{input}"), (0, 5, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95, 100))
PEERS = (JPEG, WEBP)


def code_with_peer(peer, image, quality):
    """(file's bytes, decoded picture) of a uint8 picture."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {"input": os.path.join(folder, "in.ppm"), "output": os.path.join(folder, "out"), "q": str(quality)}
        Image.fromarray(image).save(paths["input"])
        subprocess.run([part.format(**paths) for part in peer.command], check=True, capture_output=True)
        with open(paths["output"], "rb") as f:
            data = f.read()
    return data, load_picture(io.BytesIO(data))


def measure_peer(peer, images):
    """[(bpp, PSNR)] over the peer's qualities, whole files, means over the images."""
    curve = []
    for quality in peer.qualities:
        rows = []
        for image in images:
            data, decoded = code_with_peer(peer, image, quality)
            rows.append((8 * len(data) / (image.shape[0] * image.shape[1]), psnr(image, decoded)))
        curve.append(mean_points(rows))
    return curve
