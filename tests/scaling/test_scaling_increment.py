"""What rank adds, what seeds take away, what can be known early: oracles and closed forms."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sweep_rows import sweep

from dasheng_lib.common.errors import UserError
from dasheng_lib.scaling.early import compare_early, early, early_and_last
from dasheng_lib.scaling.floor import analysis_of_variance, retrain_floor
from dasheng_lib.scaling.increment import increment
from dasheng_lib.scaling.rows import last_checkpoints

LAW = ("params", "data_hours", "flops")


@pytest.fixture(scope="module")
def table():
    return sweep()


def test_held_out_r2_is_scikit_learns(table):
    rows = table.iloc[: 6 * 30]
    found = increment(rows, draws=3)
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
    full = LinearRegression().fit(log[[*LAW, "rankme"]], y)
    assert found.coefficient.value == pytest.approx(full.coef_[-1], rel=1e-3)
    assert (found.runs, found.rows, found.groups) == (30, 180, 30)


def test_an_arm_is_held_out_and_the_base_runs_never(table):
    last = last_checkpoints(table)
    found = increment(last, by="arm", draws=3)
    assert found.groups == 8
    x, y = np.log(last["rankme"]).to_numpy(), np.log(last["quality"]).to_numpy()
    alone = increment(last, law=(), by="arm", draws=3)
    full = base = 0.0
    for arm in last["factor"].unique():
        held = (last["factor"] == arm).to_numpy()
        if arm != "base":
            line = np.polyfit(x[~held], y[~held], 1)
            full += ((y - np.polyval(line, x))[held] ** 2).sum()
            base += ((y - y[~held].mean())[held] ** 2).sum()
    assert alone.with_extra.value == pytest.approx(1 - full / base, abs=1e-4)
    assert alone.without.value == pytest.approx(0, abs=1e-9)


def test_rank_adds_what_it_knows_and_nothing_where_it_knows_nothing(table):
    last = last_checkpoints(table)
    found = increment(last, draws=300)
    assert found.gain.above and found.with_extra.value > 0.9
    assert found.coefficient.low < 0.25 < found.coefficient.high
    size = np.random.default_rng(0).permutation(np.exp(np.linspace(0, 4, len(last))))
    blind = last.assign(params=size, quality=size**0.1)
    blind["rankme"] = size**0.5 * np.exp(np.random.default_rng(1).normal(0, 0.3, len(last)))
    blind["quality"] *= np.exp(np.random.default_rng(2).normal(0, 0.02, len(last)))
    found = increment(blind, law=("params",), draws=300)
    assert found.without.value > 0.9 and not found.gain.above and abs(found.gain.value) < 0.02
    with pytest.raises(ValueError, match="too few"):
        increment(last.iloc[:5])


def test_untrained_checkpoints_have_no_log_and_drop_out(table):
    untrained = table[table["step"] == table.groupby("run")["step"].transform("min")]
    with_zero = pd.concat([table, untrained.assign(step=0, flops=0.0)])
    assert increment(with_zero, draws=2).rows == len(table)


def test_the_f_test_of_a_published_floor():
    """4 arms of 3 seeds, 34.5 % of the variance between arms: F(3, 8) = 1.41, not significant."""
    rng = np.random.default_rng(0)
    seeds = rng.normal(size=(4, 3))
    seeds -= seeds.mean(1, keepdims=True)
    arms = rng.normal(size=4)
    arms -= arms.mean()
    share = 0.345
    seeds *= np.sqrt((1 - share) / (seeds**2).sum())
    arms *= np.sqrt(share / (3 * (arms**2).sum()))
    between, within, f, p = analysis_of_variance(list(arms[:, None] + seeds))
    assert between / (between + within) == pytest.approx(share)
    assert f == pytest.approx(1.41, abs=0.01) and p > 0.3
    assert (f, p) == pytest.approx(tuple(stats.f_oneway(*(arms[:, None] + seeds))))


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
    assert found.sd == pytest.approx(0.1, rel=0.1) and found.sd_low < 0.1 < found.sd_high
    assert found.degrees == (39, 160) and found.p < 1e-6 and found.share > 0.9
    assert found.smallest == pytest.approx(np.exp(1.975 * found.sd * np.sqrt(2)), rel=1e-3)
    assert found.smallest_of_means(4) == pytest.approx(found.smallest**0.5)
    plain = retrain_floor(seeded(rng, 1, 3).assign(quality=[0.5, 0.52, 0.54]), "quality", log=False)
    assert plain.sd == pytest.approx(0.02) and plain.ratio == pytest.approx(0.54 / 0.5)
    assert plain.smallest == pytest.approx(4.303 * 0.02 * np.sqrt(2), rel=1e-3)
    assert np.isnan(plain.f) and plain.settings == 1


def test_two_runs_of_one_setting_seldom_differ_by_more_than_the_floor():
    rng, n = np.random.default_rng(1), 400
    beyond = 0
    for _ in range(n):
        floor = retrain_floor(seeded(rng, 2, 3))
        beyond += abs(np.diff(rng.normal(0, 0.1, 2))[0]) > np.log(floor.smallest)
    low, high = stats.binom.ppf([0.001, 0.999], n, 0.05)
    assert low <= beyond <= high


def test_arms_that_do_nothing_still_take_a_share():
    rng = np.random.default_rng(2)
    found = [retrain_floor(seeded(rng)) for _ in range(300)]
    assert np.mean([f.share for f in found]) == pytest.approx(3 / 11, abs=0.03)
    assert found[0].expected == pytest.approx(3 / 11)
    low, high = stats.binom.ppf([0.001, 0.999], 300, 0.05)
    assert low <= sum(f.p < 0.05 for f in found) <= high


def test_a_floor_wants_seeds(table):
    last = last_checkpoints(table)
    assert retrain_floor(last).runs == 3  # the base runs; nothing else differs by its seed alone
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
    found = early(table, draws=300)
    assert [round(e.fraction * 14) for e in found] == [1, 2, 4, 6]
    for one in found:
        rows = early_and_last(table, one.fraction, ["rankme"])
        assert one.r.value == pytest.approx(stats.spearmanr(rows["rankme"], rows["last"])[0])
        assert one.runs == 52 and 0.9 < one.r.low < one.r.value < one.r.high <= 1
        assert one.fisher_low < one.r.value < one.fisher_high


def test_two_early_predictors_on_the_same_runs(table):
    rng = np.random.default_rng(0)
    noisy = table.assign(
        probe=table["rankme"] * np.exp(rng.normal(0, 0.5, len(table))),
        falling=1 / table["rankme"],
        twin=table["rankme"] ** 2,
    )
    better = compare_early(noisy, "rankme", "probe", 1 / 7, draws=500)
    assert better.above and better.value < 0.5
    worse = compare_early(noisy, "probe", "rankme", 1 / 7, draws=500)
    assert (worse.value, worse.low, worse.high) == pytest.approx(
        (-better.value, -better.high, -better.low)
    )
    for same in ("falling", "twin"):  # a loss that falls counts as a rank that rises
        assert compare_early(noisy, "rankme", same, 1 / 7, draws=200).high == pytest.approx(0)
