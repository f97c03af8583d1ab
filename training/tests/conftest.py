# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from neuralcodec_training.model_file import write_model
from neuralcodec_training.tiny_model import SLIM, tiny_model


@pytest.fixture(scope="session", autouse=True)
def fixed_seed():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def one_thread():
    """For a module whose maps are small: one thread is faster."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny():
    return tiny_model()


@pytest.fixture(scope="session")
def tiny_file(tiny, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("model") / "tiny.safetensors")
    write_model(path, tiny, "tiny", "random weights, for tests only", complete=False)
    return path


@pytest.fixture(scope="session")
def slim():
    return tiny_model(SLIM)


@pytest.fixture(scope="session")
def slim_file(slim, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("model") / "slim.safetensors")
    write_model(path, slim, "slim", "random weights, for tests only", complete=False)
    return path
