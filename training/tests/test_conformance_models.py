# SPDX-License-Identifier: Apache-2.0
"""The committed models of Tests/conformance/zoo are what this code makes, up to another processor's rounding, and nothing writes over them."""
import os

import numpy as np
import pytest
import torch

from neuralcodec_training import safetensors_file
from neuralcodec_training.conformance_models import MODELS, write_conformance_models
from neuralcodec_training.model_file import read_model

COMMITTED = os.path.join(os.path.dirname(__file__), "..", "..", "Tests", "conformance", "zoo")
HASHES = {  # never change
    "factorized": "902ba3c284471419e1b4bf44d529b9707b4cd36172e195ad11399cd878e2590c",
    "factorized-relu": "92e188e31ec464ebc932a6bfe17dcfd75c5fbb7799a77002fc07a518ae3a331e",
    "scale": "a96aa4059da91ae02bb536fed8be10fe780050e102e25d8eaec73c6924802ab0",
    "mean-scale": "2502313f0501cecbb4d20e11afc9d68f206062d269b528ae4cc9b5a44739c544",
    "mean-scale-checkerboard": "4c952be7dad098f30b32fcb25eb3f9ef939636bed7e7516d87ea0831624de3c7",
    "mean-scale-autoregressive": "fc1d5e4ad39eb702cfcd8519053f8d1fc9d62090c5c2fcee6834f2bb1060f5b6",
    "cheng2020-anchor": "7a67498fe29f140dcfcf4c6d0779e74f449827cf8bb54cdb28117a5467ea0762",
    "cheng2020-attn-autoregressive": "8a1527f8634273d418a446ec34ff8a76a0b8c312f9b43178e49b78533dbb0ea3",
    "swin": "b8dcd6e80ccfeb0e9b8cdc5e792c768bc3371448ac793fa229746767fea4c051",
    "swin-channel-wise-narrow": "1dc3ddf849ee71d33de29f51766c326fd47db3ae3b9c8407b1ed33b526be3a65",
    "tcm-checkerboard": "5db65f2dab010fecdb62a25c0f7f856538d7919d2afc9c2a030a64b9bfeac47a",
    "lattice-basis": "c53f9799ce12c56998f0f55ff2aa8e60a84ebfb1bfdacf55649e1dd32443381a",
    "lattice-e8": "e175d46546f5b9ad0d52292f5e5c537719c5858d563049236a6c3917c7d6c651",
    "variable-rate": "cc7f4778db8507168a8e8cb9de3e1187a4934d653016dfbbc01c8377024c669f",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = str(tmp_path_factory.mktemp("zoo"))
    write_conformance_models(folder)
    torch.set_num_threads(threads)
    return folder


def test_every_model_is_there():
    assert set(HASHES) == set(MODELS)
    files = [name for name in os.listdir(COMMITTED) if name.endswith(".safetensors")]
    assert set(files) == {f"{name}.safetensors" for name in MODELS}
    assert sum(os.path.getsize(os.path.join(COMMITTED, name)) for name in files) < 5_000_000


@pytest.mark.parametrize("name", HASHES)
def test_models_never_change(name, made):
    path = os.path.join(COMMITTED, f"{name}.safetensors")
    tensors, metadata = read_model(path)
    assert metadata["hash"] == HASHES[name] and metadata["id"] == MODELS[name][0]
    again, other = safetensors_file.load(os.path.join(made, f"{name}.safetensors"))
    assert {k: v for k, v in metadata.items() if k != "hash"} == {k: v for k, v in other.items() if k != "hash"}
    assert tensors.keys() == again.keys()
    for key, value in tensors.items():
        if value.dtype.kind == "f":
            np.testing.assert_allclose(value.astype(float), again[key].astype(float), rtol=2e-3, atol=2e-3, err_msg=key)


def test_what_is_there_stays(tmp_path):
    path = tmp_path / "factorized.safetensors"
    path.write_bytes(b"mine")
    assert write_conformance_models(str(tmp_path), ["factorized"]) == []
    assert path.read_bytes() == b"mine"
