"""Simulated sweeps: luck as asked for, truths told, and as often as the record says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dasheng_lib.cli import main
from dasheng_lib.common.errors import UserError
from dasheng_lib.results import read_results
from dasheng_lib.scaling import simulate
from dasheng_lib.scaling.arm_power import Arms, arm_power, arms_needed
from dasheng_lib.scaling.design import Noise, noise_of, read_design, read_noise
from dasheng_lib.scaling.rules import PATH, read_rules
from dasheng_lib.scaling.settings import layout, rows_to_judge
from dasheng_lib.scaling.simulate import (
    TRUTHS,
    falling_within,
    logarithm,
    own_levels,
    power,
)
from dasheng_lib.scaling.slope import slope
from dasheng_lib.sweep.grid import read_grid

SWEEPS = Path(__file__).parents[2] / "data_manifests" / "sweeps"
RULES = replace(read_rules(), permutations=199)


@pytest.fixture(scope="module")
def design():
    return read_design(SWEEPS / "desk_design.csv")


def quiet(M=2, sd=0.4):
    return Noise(tuple("abcd"[:M]), np.full(M, sd), np.full(M, 0.2), 0.05)


def test_a_design_has_a_row_for_each_judged_run(tmp_path):
    path = tmp_path / "design.csv"
    path.write_text("setting,factor,rank,seeds,of\nbase,base,20,3,\nbase@9,steps,10,2,base\n")
    rows = read_design(path)
    assert rows["run"].tolist() == ["base/0", "base/1", "base/2", "base/0", "base/1"]
    assert rows["rank"].tolist() == [20, 20, 20, 10, 10]
    with pytest.raises(UserError, match="no column measure, seed_sd"):
        read_noise(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_design(tmp_path / "none.csv")


@pytest.mark.parametrize("name", ["desk", "evening"])
def test_the_design_is_that_of_the_grid(name):
    trials = read_grid(SWEEPS / f"{name}.yml").trials
    runs = pd.DataFrame([(t.setting, t.factor, t.config.family) for t in trials])
    runs.columns = ["setting", "factor", "family"]
    runs = runs.assign(run=runs.index.astype(str), step=9, rankme=5.0, q=0.5)
    grid = layout(rows_to_judge(runs, "rankme", ["q"]))
    planned = layout(read_design(SWEEPS / f"{name}_design.csv"))
    last = ["@" not in setting for setting in planned.names]
    assert list(grid.names) == np.array(planned.names)[last].tolist()
    np.testing.assert_array_equal(grid.seeds_N, planned.seeds_N[last])
    named = pd.DataFrame(planned.in_NA, planned.names, planned.arms)[last]
    expected = pd.DataFrame(grid.in_NA, grid.names, grid.arms)
    pd.testing.assert_frame_equal(
        named.drop(columns="snapshots", errors="ignore"), expected, check_like=True
    )


def test_luck_has_the_deviations_that_were_asked_for():
    rows = [(f"s{i}", f"r{i}/{s}") for i in range(3) for s in range(2)]
    rows += [("s0@1", "r0/0"), ("s0@1", "r0/1")]
    table = pd.DataFrame(rows, columns=["setting", "run"]).assign(factor="mask")
    laid, run_R = layout(table), pd.factorize(table["run"])[0]
    noise = Noise(("a", "b"), np.array([2.0, 1.0]), np.array([0.0, 3.0]), 0.0, shared=0.25)
    rng = np.random.default_rng(0)
    drawn = np.array([simulate._luck(laid, run_R, noise, rng) for _ in range(8_000)])
    sd = np.sqrt(np.array([2.0**2 / 2, 3.0**2 + 1 / 2]))
    assert drawn.std(0) == pytest.approx(np.tile(sd[:, None], 4), rel=0.05)
    together = np.corrcoef(drawn[:, 0].T)
    assert together[0, 3] == pytest.approx(0.25, abs=0.05) and abs(together[0, 1]) < 0.05


def test_truths_are_what_they_are_called(design):
    laid, rng = layout(design), np.random.default_rng(0)
    x = laid.means(np.log2(design[["rank"]].to_numpy().T))[0]
    share = laid.shares(2)
    y = falling_within(3.0)(x, share, rng)[None]
    assert slope(x, y).value[0] == pytest.approx(3.0)
    assert slope(x, y, share).value[0] == pytest.approx(-3.0)
    off = own_levels(0.1, 3.0)(x, share, rng) - simulate.power_law(0.1)(x, share, rng)
    assert np.sqrt((off**2).mean()) == pytest.approx(3) and off.mean() == pytest.approx(0)
    of_arms = share @ np.linalg.lstsq(share, off, rcond=None)[0]
    assert of_arms == pytest.approx(off)
    doubled = [TRUTHS["power law, b = 0.1"](x + i, share, rng) for i in (0, 1)]
    assert doubled[0] == pytest.approx(doubled[1])  # about the design's own middle


def test_a_quiet_sweep_is_told_its_truth(design):
    truths = {
        "log": logarithm(3.0),
        "falls": logarithm(-3.0),
        "flat": logarithm(0.0),
        "levels": own_levels(0.1, 3.0),
        "within": falling_within(3.0),
    }
    found = power(design, quiet(), RULES, truths, sweeps=8).set_index("truth")
    assert (found.groupby(["truth", "measure", "scope"])["probability"].sum() == 1).all()
    claims = found[(found["scope"] == "claim") & (found["probability"] >= 0.75)]
    said = claims[claims["measure"] == "a"]["word"].to_dict()
    assert said == {
        "log": "supported",
        "falls": "not",
        "flat": "not",
        "levels": "partly",
        "within": "not",
    }


def test_the_noise_of_a_record_is_found_again(design):
    rng = np.random.default_rng(0)
    rows = []
    for copy in range(4):  # more settings, for a closer look
        for (name, factor), own in design[~design["setting"].str.contains("@")].groupby(
            ["setting", "factor"], sort=False
        ):
            luck = rng.normal(0, 1.0)
            for seed in range(3):
                y = 45 + 3 * np.log2(own["rank"].iloc[0]) + luck + rng.normal(0, 2.0)
                rank = own["rank"].iloc[0] * 2 ** rng.normal(0, 0.1)
                rows.append((f"{name}-{copy}/{seed}", f"{name}-{copy}", factor, 7, rank, y / 100))
    table = pd.DataFrame(rows, columns=["run", "setting", "factor", "step", "rankme", "q"])
    found = noise_of(table, ["q"])
    assert found.seed[0] == pytest.approx(2.0, rel=0.1)
    assert found.setting[0] == pytest.approx(1.0, rel=0.25)
    assert found.rank == pytest.approx(0.1, rel=0.1)
    with pytest.raises(UserError, match="two seeds"):
        noise_of(table.drop_duplicates("setting"), ["q"])


def test_one_arm_needs_fewer_runs_the_wider_its_ranks():
    flat, none = arm_power(Arms(1.0, 0.0, 1.0, 0.0), 7, 3)
    assert flat < 0.04 and none < 0.3
    one, narrow = Arms(1.0, 3.0, 1.0, 0.0), Arms(0.6, 3.0, 1.0, 0.0)
    wide = arm_power(one, 7, 3)
    assert wide[0] > arm_power(narrow, 7, 3)[0] + 0.2
    assert wide[0] > arm_power(replace(one, measures=4), 7, 3)[0] + 0.2
    assert wide[0] > arm_power(one, 7, 1)[0] + 0.2
    assert arm_power(replace(narrow, arms=2), 7, 3)[0] > arm_power(narrow, 7, 3)[0] + 0.2
    arm = Arms(2.0, 3.0, 1.0, 0.3)
    for row in arms_needed(arm, settings=(6, 10), sweeps=500).itertuples():
        assert arm_power(arm, row.settings, int(row.seeds_rises))[0] > 0.75
        assert row.runs_rises == row.settings * row.seeds_rises
    hopeless = arms_needed(Arms(0.1, 3.0, 1.0, 6.0), settings=(5,), sweeps=200)
    assert hopeless[["seeds_rises", "runs_none"]].isna().all(axis=None)


@pytest.mark.parametrize("record, name", [("power", "desk"), ("power_evening", "evening")])
def test_the_record_is_of_these_rules_and_this_design_and_is_found_again(record, name):
    recorded = read_results(record)
    assert recorded.attrs["rules"] == PATH.read_text()
    design, noise = SWEEPS / f"{name}_design.csv", SWEEPS / f"{name}_noise.csv"
    assert recorded.attrs["design"] == design.read_text()
    assert recorded.attrs["noise"] == noise.read_text()
    assert set(recorded["truth"]) == set(TRUTHS) and (recorded["sweeps"] >= 500).all()
    n, key = 20, ["truth", "measure", "scope", "word"]
    again = power(read_design(design), read_noise(noise), RULES, sweeps=n, seed=5)
    again = again.set_index(key)["probability"]
    expected = recorded.set_index(key)["probability"]
    assert set(expected.index) == set(again.index)
    expected = expected[again.index].clip(0.005, 0.995)  # and 199 permutations for 999
    low, high = (stats.binom.ppf(q, n, expected) / n for q in (1e-5, 1 - 1e-5))
    assert ((low - 0.08 <= again) & (again <= high + 0.08)).all()


def test_the_command_says_and_keeps(tmp_path, capsys):
    design = tmp_path / "design.csv"
    lines = [f"m{i},mask,{10 * 2 ** (i / 4):.1f},2," for i in range(12)]
    design.write_text("\n".join(["setting,factor,rank,seeds,of", *lines]))
    noise, kept = str(SWEEPS / "desk_noise.csv"), str(tmp_path / "power")
    argv = ["power", str(design), "--noise", noise, "--sweeps", "2", "--record", kept]
    assert main(argv) == 0
    assert "no relation that matters" in capsys.readouterr().out
    table = read_results("power", tmp_path)
    assert (table["sweeps"] == 2).all() and table.attrs["design"] == design.read_text()
    assert main(["power", "--noise", noise]) == 2
    assert main(["power", str(design), "--noise", noise, "--sweeps", "0"]) == 2
