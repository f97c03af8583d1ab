# SPDX-License-Identifier: Apache-2.0
"""The runner of experiments: equal steps, resumption, results; and the report made of them."""
import json
import os
import signal

import pytest
import torch
from PIL import Image

from neuralcodec_training.correlation import average_correlation
from neuralcodec_training.data import Crops
from neuralcodec_training.experiments import runner
from neuralcodec_training.experiments.arms import ARMS, LAMBDAS, TABLES, Budget, Table
from neuralcodec_training.experiments.measure import batches, measure_estimate
from neuralcodec_training.experiments.report import BEGIN, END, plot_tables, replace_tables, table_lines
from neuralcodec_training.models import TransformCoding
from neuralcodec_training.plots import pyplot
from neuralcodec_training.reference import pad
from neuralcodec_training.synthetic import synthetic_picture
from neuralcodec_training.train import build_model, take_transforms

pytestmark = pytest.mark.usefixtures("one_thread")
BUDGET = Budget(trunk=3, main=4, branch=2, batch=2, crop=64)


@pytest.fixture
def place(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for i in range(10):
        Image.fromarray(synthetic_picture(96, 80, i)).save(data / f"{i}.png")
    return runner.Place(str(data), str(tmp_path / "runs"), str(tmp_path / "results"), kodak=str(data), budget=BUDGET)


def steps_of(place, run):
    return torch.load(place.checkpoint(run), weights_only=True)["step"]


def test_an_interrupted_arm_goes_on(place, monkeypatch):
    """SIGTERM in the third step of the main part: a checkpoint, no result; then the rest of the steps, and no step twice."""
    drawn = []
    batch = Crops.batch

    def interrupting(self, *arguments):
        if arguments == (BUDGET.batch, BUDGET.crop):  # not those of the KLT start
            drawn.append(1)
        if len(drawn) == BUDGET.trunk + 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return batch(self, *arguments)

    monkeypatch.setattr(Crops, "batch", interrupting)
    with pytest.raises(runner.Interrupted):
        runner.run_arm(place, "hyperprior-loss", 1)
    assert steps_of(place, "hyperprior-loss.1/main") == 3 and not os.listdir(place.results)
    runner.run_arm(place, "hyperprior-loss", 1)
    assert steps_of(place, "hyperprior-loss.1/main") == BUDGET.main and len(drawn) == BUDGET.trunk + BUDGET.main + len(LAMBDAS) * BUDGET.branch
    with open(place.result("hyperprior-loss", 1)) as f:
        row = json.load(f)
    assert [r["lambda"] for r in row["rates"]] == list(LAMBDAS)
    assert row["config"]["correlation_alpha"] == ARMS["hyperprior-loss"].settings["correlation_alpha"] and row["budget"]["main"] == BUDGET.main
    for r in row["rates"]:
        assert r["kodak"]["bpp"] > 0 and r["kodak"]["correlation"] > 0 and len(r["kodak"]["map"]) == 5


def test_arms_with_a_result_and_arms_of_another_process_are_skipped(place, monkeypatch):
    done = []
    monkeypatch.setattr(runner, "run_arm", lambda place, name, seed: done.append((name, seed)))
    table = Table("", ("hyperprior", "checkerboard", "charm"), (1, 2), "kodak")
    open(place.result("checkerboard", 1), "w").close()
    with runner.lock(os.path.join(place.runs, "charm.2"), wait=False) as own:
        assert own
        runner.run_table(place, table)
    assert done == [("hyperprior", 1), ("charm", 1), ("hyperprior", 2), ("checkerboard", 2)]


def test_arms_share_transforms_and_nothing_else(place):
    """Every arm can be built, and takes the trunk's transforms."""
    torch.manual_seed(1)
    trunk = TransformCoding(TransformCoding.Hyperparameters(**runner.NETWORK))
    path = os.path.join(place.runs, "trunk.pt")
    os.makedirs(place.runs)
    torch.save({"ema": trunk.state_dict(), "config": {"architecture": "transform-coding", "hyperparameters": runner.NETWORK}}, path)
    for name, arm in ARMS.items():
        torch.manual_seed(2)
        config = runner.settings(place, name, 1, 1, arm)
        model = build_model(config)
        take_transforms(model, path)
        assert torch.equal(model.g_s[0].weight, trunk.g_s[0].weight) and torch.equal(model.g_a[-1].bias, trunk.g_a[-1].bias), name
        assert not torch.equal(model.entropy_bottleneck.biases[0][:48], trunk.entropy_bottleneck.biases[0][:48]), name
    for table in TABLES.values():
        assert set(table.arms) <= set(ARMS) and table.pictures in ("kodak", "held_out")


@torch.no_grad()
def test_measured_correlation_is_that_of_a_forward_pass():
    torch.manual_seed(3)
    model = TransformCoding(TransformCoding.Hyperparameters("balle2018", "mean-scale", "checkerboard", 16, 16)).eval()
    images = [synthetic_picture(100, 70, 5), synthetic_picture(64, 64, 6)]
    assert [len(batch) for batch in batches(images + images[:1])] == [2, 1]
    found = measure_estimate(model, images[:1])
    coded = model(pad(images[0], model.stride), rounded=True)
    assert found["correlation"] == pytest.approx(average_correlation(coded.normalized), rel=1e-4)
    assert found["bpp"] == pytest.approx((coded.y_bits.sum() + coded.z_bits.sum()).item() / 7000, rel=1e-4)


def result(arm, seed, factor):
    """Of an arm that needs `factor` times the rate of another."""
    rates = [{"lambda": v, "processor_seconds": 30.0, "kodak": {"bpp": factor * b, "psnr": q, "correlation": 0.05, "correlation_quantized": 0.02}}
             for v, b, q in zip(LAMBDAS, (0.2, 0.4, 0.8), (28.0, 30.0, 32.0))]
    return {"arm": arm, "seed": seed, "budget": {"main": 1}, "main_seconds": 60.0, "rates": rates}


def test_report(tmp_path):
    rows = [result("hyperprior", 1, 1.0), result("hyperprior", 2, 2.0), result("hyperprior-loss", 1, 0.9), result("hyperprior-loss", 2, 1.9)]
    results = {(r["arm"], r["seed"]): r for r in rows}
    lines = table_lines(TABLES["correlation"], results)
    assert "| hyperprior | 2 | +0.00 (+0.00 to +0.00) |" in lines[2]
    assert "| hyperprior + correlation loss (alpha 1) | 2 | -7.50 (-10.00 to -5.00) | - | 0.0500 (0.0500 to 0.0500) | 0.0200" in lines[3]
    assert "2.5 (2.5 to 2.5) |" in lines[3] and "not run" in lines[4]
    for row in rows[2:]:
        for r in row["rates"]:
            r["files_exact"] = {"bpp": 0.5 * r["kodak"]["bpp"], "psnr": r["kodak"]["psnr"]}
    for row in rows[:2]:
        for r in row["rates"]:
            r["files"] = dict(r["kodak"], decode_seconds=0.5)
    assert table_lines(TABLES["correlation"], results)[4] == "| hyperprior + correlation loss (alpha 1), closest points | 2 | - | -53.75 (-55.00 to -52.50) | | | | | |"
    page = "before\n" + BEGIN.format("correlation") + "old\n" + END.format("correlation") + "after\n"
    made = replace_tables(page, results)
    assert "old" not in made and made.startswith("before\n") and made.endswith("after\n") and lines[3] in made
    assert replace_tables(made, results) == made
    drawn = [str(tmp_path / f"experiment-correlation.{kind}") for kind in ("png", "svg")] if pyplot() else []
    assert plot_tables(results, str(tmp_path)) == drawn and all(map(os.path.exists, drawn))
    rows[2]["budget"] = {"main": 2}
    with pytest.raises(ValueError, match="budgets"):
        table_lines(TABLES["correlation"], results)
