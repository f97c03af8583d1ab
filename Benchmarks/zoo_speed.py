# SPDX-License-Identifier: Apache-2.0
"""The whole codec with published networks, beside PyTorch running the same weights as CompressAI does; a picture of 768 x 512, the same threads, in turns in one run.

    PYTHONPATH=build/python python Benchmarks/zoo_speed.py [--threads N] [--rounds N] [--only TEXT] KERNELCHECK     needs PyTorch; KERNELCHECK: the program of Tests/kernels

Ours is everything from pixels to file and back. PyTorch's is its networks only: CompressAI's entropy coder, table look-ups and padding are left out, which is in PyTorch's favour.
Of a spatially autoregressive context PyTorch computes position after position, as CompressAI does, on a picture of 256 x 256; its time, with all
threads or with one, whichever is less, is scaled to the number of positions.
Weights are random and latents lively: files are larger, and our entropy coding slower, than with trained models. The share is of fused multiply-adds measured in the same run.
The last line is JSON.
"""
import argparse
import json

import torch

import zoo

ROWS = [
    ("Ballé 2018 factorized", zoo.SINGLE["Ballé 2018 factorized"]),
    ("Ballé 2018 hyperprior", zoo.SINGLE["Ballé 2018 hyperprior"]),
    *((f"{architecture} {context}", zoo.hyperparameters(architecture, context)) for architecture in zoo.ARCHITECTURES for context in zoo.CONTEXTS),
    ("LIC-TCM", zoo.SINGLE["LIC-TCM"]),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernelcheck")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    picture = zoo.picture()
    peak = zoo.peak_gmacs(options.kernelcheck, options.threads)
    print(f"{options.threads} threads, PyTorch {torch.__version__} (networks only), peak {peak:.1f} GMAC/s; {zoo.WIDTH} x {zoo.HEIGHT}; ms, medians of {options.rounds} rounds")
    print(f"{'':32}{'':8}{'kMAC/px':>9}{'ours':>9}{'PyTorch':>10}{'ratio':>7}{'of peak':>9}")
    rows = []
    for name, h in ROWS:
        if options.only not in name:
            continue
        try:
            network = zoo.Network(h)
        except (zoo.NotThere, ValueError) as error:
            print(f"{name:32}not in the library: {error}")
            continue
        calls = network.library_calls(picture, options.threads)
        ours, theirs = [], []
        for _ in range(options.rounds):
            ours.append([zoo.timed(call) for call in calls])
            theirs += network.torch_seconds(picture, 1)
        row = {"name": name, "hyperparameters": h}
        for index, step in enumerate(("encode", "decode")):
            a, b = zoo.median(t[index] for t in ours), zoo.median(t[index] for t in theirs)
            work = network.info[f"{step}_kmac_per_pixel"]
            share = work * 1e3 * zoo.WIDTH * zoo.HEIGHT / a / (peak * 1e9)
            print(f"{name if not index else '':32}{step:8}{work:9.1f}{1e3 * a:9.1f}{1e3 * b:10.1f}{b / a:7.2f}{100 * share:8.0f}%", flush=True)
            row[step] = {"kmac_per_pixel": work, "ours": [t[index] for t in ours], "torch_networks": [t[index] for t in theirs], "ratio": b / a, "share_of_peak": share}
        rows.append(row)
    print(json.dumps({"threads": options.threads, "torch": torch.__version__, "peak_gmac_per_s": peak, "rows": rows}))


if __name__ == "__main__":
    main()
