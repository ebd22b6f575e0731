"""Gains of our own models: what is compared with what, and words that turn with the numbers."""

import json

import numpy as np
import pandas as pd
import pytest
from chapter_cells import BOOK

from dasheng_lib.book import own_models, own_words
from dasheng_lib.book.own_models import AVERAGES, Difference, apart, compared, gain, runs
from dasheng_lib.results import read_results, write_results
from dasheng_lib.sweep import SWEEPS, read_grid

TASKS = ("vowel", "initial", "drum", "event", "fsdd", "esc10")


def own(objective="SimCLR", gains=(5.0, 6.0, 7.0), network="transformer", heard="all three", at=0):
    """Runs as :func:`runs` gives them: one a seed, the same gain by every average."""
    rows = [
        {"objective": objective, "network": network, "heard": heard, "seed": at + seed}
        | {"state": "healthy", **dict.fromkeys(own_models.TITLES, points)}
        for seed, points in enumerate(gains)
    ]
    return pd.DataFrame(rows, index=[f"{objective}-{heard}-{at + s}" for s in range(len(gains))])


def recorded(folder, unfinished=False):
    """A recorded sweep of two runs: all three heard, and music alone, which may not have ended."""
    rows = []
    for run, factor, final in (("base", "base+all", 0.5), ("music", "alone", 0.45)):
        steps = (0,) if unfinished and run == "music" else (0, 8)
        for step in steps:
            score = final if step else 0.4
            scores = {f"{probe}:{task}": score for probe in ("linear", "knn") for task in TASKS}
            for probe in ("", "knn_"):
                parts = ("speech", "music", "environment")
                scores |= {f"{probe}quality_{part}": score for part in parts}
                scores[f"{probe}quality"] = score
            row = {"run": run, "setting": run, "factor": factor, "family": "dasheng", "seed": 0}
            row |= {"preset": "96x4x3", "data_hours": 1.5, "hours_seen": 3.0, "steps": 8}
            row |= {"own_loss": 0.5, "explained": 0.4, "rankme": 9.0, "rankme_centred": 9.0}
            rows.append(row | {"step": step} | scores)
    table = pd.DataFrame(rows).assign(**{f"few:{task}": 0.3 for task in TASKS})
    write_results(folder / "made", table, "dasheng sweep")
    made = [("base", {}), ("music", {"only_domain": "music"})]
    pd.DataFrame({"run": [n for n, _ in made], "config": [json.dumps(c) for _, c in made]}).to_csv(
        folder / "made_runs.csv", index=False
    )


def test_a_gain_is_over_the_own_start_and_says_what_was_heard(tmp_path):
    recorded(tmp_path)
    found = runs("made", tmp_path)
    assert found.loc["base", list(AVERAGES)].tolist() == pytest.approx([10.0] * 4)
    assert found["heard"].to_dict() == {"base": "all three", "music": "music"}
    assert found.at["music", "objective"] == "MAE" and found.at["music", "network"] == "transformer"
    assert found.attrs["command"] == "dasheng sweep"


def test_a_run_that_has_only_begun_has_no_gain(tmp_path):
    recorded(tmp_path, unfinished=True)
    assert list(runs("made", tmp_path).index) == ["base"]


def test_nothing_recorded_is_an_empty_table_and_no_claim(tmp_path):
    nothing = runs("made", tmp_path)
    assert nothing.empty and list(nothing.groupby(["objective", "heard"])) == []
    found = compared(nothing, "objective", "heard", "all three", ["music"], AVERAGES)
    assert found == {} and own_words.word(found.values()) == "cannot tell"
    assert own_words.summary(found) == "nothing of the kind is recorded yet"


def test_noise_is_that_of_two_means_of_so_many_seeds():
    three, one = gain(own(), "quality_heard"), gain(own(gains=[5.0]), "quality_heard")
    assert three.noise == pytest.approx(1.959964 * 0.76 * np.sqrt(2 / 3))
    assert one.noise == pytest.approx(three.noise * np.sqrt(3))
    assert gain(own(), "knn_quality_unheard").noise == pytest.approx(three.noise * 1.33 / 0.76)
    assert gain(own(), "quality_speech").noise == pytest.approx(2 * three.noise)
    assert np.isnan(gain(own(), "quality").noise)


def test_of_one_seed_there_is_no_interval_and_noise_alone_decides():
    one = gain(own(gains=[5.0]), "quality_heard")
    assert np.isnan(one.low) and str(one) == "+5.0" and one.beyond == 1
    assert gain(own(gains=[-2.0]), "quality_heard").beyond == 0  # 2.1 is the noise of one seed


def test_beyond_noise_asks_for_the_interval_of_the_seeds_too():
    scattered = gain(own(gains=[0.5, 2.9, 0.2]), "knn_quality_heard")
    assert scattered.mean > scattered.noise and scattered.low < 0 and scattered.beyond == 0
    assert gain(own(gains=[-5, -6, -7]), "knn_quality_heard").beyond == -1
    assert str(gain(own(), "quality_heard")) == "+6.0\u00a0±\u00a02.5"  # 4.303 / sqrt(3)


def test_arms_are_compared_on_the_seeds_that_both_have():
    mine, theirs = own(gains=[5, 6, 7]), own(gains=[2, 3, 99], at=1)
    found = apart(mine, theirs, "quality_heard")
    assert found.seeds == 2 and found.mean == pytest.approx(4.0)
    assert apart(mine, own(gains=[1], at=9), "quality_heard").seeds == 0


def test_kinds_are_compared_within_an_objective_and_absent_ones_are_left_out():
    music = own(heard="music", gains=[1, 2, 3])
    other = own("MAE", heard="music", gains=[9, 9, 9])
    every = pd.concat([own(), music, other])
    found = compared(
        every, "objective", "heard", "all three", ["music", "speech"], ["quality_heard"]
    )
    assert list(found) == ["SimCLR, music, linear, heard"]
    assert found["SimCLR, music, linear, heard"].mean == pytest.approx(4.0)


def told(*means):
    return {str(k): Difference(m, m - 0.5, m + 0.5, 1.0, 3) for k, m in enumerate(means)}


@pytest.mark.parametrize(
    ("means", "said"),
    [
        ((2, 3), "supported"),
        ((2, 3, 0, 0, 0, 0, 0, 0), "partly"),
        ((2, *[0] * 23), "cannot tell"),  # chance brings as much
        ((2, 2, 2, -2, *[0] * 20), "partly"),
        ((-2, -2, -2, *[0] * 21), "not"),
        ((0.2,), "cannot tell"),
    ],
)
def test_a_verdict_asks_for_more_than_chance_brings(means, said):
    assert own_words.word(told(*means).values()) == said


def test_comparisons_are_counted_both_ways_and_beside_what_chance_brings():
    found = told(2, -3, 0, 0) | {"wide": Difference(5.0, -1.0, 11.0, 1.0, 3)}
    said = own_words.tallied(found)
    assert said.startswith("ahead in 1 (0 +2.0) and behind in 1 (1 -3.0) of 5;")
    assert "ahead in 2 and behind in 1, where about 0.2 would" in said
    assert own_words.summary(found) == (
        "ahead beyond noise in 1 of 5 comparisons, behind in 1, and neither in 3"
    )


def test_what_rises_must_rise_on_heard_and_on_never_heard_tasks():
    half = own("BYOL").assign(knn_quality_heard=[-5.0, -6.0, -7.0])  # never heard: it rises
    said = own_words.raises({"SimCLR": own(), "BYOL": half})
    assert said == (
        "both averages rise by linear probe with SimCLR and BYOL and by k-NN with SimCLR; what "
        "falls: BYOL by k-NN, heard (-6.0)"
    )
    wide = own_words.raises({"x": own(gains=[0.5, 9.0, 0.2])})
    assert "by k-NN with nothing (by the noise alone with x too)" in wide
    assert own_words.raises({"x": own(gains=[0, 0, 0])}).endswith("what falls: nothing")


def test_runs_that_collapse_are_named():
    assert own_words.health(own()) == "all 3 runs end healthy"
    ill = own().assign(state=["healthy", "collapsed", "healthy"])
    assert own_words.health(ill).endswith("not end healthy: SimCLR-all three-1 (collapsed)")


def test_a_table_has_a_row_a_group_and_the_noise_of_the_largest():
    table = own_models.table_of({"one": own(gains=[5.0]), "three": own()}, ["quality_heard"])
    assert table["linear, heard"].tolist() == ["+5.0", "+6.0\u00a0±\u00a02.5", "1.2"]
    assert list(table.index) == ["one", "three", "noise of 3 seeds"]


@pytest.mark.parametrize("grid", ["objectives", "domains"])
def test_log_mel_beside_our_own_models_was_scored_by_their_protocol(grid):
    """Those of ``sweep``: what is not equal here would change scores."""
    theirs = read_results("sweep_baselines").attrs["protocol"]
    mine = read_grid(SWEEPS / f"{grid}.yml").protocol
    assert set(mine.tasks) == set(theirs["tasks"]) - set(theirs["aside"])
    for name in ("seconds", "k", "few"):
        assert getattr(mine, name) == theirs[name]


@pytest.mark.parametrize("name", ["domains", "objectives", "objectives_card"])
def test_every_recorded_run_has_names_and_gains(name):
    if not (BOOK / "results" / f"{name}.csv").is_file():
        pytest.skip("not recorded")
    found = runs(name)
    assert set(found["objective"]) <= set(own_models.OBJECTIVES.values())
    assert set(found["network"]) <= set(own_models.NETWORKS.values())
    assert found[list(own_models.TITLES)].notna().all(axis=None)
    assert not found.duplicated(["objective", "network", "heard", "seed"]).any()
