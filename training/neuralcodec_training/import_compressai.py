# SPDX-License-Identifier: Apache-2.0
"""import-compressai: a checkpoint of CompressAI as a model file of the library.

The networks are CompressAI's own, so tensors keep their names. What it derives from others (masks, coding tables, bounds of parametrizations) is left out; the library's tables
are made anew from the learned distributions.
"""
import os
import re
from dataclasses import dataclass

import torch

from .model_file import write_model
from .models import TransformCoding
from .zoo import tcm
from .zoo.vbr import STEP_BOUND

WRAPPERS = ("state_dict", "network", "net", "model_state_dict", "model")  # keys under which trainers keep the weights
PREFIXES = ("module.", "net.", "latent_codec.hyper.", "latent_codec.y.")  # of names: DataParallel's, trainers', CompressAI's nested codecs'
# Earlier names, and other spellings, of the factorized prior's parameters.
BOTTLENECK = re.compile(r"entropy_bottleneck\._?(matri|bias|factor)(?:x|ces|es|s)?\.?(\d)")
BOTTLENECK_NAMES = {"matri": "matrices", "bias": "biases", "factor": "factors"}
DERIVED = re.compile(
    r"entropy_bottleneck\.(_offset|_quantized_cdf|_cdf_length|target|quantiles|.*bound.*)|(y\.)?gaussian_conditional\..*|.*_reparam\..*|.*\.mask|lower_bound_zqstep\..*|QuantOffset")
LEVELS_BETWEEN = 4  # a -vbr checkpoint's gains become so many levels each, geometrically spaced


@dataclass(frozen=True)
class Source:
    """One of CompressAI's architectures: what it is here, an id for its files."""

    transform: str
    hyper: str
    context: str
    id: str
    variable_rate: bool = False
    context_first: bool = False  # entropy_parameters takes cat(context, prior), and not, as ours does, cat(prior, context)


SOURCES = {
    "bmshj2018-factorized": Source("balle2018", "none", "none", "bmshj-f"),
    "bmshj2018-factorized-relu": Source("balle2018-relu", "none", "none", "bmshj-fr"),
    "bmshj2018-hyperprior": Source("balle2018", "scale", "none", "bmshj-h"),
    "mbt2018-mean": Source("balle2018", "mean-scale", "none", "mbt-mean"),
    "mbt2018": Source("balle2018", "mean-scale", "autoregressive", "mbt"),
    "cheng2020-anchor": Source("cheng2020-anchor", "cheng2020", "autoregressive", "cheng"),
    "cheng2020-attn": Source("cheng2020-attn", "cheng2020", "autoregressive", "cheng-at"),
    "bmshj2018-hyperprior-vbr": Source("balle2018", "scale", "none", "bmshj-hv", variable_rate=True),
    "mbt2018-mean-vbr": Source("balle2018", "mean-scale", "none", "mbt-mv", variable_rate=True),
    "mbt2018-vbr": Source("balle2018", "mean-scale", "autoregressive", "mbt-v", variable_rate=True),
    "cheng2020-anchor-checkerboard": Source("cheng2020-anchor", "cheng2020", "checkerboard", "cheng-cb", context_first=True),
    "lic-tcm": Source("tcm", "tcm", "tcm", "lic-tcm"),  # of its authors' repository, which builds on CompressAI
}


def state_of(checkpoint):
    """The weights, name -> tensor, of whatever a trainer saved."""
    while isinstance(checkpoint, dict) and not any(isinstance(v, torch.Tensor) for v in checkpoint.values()):
        inner = next((checkpoint[key] for key in WRAPPERS if isinstance(checkpoint.get(key), dict)), None)
        if inner is None:
            break
        checkpoint = inner
    tensors = {name: t for name, t in checkpoint.items() if isinstance(t, torch.Tensor)} if isinstance(checkpoint, dict) else {}
    # A checkpoint may hold a few tensors beside the weights (a loss, say).
    for key in WRAPPERS:
        if isinstance(checkpoint, dict) and isinstance(checkpoint.get(key), dict):
            tensors = {name: t for name, t in checkpoint[key].items() if isinstance(t, torch.Tensor)}
            break
    if not tensors:
        raise ValueError("no weights: neither a state dict nor a dictionary with one under " + ", ".join(WRAPPERS))
    return tensors


def current_name(name):
    """A tensor's name in CompressAI as of now, without prefixes."""
    while prefix := next((p for p in PREFIXES if name.startswith(p)), None):
        name = name[len(prefix):]
    name = name.replace(".downsample.", ".skip.")
    found = BOTTLENECK.fullmatch(name)
    return f"entropy_bottleneck.{BOTTLENECK_NAMES[found[1]]}.{found[2]}" if found else name


def need(state, name):
    if name not in state:
        raise ValueError(f"no tensor {name}: not of this architecture")
    return state[name]


def shapes(state, transform):
    """Hyperparameters that the tensors' shapes tell."""
    if transform == "tcm":
        try:
            return tcm.hyperparameters_of(lambda name: tuple(state[name].shape) if name in state else None)
        except (TypeError, IndexError, ValueError) as error:  # of what a missing tensor's shape is not
            raise ValueError("the tensors are not those of a lic-tcm network") from error
    if transform.startswith("cheng2020"):
        N = need(state, "g_a.0.conv1.weight").shape[0]
        return {"channels": N, "latent_channels": N}
    return {"channels": need(state, "g_a.0.weight").shape[0], "latent_channels": need(state, "g_a.6.weight").shape[0]}


def check_fit(state, expected):
    """An error that lists every tensor that is missing, not known, or of another shape."""
    problems = {
        "missing": [n for n in expected if n not in state],
        "unexpected": [n for n in state if n not in expected],
        "of another shape": [f"{n} {tuple(state[n].shape)}, not {tuple(expected[n].shape)}" for n in expected if n in state and state[n].shape != expected[n].shape],
        "not finite": [n for n in expected if n in state and not torch.isfinite(state[n]).all()],
    }
    text = "; ".join(f"{kind}: {', '.join(sorted(names))}" for kind, names in problems.items() if names)
    if text:
        raise ValueError(f"the tensors do not fit this architecture; {text}")


@torch.no_grad()
def import_model(checkpoint, architecture):
    """The model of a checkpoint (as torch.load gives it) of one of SOURCES. ValueError says what does not fit."""
    if architecture not in SOURCES:
        raise ValueError(f"unknown architecture {architecture!r}; known: {', '.join(SOURCES)}")
    source = SOURCES[architecture]
    everything = {current_name(name): t for name, t in state_of(checkpoint).items()}
    state = {name: t.float() for name, t in everything.items() if not DERIVED.fullmatch(name)}
    found = shapes(state, source.transform)
    M = found["latent_channels"]
    levels = take_levels(state, 2 * M if source.context == "autoregressive" else 0) if source.variable_rate else {}
    model = TransformCoding(TransformCoding.Hyperparameters(source.transform, source.hyper, source.context, **found, **levels))
    ours = ("entropy_bottleneck.medians", "scale_table")
    check_fit(state, {name: t for name, t in model.state_dict().items() if name not in ours})
    if source.context_first:
        name = "entropy_parameters.0.weight"
        state[name] = state[name].roll(2 * M, 1)  # the two halves change places
    model.load_state_dict(state, strict=False)
    quantiles = need(everything, "entropy_bottleneck.quantiles")
    model.entropy_bottleneck.medians.copy_(quantiles[:, 0, 1])
    take_scales(model, everything)
    return model.eval()


def perceptron(state, name, values, layers=3):
    """Linear layers NAME.0, NAME.2, ... with ReLU between them, taken out of the state."""
    for i in range(layers):
        weight, bias = (need(state, f"{name}.{2 * i}.{part}") for part in ("weight", "bias"))
        del state[f"{name}.{2 * i}.weight"], state[f"{name}.{2 * i}.bias"]
        if weight.shape[1:] != values.shape[1:] or bias.shape != weight.shape[:1]:
            raise ValueError(f"{name}.{2 * i} of shapes {tuple(weight.shape)} and {tuple(bias.shape)} does not follow on {values.shape[1]} values")
        values = values @ weight.double().T + bias.double()
        values = values.relu() if i < layers - 1 else values
    return values


def take_levels(state, context_channels):
    """Replaces a -vbr checkpoint's gains, and what it computes from them, by their values at each level (zoo/vbr.py); the hyperparameters that go with them."""
    given = need(state, "Gain").double().abs()
    del state["Gain"]
    if given.ndim != 1 or len(given) < 2 or not torch.isfinite(given).all() or not (given[1:] > given[:-1]).all() or given[0] <= 0:
        raise ValueError("Gain is not a list of positive, ascending gains")
    position = torch.arange((len(given) - 1) * LEVELS_BETWEEN + 1, dtype=torch.float64) / LEVELS_BETWEEN
    lower = position.floor().long().clamp(max=len(given) - 2)
    gains = torch.exp(torch.lerp(given.log()[lower], given.log()[lower + 1], position - lower))
    gains[::LEVELS_BETWEEN] = given
    state["vbr.gains"] = gains.float()
    hyperparameters = {"gain": len(gains)}
    if "gayn2zqstep.0.weight" in state:
        steps = torch.nn.functional.softplus(perceptron(state, "gayn2zqstep", (1 / gains)[:, None]))[:, 0]
        state["vbr.steps"] = steps.clamp(min=STEP_BOUND).float()
        hyperparameters["variable_step"] = 1
    if context_channels:
        weight, bias = need(state, "scale_to_context.weight"), need(state, "scale_to_context.bias")
        del state["scale_to_context.weight"], state["scale_to_context.bias"]
        state["vbr.context"] = (gains[:, None] @ weight.double().T + bias.double()).float()
    return hyperparameters


def take_scales(model, everything):
    """The scale table, which a checkpoint has once CompressAI's `update` was called."""
    scales = next((t.float() for name, t in everything.items() if name.endswith("gaussian_conditional.scale_table") and t.numel()), None)
    if scales is None:
        return
    if not 1 < scales.numel() <= 256 or not (scales[1:] > scales[:-1]).all() or not (0 < scales[0] and scales[-1] <= 1000):
        raise ValueError("gaussian_conditional.scale_table is not 2 to 256 ascending scales in (0, 1000]")
    # The usual table, which PyTorch's binary32 gives with other last digits than ours, is ours: a model is the same before and after `update`.
    if scales.shape != model.scale_table.shape or not torch.allclose(scales, model.scale_table, rtol=1e-5, atol=0):
        model.scale_table = scales.clone()


def load(path):
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # pickle's and zip's are of many kinds
        raise ValueError(f"not a checkpoint of tensors that PyTorch can read safely ({str(error).splitlines()[0]})") from error


def add_command(commands):
    p = commands.add_parser("import-compressai", help="make a model file of a CompressAI checkpoint")
    p.add_argument("checkpoint", help="a file that torch.save wrote: a state dict, or what CompressAI's trainer saves")
    p.add_argument("--architecture", required=True, choices=SOURCES, metavar="NAME", help=", ".join(SOURCES))
    p.add_argument("-o", "--output", required=True, metavar="NAME.safetensors")
    p.add_argument("--id", help="1 to 8 characters of a-z, 0-9 and -: the name that coded files carry (default: from the architecture)")
    p.add_argument("--description", default="", help="one line: training data and its terms")
    p.add_argument("--half", action="store_true", help="convolution weights with 16 bits")
    p.set_defaults(run=run)


def run(o):
    try:
        model = import_model(load(o.checkpoint), o.architecture)
        metadata = write_model(o.output, model, o.id or SOURCES[o.architecture].id, o.description, half=o.half)
    except ValueError as error:
        raise SystemExit(f"{o.checkpoint}: {error}") from error
    print(f"{o.output}: {os.path.getsize(o.output)} bytes, id {metadata['id']}, {metadata['hyperparameters']}, hash {metadata['hash']}")
