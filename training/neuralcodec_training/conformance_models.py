# SPDX-License-Identifier: Apache-2.0
"""conformance-models: small random models of the published families, for the library's conformance tests (Tests/conformance/zoo).

Files and hashes that tests hold refer to these models, so a model that is there stays: the command writes those that are not. (Random weights are scaled by what pictures make
of them, and another processor rounds that otherwise in places.)
"""
import os

import torch

from .model_file import write_model
from .models import TransformCoding
from .randomised import randomised

SEED = 20250202
SWIN = dict(stage_channels=[16, 16, 16, 16], depths=[1, 2, 1, 1], hyper_stage_channels=[16, 16], hyper_depths=[2, 1], window=4, hyper_window=2, head_channels=8)
# File name -> id and hyperparameters. A new network is a row here, and one in ZooConformanceTests.swift.
MODELS = {
    "factorized": ("z-fact", dict(transform="balle2018", hyper="none", context="none")),
    "factorized-relu": ("z-relu", dict(transform="balle2018-relu", hyper="none", context="none")),
    "scale": ("z-scale", dict(transform="balle2018", hyper="scale", context="none")),
    "mean-scale": ("z-mean", dict(transform="balle2018", hyper="mean-scale", context="none")),
    "mean-scale-checkerboard": ("z-check", dict(transform="balle2018", hyper="mean-scale", context="checkerboard")),
    "mean-scale-autoregressive": ("z-auto", dict(transform="balle2018", hyper="mean-scale", context="autoregressive")),
    "cheng2020-anchor": ("z-cheng", dict(transform="cheng2020-anchor", hyper="cheng2020", context="none")),
    "cheng2020-attn-autoregressive": ("z-attn", dict(transform="cheng2020-attn", hyper="cheng2020", context="autoregressive")),
    "swin": ("z-swin", dict(transform="swin", hyper="swin", context="none", **SWIN)),
    "swin-channel-wise-narrow": ("z-charm", dict(
        transform="swin", hyper="swin", context="channel-wise-narrow", latent_channels=32, **{**SWIN, "stage_channels": [16, 16, 16, 32]}, slices=[16, 16],
        max_support_slices=1)),
    "tcm-checkerboard": ("z-tcm", dict(
        transform="tcm", hyper="tcm", context="checkerboard", hyper_channels=16, depths=[2, 0, 0, 1, 0, 0], head_channels=[8, 16, 4, 8, 16, 8], window=4,
        hyper_window=2, hyper_head_channels=8)),
    "lattice-basis": ("z-basis", dict(
        transform="balle2018", hyper="mean-scale", context="checkerboard", lattice="basis", lattice_search="babai", lattice_dimension=8, lattice_groups=2)),
    "lattice-e8": ("z-e8", dict(transform="balle2018", hyper="mean-scale", context="none", lattice="e8")),
    "variable-rate": ("z-vbr", dict(transform="balle2018", hyper="mean-scale", context="autoregressive", gain=6, variable_step=1)),
}
WIDTHS = dict(channels=16, latent_channels=16)


def conformance_model(name):
    _, hyperparameters = MODELS[name]
    torch.manual_seed(0)  # a prior's initial values
    model = TransformCoding(TransformCoding.Hyperparameters(**{**WIDTHS, **hyperparameters}))
    if model.vbr is not None:
        model.vbr.gains.mul_(8)  # the lowest rate, which tests code at, is to be lively
    return randomised(model, SEED)


def write_conformance_models(folder, names=MODELS):
    """Writes the models that the folder lacks; returns their paths."""
    os.makedirs(folder, exist_ok=True)
    paths = {name: os.path.join(folder, f"{name}.safetensors") for name in names}
    missing = [name for name in names if not os.path.exists(paths[name])]
    for name in missing:
        write_model(paths[name], conformance_model(name), MODELS[name][0], "random weights, for tests only", half=True)
    return [paths[name] for name in missing]


def add_command(commands):
    p = commands.add_parser("conformance-models", help="write the random models of the conformance tests that are missing")
    p.add_argument("output", metavar="OUT_DIR")
    p.set_defaults(run=run)


def run(o):
    torch.set_num_threads(1)  # more would sum in another order
    for path in write_conformance_models(o.output):
        print(f"{path}: {os.path.getsize(path)} bytes")
