# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from neuralcodec_training.bd_rate import bd_rate, pchip

CURVE = [(0.1, 26.0), (0.3, 29.5), (0.7, 33.0), (1.4, 36.5), (2.6, 40.0)]


def test_a_constant_factor_is_its_rate_difference():
    assert bd_rate(CURVE, [(0.8 * b, p) for b, p in CURVE]) == pytest.approx(-20)
    assert bd_rate(CURVE, CURVE) == pytest.approx(0)
    part = CURVE[1:4]
    assert bd_rate(part, [(1.25 * b, p) for b, p in reversed(part)]) == pytest.approx(25)


def test_straight_lines_by_hand():
    """log rate 0 and PSNR / 10 - 3 over [30, 32]: the mean difference is 0.1."""
    assert bd_rate([(1, 30), (1.0 + 1e-12, 32)], [(1, 30), (np.exp(0.2), 32)]) == pytest.approx(100 * (np.exp(0.1) - 1))


def test_curves_without_common_range():
    assert bd_rate(CURVE, [(1, 50), (2, 55)]) is None
    with pytest.raises(ValueError):
        bd_rate(CURVE, [(1, 30)])
    with pytest.raises(ValueError):
        bd_rate(CURVE, [(1, 30), (2, 30)])


def test_pchip_by_hand():
    """Fritsch-Carlson slopes of (0, 0), (1, 1), (2, 4): ends 0 (clipped) and 4, the middle 1.5, the harmonic mean of 1 and 3."""
    f = pchip([0, 1, 2], [0, 1, 4])
    assert [float(f(v)) for v in (0, 1, 2)] == [0, 1, 4]
    assert float(f(0.5)) == pytest.approx(0.5 + (0 - 1.5) / 8)
    assert float(f(1.5)) == pytest.approx(2.5 + (1.5 - 4) / 8)


def test_pchip_against_scipy():
    interpolate = pytest.importorskip("scipy.interpolate", reason="scipy is not installed: PCHIP is only checked by hand")
    random = np.random.RandomState(1)
    for count in (2, 3, 4, 9):
        for _ in range(20):
            x, y = np.cumsum(random.uniform(0.1, 2, count)), random.normal(size=count)
            v = np.linspace(x[0], x[-1], 101)
            np.testing.assert_allclose(pchip(x, y)(v), interpolate.PchipInterpolator(x, y)(v), atol=1e-12)


def test_bd_rate_against_scipy():
    interpolate = pytest.importorskip("scipy.interpolate", reason="scipy is not installed")
    other = [(0.15, 27.0), (0.4, 31.5), (0.9, 35.0), (1.2, 36.0), (2.0, 39.0)]
    low, high = 27.0, 39.0
    mean = [interpolate.PchipInterpolator([p for _, p in c], np.log([b for b, _ in c])).integrate(low, high) / (high - low) for c in (CURVE, other)]
    assert bd_rate(CURVE, other) == pytest.approx(100 * (np.exp(mean[1] - mean[0]) - 1))
