# SPDX-License-Identifier: Apache-2.0
"""The model file that the library loads: a safetensors file of weights, coding tables and metadata."""
import json
import re

import numpy as np
import torch

from . import safetensors_file
from .model_hash import model_hash
from .models import ARCHITECTURES

QUALITIES = tuple(range(0, 101, 10))
LINEAR_QUALITY_MAP = tuple(round(65535 * q / 100) for q in QUALITIES)


def is_half(name, tensor):
    """Whether a tensor is stored with 16 bits: convolution weights are, everything else keeps 32."""
    return name.endswith(".weight") and tensor.ndim == 4


@torch.no_grad()
def round_weights(model, half=None):
    """Gives a model the weights that its file will hold; half as for `write_model`."""
    for name, tensor in model.state_dict().items():
        if (model.half_weights if half is None else half) and is_half(name, tensor):
            tensor.copy_(tensor.half().float())
    return model


def check_quality_map(values):
    """The map as a tuple of ints; an error says what is wrong with it."""
    values = tuple(int(v) for v in values)
    if len(values) != len(QUALITIES) or not 0 <= values[0] or not values[-1] <= 65535 or any(a >= b for a, b in zip(values, values[1:])):
        raise ValueError(f"a quality map is {len(QUALITIES)} strictly increasing rate parameters from 0 to 65535, not {values}")
    return values


def model_tensors(model, quality_map, complete=True, half=None):
    """Name -> numpy array of everything that the file holds; arguments as for `write_model`."""
    half = model.half_weights if half is None else half
    tensors = {}
    for name, tensor in model.file_weights(complete).items():
        with np.errstate(over="ignore"):  # what 16 bits cannot hold becomes infinite, which `save` refuses
            tensors[name] = tensor.detach().cpu().numpy().astype(np.float16 if half and is_half(name, tensor) else np.float32)
    tensors.update(model.coding_tables())
    if len(model.rates) > 1:
        tensors["quality_map"] = np.array(check_quality_map(quality_map), np.int32)
    # Before the hash, as in the file: no negative zeros.
    return {name: array + array.dtype.type(0) if array.dtype.kind == "f" else array for name, array in tensors.items()}


def write_model(path, model, identifier, description="", quality_map=LINEAR_QUALITY_MAP, complete=True, half=None):
    """Writes the file and returns its metadata.

    complete: also what training and measurements need and a decoder does not (a mixture prior). half: convolution weights with 16 bits; None: as the family does.
    """
    if not re.fullmatch("[a-z0-9-]{1,8}", identifier):
        raise ValueError(f"a model id is 1 to 8 characters of a-z, 0-9 and -, not {identifier!r}")
    if "\n" in description:
        raise ValueError("a description is one line")
    tensors = model_tensors(model, quality_map, complete, half)
    metadata = {
        "format": "neuralcodec-model",
        "format_version": "1",
        "architecture": model.architecture,
        "id": identifier,
        "hyperparameters": json.dumps(model.metadata(), separators=(",", ":"), sort_keys=True),
        "quantizer": model.quantizer,
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


@torch.no_grad()
def restore_model(tensors, metadata):
    """The PyTorch model of a file. What the file leaves out of a prior keeps its initial values: bits of z come from the tables."""
    model_class = ARCHITECTURES[metadata["architecture"]]
    values = json.loads(metadata["hyperparameters"])
    if "lattice.basis" in tensors:
        values["lattice_groups"], values["lattice_dimension"], _ = tensors["lattice.basis"].shape
    model = model_class(model_class.Hyperparameters(**values))
    model.load_file({name: torch.from_numpy(array.astype(np.float32)) for name, array in tensors.items()})
    return model.eval()
