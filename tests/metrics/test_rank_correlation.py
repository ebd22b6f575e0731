"""Rank correlations against SciPy, closed forms and simulation."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dasheng_lib.metrics.rank_correlation import (
    EXACT,
    MEASURES,
    agree,
    coefficient,
    smallest_p,
    systems_needed,
)

SCIPY = {"kendall": stats.kendalltau, "spearman": stats.spearmanr}


def lists(n, seed, ties=False):
    generator = np.random.default_rng(seed)
    x, y = (generator.integers(4, size=n) if ties else generator.normal(size=n) for _ in "xy")
    return pd.Series(x, list(map(str, range(n)))), pd.Series(y, list(map(str, range(n))))


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("ties", [False, True])
def test_the_coefficient_is_that_of_scipy(measure, ties):
    pairs = [lists(9, seed, ties) for seed in range(40)]
    x_BN, y_BN = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    expected = [SCIPY[measure](x, y).statistic for x, y in zip(x_BN, y_BN, strict=True)]
    np.testing.assert_allclose(coefficient(x_BN, y_BN, measure), expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_p_of_kendall_is_the_exact_one(seed):
    for n in range(3, EXACT + 1):
        x, y = lists(n, seed)
        assert agree(x, y, "kendall").p == pytest.approx(
            stats.kendalltau(x, y, method="exact").pvalue
        )


def test_the_p_of_spearman_is_that_of_all_orders():
    x, y = lists(6, 1)
    value = stats.spearmanr(x, y).statistic
    tried = [stats.spearmanr(x, order).statistic for order in itertools.permutations(y)]
    expected = np.mean(np.abs(tried) >= abs(value) - 1e-9)
    assert agree(x, y, "spearman").p == pytest.approx(expected)


def test_of_more_systems_orders_are_drawn_and_p_is_never_0():
    x, y = lists(12, 3)
    drawn, exact = agree(x, y, "kendall", draws=20_000), stats.kendalltau(x, y, method="exact")
    assert drawn.p == pytest.approx(exact.pvalue, abs=0.02)
    assert agree(x, x, "kendall", draws=99).p == pytest.approx(0.01)


@pytest.mark.parametrize("measure", MEASURES)
def test_equal_and_reversed_orders(measure):
    for n in range(2, EXACT + 1):
        x = pd.Series(np.arange(n) ** 2.0)
        same, reversed_ = agree(x, 3 * x + 1, measure), agree(x, -x, measure)
        assert (same.value, reversed_.value, same.n) == (1, -1, n)
        assert same.p == reversed_.p == pytest.approx(smallest_p(n))
        assert smallest_p(n) == min(1, 2 / math.factorial(n))
        if n >= 3:
            assert (same.least, same.most) == (1, 1)
        assert (same.low, same.high) == (1, 1) if n >= 5 else np.isnan(same.low)


def test_one_system_left_out_by_hand():
    x, y = pd.Series([1.0, 2, 3, 4]), pd.Series([1.0, 2, 4, 3])
    found = agree(x, y, "kendall")
    assert found.value == pytest.approx(4 / 6)
    assert (found.least, found.most) == (pytest.approx(1 / 3), 1)


def test_intervals_hold_the_value_and_narrow_with_systems():
    widths = []
    for n in (8, 32, 128):
        x, noise = lists(n, 5)
        found = agree(x, x + noise, "spearman", draws=500)
        assert found.low < found.value < found.high
        widths.append(found.high - found.low)
    assert widths == sorted(widths, reverse=True)


def test_systems_are_matched_by_name_and_gaps_left_out():
    x = pd.Series({"a": 1.0, "b": 2.0, "c": 3.0, "d": np.nan, "e": 0.0})
    y = pd.Series({"c": 30.0, "b": 20.0, "a": 10.0, "d": 5.0, "z": 7.0})
    assert (agree(x, y).n, agree(x, y).value) == (3, 1)


def test_what_has_no_order_says_so():
    x = pd.Series([1.0, 2.0, 3.0])
    level = agree(x, x * 0)
    assert np.isnan(level.value) and np.isnan(level.p)
    with pytest.raises(ValueError, match="two systems"):
        agree(x[:1], x[:1])
    with pytest.raises(ValueError, match="kendall, spearman"):
        agree(x, x, "pearson")


def test_so_many_systems_find_a_correlation_four_times_in_five():
    rho = 0.7
    n = systems_needed(rho)
    r = 2 * np.sin(np.pi * rho / 6)  # Pearson's, of normal variables with this Spearman's
    generator = np.random.default_rng(0)
    x_BNF = generator.multivariate_normal([0, 0], [[1, r], [r, 1]], size=(2000, n))
    found_B = coefficient(x_BNF[..., 0], x_BNF[..., 1], "spearman")
    t_B = found_B * np.sqrt((n - 2) / (1 - found_B**2))
    assert 0.78 < (2 * stats.t.sf(np.abs(t_B), n - 2) < 0.05).mean() < 0.88, "rather too many"
    assert systems_needed(-rho) == n and systems_needed(0.5) > n
    for wrong in (0, 1, -1.2):
        with pytest.raises(ValueError, match="between -1 and 1"):
            systems_needed(wrong)
