# SPDX-License-Identifier: Apache-2.0
"""Published networks at the widths of their papers, as random model files, and clocks for them in the library and in PyTorch: what zoo_speed.py and zoo_complexity.py share.

A new network is a row of ARCHITECTURES, a new context one of CONTEXTS. Model files are kept in .build/zoo.
"""
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np
import torch

import neuralcodec
from neuralcodec_training.model_file import write_model
from neuralcodec_training.models import TransformCoding
from neuralcodec_training.randomised import randomised
from neuralcodec_training.reference import pad
from neuralcodec_training.synthetic import synthetic_picture

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".build" / "zoo"
COMMAND = Path(os.environ.get("NEURALCODEC_PREFIX", ROOT / "build")) / "bin" / "neuralcodec"
WIDTH, HEIGHT = 768, 512  # of the Kodak pictures
SMALL = 256, 256  # where PyTorch goes from position to position
SLICE = 32  # channels of a slice of the channel-wise context

# CompressAI's widths at quality 4; those of Zhu et al. (2022) and Liu et al. (2023).
ARCHITECTURES = {
    "Minnen 2018": dict(transform="balle2018", hyper="mean-scale", channels=128, latent_channels=192),
    "Cheng 2020": dict(transform="cheng2020-anchor", hyper="cheng2020", channels=128, latent_channels=128),
    "Cheng 2020 attn": dict(transform="cheng2020-attn", hyper="cheng2020", channels=128, latent_channels=128),
    "SwinT": dict(transform="swin", hyper="swin", channels=128, latent_channels=320, stage_channels=[128, 192, 256, 320], depths=[2, 2, 6, 2],
                  hyper_stage_channels=[192, 192], hyper_depths=[5, 1], window=8, hyper_window=4, head_channels=32),
}
CONTEXTS = {
    "hyperprior": lambda h: dict(context="none"),
    "+ checkerboard": lambda h: dict(context="checkerboard"),
    # Zhu et al. have a narrower one.
    "+ ChARM": lambda h: dict(context="channel-wise-narrow" if h["transform"] == "swin" else "channel-wise", slices=[SLICE] * (h["latent_channels"] // SLICE), max_support_slices=5),
    "+ AR": lambda h: dict(context="autoregressive"),
}
# What has no hyperprior, or a context of its own.
SINGLE = {
    "Ballé 2018 factorized": dict(transform="balle2018", hyper="none", context="none", channels=128, latent_channels=192),
    "Ballé 2018 hyperprior": dict(transform="balle2018", hyper="scale", context="none", channels=128, latent_channels=192),
    "LIC-TCM": dict(transform="tcm", hyper="tcm", context="tcm", channels=128, latent_channels=320, hyper_channels=192, depths=[2] * 6, head_channels=[8, 16, 32, 32, 16, 8],
                    window=8, hyper_window=4, hyper_head_channels=32, attention_channels=128, attention_head_channels=16, slices=[64] * 5, max_support_slices=5),
}


class NotThere(Exception):
    """A network that the library does not load."""


def hyperparameters(architecture, context):
    h = ARCHITECTURES[architecture]
    return {**h, **CONTEXTS[context](h)}


class Network:
    """A random model of these hyperparameters in PyTorch (`model`), and its file in the library (`loaded`)."""

    def __init__(self, h):
        FOLDER.mkdir(parents=True, exist_ok=True)
        values = [str(v).replace(" ", "") for v in h.values()]
        self.path = FOLDER / ("_".join(values) + ".safetensors")
        state = self.path.with_suffix(".pt")
        self.model = TransformCoding(TransformCoding.Hyperparameters(**h)).eval()
        if not self.path.exists() or not state.exists():
            write_model(f"{self.path}.new", self.model, "zoo")  # first as it is: random weights take their time
            self.load(f"{self.path}.new")
            randomised(self.model, 1)
            write_model(f"{self.path}.new", self.model, "zoo")
            torch.save(self.model.state_dict(), state)
            os.replace(f"{self.path}.new", self.path)
        self.model.load_state_dict(torch.load(state, weights_only=True))
        self.loaded = self.load(self.path)
        self.info = json.loads(subprocess.run([COMMAND, "info", self.path, "--json"], check=True, capture_output=True, text=True).stdout)

    @staticmethod
    def load(path):
        try:
            with open(path, "rb") as file:
                return neuralcodec.Model.from_bytes(file.read())
        except neuralcodec.BadModelError as error:
            raise NotThere(str(error)) from error

    def library_calls(self, picture, threads):
        """(encode, decode) of the whole codec."""
        encode = lambda: neuralcodec.encode(picture, model=self.loaded, threads=threads)  # noqa: E731
        file = encode()
        return encode, lambda: neuralcodec.decode(file, model=self.loaded, threads=threads)

    @torch.no_grad()
    def torch_seconds(self, picture, rounds):
        """Seconds (encode, decode) of the networks as CompressAI runs them, without an entropy coder, one of each a round.

        A sequential context goes from position to position, as CompressAI's encoder and decoder both do; it is timed on a smaller picture, and counted by positions.
        """
        model, x = self.model, pad(picture, self.model.stride)
        y = model.analyse(x)
        if model.hyper is None:
            steps = (lambda: model.analyse(x), lambda: model.synthesise(torch.round(y - model.medians) + model.medians))
            return [[timed(step) for step in steps] for _ in range(rounds)]
        z_hat = torch.round(model.hyper_analyse(y) - model.medians) + model.medians
        sequential = model.context.sequential
        y_hat = torch.round(y) if sequential else model.code_latents(y, z_hat).y_hat
        small = [v[:, :, :SMALL[1] // side, :SMALL[0] // side].contiguous() for v, side in ((y, 16), (z_hat, 64))]

        def context(step):
            """Seconds of the hyper synthesis and the context; `step` takes latents, or symbols, and hyperlatents."""
            if not sequential:
                return timed(lambda: step(y, z_hat))
            positions, threads = float("inf"), torch.get_num_threads()
            for count in {threads, 1}:  # maps of one position may take longer with more
                torch.set_num_threads(count)
                positions = min(positions, timed(lambda: step(*small)) - timed(lambda: model.hyper_synthesise(small[1])))
            torch.set_num_threads(threads)
            return timed(lambda: model.hyper_synthesise(z_hat)) + positions * y[0, 0].numel() / small[0][0, 0].numel()

        return [[
            timed(lambda: model.hyper_analyse(model.analyse(x))) + context(model.code_latents),
            context(model.replay) + timed(lambda: model.synthesise(y_hat)),
        ] for _ in range(rounds)]


def timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def picture():
    return np.ascontiguousarray(synthetic_picture(WIDTH, HEIGHT, 1))


def peak_gmacs(kernelcheck, threads):
    """Fused multiply-adds of binary32 that `threads` processes reach at once, in 10^9 a second of processor time."""
    running = [subprocess.Popen([kernelcheck, "--peak"], stdout=subprocess.PIPE, text=True) for _ in range(threads)]
    return sum(float(process.communicate()[0]) for process in running)


def median(values):
    return statistics.median(values)
