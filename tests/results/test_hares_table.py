"""HARES's published table: transcribed whole, and its averages computed again."""

import numpy as np
import pytest

from dasheng_lib.corpora.official_sets import benchmark_tasks
from dasheng_lib.results.agreement import grid
from dasheng_lib.results.published import read_table

SUMS = {
    "AudioSet": 816.6,
    "Birdsong": 1529.9,
    "TUT18": 1752.7,
    "ESC-50": 1753.5,
    "SC1": 1581.2,
    "SC2": 1649.8,
    "VoxForge": 1662.2,
    "VoxCeleb": 902.6,
    "Fluent": 638.7,
    "NSynth pitch": 1448.3,
    "NSynth instr": 1403.2,
    "MTT": 750.6,
    "environment": 1454.9,
    "speech": 1261.7,
    "music": 1187.6,
    "HARES": 1307.8,
}
AVERAGES = ["environment", "speech", "music", "HARES"]


@pytest.fixture(scope="module")
def table():
    return grid(read_table("hares"))


@pytest.fixture(scope="module")
def tasks():
    return benchmark_tasks("hares")


def test_each_cell_is_there_once_and_columns_are_those_of_the_manifest(table, tasks):
    rows = read_table("hares")
    assert len(rows) == len(rows[["row", "column"]].drop_duplicates()) == 329
    assert rows["value"].between(0, 100).all()
    columns = [task.column for task in tasks.values()]
    assert set(table.columns) == {*columns, *AVERAGES}
    whole = table[columns].notna().all(axis=1)
    assert whole.sum() == 20 and len(table) == 25
    # The normalisations of SlowFast ResNet50 are compared task by task only.
    assert table.loc[table["HARES"].isna()].index.str.startswith("SF ").all()
    assert table[AVERAGES].notna().all(axis=1).sum() == table["HARES"].notna().sum() == 21


def test_no_digit_slips(table):
    assert table.sum().round(1).to_dict() == SUMS
    best = table.loc["SF NFNet-F0 SimCLR"]
    assert best["HARES"] == 74.6 == table["HARES"].max()
    assert best["AudioSet"] == 37.8 and best["Fluent"] == 46.1


def test_the_hares_score_is_the_mean_over_tasks_to_the_printed_digit(table, tasks):
    whole = table.dropna()
    assert len(whole) == 16
    scores = whole[[task.column for task in tasks.values()]].mean(axis=1)
    assert np.isclose(scores * 10 % 1, 0.5).sum() == 2  # exact halves, which are printed upwards
    assert ((scores + 1e-6).round(1) == whole["HARES"]).all()
    domains = whole[AVERAGES[:3]].mean(axis=1)
    assert (domains - whole["HARES"]).abs().max() > 1, "it is not the mean of the domains"


def test_domains_are_means_too_within_the_rounding(table, tasks):
    for domain in AVERAGES[:3]:
        columns = [task.column for task in tasks.values() if task.domain == domain]
        off = table[columns].dropna().mean(axis=1) - table[domain]
        assert off.abs().max() <= 0.05 + 1e-9
        if domain != "environment":  # whose exact halves are printed downwards
            assert np.allclose(off.round(1).dropna(), 0)


def test_what_stands_beside_the_table_has_its_rows_and_columns(table):
    models, quoted = grid(read_table("hares_models")), read_table("hares_quoted")
    assert set(models.index) == set(table.index[table["HARES"].notna()])
    assert models["parameters_millions"].between(4.0, 95).all()
    assert set(quoted["column"]) <= set(table.columns) and len(quoted) == 13
