"""Intervals: known values and coverage."""

import numpy as np
import pytest
from scipy.stats import binomtest

from dasheng_lib.metrics import paired_bootstrap, t_interval, wilson_interval


@pytest.mark.parametrize(("correct", "n"), [(0, 10), (3, 10), (10, 10), (64, 108)])
def test_wilson_agrees_with_scipy(correct, n):
    peer = binomtest(correct, n).proportion_ci(method="wilson")
    assert wilson_interval(correct, n) == pytest.approx((peer.low, peer.high), abs=1e-12)


def test_t_interval_by_hand():
    low, high = t_interval([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5), abs=1e-5)


def test_paired_bootstrap_covers_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        b = rng.random(150) < 0.5
        a = np.where(rng.random(150) < 0.3, rng.random(150) < 0.8, b)  # true gain 0.3 * 0.3
        low, high = paired_bootstrap(a, b, rounds=300, seed=trial)
        hits += low <= 0.09 <= high
    assert 175 <= hits <= 199


def test_groups_widen_the_interval():
    rng = np.random.default_rng(0)
    talker = np.repeat(np.arange(6), 100)
    gain = np.repeat(rng.normal(0.1, 0.1, 6), 100) + rng.normal(0, 0.01, 600)
    plain = np.diff(paired_bootstrap(gain, np.zeros(600)))
    grouped = np.diff(paired_bootstrap(gain, np.zeros(600), talker))
    assert grouped > 3 * plain


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="no share"):
        wilson_interval(3, 2)
    with pytest.raises(ValueError, match="seeds"):
        t_interval([1.0])
    with pytest.raises(ValueError, match="same length"):
        paired_bootstrap([1], [1, 0])
