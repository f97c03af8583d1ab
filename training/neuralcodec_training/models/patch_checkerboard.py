# SPDX-License-Identifier: Apache-2.0
"""The default family: 16x16 patch embedding, hyperprior, two-step checkerboard context, thin renderer, all rates from one model.

    x --embed--> [core | tail] --blocks on core--> y0 --gain(r)--> y --round(y - mean)--> symbols
                                     |                                    ^
                                     '--h_a--> z --round--> z_hat --h_s--> mean, log-scale (anchors, then the rest through the context)
    y_hat --inverse gain(r)--> f --blocks on core--> unembed --> base --+--> render (1/4 resolution) --> base + detail = x_hat

Latents are at 1/16 resolution, hyperlatents at 1/64. The tail channels carry what a linear patch transform needs for high rates; they skip
the blocks and are silent (all zero) at low rates. Context: He et al., "Checkerboard Context Model", CVPR 2021. Hyperprior: Minnen et al., 2018.
"""
import math
from dataclasses import asdict, dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..layers import SLOPE, Block, RateTable, ste_round
from ..priors import FactorizedPrior, gaussian_bits
from ..tables import gaussian_tables, mixture_tails, prior_tables
from .coded import Coded

LOG_SCALE_MIN, LOG_SCALE_MAX = math.log(0.11), math.log(512.0)


@dataclass
class Hyperparameters:
    latent_channels: int = 512
    core_channels: int = 320
    hyper_channels: int = 96
    context_channels: int = 192
    hidden_channels: int = 320
    render_channels: int = 32
    analysis_blocks: int = 3
    synthesis_blocks: int = 2
    render_blocks: int = 2
    knots: int = 9
    synthesis_mix_channels: int = 0  # width inside of a synthesis block's second branch; 0: twice the core's
    separable_hidden: int = 0  # 1: the 3x3 convolution `hidden` is a depthwise and a pointwise one


MIXTURE = ("prior.weights", "prior.means", "prior.log_scales")  # a decoder uses the tables made from these; measurements use the mixture itself


class PatchCheckerboard(nn.Module):
    architecture = "patch-checkerboard"
    quantizer = "scalar"
    half_weights = True  # in model files
    rates = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # rate parameters that reports look at
    patch = 16
    stride = 64  # sides of the padded picture are multiples of this
    Hyperparameters = Hyperparameters

    def __init__(self, hyperparameters=None):
        super().__init__()
        h = self.hyperparameters = hyperparameters or Hyperparameters()
        M, N, H, R, K = h.latent_channels, h.core_channels, h.hyper_channels, h.render_channels, h.knots
        self.embed = nn.Conv2d(3 * self.patch**2, M, 1)
        self.analysis = nn.ModuleList(Block(N) for _ in range(h.analysis_blocks))
        self.hyper_analysis = nn.ModuleList([nn.Conv2d(M, H, 1), nn.Conv2d(H, H, 3, 2, 1), nn.Conv2d(H, H, 3, 2, 1)])
        self.hyper_synthesis = nn.ModuleList([nn.Conv2d(H, 4 * H, 1), nn.Conv2d(H, 4 * H, 3, 1, 1)])
        # The hidden layer of the parameter network is the sum of a hyperprior part and, for the second half of the positions, a context part.
        if h.separable_hidden:
            self.hidden_depthwise = nn.Conv2d(H, H, 3, 1, 1, groups=H)
        self.hidden = nn.Conv2d(H, h.hidden_channels, 1, bias=False) if h.separable_hidden else nn.Conv2d(H, h.hidden_channels, 3, 1, 1, bias=False)
        self.hidden_bias = RateTable(K, h.hidden_channels)
        self.context_in = nn.Conv2d(M, h.context_channels, 1)
        self.context_depthwise = nn.Conv2d(h.context_channels, h.context_channels, 5, 1, 2, groups=h.context_channels)
        self.context_out = nn.Conv2d(h.context_channels, h.hidden_channels, 1)
        self.parameters_out = nn.Conv2d(h.hidden_channels, 2 * M, 1)
        self.log_scale = RateTable(K, M)
        self.log_gain = RateTable(K, M)
        self.log_inverse_gain = RateTable(K, M)
        self.prior = FactorizedPrior(H)
        self.synthesis = nn.ModuleList(Block(N, K, mix=h.synthesis_mix_channels) for _ in range(h.synthesis_blocks))
        self.unembed = nn.Conv2d(M, 3 * self.patch**2, 1)
        self.grid = nn.Conv2d(N, 16 * R, 1)
        self.render_in = nn.Conv2d(R + 48, R, 3, 1, 1)
        self.render = nn.ModuleList(Block(R, K, identity=False) for _ in range(h.render_blocks))
        self.render_out = nn.Conv2d(R, 48, 3, 1, 1)
        nn.init.zeros_(self.render_out.weight)
        nn.init.zeros_(self.render_out.bias)
        nn.init.zeros_(self.parameters_out.weight)
        nn.init.zeros_(self.parameters_out.bias)

    def metadata(self):
        """Hyperparameters of the model file. Those that were added later are left out where they are 0, so that older models keep their hashes."""
        return {k: v for k, v in asdict(self.hyperparameters).items() if v or k not in ("synthesis_mix_channels", "separable_hidden")}

    def file_weights(self, complete=True):
        """Name -> tensor; without `complete`, what a decoder needs."""
        return {name: t for name, t in self.state_dict().items() if complete or name not in MIXTURE}

    def coding_tables(self):
        """Name -> array of the model file's tables."""
        mixture = (t.detach().cpu().numpy() for t in (self.prior.weights, self.prior.means, self.prior.log_scales))
        return {**gaussian_tables(), **prior_tables(mixture_tails(*mixture))}

    def load_file(self, tensors):
        """Takes the weights of a file's tensors (name -> torch tensor)."""
        self.load_state_dict({name: tensors.get(name, t) for name, t in self.state_dict().items()})

    def analyse(self, x):
        """x (B, 3, H, W) in [0, 1] -> latents before gain (B, M, H/16, W/16)."""
        N = self.hyperparameters.core_channels
        with torch.autocast(x.device.type, enabled=False):  # 41 dB needs more than bfloat16's 8 bits here and in `unembed`
            e = self.embed(F.pixel_unshuffle(x - 0.5, self.patch))
        core, tail = e[:, :N], e[:, N:]
        for block in self.analysis:
            core = block(core)
        return torch.cat([core, tail], 1)

    def hyper_analyse(self, y0):
        a, b, c = self.hyper_analysis
        return c(F.leaky_relu(b(F.leaky_relu(a(y0), SLOPE)), SLOPE))

    def hyper_synthesise(self, z_hat):
        """Hyperprior part of the hidden layer, before its bias (B, hidden, H/16, W/16)."""
        a, b = self.hyper_synthesis
        t = F.leaky_relu(F.pixel_shuffle(a(z_hat), 2), SLOPE)
        t = F.leaky_relu(F.pixel_shuffle(b(t), 2), SLOPE)
        return self.hidden(self.hidden_depthwise(t) if self.hyperparameters.separable_hidden else t)

    def context(self, y_anchor):
        """Context part of the hidden layer from the anchors divided by their gain, zero elsewhere."""
        return self.context_out(F.leaky_relu(self.context_depthwise(self.context_in(y_anchor)), SLOPE))

    def mean_and_log_scale(self, hidden, gain, log_scale):
        """Means in symbol units, and natural logarithms of the scales."""
        with torch.autocast(hidden.device.type, enabled=False):
            mean, s = self.parameters_out(F.leaky_relu(hidden, SLOPE)).chunk(2, 1)
        return mean * gain, (s + log_scale).clamp(LOG_SCALE_MIN, LOG_SCALE_MAX)

    def synthesise(self, f, r):
        """Latents divided by their gain -> picture (B, 3, H, W), not clamped."""
        N = self.hyperparameters.core_channels
        core, tail = f[:, :N], f[:, N:]
        for block in self.synthesis:
            core = block(core, r)
        with torch.autocast(f.device.type, enabled=False):
            base = F.pixel_shuffle(self.unembed(torch.cat([core, tail], 1).float()), 4)
        d = F.leaky_relu(self.render_in(torch.cat([F.pixel_shuffle(self.grid(core), 4).float(), base], 1)), SLOPE)
        for block in self.render:
            d = block(d, r)
        return F.pixel_shuffle(base, 4) + F.pixel_shuffle(self.render_out(d).float(), 4) + 0.5

    @staticmethod
    def anchors(y):
        """1 where row + column is even: those positions are coded first."""
        mask = torch.zeros(1, 1, *y.shape[2:], device=y.device)
        mask[..., 0::2, 0::2] = 1
        mask[..., 1::2, 1::2] = 1
        return mask

    def forward(self, x, r, rounded=False):
        """x (B, 3, H, W) in [0, 1], sides multiples of 64; r (B) in [0, 1].

        Training estimates the rate with uniform noise; `rounded` uses the symbols.
        """
        noisy = torch.round if rounded else (lambda v: v + torch.rand_like(v) - 0.5)
        log_gain, log_scale = self.log_gain(r), self.log_scale(r)
        gain = torch.exp(log_gain)
        y0 = self.analyse(x).float()
        z = self.hyper_analyse(y0).float()
        medians = self.prior.medians[None, :, None, None]
        z_hat = ste_round(z - medians) + medians
        z_bits = self.prior.bits(noisy(z - medians) + medians)
        hyper = self.hyper_synthesise(z_hat).float() + self.hidden_bias(r)
        y, anchor = y0 * gain, self.anchors(y0)
        mean1, log_scale1 = self.mean_and_log_scale(hyper, gain, log_scale)
        y_anchor = (ste_round(y - mean1) + mean1) * anchor
        mean2, log_scale2 = self.mean_and_log_scale(hyper + self.context(y_anchor * torch.exp(-log_gain)).float(), gain, log_scale)
        mean = torch.where(anchor > 0, mean1, mean2)
        scale = torch.exp(torch.where(anchor > 0, log_scale1, log_scale2))
        y_hat = ste_round(y - mean) + mean
        x_hat = self.synthesise(y_hat * torch.exp(self.log_inverse_gain(r)), r)
        return Coded(x_hat, gaussian_bits(noisy(y - mean), scale), z_bits, (y - mean) / scale)
