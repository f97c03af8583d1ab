# SPDX-License-Identifier: Apache-2.0
import itertools
import math

import numpy as np
import pytest
import torch

from neuralcodec_training.priors import FactorizedPrior
from neuralcodec_training.tables import (
    PRIOR_SYMBOLS, PRIOR_TAIL, SCALES, TOTAL, allocate, gaussian_excess, gaussian_reach, gaussian_scales, gaussian_tables, mixture_tails, prior_tables)


@pytest.fixture(scope="module")
def gaussian():
    return gaussian_tables()


def split(frequencies, lengths):
    assert frequencies.dtype == np.uint16 and sum(lengths) == len(frequencies)
    return np.split(frequencies.astype(np.int64), np.cumsum(lengths)[:-1])


def test_gaussian_tables_are_complete(gaussian):
    lengths = gaussian["gaussian.lengths"]
    assert lengths.dtype == np.int32 and list(lengths) == [gaussian_reach(s) for s in gaussian_scales()]
    for row in split(gaussian["gaussian.frequencies"], lengths + 2):
        assert row.min() >= 1 and row[0] + 2 * row[1:-1].sum() + row[-1] == TOTAL
        assert (np.diff(row[:-1]) <= 0).all()


def test_thresholds_choose_the_nearest_scale(gaussian):
    thresholds, scales = gaussian["gaussian.thresholds"], gaussian_scales()
    assert thresholds.dtype == np.float32 and len(thresholds) == SCALES - 1 and (np.diff(thresholds) > 0).all()
    for value in np.random.RandomState(0).uniform(math.log(0.1), math.log(520), 1000).astype(np.float32):
        assert (thresholds < value).sum() == np.abs(np.log(scales) - value).argmin()


def test_gaussian_tables_cost_little(gaussian):
    entropy, excess = gaussian_excess(gaussian).T
    assert (excess >= 0).all()
    assert excess.max() < 0.016 and excess[gaussian_scales() < 16].max() < 2e-4  # bits a symbol
    lively = entropy > 0.1
    assert (excess / entropy)[lively].max() < 2e-3 and (excess / entropy)[lively].mean() < 4e-4


def test_allocation_is_optimal():
    """Against all possible tables, with a total of 2^16 made of one large symbol's share and few small ones."""
    p, units = np.array([0.9999, 4e-5, 2e-5, 1e-5]), np.array([1, 2, 2, 1])
    cost = lambda f: -(units * p * np.log2(f)).sum()
    found = allocate(p, units)
    assert (units * found).sum() == TOTAL and found.min() >= 1
    best = min(cost(np.array([TOTAL - 2 * a - 2 * b - c, a, b, c])) for a, b, c in itertools.product(range(1, 8), repeat=3))
    assert cost(found) == pytest.approx(best, abs=1e-15)


def prior_with(scale):
    prior = FactorizedPrior(6)
    with torch.no_grad():
        prior.medians.uniform_(-5, 5)
        prior.weights.normal_()
        prior.means.normal_()
        prior.log_scales.add_(math.log(scale))
    return prior


@pytest.mark.parametrize("scale", (0.01, 1, 40, 3000))
def test_prior_tables_follow_the_learned_distribution(scale):
    prior = prior_with(scale)
    tables = prior_tables(mixture_tails(*(p.detach() for p in (prior.weights, prior.means, prior.log_scales))))
    offsets, lengths = tables["prior.offsets"], tables["prior.lengths"]
    assert offsets.dtype == lengths.dtype == np.int32
    assert (offsets <= 0).all() and (offsets + lengths > 0).all() and lengths.max() <= PRIOR_SYMBOLS
    median = prior.medians.detach().double()
    for c, row in enumerate(split(tables["prior.frequencies"], lengths + 1)):
        assert row.min() >= 1 and row.sum() == TOTAL
        if lengths[c] == PRIOR_SYMBOLS:
            continue
        edges = torch.arange(offsets[c], offsets[c] + lengths[c] + 1).double() - 0.5
        cdf = prior.double().cdf((median[:, None, None] + edges[None, None, :]))[c, 0].detach().numpy()
        assert cdf[0] < PRIOR_TAIL and 1 - cdf[-1] < PRIOR_TAIL
        p = np.append(np.diff(cdf), cdf[0] + 1 - cdf[-1])
        entropy = -(p[p > 0] * np.log2(p[p > 0])).sum()
        assert -(p * np.log2(row / TOTAL)).sum() - entropy < 5e-4 + 1e-3 * entropy
