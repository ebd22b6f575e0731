"""ARCH's published table: whole, and its averages add up."""

import pytest

from dasheng_lib.corpora.official_sets import benchmark_tasks
from dasheng_lib.evaluation.averages import benchmark_average
from dasheng_lib.results.agreement import grid
from dasheng_lib.results.published import read_table

# Means over four tasks and over all, computed apart from this library when the table was copied;
# from scores with more digits, so that both roundings count.
MEANS = {
    "wav2vec2-base": (38.02, 47.32, 46.97, 44.10),
    "wavlm-base": (41.41, 42.61, 60.38, 48.13),
    "wavlm-base-plus": (45.13, 46.92, 54.16, 48.74),
    "hubert-base-ls960": (47.80, 47.13, 59.77, 51.57),
    "data2vec-audio-base": (27.38, 36.20, 54.48, 39.35),
    "W2V2-AS base": (43.91, 49.47, 43.97, 45.78),
    "HuBERT-AS base": (54.75, 56.20, 54.08, 55.01),
    "wav2vec2-large-robust": (20.91, 33.20, 20.98, 25.03),
    "wav2vec2-xls-r-300m": (45.31, 50.09, 40.86, 45.42),
    "wavlm-large": (53.21, 53.24, 64.78, 57.08),
    "hubert-large-ll60k": (51.11, 48.51, 65.39, 55.00),
    "data2vec-audio-large": (28.98, 35.81, 48.99, 37.93),
    "wav2vec2-xls-r-1b": (53.72, 54.53, 53.76, 54.00),
    "hubert-xlarge-ll60k": (51.28, 49.01, 67.65, 55.98),
}
UNKNOWN = ("W2V2-AS large", "HuBERT-AS large")


@pytest.fixture(scope="module")
def table():
    return read_table("arch")


def test_each_cell_is_there_once(table):
    scores = grid(table)
    assert list(scores.index) == [*MEANS, *UNKNOWN]
    assert list(scores.columns) == [task.column for task in benchmark_tasks("arch").values()]
    assert len(table) == 16 * 12 == len(table[["row", "column"]].drop_duplicates())
    assert scores.loc[list(MEANS)].stack().between(0, 100).sum() == 14 * 12
    assert scores.loc[list(UNKNOWN)].isna().all(axis=None)
    assert table.loc[table["value"].isna(), "note"].str.len().min() > 0


def test_averages_add_up(table):
    domains = {task.column: task.domain for task in benchmark_tasks("arch").values()}
    rows = table.rename(columns={"row": "encoder", "column": "task", "value": "score"})
    means = benchmark_average(rows.dropna(subset="score"), domains, by=["encoder"])
    names = ["environment", "music", "speech", "average"]
    for model, printed in MEANS.items():
        assert means.loc[model, names].tolist() == pytest.approx(printed, abs=0.01)
        assert means.loc[model, "average"] == pytest.approx(means.loc[model, "mean of tasks"])
    assert (means["tasks"] == 12).all()


def test_what_the_paper_claims_follows_from_the_table(table):
    scores = grid(table)
    domains = benchmark_tasks("arch").values()
    other = [task.column for task in domains if task.domain != "speech"]
    for speech, every in (
        ("wav2vec2-base", "W2V2-AS base"),
        ("hubert-base-ls960", "HuBERT-AS base"),
    ):
        assert scores.loc[every, other].mean() > scores.loc[speech, other].mean()
    assert scores.loc["HuBERT-AS base"].mean() > scores.loc["W2V2-AS base"].mean()
