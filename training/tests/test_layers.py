# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import torch

from neuralcodec_training.layers import RateTable, lower_bound
from neuralcodec_training.priors import SCALE_BOUND, FactorizedPrior, gaussian_bits


def library_rate_table(table, rate):
    """As the library computes it, from the 16-bit integer alone."""
    knots = len(table)
    n = rate * (knots - 1)
    lower = min(n // 65535, knots - 2)
    t = np.float32(n - 65535 * lower) / np.float32(65535)
    return table[lower] + t * (table[lower + 1] - table[lower])


def test_rate_table_is_linear_between_knots():
    for knots in (2, 3, 9):
        layer = RateTable(knots, 5)
        with torch.no_grad():
            layer.table.normal_()
        table = layer.table.detach().numpy()
        for rate in (0, 1, 8191, 8192, 20000, 32767, 32768, 65534, 65535):
            value = layer(torch.tensor([rate / 65535])).detach().numpy()
            assert value.shape == (1, 5, 1, 1)
            np.testing.assert_allclose(value[0, :, 0, 0], library_rate_table(table, rate), atol=2e-6)
        for k in range(knots):
            np.testing.assert_allclose(layer(torch.tensor([k / (knots - 1)])).detach().numpy()[0, :, 0, 0], table[k], atol=1e-6)


def test_lower_bound_lets_useful_gradients_through():
    x = torch.tensor([0.5, 2.0, 0.5, 2.0], requires_grad=True)
    y = lower_bound(x, 1.0)
    assert y.tolist() == [1, 2, 1, 2]
    y.backward(torch.tensor([-1.0, -1, 1, 1]))
    assert x.grad.tolist() == [-1, -1, 0, 1]  # what would raise x passes, what would lower it further does not


def test_gaussian_bits():
    """Against binary64, with erfc of the side where nothing cancels."""
    for scale in (0.05, 0.11, 0.5, 1, 7.3, 100, 512):
        s = max(scale, SCALE_BOUND)
        for v in (0, 0.3, 1, 2.5, 6, -4, 50):
            tail = lambda e: 0.5 * math.erfc(e / (s * math.sqrt(2)))
            p = tail(abs(v) - 0.5) - tail(abs(v) + 0.5)
            expected = -math.log2(max(p, 1e-9))
            assert abs(gaussian_bits(torch.tensor([float(v)]), torch.tensor([scale])).item() - expected) < 1e-3 * max(1, expected)


def test_factorized_prior_sums_to_one():
    prior = FactorizedPrior(4).double()
    with torch.no_grad():
        prior.medians.normal_()
        prior.weights.normal_()
        prior.means.normal_()
    symbols = torch.arange(-60, 61).double()
    v = prior.medians.detach()[:, None, None] + symbols
    p = 2 ** -prior.bits(v[None])[0, :, 0]
    np.testing.assert_allclose(p.sum(1).detach().numpy(), 1, atol=2e-7)  # the bound of 1e-9 adds at most that
    cells = (prior.cdf(v + 0.5) - prior.cdf(v - 0.5))[:, 0]
    np.testing.assert_allclose(p.detach().numpy(), np.maximum(cells.detach().numpy(), 1e-9), atol=1e-9)
