# SPDX-License-Identifier: Apache-2.0
"""`make bench`: rate, distortion and time on the Kodak pictures, and cjpeg -optimize beside them."""
import statistics
import sys
import tempfile
from pathlib import Path

import coders

NIC_QUALITIES = (10, 20, 30, 40, 50, 60, 70, 80, 90)
JPEG_QUALITIES = (5, 10, 20, 30, 50, 65, 80, 90, 95)
REPEAT = 1  # codings of each picture: the median over the pictures is what is shown
PIXELS = 768 * 512


def measure(code, qualities, sources, folder):
    """Prints a row for every quality and returns the curve of (bits per pixel, PSNR), all means over the pictures."""
    curve = []
    for quality in qualities:
        coded = [code(source, quality, REPEAT) for source in sources]
        rate = statistics.mean(8 * c.size / PIXELS for c in coded)
        psnr, ms_ssim = map(statistics.mean, zip(*(coders.compare(source, c.pixels, folder) for source, c in zip(sources, coded))))
        curve.append((rate, psnr))
        times = []
        for seconds in ([c.encode_seconds for c in coded], [c.decode_seconds for c in coded]):
            times.append(f"{statistics.median(seconds):.3f} ({min(seconds):.3f}-{max(seconds):.3f})")
        print(f"{coded[0].name:10}{rate:8.4f}{psnr:9.3f}{ms_ssim:10.5f}{times[0]:>24}{times[1]:>24}", flush=True)
    return curve


def main(folder):
    paths = sorted(Path(folder).glob("kodim??.png"))
    if len(paths) != 24:
        sys.exit(f"bench: the 24 Kodak pictures are not in {folder} (make bench KODAK=folder)")
    sources = [coders.ppm(path) for path in paths]
    print("Means over the 24 pictures; seconds for one picture: median over pictures (least to most), of the whole command with its start.")
    print(f"{'':10}{'bpp':>8}{'PSNR':>9}{'MS-SSIM':>10}{'encode':>24}{'decode':>24}")
    with tempfile.TemporaryDirectory() as scratch:
        nic = measure(coders.neuralcodec, NIC_QUALITIES, sources, scratch)
        jpeg = measure(coders.cjpeg, JPEG_QUALITIES, sources, scratch)
    print(f"BD-rate against cjpeg -optimize: {coders.load_bd_rate()(jpeg, nic):.1f} %")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else coders.kodak_folder())
