"""Fits of one law: closed forms, other people's optimisers, and what must not matter."""

import numpy as np
import pytest
from scipy import optimize

from dasheng_lib.scaling.curves import _starts, fit_form, fit_weighted
from dasheng_lib.scaling.descend import Problems, descend
from dasheng_lib.scaling.fit import Fit
from dasheng_lib.scaling.forms import FORMS, LINEAR, LOGARITHMIC, OFFSET, POWER, SATURATING

TRUE = {
    "power": {"a": 0.4, "b": 0.12},
    "offset": {"c": 0.1, "a": 0.05, "b": 0.4},
    "saturating": {"c": 0.8, "a": 1.1, "b": 0.5},
    "logarithmic": {"a": 0.1, "b": 0.11},
    "linear": {"a": 0.3, "b": 0.002},
    "constant": {"a": 0.5},
}
VALUE = {
    "power": lambda x, a, b: a * x**b,
    "offset": lambda x, c, a, b: c + a * x**b,
    "saturating": lambda x, c, a, b: c - a * x**-b,
    "logarithmic": lambda x, a, b: a + b * np.log(x),
    "linear": lambda x, a, b: a + b * x,
    "constant": lambda x, a: np.full_like(x, a),
}
SHARP = {"saturating": 1e-5, "offset": 1e-5}
every_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)


def ranks(n=40, span=20.0, seed=0):
    return 6 * span ** np.random.default_rng(seed).uniform(size=n)


def noisy(form, x, sd=0.02, seed=1):
    return VALUE[form.name](x, **TRUE[form.name]) * np.exp(
        np.random.default_rng(seed).normal(0, sd, len(x))
    )


@every_form
def test_slopes_are_those_of_the_curve(form):
    theta = np.array([[0.5, 0.1, 0.3 if form is OFFSET else -0.3][: len(form.parameters)]])
    t = np.linspace(-1.5, 1.5, 7)
    for p, slope in enumerate(form.curve(theta, t)[1]):
        step = np.zeros_like(theta)
        step[0, p] = 1e-6
        change = (form.curve(theta + step, t)[0] - form.curve(theta - step, t)[0]) / 2e-6
        np.testing.assert_allclose(slope, change, rtol=1e-5, atol=1e-8)


@every_form
@pytest.mark.parametrize("delta", [Fit.delta, np.inf])
def test_a_law_without_noise_comes_back_unrounded(form, delta):
    x = ranks()
    fits = fit_form(form, x, VALUE[form.name](x, **TRUE[form.name]), delta)
    found = dict(zip(form.parameters, fits.parameters_BP[0], strict=True))
    assert found == pytest.approx(TRUE[form.name], rel=SHARP.get(form.name, 1e-7))
    np.testing.assert_allclose(fits.predict(x)[0], VALUE[form.name](x, **found), rtol=1e-9)


@every_form
@pytest.mark.parametrize("delta", [Fit.delta, 0.03])
def test_scipy_finds_nothing_better_from_anywhere(form, delta):
    x = ranks()
    y = noisy(form, x)
    fits = fit_form(form, x, y, delta)
    t, ours = np.log(x) - fits.log_x0, float(fits.loss_B[0])
    one = Problems(form, t, y[None], np.ones((1, len(y))), delta)
    rng, bounds = np.random.default_rng(2), [(None, None)] * len(form.parameters)
    if form.bends:
        bounds[2] = form.bounds

    def objective(theta):
        loss, r, slopes = one.loss(theta[None])
        gradient = -slopes[0] @ np.clip(r[0], -delta, delta)
        return min(loss[0] / ours, 1e9), gradient / ours

    theirs = []
    for _ in range(5):
        start = fits.theta_BP[0] + rng.normal(0, 0.05, len(bounds))
        if form.bends:
            start[2] = rng.uniform(*form.bounds)
        options = {"ftol": 1e-15, "maxiter": 1000}
        found = optimize.minimize(
            objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options
        )
        theirs.append(found.fun)
    assert min(theirs) > 1 - 1e-9
    if delta > Fit.delta:  # on the creases of a small delta L-BFGS stops early
        assert min(theirs) < 1 + 1e-5


def test_a_small_delta_is_a_median_regression():
    """As a linear programme finds it: least absolute residuals."""
    x = ranks(30)
    y = noisy(POWER, x)
    n, design = len(x), np.column_stack([np.ones_like(x), np.log(x)])
    signs = np.hstack([design, np.eye(n), -np.eye(n)])
    cost = np.r_[0, 0, np.ones(2 * n)]
    bounds = [(None, None)] * 2 + [(0, None)] * (2 * n)
    exact = optimize.linprog(cost, A_eq=signs, b_eq=np.log(y), bounds=bounds)
    log_a, b = exact.x[:2]
    fits = fit_form(POWER, x, y, 1e-9)
    assert fits.loss_B[0] / 1e-9 == pytest.approx(exact.fun, rel=1e-6)
    assert fits.parameters_BP[0] == pytest.approx([np.exp(log_a), b], rel=1e-6)


@pytest.mark.parametrize(("form", "seed"), [(OFFSET, 98), (SATURATING, 104), (SATURATING, 128)])
def test_many_starts_are_needed_and_enough(form, seed):
    """Wild runs leave valleys beside the deepest, which a search without slopes finds too."""
    rng = np.random.default_rng(seed)
    x = 6 * 20 ** rng.uniform(size=15)
    y = 0.5 * x**0.1 * np.exp(rng.standard_t(1.5, size=15) * 0.05)
    fits = fit_form(form, x, y, 1e-7)
    one = Problems(form, np.log(x) - fits.log_x0, y[None], np.ones((1, 15)), 1e-7)

    def absolute(v):
        theta = np.array([[np.exp(v[0]), np.exp(v[0]) * v[1], v[2]]])
        f = form.curve(theta, one.t_N)[0][0]
        return np.abs(np.log(y) - np.log(np.maximum(f, 1e-12))).sum()

    bounds = [(-2, 1), (-1, 1), form.bounds]
    found = optimize.differential_evolution(absolute, bounds, seed=0, maxiter=150, polish=False)
    assert fits.loss_B[0] / 1e-7 <= found.fun * (1 + 1e-5)
    each = [descend(one, start, 2000, 1e-14)[1][0] for start in _starts(one)]
    assert max(each) > 1.01 * fits.loss_B[0]


def test_least_squares_of_logs_is_a_straight_line():
    x = ranks()
    y = noisy(POWER, x)
    b, log_a = np.polyfit(np.log(x), np.log(y), 1)
    fits = fit_form(POWER, x, y, delta=np.inf)
    assert fits.parameters_BP[0] == pytest.approx([np.exp(log_a), b], rel=1e-10)


def test_one_wild_run_hardly_moves_hubers_fit():
    x = ranks()
    y = noisy(POWER, x)
    wild = np.where(x == x.max(), y / 5, y)
    moved = [
        abs(fit_form(POWER, x, wild, delta=d).parameters_BP[0, 1] - 0.12)
        for d in (Fit.delta, np.inf)
    ]
    assert moved[0] < 0.01 < 0.03 < moved[1]


@every_form
def test_weights_are_repetitions(form):
    x = ranks(25)
    y = noisy(form, x)
    w = np.random.default_rng(3).multinomial(25, np.full(25, 1 / 25), 6).astype(float)
    together = fit_weighted(fit_form(form, x, y), x, y, w, 0.03)
    for b in range(len(w)):
        i = np.repeat(np.arange(25), w[b].astype(int))
        alone = fit_form(form, x[i], y[i], delta=0.03)
        assert together.loss_B[b] == pytest.approx(alone.loss_B[0], rel=1e-4)
        np.testing.assert_allclose(together.predict(x)[b], alone.predict(x)[0], rtol=2e-3)


def test_rows_of_weight_0_do_not_matter():
    x = ranks(25)
    y = noisy(LINEAR, x)
    w = np.ones((1, 25))
    w[0, 3] = 0
    spoilt = np.where(np.arange(25) == 3, 1e-9, y)
    for form in FORMS:
        plain, other = (fit_weighted(fit_form(form, x, y), x, values, w) for values in (y, spoilt))
        assert plain.loss_B == pytest.approx(other.loss_B, rel=1e-6)


def test_a_row_of_weight_0_may_lie_where_the_law_has_no_log():
    x = np.array([1.0, 6, 7, 9, 12, 20])
    w = np.array([[0.0, 1, 1, 1, 1, 1]])
    y = np.maximum(x - 5, 0.1)
    fits = fit_weighted(fit_form(LINEAR, x, y), x, y, w)
    assert fits.parameters_BP[0] == pytest.approx([-5, 1], rel=1e-5)


def test_each_draw_may_have_a_quality_of_its_own():
    x = ranks(25)
    y = np.stack([noisy(POWER, x, seed=s) for s in range(4)])
    together = fit_weighted(fit_form(POWER, x, y[0]), x, y, np.ones((4, 25)))
    alone = [fit_form(POWER, x, row).parameters_BP[0] for row in y]
    np.testing.assert_allclose(together.parameters_BP, alone, rtol=1e-4)


def test_many_rows_are_fitted_in_parts(monkeypatch):
    x = ranks(25)
    y = noisy(OFFSET, x)
    w = np.random.default_rng(3).multinomial(25, np.full(25, 1 / 25), 40).astype(float)
    around = fit_form(OFFSET, x, y)
    whole = fit_weighted(around, x, y, w)
    monkeypatch.setattr("dasheng_lib.scaling.curves.ELEMENTS", 170)
    np.testing.assert_array_equal(fit_weighted(around, x, y, w).loss_B, whole.loss_B)


@pytest.mark.parametrize("form", [POWER, LOGARITHMIC, OFFSET, SATURATING], ids=lambda f: f.name)
def test_the_unit_of_rank_and_the_order_of_rows_do_not_matter(form):
    x = ranks()
    y = noisy(form, x)
    fits = fit_form(form, x, y)
    other = fit_form(form, 1000 * x[::-1], y[::-1])
    assert other.loss_B == pytest.approx(fits.loss_B, rel=1e-9)
    np.testing.assert_allclose(other.predict(1000 * x), fits.predict(x), rtol=1e-6)
    if form is not LOGARITHMIC:
        assert other.parameters_BP[0, -1] == pytest.approx(fits.parameters_BP[0, -1], rel=1e-4)


def test_a_law_that_falls_below_0_is_fitted_above_it():
    x = np.array([1.0, 2, 4, 8, 16, 32, 64])
    y = np.array([0.01, 0.01, 0.02, 0.05, 0.2, 0.6, 0.9])
    for form in FORMS:
        fits = fit_form(form, x, y)
        assert np.isfinite(fits.loss_B).all() and (fits.predict(x) > 0).all()


def test_misuse_is_told():
    x = np.array([1.0, 2, 3])
    with pytest.raises(ValueError, match="as long"):
        fit_form(POWER, x, np.ones(4))
    with pytest.raises(ValueError, match="above 0"):
        fit_form(POWER, -x, np.ones(3))
    with pytest.raises(ValueError, match="above 0"):
        fit_form(POWER, x, np.array([0.0, 1, 1]))
