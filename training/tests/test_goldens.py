# SPDX-License-Identifier: Apache-2.0
"""The committed golden files are what this code makes, and hold what they are for."""
import os

import numpy as np
import pytest

from neuralcodec_training import safetensors_file
from neuralcodec_training.goldens import HEIGHT, PICTURE_SEED, RATES, WIDTH, tie_distance, write_goldens
from neuralcodec_training.loud_model import FACTOR, FARTHEST, FINE
from neuralcodec_training.model_file import read_model
from neuralcodec_training.reference import code, pad
from neuralcodec_training.synthetic import synthetic_picture

COMMITTED = os.path.join(os.path.dirname(__file__), "..", "..", "Tests", "goldens")
MODEL_HASH = "f26806bc26ec6ff38703c9f00b0821bf9db44949deab1e26813ac05b2f5d6d0c"  # never changes


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_goldens(str(tmp_path_factory.mktemp("goldens")))


def test_the_tiny_model_never_changes(files):
    tensors, metadata = read_model(files[0])
    assert metadata["hash"] == MODEL_HASH
    with open(files[0], "rb") as a, open(os.path.join(COMMITTED, "tiny.safetensors"), "rb") as b:
        assert a.read() == b.read()


def test_the_slim_model_never_changes(files):
    with open(files[3], "rb") as a, open(os.path.join(COMMITTED, "slim.safetensors"), "rb") as b:
        assert a.read() == b.read()


def test_the_loud_model_never_changes(files):
    with open(files[2], "rb") as a, open(os.path.join(COMMITTED, "loud_tensors.safetensors"), "rb") as b:
        assert a.read() == b.read()


def test_the_loud_model_stays_a_model(files):
    tiny, _ = safetensors_file.load(files[0])
    loud, _ = safetensors_file.load(files[2])
    for name, tensor in loud.items():
        assert (tensor.shape, tensor.dtype) == (tiny[name].shape, tiny[name].dtype)
    M = len(loud["parameters_out.bias"]) // 2
    means = [channel for channel in range(M) if channel not in FARTHEST + FINE]
    for name in ("parameters_out.weight", "parameters_out.bias"):  # exactly, in binary16 too
        assert (loud[name][means].astype(float) == tiny[name][means].astype(float) * FACTOR).all()


def test_golden_values_are_reproduced(files):
    made, metadata = safetensors_file.load(files[1])
    committed, committed_metadata = safetensors_file.load(os.path.join(COMMITTED, "tiny_golden.safetensors"))
    assert metadata == committed_metadata and metadata["model_hash"] == MODEL_HASH
    assert made.keys() == committed.keys()
    for name, value in made.items():
        assert value.shape == committed[name].shape and value.dtype == committed[name].dtype
        if value.dtype == np.uint8 and name.endswith("decoded"):
            assert np.abs(value.astype(int) - committed[name]).max() <= 1
        elif value.dtype.kind == "f":  # another processor sums in another order
            np.testing.assert_allclose(value, committed[name], rtol=1e-4, atol=1e-4)
        else:
            assert (value == committed[name]).all()


def test_sizes():
    assert os.path.getsize(os.path.join(COMMITTED, "tiny.safetensors")) <= 300000
    assert os.path.getsize(os.path.join(COMMITTED, "slim.safetensors")) <= 300000
    assert os.path.getsize(os.path.join(COMMITTED, "tiny_golden.safetensors")) <= 200 * 1024
    assert os.path.getsize(os.path.join(COMMITTED, "loud_tensors.safetensors")) <= 16 * 1024


def test_latents_are_lively(files):
    tensors, _ = read_model(files[0])
    golden, _ = safetensors_file.load(files[1])
    assert tuple(golden["padded_size"]) == (128, 128) and tuple(golden["rates"]) == RATES
    for i in range(len(RATES)):
        symbols, log_scales = golden[f"rate{i}.y_symbols"], golden[f"rate{i}.log_scales"]
        assert (symbols != 0).mean() > 0.3
        index = (tensors["gaussian.thresholds"] < log_scales[..., None]).sum(-1)
        escapes = (np.abs(symbols) > tensors["gaussian.lengths"][index]).sum()
        assert 3 <= escapes <= 0.03 * symbols.size
        assert len(np.unique(index)) > 20
        reconstruction = golden[f"rate{i}.reconstruction"]
        assert reconstruction.shape == (HEIGHT, WIDTH, 3)
        assert 0 < ((reconstruction < 0) | (reconstruction > 1)).mean() < 0.1  # the clamp has something to do, but not much
    z, first = golden["z_symbols"], tensors["prior.offsets"]
    assert ((z < first) | (z >= first + tensors["prior.lengths"])).any()


def test_no_latent_is_near_a_tie(tiny):
    x = pad(synthetic_picture(WIDTH, HEIGHT, PICTURE_SEED), tiny.stride)
    assert all(tie_distance(tiny, code(tiny, x, rate)) > 5e-4 for rate in RATES)
