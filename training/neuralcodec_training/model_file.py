# SPDX-License-Identifier: Apache-2.0
"""The model file that the library loads: a safetensors file of weights, coding tables and metadata."""
import json
import re

import numpy as np
import torch

from . import safetensors_file
from .model_hash import model_hash
from .models import ARCHITECTURES
from .tables import gaussian_tables, prior_tables

MIXTURE = ("prior.weights", "prior.means", "prior.log_scales")  # a decoder uses the tables made from these; measurements use the mixture itself
QUALITIES = tuple(range(0, 101, 10))
LINEAR_QUALITY_MAP = tuple(round(65535 * q / 100) for q in QUALITIES)


def is_half(name, tensor):
    """Whether a tensor is stored with 16 bits: convolution weights are, everything else keeps 32."""
    return name.endswith(".weight") and tensor.ndim == 4


@torch.no_grad()
def round_weights(model):
    """Gives a model the weights that its file will hold."""
    for name, tensor in model.state_dict().items():
        if is_half(name, tensor):
            tensor.copy_(tensor.half().float())
    return model


def check_quality_map(values):
    """The map as a tuple of ints; an error says what is wrong with it."""
    values = tuple(int(v) for v in values)
    if len(values) != len(QUALITIES) or not 0 <= values[0] or not values[-1] <= 65535 or any(a >= b for a, b in zip(values, values[1:])):
        raise ValueError(f"a quality map is {len(QUALITIES)} strictly increasing rate parameters from 0 to 65535, not {values}")
    return values


def model_tensors(model, quality_map, mixture=True):
    """Name -> numpy array of everything that the file holds; the prior's mixture is not needed to decode and may be left out."""
    tensors = {}
    for name, tensor in model.state_dict().items():
        if mixture or name not in MIXTURE:
            with np.errstate(over="ignore"):  # what 16 bits cannot hold becomes infinite, which `save` refuses
                tensors[name] = tensor.detach().cpu().numpy().astype(np.float16 if is_half(name, tensor) else np.float32)
    prior = model.prior
    tensors.update(gaussian_tables())
    tensors.update(prior_tables(*(t.detach().cpu().numpy() for t in (prior.weights, prior.means, prior.log_scales))))
    tensors["quality_map"] = np.array(check_quality_map(quality_map), np.int32)
    # Before the hash, as in the file: no negative zeros.
    return {name: array + array.dtype.type(0) if array.dtype.kind == "f" else array for name, array in tensors.items()}


def write_model(path, model, identifier, description="", quality_map=LINEAR_QUALITY_MAP, mixture=True):
    """Writes the file and returns its metadata."""
    if not re.fullmatch("[a-z0-9-]{1,8}", identifier):
        raise ValueError(f"a model id is 1 to 8 characters of a-z, 0-9 and -, not {identifier!r}")
    if "\n" in description:
        raise ValueError("a description is one line")
    tensors = model_tensors(model, quality_map, mixture)
    metadata = {
        "format": "neuralcodec-model",
        "format_version": "1",
        "architecture": model.architecture,
        "id": identifier,
        "hyperparameters": json.dumps(model.metadata(), separators=(",", ":"), sort_keys=True),
        "quantizer": "scalar",
        "padding": f"replicate-{model.stride}",
        "description": description,
    }
    metadata["hash"] = model_hash(metadata, tensors)
    safetensors_file.save(path, tensors, metadata)
    return metadata


def read_model(path):
    """(tensors, metadata) of a model file whose hash is right."""
    tensors, metadata = safetensors_file.load(path)
    if metadata.get("format") != "neuralcodec-model" or metadata.get("format_version") != "1":
        raise ValueError(f"{path} is not a neuralcodec model of version 1")
    if model_hash(metadata, tensors) != metadata["hash"]:
        raise ValueError(f"{path} is damaged: its hash does not fit its contents")
    return tensors, metadata


def restore_model(tensors, metadata):
    """The PyTorch model of a file. A prior's mixture that is not in the file keeps its initial values: bits of z come from the tables."""
    model_class = ARCHITECTURES[metadata["architecture"]]
    model = model_class(model_class.Hyperparameters(**json.loads(metadata["hyperparameters"])))
    state = model.state_dict()
    for name in state:
        if name in tensors:
            state[name] = torch.from_numpy(tensors[name].astype(np.float32))
    model.load_state_dict(state)
    return model.eval()
