# SPDX-License-Identifier: Apache-2.0
"""Two processes under torchrun make the run that one makes, to the rounding of sums."""
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from neuralcodec_training.synthetic import synthetic_picture

# Without noise, which processes draw apart: everything else is to be alike.
SCRIPT = """
import sys, torch
torch.set_num_threads(1)
torch.rand_like = lambda v, **_: torch.full_like(v, 0.5)
from neuralcodec_training.train import Config, train
train(Config(data=sys.argv[1], out=sys.argv[2], architecture="transform-coding", hyperparameters={hyperparameters}, steps={steps}, **{{**dict(batch=4, crop=64, late_batch=4, late_crop=64), **eval(sys.argv[3])}},
             lambda_min=0.01, lambda_max=0.02, warmup_steps=1, learning_rate=1e-4, bf16=False))
"""
HYPERPARAMETERS = {"transform": "balle2018-relu", "hyper": "mean-scale", "context": "checkerboard", "channels": 16, "latent_channels": 16}


def run(tmp_path, name, processes, steps=3, more="{}"):
    """The checkpoint of a run."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(hyperparameters=HYPERPARAMETERS, steps=steps))
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, *launcher, str(script), str(tmp_path / "data"), str(tmp_path / name), more], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    for i in range(6):
        Image.fromarray(synthetic_picture(96, 80, i)).save(tmp_path / "data" / f"{i}.png")


@pytest.mark.skipif(not torch.distributed.is_available() or not torch.distributed.is_gloo_available(), reason="PyTorch without gloo")
def test_two_processes_make_the_run_of_one(tmp_path, data):
    one, two = run(tmp_path, "one", 1), run(tmp_path, "two", 2)
    assert one["step"] == two["step"] == 3
    # After the first step Adam's first moments are the (clipped) gradients: sums of them compare gradients, not only signs.
    first, second = one["optimizer"]["state"], two["optimizer"]["state"]
    assert first.keys() == second.keys() and len(first) > 20
    for key in first:
        torch.testing.assert_close(second[key]["exp_avg"], first[key]["exp_avg"], rtol=1e-3, atol=1e-5)
    for name, tensor in one["model"].items():
        torch.testing.assert_close(two["model"][name], tensor, rtol=1e-3, atol=2e-5, msg=lambda m: f"{name}: {m}")
    # It is the averaging that makes them alike: one process with half of the crops goes elsewhere.
    half = run(tmp_path, "half", 1, more="dict(batch=2, late_batch=2)")
    assert max((half["model"][n] - t).abs().max().item() for n, t in one["model"].items()) > 1e-4


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch):
    from neuralcodec_training.distributed import Processes

    processes = Processes()
    processes.count = 3
    with pytest.raises(SystemExit, match="4 crops"):
        processes.check(6, 4)
