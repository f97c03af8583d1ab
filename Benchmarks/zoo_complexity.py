# SPDX-License-Identifier: Apache-2.0
"""The complexity table of the published networks in the library: architecture by context, parameters, work, and times of a picture of 768 x 512.

    PYTHONPATH=build/python python Benchmarks/zoo_complexity.py [--threads N] [--rounds N] [--only TEXT]     needs PyTorch, which makes the random weights

Work is in thousands of multiply-accumulates a pixel, times are medians in milliseconds of the whole codec, pixels to file and file to pixels. Weights are random and latents
lively: files are larger, and their entropy coding slower, than with trained models. The last line is JSON.
"""
import argparse
import json

import torch

import zoo


def measure(h, threads, rounds):
    network, picture = zoo.Network(h), zoo.picture()
    calls = network.library_calls(picture, threads)
    times = [[zoo.timed(call) for call in calls] for _ in range(rounds)]
    encode, decode = (zoo.median(t[index] for t in times) for index in (0, 1))
    info = network.info
    return {"parameters": info["parameters"], "encode_kmac_per_pixel": info["encode_kmac_per_pixel"], "decode_kmac_per_pixel": info["decode_kmac_per_pixel"],
            "encode_ms": 1e3 * encode, "decode_ms": 1e3 * decode}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="architectures whose name holds this")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cells = [(name, context, zoo.hyperparameters(name, context)) for name in zoo.ARCHITECTURES for context in zoo.CONTEXTS] + [(name, "", h) for name, h in zoo.SINGLE.items()]
    print(f"{options.threads} threads, {zoo.WIDTH} x {zoo.HEIGHT}, medians of {options.rounds} rounds")
    print(f"{'architecture':24}{'context':16}{'parameters':>12}{'kMAC/px enc':>13}{'dec':>8}{'encode ms':>11}{'decode ms':>11}")
    rows = []
    for name, context, h in cells:
        if options.only not in name:
            continue
        try:
            row = measure(h, options.threads, options.rounds)
        except (zoo.NotThere, ValueError) as error:
            print(f"{name:24}{context:16}not in the library: {error}", flush=True)
            continue
        print(f"{name:24}{context:16}{row['parameters'] / 1e6:10.2f} M{row['encode_kmac_per_pixel']:13.1f}{row['decode_kmac_per_pixel']:8.1f}"
              f"{row['encode_ms']:11.1f}{row['decode_ms']:11.1f}", flush=True)
        rows.append({"architecture": name, "context": context.removeprefix("+ "), **row})
    print(json.dumps({"threads": options.threads, "rows": rows}))


if __name__ == "__main__":
    main()
