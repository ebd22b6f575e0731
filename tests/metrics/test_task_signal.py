"""What tasks add to an order of models: made-up benchmarks whose answers are known."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dasheng_lib.metrics import task_signal

# Three tasks that order five models alike, and one that has them the other way round.
ALIKE = pd.DataFrame(
    {"a": [1, 2, 3, 4, 5], "b": [0, 2, 4, 6, 9], "c": [3, 4, 5, 6, 8], "against": [4, 3, 2, 1, 0]},
    index=list("vwxyz"),
    dtype=float,
)


@pytest.mark.parametrize("measure", ["kendall", "spearman"])
def test_tasks_are_correlated_as_pandas_does(measure):
    scores = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 5)), columns=list("abcde"))
    expected = scores.corr(method=measure)
    pd.testing.assert_frame_equal(task_signal.between_tasks(scores, measure), expected)


def test_domains_leave_a_task_with_itself_out():
    links = task_signal.between_tasks(ALIKE, "kendall")
    domains = {"a": "x", "b": "x", "c": "y", "against": "y"}
    found = task_signal.by_domain(links, domains)
    assert found.to_dict() == {"x": {"x": 1.0, "y": 0.0}, "y": {"x": 0.0, "y": -1.0}}
    alone = task_signal.by_domain(links.loc[["a"], ["a"]], {"a": "x"})
    assert np.isnan(alone.at["x", "x"]), "one task has nothing to agree with"


def test_the_most_and_the_least_alike():
    links = task_signal.between_tasks(ALIKE[["against", "a", "b"]], "spearman")
    assert task_signal.extremes(links) == (("a", "b"), ("against", "a"))


def test_a_task_is_compared_with_the_others_alone():
    found = task_signal.with_the_rest(ALIKE, "kendall")
    assert found.to_dict() == {"a": 1, "b": 1, "c": 1, "against": -1}
    noise = pd.DataFrame(np.random.default_rng(1).normal(size=(7, 4)), columns=list("abcd"))
    for task in noise:
        others = noise.drop(columns=task).mean(axis=1)
        expected = stats.kendalltau(noise[task], others).statistic
        assert task_signal.with_the_rest(noise, "kendall")[task] == pytest.approx(expected)


def test_dropping_a_task_may_change_the_leader():
    scores = pd.DataFrame({"p": [9.0, 0, 1], "q": [1.0, 3, 2], "r": [1.0, 3, 2]}, list("abc"))
    found = task_signal.without_each(scores, "kendall")
    assert found["first"].to_dict() == {"p": "b", "q": "a", "r": "a"}
    assert found.at["p", "order"] == pytest.approx(-1 / 3) and found.at["q", "order"] > 0


def test_sets_of_tasks_are_those_that_can_be_counted():
    scores = pd.DataFrame(np.random.default_rng(2).normal(size=(6, 4)), columns=list("abcd"))
    found = task_signal.subsets(scores, "kendall", draws=4000, seed=0)
    assert list(found.index) == [1, 2, 3]
    whole = scores.mean(axis=1)
    for k in found.index:
        every = [list(chosen) for chosen in itertools.combinations(scores, k)]
        means = [scores[chosen].mean(axis=1) for chosen in every]
        share = np.mean([mean.idxmax() == whole.idxmax() for mean in means])
        assert found.at[k, "first"] == pytest.approx(share, abs=0.03)
        with_whole = [stats.kendalltau(mean, whole).statistic for mean in means]
        left = [
            stats.kendalltau(mean, scores.drop(columns=chosen).mean(axis=1)).statistic
            for chosen, mean in zip(every, means, strict=True)
        ]
        for column, values in (("whole", with_whole), ("left", left)):
            assert min(values) - 1e-9 <= found.at[k, f"{column}_low"] <= found.at[k, column]
            assert found.at[k, column] <= found.at[k, f"{column}_high"] <= max(values) + 1e-9


def test_more_of_the_tasks_are_nearer_to_the_whole():
    generator = np.random.default_rng(3)
    scores = pd.DataFrame(generator.normal(size=(12, 1)) + generator.normal(size=(12, 10)))
    found = task_signal.subsets(scores, "spearman", draws=500, seed=0)
    assert found["whole"].is_monotonic_increasing and found["whole"].iloc[-1] > 0.9
    assert found["left"].idxmax() in (4, 5, 6), "two halves know most of one another"
    again = task_signal.subsets(scores, "spearman", draws=500, seed=0)
    pd.testing.assert_frame_equal(found, again)


def test_level_is_within_the_points_of_the_best():
    scores = pd.DataFrame({"easy": [99.0, 98.5, 98.0], "hard": [50.0, 70.0, 69.2]})
    assert task_signal.level(scores, 1).to_dict() == {"easy": 1, "hard": pytest.approx(2 / 3)}
    assert task_signal.level(scores, 0).to_dict() == dict.fromkeys(scores, pytest.approx(1 / 3))
