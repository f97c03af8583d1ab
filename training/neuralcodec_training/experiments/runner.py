# SPDX-License-Identifier: Apache-2.0
"""experiment: trains and measures the arms of tables. The same command goes on where it was interrupted; several may run side by side and share the arms out.

An arm's result is a JSON file in the results folder, written when all is measured; arms that have one are skipped. Checkpoints are in the runs folder: SIGTERM saves one and ends.
"""
import contextlib
import fcntl
import json
import os
import platform
import tempfile
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import torch

from ..checkpoint import load_checkpoint, search_with
from ..data import load_images
from ..library import Library
from ..model_file import write_model
from ..pictures import load_folder
from ..train import Config, train
from .arms import ARMS, LAMBDAS, MIDDLE, NETWORK, TABLES, Budget
from .measure import measure_estimate, measure_files

RATE, TRANSFORM_SHARE = 1e-3, 0.2  # learning rate of entropy models, and the share of it for transforms, which start as a linear codec

EXACT = 16  # dimensions up to which learned bases are measured with the closest point too, not only with Babai's


class Interrupted(Exception):
    """SIGTERM ended a run, which has its checkpoint."""


@dataclass
class Place:
    """Folders, and what was read from them."""

    data: str
    runs: str
    results: str
    kodak: str = None  # pictures to measure on besides the held-out photographs
    command: str = None  # the library's, to measure real bytes on them
    budget: Budget = Budget()

    def __post_init__(self):
        os.makedirs(self.results, exist_ok=True)
        self.photographs = load_images(self.data)
        self.pictures = load_folder(self.kodak) if self.kodak else {}

    def result(self, name, seed):
        return os.path.join(self.results, f"{name}.{seed}.json")

    def checkpoint(self, run):
        return os.path.join(self.runs, run, "checkpoint.pt")


@contextlib.contextmanager
def lock(folder, wait):
    """Gives whether the folder is this process' own, while the block runs."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def settings(place, run, seed, steps, arm=None, middle=MIDDLE, **more):
    """Of one run: what all arms have in common, the arm's differences, and what the part of it needs."""
    budget = place.budget
    common = dict(
        data=place.data, out=os.path.join(place.runs, run), architecture="transform-coding", hyperparameters=NETWORK | (arm.network if arm else {}), steps=steps, batch=budget.batch,
        crop=budget.crop, late_share=0.0, learning_rate=RATE, transform_share=TRANSFORM_SHARE, warmup_steps=100, lambda_min=middle, lambda_max=middle, seed=seed)
    return Config(**common | (arm.settings if arm else {}) | more)  # what a part needs comes last


def train_part(place, config):
    """Trains what is left of a run; gives its checkpoint's other fields."""
    path = os.path.join(config.out, "checkpoint.pt")
    steps = torch.load(path, map_location="cpu", weights_only=True)["step"] if os.path.exists(path) else 0
    if steps < config.steps and not train(config, place.photographs):
        raise Interrupted(config.out)
    return load_checkpoint(path)[1]


def trunk(place, seed):
    """The checkpoint whose transforms the seed's arms start from."""
    run = f"trunk.{seed}"
    with lock(os.path.join(place.runs, run), wait=True):
        train_part(place, settings(place, run, seed, place.budget.trunk, final_share=1.0, klt=True))
    return place.checkpoint(run)


def versions(place):
    library = {"neuralcodec": Library(place.command).run("--version").strip()} if place.command else {}
    return library | {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version(), "machine": platform.machine(), "cpu_capability": torch.backends.cpu.get_cpu_capability()}


def measure_branch(place, path):
    """What is measured of a branch's checkpoint."""
    model, saved = load_checkpoint(path)
    found = {"processor_seconds": round(saved["processor"], 1), "held_out": measure_estimate(model, place.photographs[1])}
    if place.pictures:
        found["kodak"] = measure_estimate(model, list(place.pictures.values()))
    if place.command and place.pictures and model.codebook is None:
        found["files"] = measure_model(place, model)
        if model.hyperparameters.lattice == "basis" and model.lattice.dimension <= EXACT:
            found["files_exact"] = measure_model(place, search_with(model, "exact"))
    return found


def measure_model(place, model):
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.safetensors")
        write_model(file, model, "arm")
        return {"model_bytes": os.path.getsize(file)} | measure_files(Library(place.command, file, threads=1), place.pictures)


def run_arm(place, name, seed):
    """Trains and measures one arm, and writes its result."""
    start, arm, run = trunk(place, seed), ARMS[name], f"{name}.{seed}"
    budget = replace(place.budget, main=arm.longer * place.budget.main, branch=arm.longer * place.budget.branch)
    main = settings(place, os.path.join(run, "main"), seed, budget.main, arm, transforms=start, final_share=1.0)
    saved = train_part(place, main)
    rates = []
    for value in LAMBDAS:
        branch = os.path.join(run, f"lambda-{value}")
        train_part(place, settings(place, branch, seed, budget.branch, arm, value, correlation_after=0, weights=place.checkpoint(os.path.join(run, "main"))))
        rates.append({"lambda": value} | measure_branch(place, place.checkpoint(branch)))
    defaults = {f.name: f.default for f in fields(Config)}
    config = {k: v for k, v in asdict(main).items() if v != defaults[k] and k not in ("data", "out", "transforms", "steps", "lambda_min", "lambda_max")}
    row = {"arm": name, "seed": seed, "title": arm.title, "budget": asdict(budget), "config": config,
           "trunk_seconds": round(load_checkpoint(start)[1]["processor"], 1), "main_seconds": round(saved["processor"], 1),
           "photographs": len(place.photographs[0]), "versions": versions(place), "rates": rates}
    with open(place.result(name, seed) + ".tmp", "w") as f:
        json.dump(row, f, indent=1)
        f.write("\n")
    os.replace(f.name, place.result(name, seed))


def run_table(place, table, seeds=None):
    """Arms that have a result are skipped, and those that another process is at."""
    for seed in seeds or table.seeds:
        for name in table.arms:
            with lock(os.path.join(place.runs, f"{name}.{seed}"), wait=False) as own:
                if own and not os.path.exists(place.result(name, seed)):
                    print(f"arm {name}, seed {seed}", flush=True)
                    run_arm(place, name, seed)


def add_command(commands):
    p = commands.add_parser("experiment", help="train and measure the arms of a table of docs/experiments.md; resumable")
    p.add_argument("tables", nargs="+", choices=sorted(TABLES), metavar="TABLE", help=", ".join(TABLES))
    p.add_argument("--data", required=True, metavar="FOLDER", help="photographs to train on")
    p.add_argument("--kodak", metavar="FOLDER", help="pictures to measure on, besides the photographs held out")
    p.add_argument("--neuralcodec", metavar="PATH", help="the library's command: measure real bytes and times too")
    p.add_argument("--runs", default="runs/experiments", metavar="FOLDER", help="checkpoints (default: %(default)s)")
    p.add_argument("--results", default="training/experiments", metavar="FOLDER", help="default: %(default)s")
    p.add_argument("--seeds", type=lambda t: [int(v) for v in t.split(",")], metavar="N,N,...", help="default: the table's")
    p.set_defaults(run=run)


def run(o):
    torch.set_num_threads(1)  # so that two may run side by side
    place = Place(o.data, o.runs, o.results, o.kodak, o.neuralcodec)
    try:
        for table in o.tables:
            run_table(place, TABLES[table], o.seeds)
    except Interrupted as interrupted:
        raise SystemExit(f"interrupted; the same command goes on with {interrupted}") from None
