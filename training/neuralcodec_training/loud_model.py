# SPDX-License-Identifier: Apache-2.0
"""The loud model: the tiny one with a few tensors replaced so that every rounding shows.

Means are thousands of times larger than the latents, so that what a mean has lost by rounding differently is large beside the latent that is rebuilt
with it; from the anchors it comes back, as large again, by the context. So a decoder with another order of a sum, or one more rounding, makes
other pixels all over. Some symbols are as large as symbols can be, and escapes have up to 20 bits. And what chance would not bring in a million
years stands there on purpose: ties of rounding, and a log-scale that equals a threshold.
"""
import numpy as np

FACTOR = 2.0**14  # of the means: no symbol reaches the largest by it, and binary16 weights only change their exponents
FARTHEST = (13, 31)  # latents, all but silent in the tiny model, whose symbols are clamped: to -2^20 and to 2^20
FAR_MEANS = (64, -64)  # times their gain
FINE = (1, 3, 7)  # latents with small means and a large gain: the rounding of a product changes symbols
FINE_MEANS = (0.3, -0.2, 0.1)  # times their gain
LOG_GAIN = 12  # of both
EQUAL, THRESHOLD = 5, 60  # the latent whose log-scale is that threshold
TIED, TIES = slice(1, 6), (0.5, 1.5, 2.5, -0.5, -1.5)  # hyperlatents, before they are rounded


def loud_tensors(tiny):
    """The tensors that differ, by name, from the numpy arrays of the tiny model's file."""
    names = ("parameters_out.weight", "parameters_out.bias", "log_gain.table", "log_inverse_gain.table", "log_scale.table", "hyper_analysis.2.weight",
             "hyper_analysis.2.bias", "prior.medians")
    loud = {name: tiny[name].copy() for name in names}
    weight, bias = loud["parameters_out.weight"], loud["parameters_out.bias"]
    M = len(bias) // 2
    for tensor in (weight, bias):
        tensor[:M] *= tensor.dtype.type(FACTOR)
    weight[[*FARTHEST, *FINE, M + EQUAL]] = 0
    bias[list(FARTHEST)], bias[list(FINE)] = FAR_MEANS, FINE_MEANS
    loud["log_gain.table"][:, FARTHEST + FINE] = LOG_GAIN
    loud["log_inverse_gain.table"][:, FINE] = -LOG_GAIN
    loud["log_inverse_gain.table"][:, FARTHEST] = -2 * LOG_GAIN  # so that the picture survives
    bias[M + EQUAL] = tiny["gaussian.thresholds"][THRESHOLD]
    loud["log_scale.table"][:, EQUAL] = 0
    loud["hyper_analysis.2.weight"][TIED] = 0
    loud["hyper_analysis.2.bias"][TIED] = TIES
    loud["prior.medians"][TIED] = 0
    return loud
