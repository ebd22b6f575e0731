"""The published tables: transcribed whole, and what can be said by computing from them."""

import itertools

import numpy as np
import pandas as pd
import pytest

from dasheng_lib.results.agreement import (
    AVERAGE,
    HEAR_DOMAINS,
    KNN_DOMAINS,
    MISSING,
    ahead,
    compare,
    domain_means,
    grid,
    ranking,
    treatments,
)
from dasheng_lib.results.published import read_table

SHAPES = {2: (17, 18), 4: (13, 4), 5: (9, 4), 6: (3, 3)}
DASHENG = ["Dasheng-Base", "Dasheng-0.6B", "Dasheng-1.2B"]
SOTA = "HEAR SOTA"


@pytest.fixture(scope="module")
def scores():
    return grid(read_table("dasheng_table2"))


@pytest.fixture(scope="module")
def means():
    return grid(read_table("dasheng_table4"))


@pytest.fixture(scope="module")
def said():
    return read_table("dasheng_text").set_index(["row", "column"])["value"]


@pytest.mark.parametrize("number", SHAPES)
def test_each_cell_is_there_once(number):
    table = read_table(f"dasheng_table{number}")
    assert grid(table).shape == SHAPES[number]
    assert len(table) == np.prod(SHAPES[number]) == len(table[["row", "column"]].drop_duplicates())
    assert table["value"].between(0, 100).sum() == table["value"].notna().sum()


@pytest.mark.parametrize(
    ("number", "sums"),
    [
        (2, {"HEAR SOTA": 1516.7, "Dasheng-Base": 1427.6, "Dasheng-1.2B": 1466.0, None: 21445.0}),
        (
            4,
            {"Dasheng-Base": 315.52, "Dasheng-0.6B": 321.75, "Dasheng-1.2B": 325.02, None: 3656.66},
        ),
        (5, {"ESC50": 250.2, "FSC": 179.9, None: 2187.7}),
        (6, {"Base": 157.76, "0.6B": 160.88, "1.2B": 162.49, None: 481.13}),
    ],
)
def test_no_digit_slips(number, sums):
    table = grid(read_table(f"dasheng_table{number}"))
    found = {row: (table if row is None else table.loc[row]).sum().sum() for row in sums}
    assert found == pytest.approx(sums, abs=1e-6)


def test_what_is_missing_and_what_is_printed_as_zero(scores):
    at = [f"{row} {column}" for row, column in scores.stack(future_stack=True).index]
    flat = pd.Series(scores.to_numpy().ravel(), at)
    assert set(flat[flat.isna()].index) == {
        "MSM-MAE NS-5",
        "MSM-MAE SPC-5",
        "ATST-Frame NS-50",
        "ATST-Clip NS-50",
    }
    assert set(flat[flat == 0].index) == {
        "Whisper-base MST",
        "Sony-ViT F50k",
        "MSM-MAE D16",
        "MSM-MAE MST",
        "BEATs it1 MST",
    }


def test_domains_cover_their_tables(scores):
    tasks = [task for group in HEAR_DOMAINS.values() for task in group]
    assert sorted(tasks) == sorted(scores.columns) and len(tasks) == 18
    knn = [task for group in KNN_DOMAINS.values() for task in group]
    assert sorted(knn) == sorted(grid(read_table("dasheng_table5")).index)


def test_means_by_hand():
    table = pd.DataFrame({"a": [1.0, 0.0], "b": [3.0, np.nan], "c": [8.0, 4.0]}, ["m", "n"])
    domains = {"x": ("a", "b"), "y": ("c",)}
    for missing, x in {"zero": 0, "skip": 0, "skip zeros": np.nan}.items():
        means = domain_means(table, missing, domains)
        assert means.loc["m"].tolist() == [2, 8, 5]
        np.testing.assert_array_equal(means.loc["n", ["x", "y"]], [x, 4])
    assert domain_means(table.fillna(2), "skip", domains).loc["n", AVERAGE] == 2.5
    with pytest.raises(ValueError, match="zero, skip, skip zeros"):
        domain_means(table, "drop", domains)


def test_ranks_share_the_better_place():
    means = pd.DataFrame({AVERAGE: [3.0, 5.0, 3.0, 1.0]}, list("abcd"))
    assert ranking(means).to_dict() == {"a": 2, "b": 1, "c": 2, "d": 4}
    assert ranking(means, ["d", "a"]).to_dict() == {"d": 2, "a": 1}


def test_table_4_follows_from_table_2_but_for_two_models(scores, means):
    table = compare(scores, means)
    follow = table.groupby("row")["follows"].sum()
    assert follow.to_dict() == dict.fromkeys(means.index, 4) | {"Dasheng-0.6B": 0, "MSM-MAE": 1}
    near = (table["recomputed"].round(9).round(2) - table["published"]).abs() <= 0.01 + 1e-9
    assert near.groupby(table["row"]).sum().to_dict() == {
        "CED-Base": 2,
        "Whisper-Base": 4,
        "Wav2Vec2": 4,
        "MSM-MAE": 1,
        "AudioMAE": 3,
        "Data2Vec": 4,
        "BEATs it1": 3,
        "BEATs it3+": 3,
        "ATST-Frame": 4,
        "ATST-Clip": 4,
        "Dasheng-Base": 3,
        "Dasheng-0.6B": 0,
        "Dasheng-1.2B": 4,
    }


def test_the_row_of_0_6b_follows_in_no_way(scores, means):
    off = compare(scores, means).query("row == 'Dasheng-0.6B'").set_index("column")["difference"]
    assert off.round(2).to_dict() == {"Env": 0.57, "Speech": -0.07, "Music": 0.68, "Average": 0.39}
    assert (treatments(scores, means).loc["Dasheng-0.6B"].map(len) == 0).all()
    own = means.loc["Dasheng-0.6B", list(HEAR_DOMAINS)].mean()
    assert own == pytest.approx(means.at["Dasheng-0.6B", AVERAGE], abs=0.005), (
        "the row itself adds up"
    )


def test_the_printed_row_of_0_6b_is_that_of_1_2b_less_a_constant(scores, means):
    domains = list(HEAR_DOMAINS)
    step = (means.loc["Dasheng-1.2B"] - means.loc["Dasheng-0.6B"])[domains]
    assert step.round(2).tolist() == [0.82, 0.82, 0.82]
    again = domain_means(scores)
    step = (again.loc["Dasheng-1.2B"] - again.loc["Dasheng-0.6B"])[domains]
    assert step.round(2).tolist() == [0.25, 0.90, 0.14]
    for a, b in itertools.combinations(means.index, 2):
        apart = np.ptp(means.loc[a, domains] - means.loc[b, domains])
        assert apart > 0.3 or {a, b} == {"Dasheng-0.6B", "Dasheng-1.2B"}


def test_one_row_treats_missing_scores_in_three_ways(scores, means):
    ways = treatments(scores, means)
    assert ways.loc["MSM-MAE"].to_dict() == {
        "Env": ("skip zeros",),
        "Speech": ("skip", "skip zeros"),
        "Music": ("zero",),
        AVERAGE: (),
    }
    for model in ("ATST-Frame", "ATST-Clip"):
        assert ways.at[model, "Music"] == ways.at[model, AVERAGE] == ("zero",)
    whole = ways.drop(["MSM-MAE", "ATST-Frame", "ATST-Clip", "Dasheng-0.6B"])[["Env", "Speech"]]
    assert (whole.map(len) == len(MISSING)).all().all()
    own = means.loc["MSM-MAE", list(HEAR_DOMAINS)].mean()
    assert own == pytest.approx(means.at["MSM-MAE", AVERAGE], abs=0.005)


def test_left_out_or_zero_decides_who_is_third(scores, means):
    zero, skip = (domain_means(scores, missing) for missing in ("zero", "skip"))
    assert skip.at["ATST-Frame", AVERAGE] == pytest.approx(78.96, abs=0.005)
    assert skip.at["ATST-Clip", AVERAGE] == pytest.approx(78.49, abs=0.005)
    assert skip.at["ATST-Frame", AVERAGE] > means.at["Dasheng-Base", AVERAGE] == 78.88
    assert ranking(zero, means.index)[["Dasheng-Base", "ATST-Frame"]].tolist() == [3, 5]
    assert ranking(skip, means.index)[["Dasheng-Base", "ATST-Frame"]].tolist() == [4, 3]
    assert ranking(means)["MSM-MAE"] == 8 and ranking(zero, means.index)["MSM-MAE"] == 11


def test_msm_mae_with_its_timestamps_mended(scores):
    mended = scores.copy()
    mended.at["MSM-MAE", "D16"] = 89.6
    assert domain_means(mended).at["MSM-MAE", "Env"] == pytest.approx(80.95)


def test_where_the_row_of_the_state_of_the_art_is_from(scores):
    sota, before = scores.loc[SOTA], scores.drop([SOTA, *DASHENG])
    assert set(sota.index[sota < before.max()]) == {"VL", "SPC-F", "Mri-T"}
    assert (before["Mri-T"].idxmax(), before["Mri-T"].max()) == ("MSM-MAE", 98.3)
    assert before[["VL", "SPC-F"]].idxmax().tolist() == ["Whisper-base"] * 2
    for model, tasks in {
        "ATST-Frame": ["CD", "D16", "GZ-M/S"],
        "ATST-Clip": ["Mri-S"],
        "CED-Base": ["E50", "F50k", "VI"],
    }.items():
        assert (sota[tasks] == scores.loc[model, tasks]).all()
    assert sota["GZ-Gen"] == sota["E50"] == 96.7 > before["GZ-Gen"].max() == 90.0
    assert sota["Gun"] == 100 > before["Gun"].max() == 98.8


def test_how_many_tasks_are_above_80(scores, said):
    above = (scores > 80).sum(axis=1)
    assert said["tasks above 80", "Dasheng-1.2B"] == 13 == above["Dasheng-0.6B"]
    assert above["Dasheng-1.2B"] == 12


def test_tasks_on_which_dasheng_is_ahead(scores, said):
    assert ahead(scores, "Dasheng-1.2B", [SOTA]) == ["CD", "LiCt", "SPC-F", "VL"]
    assert said["tasks ahead of HEAR SOTA", "Dasheng-1.2B"] == 4
    gain = scores.loc["Dasheng-1.2B"] - scores.loc[SOTA]
    assert gain["SPC-F"] == pytest.approx(0.1)
    before = scores.index.drop(DASHENG)
    assert ahead(scores, "Dasheng-1.2B", before) == ["CD", "LiCt"]
    assert scores.at["Whisper-base", "SPC-F"] == scores.at["Dasheng-1.2B", "SPC-F"]


def test_scores_that_the_text_gives_to_another_size(scores, said):
    for task, model in {"D16": "Dasheng-0.6B", "MST": "Dasheng-Base"}.items():
        assert scores.loc[scores[task] == said[task, "Dasheng"]].index.tolist() == [model]


def test_knn_of_text_and_table(said):
    knn = grid(read_table("dasheng_table5"))
    assert knn.loc[["SPC1", "SPC2"], "1.2B"].tolist() == [95.9, 90.9]
    assert said["SPC1", "1.2B"] == 95 and said["SPC2", "1.2B"] == 90.7


def test_differences_of_table_6(means, said):
    table = grid(read_table("dasheng_table6"))
    off = table["difference"] - (table["ours"] - table["AudioSet"])
    assert off.round(2).to_dict() == {"Base": 0, "0.6B": 0, "1.2B": -0.01}
    assert table["ours"].tolist() == means.loc[DASHENG, AVERAGE].tolist()
    sentence = said["gain from more data"]
    assert sentence[table.index].tolist() == table["difference"].tolist()[::-1]
