"""Ranks of systems over tasks: Demšar's worked example, hand cases, and what must hold."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dasheng_lib.metrics.ranking import (
    average_ranks,
    critical_difference,
    friedman,
    mean_min_max,
    mean_z,
    not_apart,
)

# Demšar 2006, Table 6: AUC of four variants of C4.5 on fourteen data sets.
DEMSAR = pd.DataFrame(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9752, 0.975],  # 0.975 in print, but ranked 2 and 3
        [0.957, 0.978, 0.946, 0.970],
    ],
    columns=["C4.5", "+m", "+cf", "+m+cf"],
)


def test_the_worked_example():
    ranks = average_ranks(DEMSAR)
    assert ranks.round(3).to_dict() == {"+m+cf": 1.964, "+m": 2.0, "+cf": 2.893, "C4.5": 3.143}
    assert list(ranks.index) == ["+m+cf", "+m", "+cf", "C4.5"]
    found = friedman(ranks, len(DEMSAR))
    assert (found.chi2, found.f) == pytest.approx((9.28, 3.69), abs=0.01)
    assert found.p == pytest.approx(stats.f.sf(3.69, 3, 39), rel=0.02) and found.p < 0.05
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, 0.1) == pytest.approx(1.12, abs=0.005)


@pytest.mark.parametrize(
    ("systems", "q"),
    [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (10, 3.164)],
)
def test_critical_values_are_those_of_the_table(systems, q):
    tasks = 14
    expected = q * np.sqrt(systems * (systems + 1) / (6 * tasks))
    assert critical_difference(systems, tasks) == pytest.approx(expected, rel=3e-4)


def test_friedmans_statistic_is_scipys_where_there_are_no_ties():
    scores = pd.DataFrame(np.random.default_rng(0).random((9, 5)))
    found = friedman(average_ranks(scores), len(scores))
    expected = stats.friedmanchisquare(*scores.to_numpy().T)
    assert found.chi2 == pytest.approx(expected.statistic)


def test_complete_agreement_cannot_be_chance():
    scores = pd.DataFrame([[3.0, 2.0, 1.0]] * 4, columns=list("abc"))
    ranks = average_ranks(scores)
    assert ranks.to_dict() == {"a": 1, "b": 2, "c": 3}
    assert friedman(ranks, 4).f == float("inf") and friedman(ranks, 4).p == 0
    equal = average_ranks(scores * 0)
    assert set(equal) == {2.0} and friedman(equal, 4).p == 1


def test_ranks_want_every_score():
    with pytest.raises(ValueError, match="every score"):
        average_ranks(DEMSAR.where(DEMSAR < 1))
    with pytest.raises(ValueError, match="two tasks"):
        average_ranks(DEMSAR.iloc[:1])


@pytest.mark.parametrize(
    ("ranks", "groups"),
    [
        ([1.0, 2.0, 3.0, 4.0], ["ab", "bc", "cd"]),
        ([1.0, 1.5, 2.0, 4.0], ["abc"]),
        ([1.0, 1.0, 2.5, 3.5], ["ab", "cd"]),
        ([1.0, 2.1, 3.2, 4.3], []),
        ([2.5, 2.5, 2.5, 2.5], ["abcd"]),
        ([1.0, 1.8, 2.5, 2.8], ["ab", "bcd"]),
    ],
)
def test_groups_are_as_large_as_they_can_be(ranks, groups):
    ranks = pd.Series(ranks, list("abcd"))
    assert not_apart(ranks, 1.0) == [list(group) for group in groups]


def test_the_groups_of_the_worked_example():
    # Demšar: at 0.10 C4.5 lies apart from both variants that tune m; at 0.05 nothing does.
    ranks = average_ranks(DEMSAR)
    assert not_apart(ranks, critical_difference(4, 14, 0.1)) == [
        ["+m+cf", "+m", "+cf"],
        ["+cf", "C4.5"],
    ]
    assert not_apart(ranks, critical_difference(4, 14)) == [list(ranks.index)]


def test_means_of_unlike_scores_by_hand():
    scores = pd.DataFrame({"a": [0.0, 90.0], "b": [2.0, 91.0], "c": [4.0, np.nan]})
    np.testing.assert_allclose(mean_min_max(scores), [0, 0.75, 1])
    third = np.sqrt(3 / 2)
    np.testing.assert_allclose(mean_z(scores, clamp=9), [(-third - 1) / 2, 0.5, third])
    np.testing.assert_allclose(mean_z(scores), [-1, 0.5, 1])


def test_neither_scale_nor_origin_of_a_task_counts():
    scores = pd.DataFrame(np.random.default_rng(1).random((6, 4)))
    other = scores.mul([1, 2, 30, 0.1, 5, 6], axis=0).add([0, 9, -3, 1, 1, 70], axis=0)
    for average in (mean_z, mean_min_max, average_ranks):
        np.testing.assert_allclose(average(other).sort_index(), average(scores).sort_index())
