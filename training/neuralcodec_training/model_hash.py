# SPDX-License-Identifier: Apache-2.0
"""The hash that names a model: over everything that affects decoding, independent of how the file is laid out."""
import hashlib

import numpy as np

DTYPES = {"float16": "F16", "float32": "F32", "int32": "I32", "uint16": "U16"}  # numpy's names to safetensors' names
COVERED = ("architecture", "hyperparameters", "quantizer", "padding")  # metadata that the hash covers, in its order


def model_hash(metadata, tensors):
    """Hexadecimal SHA-256 of a model's metadata (strings) and tensors (name -> numpy array); `id` and `description` are not covered."""
    digest = hashlib.sha256(b"neuralcodec-model 1\n")
    for key in COVERED:
        digest.update(f"{key}={metadata[key]}\n".encode())
    for name in sorted(tensors, key=str.encode):
        array = tensors[name]
        digest.update(f"{name}\n{DTYPES[array.dtype.name]}\n{','.join(map(str, array.shape))}\n".encode())
        digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()
