"""Slopes of few settings and analysis of covariance: closed forms, coverage, levels."""

import numpy as np
import pytest
from scipy import stats

from dasheng_lib.scaling.one_curve import one_curve
from dasheng_lib.scaling.slope import permutations, slope


def data(N=20, M=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(5, 1, N)
    return x, 2 * x + rng.normal(size=(M, N)), np.eye(4)[np.arange(N) % 4]


def hc2(X, y):
    """Coefficients and HC2 errors by the textbook's sandwich."""
    bread = np.linalg.inv(X.T @ X)
    coefficients = bread @ X.T @ y
    leverage = np.einsum("ni,ij,nj->n", X, bread, X)
    meat = X.T @ np.diag((y - X @ coefficients) ** 2 / (1 - leverage)) @ X
    return coefficients, np.sqrt(np.diag(bread @ meat @ bread))


def test_slopes_are_least_squares_and_errors_the_sandwich():
    x, y_MN, arms = data()
    for fixed in (None, arms, np.column_stack([arms, arms[:, 0] + arms[:, 1]])):
        found = slope(x, y_MN, fixed)
        X = np.column_stack([np.ones(20) if fixed is None else arms, x])
        for i, y in enumerate(y_MN):
            coefficients, errors = hc2(X, y)
            assert found.value[i] == pytest.approx(coefficients[-1])
            assert found.error[i] == pytest.approx(errors[-1])


def test_two_groups_are_welchs():
    """Of a predictor of two values HC2 is Welch's error, and the degrees are his at equal luck."""
    rng = np.random.default_rng(0)
    n, m = 5, 9
    y = rng.normal(size=n + m)
    found = slope(np.repeat([0.0, 1.0], [n, m]), y[None])
    a, b = y[:n], y[n:]
    assert found.value[0] == pytest.approx(b.mean() - a.mean())
    assert found.error[0] == pytest.approx(np.sqrt(a.var(ddof=1) / n + b.var(ddof=1) / m))
    degrees = (1 / n + 1 / m) ** 2 / (1 / (n**2 * (n - 1)) + 1 / (m**2 * (m - 1)))
    assert found.degrees == pytest.approx(degrees)
    low, high = found.interval()
    reach = stats.t.ppf(0.975, degrees) * found.error
    assert (low, high) == (found.value - reach, found.value + reach)


SPREADS = {
    "alike": lambda x: np.ones_like(x),
    "rising": lambda x: 0.5 + (x - x.min()) / np.ptp(x),
    "at the ends": lambda x: 0.4 + 4 * np.abs(x - x.mean()) / np.ptp(x),
}


@pytest.mark.parametrize("G", [5, 6, 7, 8])
@pytest.mark.parametrize("luck", SPREADS)
def test_intervals_of_arms_of_5_to_8_settings_hold_the_truth(G, luck):
    rng, n = np.random.default_rng(0), 4000
    for x in (np.linspace(0, 1.5, G), np.r_[np.linspace(0, 1, G - 1), 2.0]):
        y = 3 * x + rng.normal(size=(n, G)) * SPREADS[luck](x)
        low, high = slope(x, y).interval()
        held = ((low <= 3) & (high >= 3)).mean()
        assert held > (0.93 if luck == "alike" else 0.90), held
        assert np.isfinite(high - low).all() and held < 0.995  # and not by saying nothing


def test_one_sided_tests_reject_at_the_margin_as_often_as_promised():
    rng, n = np.random.default_rng(0), 20_000
    x = np.linspace(0, 3, 30)
    for true in (1.0, -1.0):
        y = true * x + rng.normal(0, 0.4, (n, 30))
        said = (slope(x, y).p_less_than(1.0) <= 0.05).mean()
        assert said == pytest.approx(0.05, abs=0.006)
    assert (slope(x, rng.normal(0, 0.4, (n, 30))).p_less_than(1.0) <= 0.05).mean() > 0.95


def test_permutations_keep_blocks_and_their_level():
    block = np.repeat([0, 1, 2], [6, 5, 1])
    rng = np.random.default_rng(0)
    order = permutations(block, 300, rng)
    assert (block[order] == block).all() and (np.sort(order, axis=1) == np.arange(12)).all()
    assert (order[:, 11] == 11).all() and len(np.unique(order[:, :6], axis=0)) > 150
    x = rng.normal(size=12)
    share = np.eye(3)[block]
    y = share @ [0.0, 50.0, -50.0] + rng.normal(size=(1000, 12)) * np.where(block == 0, 3.0, 1.0)
    p = slope(x, y, share, order).p
    for level in (0.01, 0.05, 0.2):
        assert (p <= level).mean() <= stats.binom.ppf(0.999, 1000, level) / 1000
    assert (p <= 0.2).mean() > 0.15
    assert (slope(x, y + 9 * x, share, order).p <= 0.05).mean() > 0.9


def test_a_permutation_p_is_the_share_of_steeper_slopes():
    x, y_MN, _ = data(N=8, M=2)
    order = permutations(np.zeros(8, int), 99, np.random.default_rng(1))
    found = slope(x, y_MN, order_BN=order)

    def t(y):
        coefficients, errors = hc2(np.column_stack([np.ones(8), x]), y)
        return abs(coefficients[1] / errors[1])

    for i, y in enumerate(y_MN):
        reached = sum(t(y[o] - y.mean()) >= t(y) for o in order)
        assert found.p[i] == pytest.approx((1 + reached) / 100)


def test_what_cannot_be_fitted_has_no_slope():
    y_MN = np.ones((2, 4))
    for found in (slope(np.ones(4), y_MN), slope(np.arange(4.0), y_MN, np.eye(4))):
        assert np.isnan([found.value, found.error, found.p, found.interval()[0]]).all()
        assert np.isnan(found.p_less_than(1.0)).all()


def rss(X, y):
    return float(np.linalg.lstsq(X, y, rcond=None)[1][0])


def test_f_of_one_curve_is_that_of_nested_fits():
    x, y_MN, arms = data(N=24)
    found = one_curve(x, y_MN, arms, arms[:, :3])
    z = (x - x.mean()) / x.std()
    curve = np.vander(z, 4)
    levels = np.column_stack([curve, arms[:, 1:]])
    slopes = np.column_stack([levels, arms[:, :3] * z[:, None]])
    for i, y in enumerate(y_MN):
        none, some, all_ = (rss(X, y) for X in (curve, levels, slopes))
        rest = 24 - slopes.shape[1]
        p = [stats.f.sf((none - some) / 3 / (all_ / rest), 3, rest)]
        p.append(stats.f.sf((some - all_) / 3 / (all_ / rest), 3, rest))
        assert found.p[i] == pytest.approx(min(1, 2 * min(p)))
        assert found.f[i] == pytest.approx((none - all_) / 6 / (all_ / rest))
        assert found.variance[i] == pytest.approx(all_ / rest)
    assert (found.arms, found.rest) == (6, 14)
    nothing = one_curve(x[:6], y_MN[:, :6], arms[:6], arms[:6])
    assert np.isnan(nothing.p).all() and np.isnan(nothing.p_closer_than(1.5)).all()


def curved(N=48, arms=6, far=0.0, draws=3000, seed=0):
    """Arms whose distance from a shared cubic is ``far``, root mean square."""
    rng = np.random.default_rng(seed)
    x = rng.normal(5, 1, N)
    share = np.eye(arms)[np.arange(N) % arms]
    z = (x - x.mean()) / x.std()
    curve = np.vander(z, 4)
    off = share @ rng.normal(size=arms)
    off -= curve @ np.linalg.lstsq(curve, off, rcond=None)[0]
    y = 40 + 3 * z - z**2 + far * off / np.sqrt((off**2).mean()) + rng.normal(size=(draws, N))
    return one_curve(x, y, share, share)


def test_arms_are_called_close_at_the_margin_as_seldom_as_promised():
    said = (curved(far=1.0).p_closer_than(1.0) <= 0.05).mean()
    assert 0.02 < said <= 0.06, said
    assert (curved(far=0.0).p_closer_than(1.0) <= 0.05).mean() > 0.8
    assert (curved(far=0.0).p <= 0.05).mean() <= 0.06
    assert (curved(far=1.0).p <= 0.05).mean() > 0.9


def test_the_spread_is_found_and_its_interval_holds_it():
    found = curved(far=1.0, draws=300)
    assert np.mean(found.spread**2) == pytest.approx(1.0, abs=0.1)
    low, high = found.spread_interval()
    assert stats.binom.ppf(0.001, 300, 0.9) <= ((low <= 1) & (high >= 1)).sum()
    assert (low <= found.spread).all() and (found.spread <= high).all()
    assert (high < 1.0).mean() == pytest.approx((found.p_closer_than(1.0) < 0.05).mean())
