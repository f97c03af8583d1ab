# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of `train` as models ready for use."""
import torch

from .model_file import read_model, restore_model, round_weights
from .models import ARCHITECTURES
from .zoo.linear import folded


def load_checkpoint(path):
    """(model, saved): the averaged weights of a checkpoint, folded and rounded as a model file holds them, and the checkpoint's other fields."""
    saved = torch.load(path, map_location="cpu", weights_only=True)
    config = saved["config"]
    model_class = ARCHITECTURES[config["architecture"]]
    model = model_class(model_class.Hyperparameters(**(config["hyperparameters"] or {})))
    model.load_state_dict(saved["ema"])
    if config["architecture"] == "transform-coding":
        model = folded(model)
    return round_weights(model).eval(), {k: v for k, v in saved.items() if k not in ("model", "ema", "optimizer")}


def search_with(model, search):
    """Sets what an encoder of a model with a learned basis does, babai or exact, whatever the training said; None leaves it."""
    if search is not None:
        if model.quantizer != "lattice" or model.hyperparameters.lattice != "basis":
            raise SystemExit("only models with a learned basis have a lattice search")
        model.lattice.search = search
    return model


def add_search_option(parser):
    parser.add_argument("--lattice-search", choices=("babai", "exact"), help="what encoders do with a learned basis (default: as it was trained)")


def load_any(path):
    """The model of a checkpoint or of a model file."""
    return restore_model(*read_model(path)) if path.endswith(".safetensors") else load_checkpoint(path)[0]
