"""Which form: as often as theory allows, and never with a look at what is held out."""

import numpy as np
import pytest
from scipy import stats
from sweep_rows import sweep

from dasheng_lib.scaling.compare import errors, robust_delta, run_errors, wins
from dasheng_lib.scaling.curves import Curves, fit_form, fit_weighted
from dasheng_lib.scaling.fit import Fit
from dasheng_lib.scaling.forms import CONSTANT, FORMS, LINEAR, LOGARITHMIC, POWER
from dasheng_lib.scaling.rows import last_checkpoints

CANDIDATES = (POWER, LOGARITHMIC, LINEAR)


def chosen(span, sd, trials=400, rows=20):
    """How often least squares takes the power law where 0.4 R^0.12 is true, and all R^2.

    Also how often the best test could, if only one other form were there: the share of normal
    luck that stays on its side of the middle between the two closest curves.
    """
    x = 25 * span ** np.linspace(0, 1, rows)
    true = 0.4 * x**0.12
    y = true * np.exp(np.random.default_rng(0).normal(0, sd, (trials, rows)))
    around = [fit_form(form, x, true, np.inf) for form in CANDIDATES]
    loss = np.array([fit_weighted(a, x, y, np.ones_like(y), np.inf).loss_B for a in around])
    log_y = np.log(y)
    total = ((log_y - log_y.mean(1, keepdims=True)) ** 2).sum(1)
    r2 = np.mean(1 - 2 * loss / total, axis=1)
    bound = stats.norm.cdf([np.sqrt(2 * a.loss_B[0]) / sd / 2 for a in around[1:]])
    return int((np.argmin(loss, axis=0) == 0).sum()), r2, bound.sum() - 1


def test_a_high_r2_on_a_small_span_is_no_evidence():
    won, r2, _ = chosen(4, 0.009)
    assert r2.min() > 0.94 and won < 0.75 * 400


@pytest.mark.parametrize("sd", [0.009, 0.027])
def test_the_true_form_is_chosen_as_often_as_theory_allows_and_a_span_of_16_tells_more(sd):
    """The power law bends between the logarithm and the line, and must win against both."""
    found = [chosen(span, sd) for span in (2, 4, 16)]
    for won, _, bound in found:
        low, high = stats.binom.ppf([0.001, 0.999], 400, bound)
        assert low <= won <= high
    assert found[0][0] < found[1][0] < found[2][0]


@pytest.fixture(scope="module")
def last():
    return last_checkpoints(sweep())


def columns(table):
    return table["rankme"].to_numpy(), table["quality"].to_numpy()


def test_held_out_runs_are_predicted_by_the_others(last):
    rows = sweep().iloc[:60]
    x, y = columns(rows)
    code = np.repeat(np.arange(10), 6)
    found = run_errors(fit_form(POWER, x, y, np.inf), x, y, code, np.inf)
    for run in (0, 7):
        kept = code != run
        b, log_a = np.polyfit(np.log(x[kept]), np.log(y[kept]), 1)
        r = np.log(y[~kept]) - log_a - b * np.log(x[~kept])
        assert found[run] == pytest.approx((r**2).mean(), rel=1e-6)


def test_what_is_held_out_is_not_seen(last):
    x, y = columns(last)
    code = np.arange(len(x))
    code[5:9] = 5  # a run of four rows
    code = np.unique(code, return_inverse=True)[1]
    held = code == 5
    for form in FORMS:
        around = fit_form(form, x, y)
        before = run_errors(around, x, y, code, Fit.delta)[5]
        after = run_errors(around, x, np.where(held, y * 1.7, y), code, Fit.delta)[5]
        # The prediction is the same: the error grows by the whole of log 1.7, up or down.
        assert abs(after - before) <= np.log(1.7) + 1e-6
        alone = errors(fit_form(form, x[~held], y[~held]), x, y, Fit.delta)[0]
        assert before == pytest.approx(alone[held].mean(), rel=0.02, abs=2e-4)


def test_the_true_law_wins_on_runs_not_drawn(last):
    x, y = columns(last)
    counts = np.random.default_rng(0).multinomial(len(x), np.full(len(x), 1 / len(x)), 300)
    forms = (POWER, LOGARITHMIC, LINEAR, CONSTANT)
    counts = counts.astype(float)
    fits = {form.name: fit_weighted(fit_form(form, x, y), x, y, counts) for form in forms}
    found = wins(fits, x, y, counts, Fit.delta)
    assert sum(found.values()) == pytest.approx(1) and found["power"] > 0.9
    drawn = counts[:1] > 0
    one = {form.name: fit_weighted(fit_form(form, x, y), x, y, counts[:1]) for form in forms}
    other = np.where(drawn[0], 9.0, y)  # what was drawn is not asked
    assert len({str(wins(one, x, v, counts[:1], Fit.delta)) for v in (y, other)}) == 1


def test_a_wrong_form_is_seldom_preferred(last):
    """Where noise hides the form, its held-out error is surely smaller no oftener than promised."""
    x, code = last["rankme"].to_numpy(), np.arange(len(last))
    fit = Fit(draws=500)
    rng, sweeps, wrong = np.random.default_rng(0), 40, 0
    for _ in range(sweeps):
        y = 0.2 * x**0.25 * np.exp(rng.normal(0, 0.12, len(x)))
        delta = robust_delta(y, 0.2 * x**0.25)
        power, log = (
            run_errors(fit_form(form, x, y, delta), x, y, code, delta)
            for form in (POWER, LOGARITHMIC)
        )
        counts, _ = fit.resample(last["run"], rng)
        wrong += fit.estimate(counts @ (log - power) / len(x), len(x)).below
    assert wrong <= stats.binom.ppf(0.999, sweeps, 0.025)


def test_the_robust_delta_is_hubers():
    y = np.exp(np.random.default_rng(0).normal(0, 0.1, 4001))
    y[:400] *= 50
    assert robust_delta(y, np.ones_like(y)) == pytest.approx(1.345 * 0.1, rel=0.15)


def test_a_prediction_below_0_is_wrong_by_a_finite_amount():
    x = np.array([1.0, 2, 3, 4, 5])
    falls = Curves(LINEAR, 0.0, np.array([[-1.0, 1.0]]), np.zeros(1))  # x - 2
    y = np.array([0.5, 0.5, 1.0, 2, 3])
    found = errors(falls, x, y, np.inf)[0]
    assert found[0] == pytest.approx(np.log(10) ** 2)
