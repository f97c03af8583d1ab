# SPDX-License-Identifier: Apache-2.0
"""Safetensors files whose bytes depend on their contents alone (the library orders the metadata at random)."""
import json

import numpy as np
import safetensors.numpy


def save(path, tensors, metadata):
    """Writes numpy arrays and string metadata; keys of the metadata in order, -0.0 as +0.0, nothing that is not finite."""
    clean = {}
    for name, array in tensors.items():
        if array.dtype.kind == "f":
            if not np.isfinite(array).all():
                raise ValueError(f"{name} holds values that are not finite")
            array = array + array.dtype.type(0)  # -0.0 + 0.0 is +0.0
        clean[name] = np.ascontiguousarray(array)
    data = safetensors.numpy.save(clean, metadata)
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    ordered = {"__metadata__": dict(sorted(metadata.items())), **{k: v for k, v in header.items() if k != "__metadata__"}}
    text = json.dumps(ordered, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors stay aligned
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + data[8 + size:])


def load(path):
    """(tensors as numpy arrays, metadata)"""
    with safetensors.safe_open(path, "numpy") as f:
        return {name: f.get_tensor(name) for name in f.keys()}, f.metadata() or {}
