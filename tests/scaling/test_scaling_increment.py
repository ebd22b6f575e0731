"""What rank adds, what seeds take away, what can be known early: oracles and closed forms."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sweep_rows import sweep

from dasheng_lib.common.errors import UserError
from dasheng_lib.scaling.early import FRACTIONS, compare_early, early, early_and_last, looks
from dasheng_lib.scaling.fit import Fit
from dasheng_lib.scaling.floor import retrain_floor
from dasheng_lib.scaling.increment import increment
from dasheng_lib.scaling.rows import last_checkpoints

LAW = ("params", "data_hours", "flops")


@pytest.fixture(scope="module")
def table():
    return sweep()


def test_held_out_r2_is_scikit_learns(table):
    rows = table.iloc[: 6 * 30]
    found = increment(rows, fit=Fit(draws=3))
    log = np.log(rows[[*LAW, "rankme", "quality"]])
    y, groups = log["quality"].to_numpy(), rows["run"]

    def squared(columns):
        X = log[list(columns)].to_numpy() if columns else np.zeros((len(y), 1))
        guess = cross_val_predict(LinearRegression(), X, y, groups=groups, cv=LeaveOneGroupOut())
        return ((y - guess) ** 2).sum()

    base = squared(())
    assert found.without.value == pytest.approx(1 - squared(LAW) / base, abs=1e-4)
    assert found.with_extra.value == pytest.approx(1 - squared((*LAW, "rankme")) / base, abs=1e-4)
    assert found.gain.value == pytest.approx(found.with_extra.value - found.without.value)


def test_rank_adds_what_it_knows_and_nothing_where_it_knows_nothing(table):
    last = last_checkpoints(table)
    found = increment(last, fit=Fit(draws=300))
    assert found.gain.above and found.with_extra.value > 0.9
    size = np.random.default_rng(0).permutation(np.exp(np.linspace(0, 4, len(last))))
    blind = last.assign(params=size, quality=size**0.1)
    blind["rankme"] = size**0.5 * np.exp(np.random.default_rng(1).normal(0, 0.3, len(last)))
    blind["quality"] *= np.exp(np.random.default_rng(2).normal(0, 0.02, len(last)))
    found = increment(blind, law=("params",), fit=Fit(draws=300))
    assert found.without.value > 0.9 and not found.gain.above and abs(found.gain.value) < 0.02
    with pytest.raises(ValueError, match="too few"):
        increment(last.iloc[:5])


def test_untrained_checkpoints_have_no_log_and_drop_out(table):
    untrained = table[table["step"] == table.groupby("run")["step"].transform("min")]
    with_zero = pd.concat([table, untrained.assign(step=0, flops=0.0)])
    few = Fit(draws=2)
    assert increment(with_zero, fit=few) == increment(table, fit=few)


def seeded(rng, settings=4, seeds=3, between=0.0, sd=0.1):
    rows = [
        {"params": s + 1, "seed": k, "rankme": np.exp(3 + between * s + rng.normal(0, sd))}
        for s in range(settings)
        for k in range(seeds)
    ]
    return pd.DataFrame(rows)


def test_the_floor_is_what_seeds_do():
    rng = np.random.default_rng(0)
    found = retrain_floor(seeded(rng, 40, 5, between=0.1))
    assert found.sd == pytest.approx(0.1, rel=0.1)
    assert found.smallest == pytest.approx(np.exp(1.975 * found.sd * np.sqrt(2)), rel=1e-3)
    assert found.smallest_of_means(4) == pytest.approx(found.smallest**0.5)
    plain = retrain_floor(seeded(rng, 1, 3).assign(quality=[0.5, 0.52, 0.54]), "quality", log=False)
    assert plain.sd == pytest.approx(0.02)
    assert plain.smallest == pytest.approx(4.303 * 0.02 * np.sqrt(2), rel=1e-3)


def test_two_runs_of_one_setting_seldom_differ_by_more_than_the_floor():
    rng, n = np.random.default_rng(1), 400
    beyond = 0
    for _ in range(n):
        floor = retrain_floor(seeded(rng, 2, 3))
        beyond += abs(np.diff(rng.normal(0, 0.1, 2))[0]) > np.log(floor.smallest)
    low, high = stats.binom.ppf([0.001, 0.999], n, 0.05)
    assert low <= beyond <= high


def test_a_floor_wants_seeds(table):
    last = last_checkpoints(table)
    base = np.log(last.loc[last["factor"] == "base", "rankme"])
    assert retrain_floor(last).sd == pytest.approx(base.std())  # nothing else has other seeds
    with pytest.raises(UserError, match="two seeds"):
        retrain_floor(last[last["factor"] != "base"])


def test_what_the_table_has_no_column_for_is_no_seed():
    """Mixing is in the name of a setting alone, and tells apart what is alike in all else."""
    rng = np.random.default_rng(3)
    table = seeded(rng, 2, 3)
    mixed = seeded(rng, 2, 1, sd=2.0).assign(setting="mix-0.5")
    found = retrain_floor(pd.concat([table.assign(setting="base"), mixed]))
    assert found == retrain_floor(table)


def test_early_is_a_share_of_each_runs_own_steps(table):
    rows = early_and_last(table, 1 / 7, ["rankme", "loss"])
    assert len(rows) == 52 and list(rows) == ["run", "factor", "step", "rankme", "loss", "last"]
    run = table[table["run"] == "steps-2"]
    mine = rows.set_index("run").loc["steps-2"]
    assert mine["step"] == 91 and mine["last"] == run.set_index("step")["quality"][640]
    assert mine["rankme"] == run.set_index("step")["rankme"][91]
    short = table[~((table["run"] == "mask-0") & (table["step"] == 100))]
    assert "mask-0" not in set(early_and_last(short, 1 / 7, ["rankme"])["run"])
    for nowhere in (0.7, 0.9):  # the last step is not early, however near
        with pytest.raises(UserError, match="No run has a checkpoint"):
            early_and_last(table, nowhere, ["rankme"])


def test_early_rank_is_correlated_with_late_quality(table):
    found = early(table, fit=Fit(draws=300))
    assert [round(e.fraction * 14) for e in found] == [1, 2, 4, 6]
    for one in found:
        rows = early_and_last(table, one.fraction, ["rankme"])
        assert one.r.value == pytest.approx(stats.spearmanr(rows["rankme"], rows["last"])[0])
        assert one.runs == 52 and 0.9 < one.r.low < one.r.value < one.r.high <= 1


def test_looks_are_where_runs_were_judged_before_their_end(table):
    assert looks(table) == FRACTIONS
    ends = table.loc[table.groupby("run")["step"].idxmax()]
    seldom = pd.concat([ends, table[(table["run"] == "steps-2") & (table["step"] == 91)]])
    assert looks(seldom) == (1 / 7,)
    assert looks(ends) == () and early(ends) == []


def test_two_early_predictors_on_the_same_runs(table):
    rng = np.random.default_rng(0)
    noisy = table.assign(
        probe=table["rankme"] * np.exp(rng.normal(0, 0.5, len(table))),
        falling=1 / table["rankme"],
        twin=table["rankme"] ** 2,
    )
    better = compare_early(noisy, "rankme", "probe", 1 / 7, fit=Fit(draws=500))
    assert better.above and better.value < 0.5
    worse = compare_early(noisy, "probe", "rankme", 1 / 7, fit=Fit(draws=500))
    assert (worse.value, worse.low, worse.high) == pytest.approx(
        (-better.value, -better.high, -better.low)
    )
    for same in ("falling", "twin"):  # a loss that falls counts as a rank that rises
        assert compare_early(
            noisy, "rankme", same, 1 / 7, fit=Fit(draws=200)
        ).high == pytest.approx(0)
