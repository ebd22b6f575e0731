"""The rule for "quality follows rank": each word is reached by a table that deserves it."""

import numpy as np
import pandas as pd
import pytest

from dasheng_lib.scaling.follow import cases, counts, follows, of_all, of_kind

B = 0.1
EXPONENTS = {("knn", "unheard"): B}


def table(change_of, half=0.002, encoders=("a", "b", "c")):
    """Three encoders of rank 80 and quality 0.5; ``change_of(factor)`` is what quality does."""
    rows = []
    for encoder in encoders:
        for name, kind, rank in (
            ("as is", "control", 80.0),
            ("rotate", "control", 20.0),  # which none does
            ("whiten", "rescale", 190.0),
            ("sharpen", "rescale", 10.0),
            ("centre", "rescale", 85.0),
            ("keep:8", "keep leading", 8.0),
        ):
            change = change_of(rank / 80)
            rows.append(
                {
                    "encoder": encoder,
                    "intervention": name,
                    "kind": kind,
                    "probe": "knn",
                    "tasks": "unheard",
                    "accuracy": 0.5 + change,
                    "change": change,
                    "change_low": change - half,
                    "change_high": change + half,
                    "rankme": rank,
                }
            )
    return pd.DataFrame(rows)


def words(change_of, half=0.002):
    found = cases(table(change_of, half), EXPONENTS)
    return {kind: of_kind(list(rows["word"])) for kind, rows in found.groupby("kind")}


def test_only_moves_far_enough_count_and_controls_never_do():
    found = cases(table(lambda f: 0.0), EXPONENTS)
    assert set(found["intervention"]) == {"whiten", "sharpen", "keep:8"}
    assert counts(2.0) and counts(0.5) and not counts(1.9) and not counts(0.6)


def test_what_the_linear_probe_cannot_see_is_no_evidence_about_it():
    rows = table(lambda f: 0.0)
    rows["intervention"] = rows["intervention"].replace("sharpen", "scale:2")
    assert "scale:2" in set(cases(rows, EXPONENTS)["intervention"])
    for probe in ("linear", "few"):
        found = cases(rows.assign(probe=probe), {(probe, "unheard"): B})
        assert set(found["intervention"]) == {"whiten", "keep:8"}


def test_the_prediction_is_the_laws():
    rows = table(lambda f: 0.1 * (f - 1))
    found = cases(rows, EXPONENTS).set_index(["encoder", "intervention"])
    assert found.at[("a", "whiten"), "predicted"] == pytest.approx(0.5 * ((190 / 80) ** B - 1))
    assert found.at[("a", "keep:8"), "predicted"] == pytest.approx(0.5 * (0.1**B - 1))


@pytest.mark.parametrize(
    ("change_of", "half", "kinds", "said"),
    [
        (lambda f: 0.5 * (f**B - 1), 0.002, {"follows"}, "supported"),
        (lambda f: 0.0, 0.002, {"does not follow"}, "not"),
        (lambda f: -0.5 * (f**B - 1), 0.002, {"does not follow"}, "not"),
        (lambda f: 0.0, 0.3, {"cannot tell"}, "cannot tell"),
    ],
)
def test_each_word_is_reached(change_of, half, kinds, said):
    found = words(change_of, half)
    assert set(found.values()) == kinds
    assert of_all(list(found.values())) == said


def test_partly_where_one_kind_follows_and_another_does_not():
    found = words(lambda f: 0.5 * (f**B - 1) if f == 0.1 else 0.0)
    assert found == {"rescale": "does not follow", "keep leading": "follows"}
    assert of_all(list(found.values())) == "partly"


def test_half_of_the_way_decides_in_both_directions():
    for predicted in (0.04, -0.04):
        way = np.array([0.4, 0.45]) * predicted
        assert follows(*sorted(way), predicted) == "does not follow"
        assert follows(*sorted(way + 0.2 * predicted), predicted) == "follows"
        assert follows(*sorted(way + 0.08 * predicted), predicted) == "cannot tell"


def test_few_or_divided_cases_tell_nothing():
    assert of_kind(["follows"] * 2) == "cannot tell"
    assert of_kind(["follows"] * 2 + ["does not follow"] * 2) == "cannot tell"
    assert of_kind(["follows"] * 2 + ["cannot tell"]) == "follows"
    assert of_all(["follows", "cannot tell"]) == "cannot tell"
    assert of_all(["cannot tell", "does not follow"]) == "not"
