"""Correlations, partial correlations and Simpson's paradox: scipy's numbers, and known traps."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sweep_rows import sweep

from dasheng_lib.common.errors import UserError
from dasheng_lib.scaling.correlate import correlate, fisher_interval, midranks, spearman
from dasheng_lib.scaling.fit import Fit
from dasheng_lib.scaling.partial import partial_spearman
from dasheng_lib.scaling.rows import last_checkpoints
from dasheng_lib.scaling.simpson import simpson


def with_ties(n=30, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 9, n).astype(float)
    return x, x + rng.integers(0, 9, n)


def test_all_rows_alike_are_scipys():
    x, y = with_ties()
    assert spearman(x, y, np.ones((1, 30)))[0] == pytest.approx(stats.spearmanr(x, y)[0])


def test_weights_are_repetitions():
    x, y = with_ties()
    counts = np.random.default_rng(1).multinomial(30, np.full(30, 1 / 30), 5)
    expected = [stats.spearmanr(np.repeat(x, c), np.repeat(y, c))[0] for c in counts]
    assert spearman(x, y, counts.astype(float)) == pytest.approx(expected)


def test_ranks_of_repetitions():
    x, _ = with_ties()
    counts = np.random.default_rng(1).multinomial(30, np.full(30, 1 / 30), 3)
    for c, ranks in zip(counts, midranks(x, counts.astype(float)), strict=True):
        np.testing.assert_allclose(np.repeat(ranks, c), stats.rankdata(np.repeat(x, c)))


def test_what_is_constant_has_no_correlation():
    assert np.isnan(spearman(np.ones(6), np.arange(6.0), np.ones((2, 6)))).all()


def test_fishers_interval_by_hand():
    low, high = fisher_interval(0.9, 15)
    reach = 1.959964 * np.sqrt((1 + 0.81 / 2) / 12)
    assert np.arctanh([low, high]) == pytest.approx(np.arctanh(0.9) + reach * np.array([-1, 1]))
    assert np.isnan(fisher_interval(0.9, 4)[0]) and np.isnan(fisher_interval(np.nan, 20)[1])


def test_both_intervals_hold_the_truth():
    """Fisher's and the bootstrap's, of 15 runs from a normal pair with r = 0.8."""
    rng, n = np.random.default_rng(0), 120
    truth = 6 / np.pi * np.arcsin(0.4)
    held = np.zeros(2)
    for _ in range(n):
        x = rng.normal(size=15)
        y = 0.8 * x + 0.6 * rng.normal(size=15)
        rows = pd.DataFrame({"run": np.arange(15), "rankme": x, "quality": y})
        found = correlate(rows, fit=Fit(draws=300)).loc["pooled"]
        held += [
            found["fisher_low"] <= truth <= found["fisher_high"],
            found["low"] <= truth <= found["high"],
        ]
    assert (held >= stats.binom.ppf(0.002, n, 0.95)).all(), held


def test_pooled_and_within_each_arm():
    last = last_checkpoints(sweep())
    found = correlate(last, fit=Fit(draws=300))
    assert found.index[0] == "pooled"
    assert "base" not in found.index and found.at["pooled", "runs"] == 52
    rows = last[last["factor"].isin(["base", "mask"])]
    expected = stats.spearmanr(rows["rankme"], rows["quality"])[0]
    assert found.at["mask", "r"] == pytest.approx(expected) and found.at["mask", "runs"] == 11
    with pytest.raises(UserError, match="no column probe"):
        correlate(last, y="probe")


def test_checkpoints_are_no_runs():
    """Ten runs that differ and do not change: however many rows, the interval stays as wide."""
    rng = np.random.default_rng(0)
    runs = pd.DataFrame({"run": np.arange(10), "rankme": rng.normal(size=10)})
    runs["quality"] = runs["rankme"] + rng.normal(size=10)
    many = pd.concat([runs] * 8, ignore_index=True)
    one, eight = (correlate(rows, fit=Fit(draws=300)).loc["pooled"] for rows in (runs, many))
    columns = ["low", "high", "fisher_low"]
    assert eight[columns].tolist() == pytest.approx(one[columns].tolist())


def two_methods(seed=0):
    """Of the shape of an independent check of RankMe (57 ResNets): one method collapses.

    Known from there: Spearman +0.96 of 31 runs of VICReg with rank 1 to 243, -0.19 of 26 of
    SimCLR with rank 13 to 128, +0.76 of all. Here as deviates; the runs themselves are not.
    """
    rng = np.random.default_rng(seed)
    vicreg = np.exp(np.linspace(0, np.log(243), 31))
    simclr = np.exp(rng.uniform(np.log(13), np.log(128), 26))
    quality = np.r_[
        0.01 + 0.165 * (1 - np.exp(-vicreg / 3)) + 0.0002 * vicreg + rng.normal(0, 0.004, 31),
        0.206 - 0.004 * np.log(simclr) + rng.normal(0, 0.009, 26),
    ]
    return pd.DataFrame(
        {
            "run": [f"r{i}" for i in range(57)],
            "factor": ["vicreg"] * 31 + ["simclr"] * 26,
            "rankme": np.r_[vicreg, simclr],
            "quality": np.maximum(quality, 0.01),
        }
    )


def test_a_pooled_correlation_that_one_method_does_not_share():
    table = two_methods()
    found = correlate(table, fit=Fit(Fit(draws=500)))["r"]
    assert found["pooled"] == pytest.approx(0.76, abs=0.12)
    assert found["vicreg"] == pytest.approx(0.96, abs=0.04)
    assert found["simclr"] == pytest.approx(-0.19, abs=0.15)
    told = simpson(table, fit=Fit(draws=1000))
    assert told.pooled.above and told.arms["vicreg"].above and not told.arms["simclr"].above


def arms_with(slopes, shift, seed=0):
    """Arms of ten runs, each with its slope, moved along a line of slope ``shift``."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, slope in enumerate(slopes):
        x = rng.uniform(-0.5, 0.5, 10)
        y = slope * x + shift * i + rng.normal(0, 0.03, 10)
        arm = pd.DataFrame({"rankme": np.exp(x + i), "quality": np.exp(y), "factor": f"arm{i}"})
        rows.append(arm)
    return pd.concat(rows, ignore_index=True).assign(run=range(10 * len(slopes)))


def test_simpsons_paradox_itself():
    told = simpson(arms_with([-0.5, -0.4, -0.6], shift=0.8), fit=Fit(draws=1000))
    assert told.pooled.above and told.within.below and told.between.above
    one = simpson(arms_with([0.5, 0.5, -0.5], shift=0.5), fit=Fit(draws=1000))
    assert [arm for arm, e in one.arms.items() if e.below] == ["arm2"] and one.pooled.above


def test_no_paradox_where_arms_agree():
    told = simpson(arms_with([0.5, 0.5, 0.5, 0.5], shift=0.5), fit=Fit(draws=1000))
    assert all(e.above for e in (told.pooled, told.within, told.between, *told.arms.values()))
    flat = simpson(arms_with([0, 0, 0], shift=0), fit=Fit(draws=1000))
    assert not (flat.within.above or flat.within.below)
    with pytest.raises(ValueError, match="two arms"):
        simpson(arms_with([0.5], shift=0))


def test_slopes_within_and_between_are_regressions():
    table = arms_with([0.2, 0.5, 0.9], shift=0.3).iloc[:27]  # the last arm has seven
    told = simpson(table, fit=Fit(draws=50))
    x, y = np.log(table["rankme"]), np.log(table["quality"])
    dummies = pd.get_dummies(table["factor"]).to_numpy(float)
    within = np.linalg.lstsq(np.column_stack([x, dummies]), y, rcond=None)[0][0]
    means = pd.DataFrame({"x": x, "y": y}).groupby(table["factor"]).transform("mean")
    assert told.within.value == pytest.approx(within)
    assert told.between.value == pytest.approx(np.polyfit(means["x"], means["y"], 1)[0])
    assert told.pooled.value == pytest.approx(np.polyfit(x, y, 1)[0])
    first = table["factor"] == "arm0"
    assert told.arms["arm0"].value == pytest.approx(np.polyfit(x[first], y[first], 1)[0])


def confounded(rng, runs=40, rows=1, direct=0.0):
    """Size moves rank and quality; rank moves quality by ``direct``."""
    size = rng.normal(size=(runs, 1))
    rank = size + rng.normal(0, 0.7, (runs, 1)) + rng.normal(0, 0.2, (runs, rows))
    quality = size + direct * rank + rng.normal(0, 0.7, (runs, 1)) + np.zeros((1, rows))
    data = rng.normal(size=(runs, 1)) + np.zeros((1, rows))
    columns = {
        "run": np.repeat(np.arange(runs), rows),
        "rankme": np.exp(rank).ravel(),
        "quality": quality.ravel(),
        "params": np.exp(size + np.zeros((1, rows))).ravel(),
        "data_hours": np.exp(data).ravel(),
        "clip_seconds": 2.0,
    }
    table = pd.DataFrame(columns)
    return table.assign(flops=table["params"] * table["data_hours"])


CONTROLS = ("params", "data_hours", "flops", "clip_seconds")


def test_a_common_cause_is_not_taken_for_an_effect():
    table = confounded(np.random.default_rng(0), runs=80)
    found = partial_spearman(table, given=CONTROLS, fit=Fit(draws=500))
    assert found.plain.low > 0.4 and found.partial.low < 0 < found.partial.high
    assert found.p > 0.05 and found.given == CONTROLS[:3]  # clip length does not vary
    direct = confounded(np.random.default_rng(0), runs=80, direct=1.0)
    found = partial_spearman(direct, given=CONTROLS, fit=Fit(draws=500))
    assert found.partial.low > 0.3 and found.p < 0.01


def test_the_partial_correlation_is_that_of_residuals():
    table = confounded(np.random.default_rng(1))
    rank = {c: stats.rankdata(table[c]) for c in ("rankme", "quality", "params", "data_hours")}
    design = np.column_stack([np.ones(40), rank["params"], rank["data_hours"]])
    left = [
        rank[c] - design @ np.linalg.lstsq(design, rank[c], rcond=None)[0]
        for c in ("rankme", "quality")
    ]
    found = partial_spearman(table, given=("params", "data_hours"), fit=Fit(draws=20))
    assert found.partial.value == pytest.approx(stats.pearsonr(*left)[0])
    assert found.plain.value == pytest.approx(stats.spearmanr(rank["rankme"], rank["quality"])[0])


def test_permutation_is_by_run():
    """Without an effect p is below 0.1 once in ten times, though each run has four rows."""
    rng, n = np.random.default_rng(2), 120
    p = [
        partial_spearman(confounded(rng, 20, 4), given=("params",), fit=Fit(draws=99)).p
        for _ in range(n)
    ]
    assert np.sum(np.array(p) <= 0.1) <= stats.binom.ppf(0.999, n, 0.1)
    assert np.mean(p) > 0.35


def test_many_controls_do_not_make_chance_look_rare():
    """Six controls of thirteen runs: what is left of y is regressed anew after each swap."""
    rng, n = np.random.default_rng(3), 100
    p = []
    for _ in range(n):
        values = rng.normal(size=(13, 8))
        rows = pd.DataFrame(values, columns=["rankme", "quality", *"abcdef"]).assign(run=range(13))
        p.append(partial_spearman(rows, given=tuple("abcdef"), fit=Fit(draws=99)).p)
    assert np.sum(np.array(p) <= 0.1) <= stats.binom.ppf(0.999, n, 0.1)


def test_a_partial_correlation_wants_runs():
    table = confounded(np.random.default_rng(0), runs=6)
    with pytest.raises(ValueError, match="3 controls take 7 runs"):
        partial_spearman(table, given=CONTROLS)
    lengths = pd.concat([table[table["run"] == i].iloc[[0] * (i + 1)] for i in range(6)])
    with pytest.raises(ValueError, match="none can be swapped"):
        partial_spearman(lengths, given=("params",), fit=Fit(draws=9))
