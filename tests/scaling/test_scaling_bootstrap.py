"""Intervals hold the truth as often as they say, and what goes wrong when runs are forgotten."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sweep_rows import TASKS, sweep

from dasheng_lib.scaling.averages import draw_tasks, quality
from dasheng_lib.scaling.curves import fit_form, fit_weighted
from dasheng_lib.scaling.fit import Estimate, Fit
from dasheng_lib.scaling.forms import POWER

B = 0.2


def one_sweep(rng, runs, rows):
    """Rank over a span of 16, quality with a run's luck and a checkpoint's."""
    x = 10 * 16 ** rng.uniform(size=(runs, 1)) * np.exp(np.linspace(-0.6, 0, rows))
    luck = rng.normal(0, 0.03, (runs, 1)) + rng.normal(0, 0.015, (runs, rows))
    y = 0.25 * x**B * np.exp(luck)
    return x.ravel(), y.ravel(), np.repeat(np.arange(runs), rows)


def held(replicates, runs, rows, delta, draws=300, by_run=True):
    """How many intervals of 95 % hold the exponent: plain percentiles, and expanded ones."""
    rng = np.random.default_rng(runs)
    found = {"plain": 0, "expanded": 0}
    for _ in range(replicates):
        x, y, code = one_sweep(rng, runs, rows)
        code = code if by_run else np.arange(len(x))
        fit = Fit(delta=delta, draws=draws)
        counts, code = fit.resample(pd.Series(code), rng)
        whole = fit_form(POWER, x, y, delta)
        b = fit_weighted(whole, x, y, counts[1:, code], delta).parameters_BP[:, 1]
        around = fit.estimate(np.r_[whole.parameters_BP[0, 1], b], counts.shape[1], spent=2)
        found["expanded"] += around.low <= B <= around.high
        low, high = np.quantile(b, [0.025, 0.975])
        found["plain"] += low <= B <= high
    return found


def test_intervals_hold_the_truth_where_runs_are_few():
    """Plain percentiles miss it too often; percentiles read further out do not."""
    n = 400
    found = held(n, runs=15, rows=1, delta=np.inf)
    low, high = stats.binom.ppf([0.001, 0.999], n, 0.95)
    assert found["plain"] < low <= found["expanded"] <= high


@pytest.mark.parametrize(("runs", "replicates"), [(12, 60), (40, 40)])
def test_intervals_of_hubers_fit_hold_the_truth(runs, replicates):
    found = held(replicates, runs, 1, Fit.delta)["expanded"]
    assert found >= stats.binom.ppf(0.002, replicates, 0.95)


def test_who_forgets_the_runs_is_far_too_sure():
    n = 80
    rows = held(n, 20, 6, np.inf, by_run=False)["expanded"]
    runs = held(n, 20, 6, np.inf)["expanded"]
    assert rows < 0.75 * n < stats.binom.ppf(0.002, n, 0.95) <= runs


def test_the_interval_of_a_mean_is_students():
    """Of many draws: their spread is that of the sample, so the ends are known."""
    rng = np.random.default_rng(0)
    sample = rng.normal(3, 1, 10)
    fit = Fit(draws=40_000)
    counts, _ = fit.resample(pd.Series(np.arange(10)), rng)
    found = fit.estimate(counts @ sample / 10, 10)
    reach = stats.t.ppf(0.975, 9) * sample.std(ddof=1) / np.sqrt(10)
    assert found.value == pytest.approx(sample.mean())
    assert (found.high - found.low) / 2 == pytest.approx(reach, rel=0.05)


def test_no_interval_where_there_is_nothing_to_draw_from():
    interval = Fit().estimate
    assert np.isnan(interval(np.array([1.0, 1.0, np.nan, np.nan, np.nan]), 9).low)
    assert np.isnan(interval(np.ones(100), 2, spent=2).high)
    assert interval(np.r_[1.0, np.linspace(0, 2, 99), np.nan], 50).above
    assert not Estimate(1.0, np.nan, np.nan).above and not Estimate(1.0, np.nan, np.nan).below


def test_every_resample_has_as_many_runs():
    counts, code = Fit(draws=500).resample(pd.Series(list("abcdefga")))
    assert (counts.sum(1) == 7).all() and (counts[0] == 1).all() and counts.std() > 0.5
    assert code.tolist() == [0, 1, 2, 3, 4, 5, 6, 0]


def test_quality_comes_back_from_its_tasks():
    table = sweep()
    np.testing.assert_allclose(quality(table, TASKS), table["quality"], rtol=1e-12)
    one = {name: of for name, of in TASKS.items() if of == "music"}
    np.testing.assert_allclose(quality(table, one), table["quality_music"], rtol=1e-12)


def test_tasks_are_drawn_within_their_domains():
    weights = pd.DataFrame(draw_tasks(TASKS, 500, np.random.default_rng(0)), columns=list(TASKS))
    for domain in ("speech", "music", "environment"):
        columns = [name for name, of in TASKS.items() if of == domain]
        np.testing.assert_allclose(weights[columns].sum(axis=1), 1 / 3)
    assert len(np.unique(weights.to_numpy().round(9), axis=0)) > 20


def test_a_mean_over_drawn_tasks_varies_as_one_over_other_tasks_would():
    scores = np.array([0.2, 0.5, 0.9])
    domains = {"linear:a": "speech", "linear:b": "speech", "linear:c": "speech"}
    means = draw_tasks(domains, 40_000, np.random.default_rng(0)) @ scores
    assert means.var() == pytest.approx(scores.var(ddof=1) / 3, rel=0.03)


def test_probes_of_one_task_stay_together_and_a_single_task_stays():
    domains = {"linear:a": "music", "knn:a": "music", "knn:b": "music", "linear:c": "speech"}
    weights = draw_tasks(domains, 200, np.random.default_rng(0))
    np.testing.assert_array_equal(weights[:, 0], weights[:, 1])
    np.testing.assert_allclose(weights[:, 3], 0.5)
    np.testing.assert_allclose(draw_tasks(domains, None, None), [[0.125, 0.125, 0.25, 0.5]])
