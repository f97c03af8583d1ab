# SPDX-License-Identifier: Apache-2.0
"""`make bench`: rate, distortion and time on the Kodak pictures, and cjpeg -optimize beside them: a table, then JSON on the last line."""
import json
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
    """Prints a row for every quality and returns them; all but times are means over the pictures."""
    rows = []
    for quality in qualities:
        coded = [code(source, quality, REPEAT) for source in sources]
        rate = statistics.mean(8 * c.size / PIXELS for c in coded)
        psnr, ms_ssim = map(statistics.mean, zip(*(coders.compare(source, c.pixels, folder) for source, c in zip(sources, coded))))
        row = {"coder": coded[0].name, "bpp": rate, "psnr": psnr, "ms_ssim": ms_ssim}
        texts = []
        for direction, seconds in (("encode", [c.encode_seconds for c in coded]), ("decode", [c.decode_seconds for c in coded])):
            row[direction] = {"median_s": statistics.median(seconds), "least_s": min(seconds), "most_s": max(seconds)}
            texts.append("{median_s:.3f} ({least_s:.3f}-{most_s:.3f})".format(**row[direction]))
        print(f"{coded[0].name:10}{rate:8.4f}{psnr:9.3f}{ms_ssim:10.5f}{texts[0]:>24}{texts[1]:>24}", flush=True)
        rows.append(row)
    return rows


def curve(rows):
    return [(row["bpp"], row["psnr"]) for row in rows]


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
    bd_rate = coders.load_bd_rate()(curve(jpeg), curve(nic))
    print(f"BD-rate against cjpeg -optimize: {bd_rate:.1f} %")
    print(json.dumps({"rows": nic + jpeg, "bd_rate_percent": bd_rate}))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else coders.kodak_folder())
