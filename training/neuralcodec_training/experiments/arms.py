# SPDX-License-Identifier: Apache-2.0
"""What is trained: arms, and the tables that they make up.

Every arm of a seed starts from the same transforms, those of the seed's trunk, and has an entropy model of its own that starts new. It trains `main` steps at the middle
lambda with a constant learning rate; from there a branch for each lambda trains `branch` steps with the learning rate brought down. So three rates cost two and a half
times one, whatever the arm is: levels of a variable rate would be cheaper, but neither a factorized prior nor a lattice has them.
"""
from dataclasses import dataclass, field

LAMBDAS = (0.001, 0.003, 0.009)  # low rates: a network this narrow has too few numbers for high ones
MIDDLE = 0.003
SLICES = {"slices": [32, 32, 32], "max_support_slices": 2}
NETWORK = {"transform": "balle2018-relu", "hyper": "mean-scale", "context": "none", "channels": 48, "latent_channels": 96}
ALPHA = 1.0
AFTER = 400  # steps of the main part without the loss: entropy models start new, and until scales are learned it only makes them larger


@dataclass(frozen=True)
class Budget:
    """Steps of the trunk, of an arm's main part and of each of its branches; crops of a step."""

    trunk: int = 12000
    main: int = 1200
    branch: int = 600
    batch: int = 4
    crop: int = 192


@dataclass(frozen=True)
class Arm:
    """`network` and `settings` are differences to NETWORK and to the runner's settings (fields of train.Config)."""

    title: str
    network: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    longer: int = 1  # times the budget's steps


@dataclass(frozen=True)
class Table:
    title: str
    arms: tuple  # names; the first is what BD-rates are against
    seeds: tuple
    pictures: str  # "kodak", or "held_out": photographs of the training folder that nothing trains on, where settings are chosen by the result


def loss(network=None, **settings):
    return {"network": network or {}, "settings": {"correlation_alpha": ALPHA, "correlation_after": AFTER, **settings}}


CHECKERBOARD, AUTOREGRESSIVE = {"context": "checkerboard"}, {"context": "autoregressive"}
CHARM = {"context": "channel-wise-narrow", **SLICES}

ARMS = {
    "hyperprior": Arm("hyperprior"),
    "hyperprior-loss": Arm("hyperprior + correlation loss (alpha 1)", **loss()),
    "hyperprior-free": Arm("hyperprior, transforms at the full learning rate", settings={"transform_share": 1.0}),
    "hyperprior-loss-free": Arm("hyperprior + correlation loss, transforms at the full learning rate", **loss(transform_share=1.0)),
    "hyperprior-longer": Arm("hyperprior, 4 times the steps", longer=4),
    "hyperprior-loss-longer": Arm("hyperprior + correlation loss, 4 times the steps", **loss(), longer=4),
    "checkerboard": Arm("checkerboard", CHECKERBOARD),
    "checkerboard-loss": Arm("checkerboard + correlation loss", **loss(CHECKERBOARD)),
    "charm": Arm("channel-wise", CHARM),
    "charm-loss": Arm("channel-wise + correlation loss", **loss(CHARM)),
    "autoregressive": Arm("autoregressive", AUTOREGRESSIVE),
    # Ablations of the correlation loss.
    "alpha-0.1": Arm("alpha 0.1", **loss(correlation_alpha=0.1)),
    "alpha-0.3": Arm("alpha 0.3", **loss(correlation_alpha=0.3)),
    "alpha-3": Arm("alpha 3", **loss(correlation_alpha=3.0)),
    "from-the-start": Arm("alpha 1, from the first step", **loss(correlation_after=0)),
    "relative": Arm("alpha 1, map over its centre", **loss(correlation_relative=True)),
    "mask-short-cross": Arm("mask: short cross", **loss(correlation_mask="short-cross")),
    "mask-box": Arm("mask: 3 x 3 box", **loss(correlation_mask="box")),
    "mask-long-cross": Arm("mask: long cross", **loss(correlation_mask="long-cross")),
    "window-3": Arm("window 3", **loss(correlation_window=3)),
    "window-7": Arm("window 7", **loss(correlation_window=7)),
    "pairs-unexplained": Arm("checkerboard, pairs no context explains", **loss(CHECKERBOARD, correlation_pairs="unexplained")),
    "pairs-anchors": Arm("checkerboard, anchors only", **loss(CHECKERBOARD, correlation_pairs="anchors")),
}


def basis(network=None, n=8, **settings):
    return {"network": {"lattice": "basis", "lattice_dimension": n, **(network or {})}, "settings": {"orthogonality": 0.1, **settings}}


FACTORIZED = {"hyper": "none"}
# Learned lattices (Babai's rounding, one basis for all groups) beside scalars, for each entropy model; classical lattices; dimensions; a linear layer before scalars.
ARMS |= {
    "factorized": Arm("factorized, scalar", FACTORIZED),
    "factorized-basis": Arm("factorized, learned lattice", **basis(FACTORIZED)),
    "factorized-linear": Arm("factorized, linear layers and scalar", FACTORIZED | {"linear": "free", "linear_dimension": 8}),
    "factorized-rotation": Arm("factorized, orthogonal layers and scalar", FACTORIZED | {"linear": "orthogonal", "linear_dimension": 8}),
    "factorized-codebook": Arm("factorized, codebooks (GVQ) of 512 words, n = 2", FACTORIZED | {"codebook": 512, "codebook_dimension": 2}),
    "hyperprior-basis": Arm("hyperprior, learned lattice", **basis()),
    "checkerboard-basis": Arm("checkerboard, learned lattice", **basis(CHECKERBOARD)),
    "charm-basis": Arm("channel-wise, learned lattice", **basis(CHARM)),
    "autoregressive-basis": Arm("autoregressive, learned lattice", **basis(AUTOREGRESSIVE)),
    "basis-16": Arm("learned lattice, n = 16", **basis(n=16)),
    "basis-24": Arm("learned lattice, n = 24", **basis(n=24)),
    "basis-32": Arm("learned lattice, n = 32", **basis(n=32)),
    "e8": Arm("E8", {"lattice": "e8"}),
    "barnes-wall": Arm("Barnes-Wall", {"lattice": "barnes-wall"}),
    "leech": Arm("Leech", {"lattice": "leech"}),
    "linear": Arm("linear layers and scalar", {"linear": "free", "linear_dimension": 8}),
    "rotation": Arm("orthogonal layers and scalar", {"linear": "orthogonal", "linear_dimension": 8}),
}

TABLES = {
    "correlation": Table(
        "Correlation loss beside context models",
        ("hyperprior", "hyperprior-loss", "checkerboard", "checkerboard-loss", "charm", "charm-loss", "autoregressive"), (1, 2), "kodak"),
    "correlation-ablation": Table(
        "Weight, mask and window of the correlation loss",
        ("hyperprior", "alpha-0.1", "alpha-0.3", "hyperprior-loss", "alpha-3", "from-the-start", "relative", "mask-short-cross", "mask-box", "mask-long-cross", "window-3", "window-7"), (1,), "held_out"),
    "correlation-transforms": Table("With transforms that learn as fast as the entropy model", ("hyperprior-free", "hyperprior-loss-free"), (1,), "kodak"),
    "correlation-length": Table("What longer training changes", ("hyperprior-longer", "hyperprior-loss-longer"), (1,), "kodak"),
    "correlation-positions": Table(
        "With a checkerboard: which positions count", ("checkerboard", "checkerboard-loss", "pairs-unexplained", "pairs-anchors"), (1,), "held_out"),
    "lattice-factorized": Table(
        "Learned lattices with a factorized prior, and the linear layer alone", ("factorized", "factorized-basis", "factorized-linear", "factorized-rotation"), (1, 2), "kodak"),
    "lattice-codebook": Table("General vector quantization beside scalars and a lattice", ("factorized", "factorized-basis", "factorized-codebook"), (1,), "kodak"),
    "lattice": Table(
        "Learned lattices beside scalars, for each context model",
        ("hyperprior", "hyperprior-basis", "checkerboard", "checkerboard-basis", "charm", "charm-basis", "autoregressive", "autoregressive-basis"), (1, 2), "kodak"),
    "lattice-dimension": Table("Dimension of a learned lattice", ("hyperprior", "hyperprior-basis", "basis-16", "basis-24", "basis-32"), (1,), "kodak"),
    "lattice-classical": Table("Learned and classical lattices, and linear layers", ("hyperprior", "hyperprior-basis", "e8", "barnes-wall", "leech", "linear", "rotation"), (1,), "kodak"),
}
