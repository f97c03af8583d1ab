# SPDX-License-Identifier: Apache-2.0
"""`make demo`: one photograph at three qualities, and JPEG at the same size beside each."""
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import coders

QUALITIES = (25, 50, 75)


def table(source, width, height):
    """Prints a row for every coding of the picture; yields (nic, jpeg) for every quality."""
    print(f"{'':10}{'bytes':>9}{'bpp':>8}{'PSNR':>9}{'MS-SSIM':>10}{'encode':>10}{'decode':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for quality in QUALITIES:
            nic = coders.neuralcodec(source, quality, repeat=3)
            jpeg = coders.cjpeg_within(source, nic.size, repeat=3)
            for coded in (nic, jpeg):
                psnr, ms_ssim = coders.compare(source, coded.pixels, folder)
                similarity = "n/a" if ms_ssim is None else f"{ms_ssim:.4f}"
                note = "   (cannot be smaller)" if coded is jpeg and jpeg.size > nic.size else ""
                print(f"{coded.name:10}{coded.size:9}{8 * coded.size / (width * height):8.3f}{psnr:6.2f} dB{similarity:>10}"
                      f"{coded.encode_seconds:8.3f} s{coded.decode_seconds:8.3f} s{note}")
            yield nic, jpeg


def side_by_side(panels):
    """Pictures next to each other, each under its label."""
    font, margin, band = ImageFont.load_default(16), 8, 28
    width, height = panels[0][1].size
    canvas = Image.new("RGB", (len(panels) * (width + margin) + margin, height + band + margin), "white")
    draw = ImageDraw.Draw(canvas)
    for index, (label, picture) in enumerate(panels):
        left = margin + index * (width + margin)
        draw.text((left, 5), label, fill="black", font=font)
        canvas.paste(picture, (left, band))
    return canvas


def main(path):
    source = coders.ppm(path)
    with Image.open(io.BytesIO(source)) as picture:
        original = picture.convert("RGB")
    width, height = original.size
    print(f"{path}: {width} x {height} pixels. Times are wall-clock medians of three runs of the commands.")
    rows = list(table(source, width, height))

    # At most 600 pixels of the middle of each, so that the picture stays readable.
    box = [max((width - 600) // 2, 0), max((height - 600) // 2, 0)]
    box += [min(box[0] + 600, width), min(box[1] + 600, height)]
    panels = [(f"original, {len(source)} bytes", original.crop(box))]
    for coded in rows[0]:
        with Image.open(io.BytesIO(coded.pixels)) as decoded:
            panels.append((f"{coded.name}: {coded.size} bytes", decoded.convert("RGB").crop(box)))
    output = coders.PREFIX / "demo"
    output.mkdir(exist_ok=True)
    for nic, jpeg in rows:
        (output / f"{nic.name.replace(' ', '-')}.nic").write_bytes(nic.file)
        (output / f"{nic.name.replace(' ', '-')}-peer.jpg").write_bytes(jpeg.file)
    side_by_side(panels).save(output / "side-by-side.png")
    print(f"written to {output}: the files, and side-by-side.png at the lowest rate")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else coders.ROOT / "examples/photo.png")
