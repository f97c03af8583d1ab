# SPDX-License-Identifier: Apache-2.0
"""How much a batch gains from working on several pictures at a time: 200 pictures, encoded by one thread and with all cores, taken in turns.

    python Benchmarks/batch.py FOLDER-OF-PNG [REPEATS]

The pictures of the folder are linked under as many names as needed. Prints medians of wall-clock times, their quotient, and JSON in the last line.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import coders

PICTURES = 200


def seconds(folder, *options):
    started = time.perf_counter()
    subprocess.run([coders.COMMAND, "encode", "in", "--output-dir", "out", "--force", *options], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main(source, repeats):
    pictures = sorted(Path(source).resolve().glob("*.png"))
    if not pictures:
        sys.exit(f"{source} has no .png files")
    with tempfile.TemporaryDirectory() as folder:
        links = Path(folder) / "in"
        links.mkdir()
        for number in range(PICTURES):
            (links / f"{number:03}.png").symlink_to(pictures[number % len(pictures)])
        runs = [(seconds(folder, "-j1", "--threads", "1"), seconds(folder)) for _ in range(repeats)]
    one, all_cores = (statistics.median(times) for times in zip(*runs))
    quotients = sorted(serial / parallel for serial, parallel in runs)
    print(f"{PICTURES} pictures, {os.cpu_count()} cores, {repeats} runs: one thread {one:.2f} s, all cores {all_cores:.2f} s, quotient {one / all_cores:.2f}"
          f" (of single runs {quotients[0]:.2f} to {quotients[-1]:.2f})")
    print(json.dumps({"pictures": PICTURES, "one_thread": one, "all_cores": all_cores, "runs": runs}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5)
