# SPDX-License-Identifier: Apache-2.0
import copy
import hashlib
import os
import struct

import numpy as np
import pytest
import torch

from neuralcodec_training import export, safetensors_file
from neuralcodec_training.checkpoint import load_checkpoint
from neuralcodec_training.model_file import LINEAR_QUALITY_MAP, QUALITIES, check_quality_map, read_model, restore_model, write_model
from neuralcodec_training.models.patch_checkerboard import MIXTURE
from neuralcodec_training.model_hash import model_hash
from neuralcodec_training.reference import code, pad
from neuralcodec_training.synthetic import synthetic_picture

METADATA = {"architecture": "a", "hyperparameters": '{"n":1}', "quantizer": "scalar", "padding": "replicate-64", "id": "x"}
TENSORS = {"b": np.array([[1.5, -2]], np.float16), "B": np.array([3], np.int32), "a.c": np.array([1, 65535], np.uint16), "a": np.array([0.25], np.float32)}


def test_hash_vector():
    text = b'neuralcodec-model 1\narchitecture=a\nhyperparameters={"n":1}\nquantizer=scalar\npadding=replicate-64\n'
    text += b"B\nI32\n1\n" + struct.pack("<i", 3) + b"a\nF32\n1\n" + struct.pack("<f", 0.25)
    text += b"a.c\nU16\n2\n" + struct.pack("<HH", 1, 65535) + b"b\nF16\n1,2\n" + struct.pack("<ee", 1.5, -2)
    assert model_hash(METADATA, TENSORS) == hashlib.sha256(text).hexdigest() == "646731ed256fc2460ff8c4307eaaa44ecd35fd2fb32ece1aec6c2f15950f3ad0"


def test_hash_covers_what_decoding_needs():
    original = model_hash(METADATA, TENSORS)
    assert model_hash({**METADATA, "id": "y", "description": "other"}, dict(reversed(TENSORS.items()))) == original
    assert model_hash({**METADATA, "padding": "replicate-32"}, TENSORS) != original
    assert model_hash(METADATA, {**TENSORS, "b": TENSORS["b"].T}) != original


def test_round_trip(tiny, tiny_file, tmp_path):
    tensors, metadata = read_model(tiny_file)
    assert metadata["format"] == "neuralcodec-model" and metadata["format_version"] == "1"
    assert metadata["architecture"] == "patch-checkerboard" and metadata["id"] == "tiny"
    assert metadata["hyperparameters"].startswith('{"analysis_blocks":1,"context_channels":16,')
    for name, value in tiny.state_dict().items():
        if name in MIXTURE:
            assert name not in tensors
            continue
        assert tensors[name].shape == tuple(value.shape)
        assert tensors[name].dtype == (np.float16 if name.endswith(".weight") else np.float32)
        assert (tensors[name] == value.numpy()).all()
        assert not np.signbit(tensors[name][tensors[name] == 0]).any()
    assert tensors["quality_map"].dtype == np.int32 and tuple(tensors["quality_map"]) == LINEAR_QUALITY_MAP
    x = pad(synthetic_picture(64, 64, 1), 64)
    restored = restore_model(tensors, metadata)
    assert (code(restored, x, 30000)["reconstruction"] == code(tiny, x, 30000)["reconstruction"]).all()
    again = str(tmp_path / "again.safetensors")
    write_model(again, tiny, "tiny", "random weights, for tests only", complete=False)
    with open(again, "rb") as a, open(tiny_file, "rb") as b:
        assert a.read() == b.read()


def test_export_command_takes_the_averaged_weights(tiny, tmp_path):
    averaged = {k: v + 1e-3 for k, v in tiny.state_dict().items()}
    checkpoint, output = str(tmp_path / "checkpoint.pt"), str(tmp_path / "out.safetensors")
    torch.save({"model": tiny.state_dict(), "ema": averaged, "optimizer": {}, "step": 7, "elapsed": 60.0,
                "config": {"architecture": tiny.architecture, "hyperparameters": tiny.metadata()}}, checkpoint)
    options = type("Options", (), {"checkpoint": checkpoint, "output": output, "id": "nic-t", "description": "d", "quality_map": LINEAR_QUALITY_MAP, "half": None, "lattice_search": None})
    export.run(options)
    tensors, metadata = read_model(output)
    assert metadata["id"] == "nic-t" and metadata["description"] == "d"
    assert (tensors["embed.weight"] == averaged["embed.weight"].half().numpy()).all()
    assert (tensors["log_gain.table"] == averaged["log_gain.table"].numpy()).all()
    model, saved = load_checkpoint(checkpoint)
    assert saved["step"] == 7 and (model.embed.weight.detach().numpy() == tensors["embed.weight"]).all()


def test_what_is_not_finite_is_refused(tiny, tmp_path):
    broken = copy.deepcopy(tiny)
    with torch.no_grad():
        broken.embed.weight[0, 0] = 70000  # not finite with 16 bits
    with pytest.raises(ValueError, match="embed.weight"):
        write_model(str(tmp_path / "broken.safetensors"), broken, "broken")
    assert not os.path.exists(tmp_path / "broken.safetensors")


def test_damage_is_noticed(tiny_file, tmp_path):
    tensors, metadata = safetensors_file.load(tiny_file)
    tensors["embed.bias"][0] += 1
    path = str(tmp_path / "damaged.safetensors")
    safetensors_file.save(path, tensors, metadata)
    with pytest.raises(ValueError, match="damaged"):
        read_model(path)


@pytest.mark.parametrize("values", ([0] * 11, range(10), range(0, 110000, 10000), [-1, *range(1, 11)]))
def test_quality_maps_are_checked(values):
    with pytest.raises(ValueError):
        check_quality_map(values)


@pytest.mark.parametrize("identifier", ("", "too-long-a-name", "Upper", "a b"))
def test_ids_are_checked(tiny, identifier, tmp_path):
    with pytest.raises(ValueError):
        write_model(str(tmp_path / "x.safetensors"), tiny, identifier)


def test_quality_map_has_eleven_entries():
    assert len(LINEAR_QUALITY_MAP) == len(QUALITIES) == 11 and LINEAR_QUALITY_MAP[-1] == 65535
