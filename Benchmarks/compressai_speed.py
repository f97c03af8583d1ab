# SPDX-License-Identifier: Apache-2.0
"""The whole codec of CompressAI, its entropy coder included, beside the library's with the same weights, on one 768 x 512 picture.

    python Benchmarks/compressai_speed.py [--threads N] [--rounds N]      in an environment with CompressAI and the staged package (make bench-compressai)

Weights are random; the published widths at quality 4. Times are the least of the rounds, which are taken in turns. The last line is JSON.
"""
import argparse
import json
import tempfile
import time
from pathlib import Path

import torch
from compressai.models import Cheng2020Anchor, JointAutoregressiveHierarchicalPriors, MeanScaleHyperprior, ScaleHyperprior

import neuralcodec
from neuralcodec_training.import_compressai import import_model
from neuralcodec_training.model_file import write_model
from neuralcodec_training.reference import pad
from neuralcodec_training.synthetic import synthetic_picture

WIDTH, HEIGHT = 768, 512
MODELS = {
    "bmshj2018-hyperprior": lambda: ScaleHyperprior(128, 192),
    "mbt2018-mean": lambda: MeanScaleHyperprior(128, 192),
    "mbt2018": lambda: JointAutoregressiveHierarchicalPriors(192, 192),
    "cheng2020-anchor": lambda: Cheng2020Anchor(128),
}


def seconds(call):
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    picture = synthetic_picture(WIDTH, HEIGHT, 1)
    x, rows = pad(picture, 64), []
    print(f"{options.threads} threads, PyTorch {torch.__version__}, {WIDTH} x {HEIGHT}; ms, least of {options.rounds}")
    print(f"{'':24}{'':8}{'ours':>9}{'CompressAI':>12}{'ratio':>8}")
    for name, make in MODELS.items():
        torch.manual_seed(0)
        theirs = make().eval()
        theirs.update(force=True)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.safetensors"
            write_model(file, import_model(theirs.state_dict(), name), "speed")
            ours = neuralcodec.Model(file)
        times = {"encode": ([], []), "decode": ([], [])}
        for _ in range(options.rounds):
            a, coded = seconds(lambda: neuralcodec.encode(picture, model=ours, threads=options.threads))
            b, _ = seconds(lambda: neuralcodec.decode(coded, model=ours, threads=options.threads))
            c, strings = seconds(lambda: theirs.compress(x))
            d, _ = seconds(lambda: theirs.decompress(strings["strings"], strings["shape"]))
            for step, mine, other in (("encode", a, c), ("decode", b, d)):
                times[step][0].append(mine)
                times[step][1].append(other)
        for step, (mine, other) in times.items():
            print(f"{name if step == 'encode' else '':24}{step:8}{1e3 * min(mine):9.1f}{1e3 * min(other):12.1f}{min(other) / min(mine):8.1f}", flush=True)
        rows.append({"name": name, **{step: {"ours": mine, "compressai": other} for step, (mine, other) in times.items()}})
    print(json.dumps({"threads": options.threads, "torch": torch.__version__, "rows": rows}))


if __name__ == "__main__":
    main()
