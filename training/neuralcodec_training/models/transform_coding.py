# SPDX-License-Identifier: Apache-2.0
"""Published transform coders: a transform, a hyperprior and a context model, combined as hyperparameters say.

    x --g_a--> y --round(y - mean)--> symbols --+ mean--> y_hat --g_s--> x_hat
               |               ^
               '--h_a--> z --round(z - median)--> z_hat --h_s--> prior --context model--> means, scales

Pictures go in as [0, 1], without an offset. Latents are at 1/16, hyperlatents at 1/64 resolution. Without a hyperprior ("none") the latents themselves are coded with the
factorized prior, around its medians. Tensors have CompressAI's names, so that its checkpoints fit. A network has one rate, or the levels of zoo/vbr.py. Instead of rounding,
latents of a network of one rate may go to the points of a lattice (zoo/lattice.py).
"""
import math
from dataclasses import asdict, dataclass

import torch
import torch.nn as nn

from ..layers import lower_bound, ste_round
from ..priors import SCALE_BOUND, gaussian_bits
from ..tables import next_scale_tables, prior_tables, published_scales
from ..zoo import swin, tcm
from ..zoo.bottleneck import EntropyBottleneck
from ..zoo.codebook import codebook
from ..zoo.context import ALL, CONTEXTS, Parameters
from ..zoo.hyper import HYPERS
from ..zoo.lattice import lattice, times
from ..zoo.layers import MaskedConv2d
from ..zoo.linear import linear
from ..zoo.transforms import TRANSFORMS
from ..zoo.vbr import Levels, offset_network, with_offsets
from .coded import Coded

TRANSFORMS = {**TRANSFORMS, "swin": swin.swin_transform, "tcm": tcm.tcm_transform}
HYPERS = {**HYPERS, "swin": swin.swin_hyper, "tcm": tcm.tcm_hyper}
CONTEXTS = {**CONTEXTS, "tcm": tcm.TCMContext}


@dataclass
class Hyperparameters:
    """What is None does not belong to the network, and is left out of model files."""

    transform: str = "balle2018"
    hyper: str = "mean-scale"
    context: str = "none"
    channels: int = 128
    latent_channels: int = 192
    slices: list = None  # of a channel-wise context
    max_support_slices: int = None
    stage_channels: list = None  # the rest is explained in zoo/swin.py and zoo/tcm.py
    hyper_stage_channels: list = None
    hyper_channels: int = None
    depths: list = None
    hyper_depths: list = None
    window: int = None
    hyper_window: int = None
    head_channels: object = None  # an integer of swin, six of tcm
    hyper_head_channels: int = None
    attention_channels: int = None
    attention_head_channels: int = None
    gain: int = None  # levels of a variable rate; variable_step: 1 where hyperlatents have steps too (zoo/vbr.py)
    variable_step: int = None
    lattice: str = None  # e8, barnes-wall, leech, or basis, which has lattice_search: babai or exact (zoo/lattice.py)
    lattice_search: str = None
    lattice_dimension: int = None  # of a new basis, 8 if None; and 1 basis, or latent_channels / lattice_dimension. Not in model files, whose tensors tell.
    lattice_groups: int = None
    lattice_form: str = None  # of a basis in training: free, orthogonal or bounded; nothing of it is in model files
    linear: str = None  # a linear map before rounding, and back: free or orthogonal (zoo/linear.py), which files do not have: `folded` takes it away
    linear_dimension: int = None
    codebook: int = None  # words of each codebook of vectors of codebook_dimension (2 if None) channels, in training only (zoo/codebook.py)
    codebook_dimension: int = None


def choose(table, name, what):
    if name not in table:
        raise ValueError(f"unknown {what} {name!r}; known: {', '.join(table)}")
    return table[name]


class TransformCoding(nn.Module):
    architecture = "transform-coding"
    Hyperparameters = Hyperparameters
    half_weights = False  # in model files, unless asked for
    rates = (0.0,)  # the rate parameters that reports look at

    def __init__(self, hyperparameters=None):
        super().__init__()
        h = self.hyperparameters = hyperparameters or Hyperparameters()
        modules = choose(TRANSFORMS, h.transform, "transform")(h)
        self.hyper = self.context = None
        if h.hyper == "none":
            if h.context != "none":
                raise ValueError(f"a {h.context} context needs a hyperprior")
            coded = h.latent_channels
        else:
            self.hyper = choose(HYPERS, h.hyper, "hyperprior")(h)
            self.context = choose(CONTEXTS, h.context, "context")(h)
            modules = {**modules, **self.hyper.modules, **self.context.modules}
            coded = self.hyper.channels
        for name, module in modules.items():
            self.add_module(name, module)
        self.entropy_bottleneck = EntropyBottleneck(coded)
        self.lattice = lattice(h, h.slices if self.context and h.slices else [h.latent_channels])
        self.linear = linear(h)
        self.codebook = codebook(h)
        self.relaxed = False  # whether the synthesis is trained with noise instead of rounding
        self.vbr = None
        if h.gain:
            if self.hyper is None:
                raise ValueError("a variable rate needs a hyperprior")
            self.vbr = Levels(h.gain, h.variable_step, 2 * h.latent_channels if "context_prediction" in modules else 0)
            self.QuantABCD = offset_network()
            self.rates = tuple(i / 5 for i in range(6))
        self.register_buffer("scale_table", torch.from_numpy(published_scales()).float())
        self.stride = math.lcm(64 if self.hyper else 16, swin.side(h), tcm.side(h))

    def metadata(self):
        found = {name: value for name, value in asdict(self.hyperparameters).items() if value is not None and name not in ("lattice_dimension", "lattice_groups", "lattice_form")}
        if self.hyperparameters.lattice == "basis":
            found["lattice_search"] = self.lattice.search
        return found

    @property
    def quantizer(self):
        return "scalar" if self.lattice is None else "lattice"

    # The steps of a codec.

    def analyse(self, x):
        """x (B, 3, H, W) in [0, 1], sides multiples of `stride` -> y (B, M, H/16, W/16)."""
        y = self.g_a(x)
        return y if self.linear is None else times(y, self.linear.matrices()[0])

    def hyper_analyse(self, y):
        return self.h_a(y.abs() if self.hyper.magnitudes else y)

    def hyper_synthesise(self, z_hat):
        """What the context model starts from, scales (or their features) in the first half of the channels."""
        return self.h_s(z_hat) if hasattr(self, "h_s") else torch.cat([self.h_scale_s(z_hat), self.h_mean_s(z_hat)], 1)

    def synthesise(self, y_hat):
        """Rebuilt latents -> picture (B, 3, H, W), not clamped."""
        return self.g_s(y_hat if self.linear is None else times(y_hat, self.linear.matrices()[1]))

    @property
    def medians(self):
        return self.entropy_bottleneck.medians[None, :, None, None]

    def rate(self, r=None):
        """What rate parameters r (B) in [0, 1] stand for; None in a network of one rate. Without r, the highest."""
        return self.vbr(torch.ones(1) if r is None else r) if self.vbr is not None else None

    def round_hyper(self, z, rate=None, quantise=torch.round):
        """(symbols, z_hat)"""
        step = 1.0 if rate is None else rate.step
        symbols = quantise((z - self.medians) / step)
        return symbols, symbols * step + self.medians

    def coordinates(self, y):
        """What means and scales are those of: latents, or their coordinates in a learned basis."""
        return y if self.lattice is None else self.lattice.coordinates(y)

    def dequantise(self, symbols, means, scales, rate=None, channels=ALL):
        """Rebuilt latents, as contexts and synthesis take them, of some channels."""
        if self.lattice is not None:
            return self.lattice.rebuilt(symbols, means, channels)
        return symbols + means if rate is None else with_offsets(self.QuantABCD, symbols, scales, rate) * rate.inverse + means

    def to_symbols(self, y, means, rate=None, quantise=torch.round, channels=ALL):
        if self.lattice is not None:
            return self.lattice.symbols(y, means, quantise, channels)
        return quantise(y - means if rate is None else (y - means) * rate.gain)

    def symbol_bits(self, symbols, scales):
        """Bits of symbols, scales in the units that they choose tables with. Of classical lattices an estimate."""
        return gaussian_bits(symbols, scales) if self.lattice is None else self.lattice.bits(None, symbols, scales)

    def code_latents(self, y, z_hat, quantise=torch.round, rate=None):
        """Parameters of y coded as an encoder does it, every value from what a decoder has by then."""

        def rebuild(means, scales, where):
            return self.dequantise(self.to_symbols(y[where], means, rate, quantise, where[1]), means, scales, rate, where[1])

        return self.context.run(self, self.hyper_synthesise(z_hat), rebuild, rate)

    def replay(self, symbols, z_hat, rate=None):
        """Parameters of given symbols: what a decoder computes."""
        rebuild = lambda means, scales, where: self.dequantise(symbols[where], means, scales, rate, where[1])
        return self.context.run(self, self.hyper_synthesise(z_hat), rebuild, rate)

    def parameters_of(self, y_hat, z_hat, rate=None):
        """Parameters where the rebuilt latents (of `dequantise`) are given, all positions at once."""
        prior = self.hyper_synthesise(z_hat)
        if self.context.sequential:
            return self.context.at_once(self, prior, y_hat, rate)
        return self.context.run(self, prior, lambda means, scales, where: y_hat[where], rate)

    def forward(self, x, r=None, rounded=False):
        """x (B, 3, H, W) in [0, 1], sides multiples of `stride`; r (B) in [0, 1], of no meaning to a network of one rate.

        Training estimates the rate with uniform noise, and lets a sequential context see noisy latents; `rounded` codes step by step as an encoder does.
        """
        noisy = torch.round if rounded else (lambda v: v + torch.rand_like(v) - 0.5)
        quantise = noisy if self.relaxed and not rounded else ste_round
        y = self.analyse(x).float()
        if self.hyper is None:
            return self.forward_factorized(y, noisy, quantise, rounded)
        rate = self.rate(r)
        gain, step = (1.0, 1.0) if rate is None else (rate.gain, rate.step)
        z = self.hyper_analyse(y).float()
        _, z_hat = self.round_hyper(z, rate, ste_round)
        z_bits = self.entropy_bottleneck.bits(noisy((z - self.medians) / step) * step + self.medians, step)
        if self.context.sequential and not rounded:
            means, scales, _ = self.parameters_of(noisy(y * gain) / gain if self.lattice is None else self.lattice.noisy(y), z_hat, rate)
            y_hat = self.dequantise(self.to_symbols(y, means, rate, quantise), means, scales, rate)
        else:
            means, scales, y_hat = self.code_latents(y, z_hat, quantise, rate)
        means, scales = means.float(), lower_bound(scales.float() * gain, SCALE_BOUND)
        if self.lattice is not None:
            d = self.coordinates(y) - means
            y_bits = self.lattice.bits(d, self.to_symbols(y, means) if rounded else None, scales)
            return Coded(self.synthesise(y_hat), y_bits, z_bits, d / scales)
        return Coded(self.synthesise(y_hat), gaussian_bits(noisy((y - means) * gain), scales), z_bits, (y - means) * gain / scales)

    def forward_factorized(self, y, noisy, quantise, rounded):
        y = self.coordinates(y)
        if self.codebook is not None:
            y_hat, y_bits = self.codebook(y, rounded)
        else:
            d = y - self.medians
            y_hat, y_bits = self.dequantise(quantise(d), self.medians.expand_as(d), None), self.entropy_bottleneck.bits(noisy(d) + self.medians)
        deviation = y.std((0, 2, 3), keepdim=True).clamp(min=SCALE_BOUND)  # there is no scale to normalize with but the batch's
        return Coded(self.synthesise(y_hat), y_bits, y_bits.new_zeros(y.shape[0], 1, 1, 1), (y - y.mean((0, 2, 3), keepdim=True)) / deviation)

    def parameter_layers(self):
        """(layer, scales, means): the layers that give scales and means, and the latent channels of which their output holds scales, then means, as slices."""
        return self.context.parameter_layers(self)

    # The model file.

    def file_weights(self, complete=True):
        """Name -> tensor. Of masked convolutions the masked taps are zero; of the factorized prior the file holds tables and medians only."""
        if self.codebook is not None:
            raise ValueError("no model file has codebooks")
        if self.linear is not None or self.hyper is None and self.lattice is not None:
            raise ValueError("no model file has a linear map, or a lattice without a hyperprior: write the folded model (zoo/linear.py)")
        masked = {name + ".weight": module.masked_weight() for name, module in self.named_modules() if isinstance(module, MaskedConv2d)}
        weights = {name: masked.get(name, t) for name, t in self.state_dict().items() if not name.startswith("entropy_bottleneck.") and name != "scale_table"}
        if "vbr.steps" in weights:
            weights["vbr.steps"] = self.vbr.step_values()
        if self.hyperparameters.lattice == "basis":
            weights = {name: t for name, t in weights.items() if not name.startswith("lattice.")} | {"lattice.basis": self.lattice.rows}
        return weights

    def coding_tables(self):
        """Name -> array. With variable steps, prior.offsets and prior.lengths are (levels, channels), and prior.frequencies go level by level."""
        variable = self.vbr is not None and self.vbr.steps is not None
        widths = self.vbr.step_values().tolist() if variable else [1.0]
        tables = prior_tables(tails for width in widths for tails in self.entropy_bottleneck.tails(width))
        if variable:
            for name in ("prior.offsets", "prior.lengths"):
                tables[name] = tables[name].reshape(len(widths), -1)
        tables["prior.medians"] = self.entropy_bottleneck.medians.cpu().float().numpy()
        return {**tables, **next_scale_tables(self.scale_table.cpu().numpy())} if self.hyper else tables

    def load_file(self, tensors):
        """Takes the weights of a file's tensors (name -> torch tensor). The factorized prior's distribution is not in it: bits of z come from the tables."""
        state = {name: tensors[name] for name in self.file_weights() if name in tensors}
        missing = sorted(set(self.file_weights()) - set(state))
        if missing:
            raise ValueError(f"the model file lacks {', '.join(missing)}")
        if "lattice.basis" in tensors and not (torch.linalg.det(tensors["lattice.basis"].double()).abs() - 1).abs().max() < 1e-6 * self.lattice.dimension:
            raise ValueError("the volume of a basis in tensor 'lattice.basis' is not 1, which training would change")
        self.load_state_dict(state, strict=False)
        self.entropy_bottleneck.medians.copy_(tensors["prior.medians"])
        if self.hyper:
            thresholds = tensors["gaussian.thresholds"]
            self.scale_table[:-1] = thresholds


__all__ = ["Hyperparameters", "Parameters", "TransformCoding"]
