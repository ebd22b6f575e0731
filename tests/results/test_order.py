"""Places by a mean with each task left out, and what pairs of models say of a claim."""

import pandas as pd
import pytest

from dasheng_lib.book.benchmark_words import held
from dasheng_lib.results.order import places, places_without_each
from dasheng_lib.results.pairs import Pair, gain, word


@pytest.fixture
def scores():
    """B leads by y alone; A and C are equal but for x."""
    table = {"x": {"A": 3.0, "B": 1.0, "C": 2.0}, "y": {"A": 0.0, "B": 9.0, "C": 0.0}}
    return pd.DataFrame(table | {"z": {"A": 5.0, "B": 5.0, "C": 5.0}})


def test_places_share_the_better_one():
    table = pd.DataFrame({"x": [0.1, 0.3, 0.2], "y": [0.2, 0.0, 0.1]}, index=list("ABC"))
    assert places(table).to_dict() == {"A": 1, "B": 1, "C": 1}, "0.1 + 0.2 is 0.3 here"
    with pytest.raises(ValueError, match="every score"):
        places(table.assign(z=[1, None, 3]))


def test_each_task_is_left_out_once(scores):
    table = places_without_each(scores)
    assert list(table) == ["all", "x", "y", "z"] and list(table.index) == ["B", "A", "C"]
    assert table["all"].tolist() == [1, 2, 3]
    assert table["y"].to_dict() == {"B": 3, "A": 1, "C": 2}, "without what B leads by"
    assert table["x"].to_dict() == {"B": 1, "A": 2, "C": 2}
    for task in scores:
        assert table[task].to_dict() == places(scores.drop(columns=task)).to_dict()
    with pytest.raises(ValueError, match="two tasks"):
        places_without_each(scores[["x"]])


def test_agreement_is_one_where_nothing_moves(scores):
    table = places_without_each(scores)
    # Of three pairs of models, two turn without y; without x two keep their order, one is a tie.
    for task, tau in {"z": 1, "y": -1 / 3, "x": 2 / 6**0.5}.items():
        assert f"Kendall's τ with the order by all tasks is {tau:.2f} at least" in held(
            table[["all", task]]
        )
    assert f" {-1 / 3:.2f} at least" in held(table)


def test_a_gain_is_the_mean_over_tasks_with_student_s_interval():
    table = pd.DataFrame(
        {"a": [10.0, 12.0], "b": [20.0, 24.0], "c": [30.0, 36.0]}, index=["u", "v"]
    )
    found = gain(table, Pair("u", "v", "v over u"))
    assert found.by_task.tolist() == [2, 4, 6] and found.mean == pytest.approx(4)
    half = 4.302653 * 2 / 3**0.5  # t of 2 degrees of freedom, deviation 2, three tasks
    assert (found.low, found.high) == pytest.approx((4 - half, 4 + half), abs=1e-5)
    assert found.ahead == 3
    assert str(found) == "+4.0 (-1.0\u00a0…\u00a0+9.0)"
    assert gain(table, Pair("v", "u", ""), ["a", "b"]).mean == pytest.approx(-3)
    with pytest.raises(ValueError, match="every score"):
        gain(table.assign(d=[1, None]), Pair("u", "v", ""))


@pytest.mark.parametrize(
    ("shifts", "says"),
    [
        ((10, 10), "supported"),
        ((10, 0), "partly"),
        ((10, -10), "partly"),
        ((0, -10), "not"),
        ((0, 0), "cannot tell"),
    ],
)
def test_a_claim_is_judged_by_all_its_pairs(shifts, says):
    table = pd.DataFrame({"a": [0.0, 1.0], "b": [0.0, -1.0], "c": [0.0, 0.5]}, index=["u", "v"])
    gains = []
    for shift in shifts:
        moved = table.add(pd.Series({"u": 0, "v": shift}), axis=0)
        gains.append(gain(moved, Pair("u", "v", "")))
    assert word(gains) == says
