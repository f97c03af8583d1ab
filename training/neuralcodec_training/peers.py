# SPDX-License-Identifier: Apache-2.0
"""Other codecs, measured freshly through their own commands."""
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

from PIL import Image

from .pictures import load_picture, mean_points, psnr


@dataclass(frozen=True)
class Peer:
    """A command that codes {input} at quality {q} into {output}. `decode` turns that into {decoded}; without it, Pillow can read the file."""

    name: str
    command: tuple
    qualities: tuple  # from the lowest rate to the highest
    input: str = "ppm"
    decode: tuple = ()

    def missing(self):
        """The command that is not installed, or None."""
        return next((part[0] for part in (self.command, self.decode) if part and shutil.which(part[0]) is None), None)


JPEG = Peer("libjpeg-turbo (cjpeg -optimize)", ("cjpeg", "-optimize", "-quality", "{q}", "-outfile", "{output}", "{input}"), (5, 10, 15, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95))
WEBP = Peer("libwebp (cwebp -m 6)", ("cwebp", "-quiet", "-m", "6", "-q", "{q}", "-o", "{output}", "{input}"), (0, 5, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95, 100))
AVIF = Peer("libavif (avifenc -s 6, 4:4:4)", ("avifenc", "-s", "6", "-y", "444", "--min", "0", "--max", "63", "-a", "end-usage=q", "-a", "cq-level={q}", "{input}", "{output}"),
            (60, 55, 50, 45, 40, 35, 30, 25, 20, 15, 10, 5), input="png", decode=("avifdec", "{output}", "{decoded}"))
JXL = Peer("libjxl (cjxl)", ("cjxl", "{input}", "{output}", "-d", "{q}"), (15, 12, 9, 7, 5.5, 4, 3, 2.3, 1.7, 1.2, 0.8, 0.5), input="png", decode=("djxl", "{output}", "{decoded}"))
PEERS = (JPEG, WEBP, AVIF, JXL)


def code_with_peer(peer, image, quality):
    """(file's size in bytes, decoded picture) of a uint8 picture."""
    with tempfile.TemporaryDirectory() as folder:
        suffixes = {"input": peer.input, "output": peer.name.split()[0].removeprefix("lib"), "decoded": "png"}
        paths = {name: os.path.join(folder, f"{name}.{suffix}") for name, suffix in suffixes.items()}
        Image.fromarray(image).save(paths["input"])
        for command in (peer.command, peer.decode):
            if command:
                subprocess.run([part.format(**paths, q=quality) for part in command], check=True, capture_output=True)
        return os.path.getsize(paths["output"]), load_picture(paths["decoded"] if peer.decode else paths["output"])


def measure_peer(peer, images, distance=lambda a, b: (psnr(a, b),)):
    """[(bpp, PSNR)] over the peer's qualities, whole files, means over the images; or (bpp, *distance(image, decoded))."""
    curve = []
    for quality in peer.qualities:
        rows = []
        for image in images:
            size, decoded = code_with_peer(peer, image, quality)
            rows.append((8 * size / (image.shape[0] * image.shape[1]), *distance(image, decoded)))
        curve.append(mean_points(rows))
    return curve
