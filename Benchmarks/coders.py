# SPDX-License-Identifier: Apache-2.0
"""The staged `neuralcodec` command and its peer, libjpeg's cjpeg and djpeg, as functions that measure themselves."""
import importlib.util
import io
import json
import os
import statistics
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PREFIX = Path(os.environ.get("NEURALCODEC_PREFIX", ROOT / "build"))
COMMAND = PREFIX / "bin/neuralcodec"


def kodak_folder():
    """Where the Kodak pictures are looked for."""
    return Path(os.environ.get("NEURALCODEC_KODAK", ROOT / "../shared/data/kodak"))


def load_bd_rate():
    """bd_rate(reference, test) of the training package, without the package around it, which needs PyTorch."""
    spec = importlib.util.spec_from_file_location("bd_rate", ROOT / "training/neuralcodec_training/bd_rate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.bd_rate


class Coded(NamedTuple):
    name: str
    size: int
    file: bytes
    pixels: bytes  # PPM
    encode_seconds: float
    decode_seconds: float


def timed(command, data, repeat):
    """Standard output of a command, and the median of its wall-clock times with the start of the process."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        output = subprocess.run(command, input=data, capture_output=True, check=True).stdout  # cjpeg warns of low qualities
        seconds.append(time.perf_counter() - start)
    return output, statistics.median(seconds)


def ppm(picture):
    """A picture file as the bytes of a PPM, or a PGM if it is gray."""
    with Image.open(picture) as image:
        output = io.BytesIO()
        image.save(output, "ppm")
    return output.getvalue()


def neuralcodec(source, quality, repeat=1):
    """Codes a PPM."""
    file, encode_seconds = timed([COMMAND, "encode", "--quality", str(quality), "-", "-"], source, repeat)
    pixels, decode_seconds = timed([COMMAND, "decode", "--format", "ppm", "-", "-"], file, repeat)
    return Coded(f"nic {quality:g}", len(file), file, pixels, encode_seconds, decode_seconds)


def cjpeg(source, quality, repeat=1):
    """Codes a PPM."""
    file, encode_seconds = timed(["cjpeg", "-optimize", "-quality", str(quality)], source, repeat)
    pixels, decode_seconds = timed(["djpeg", "-pnm"], file, repeat)
    return Coded(f"jpeg {quality}", len(file), file, pixels, encode_seconds, decode_seconds)


def cjpeg_within(source, size, repeat=1):
    """The best JPEG of at most so many bytes; the smallest one if none is that small."""
    low, high = 0, 100
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if cjpeg(source, middle).size <= size else (low, middle - 1)
    return cjpeg(source, low, repeat)


def compare(first, second, folder):
    """PSNR and MS-SSIM (None for small pictures) of two PPMs."""
    paths = [Path(folder, name) for name in ("first.ppm", "second.ppm")]
    for path, data in zip(paths, (first, second)):
        path.write_bytes(data)
    result = json.loads(subprocess.run([COMMAND, "compare", "--json", *paths], stdout=subprocess.PIPE, check=True).stdout)
    return float("inf") if result["identical"] else result["psnr"], result["ms_ssim"]
