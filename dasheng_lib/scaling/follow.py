"""Does quality follow when effective rank is moved: the rule, laid down before the measurements.

The law of encoders that were never trained, Q = a R^b, says what a move of rank by a factor f
should do to quality: Q (f^b - 1). A move by ``MOVED`` or more counts, and quality follows if it
surely goes more than half of the predicted way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd

from dasheng_lib.rank.interventions import AS_IS, UNSEEN_BY_LINEAR
from dasheng_lib.scaling.decide import Word

MOVED = 2.0  # factor by which rank must rise or fall for a case to count
WAY = 0.5  # share of the predicted change that decides
MOST, CASES = 2 / 3, 3  # share of the cases that decides for a kind of intervention; the fewest
STANDARDISING = ("linear", "few")  # probes that see no shift and no scale of a column
Follows = Literal["follows", "does not follow", "cannot tell"]


def counts(factor: float) -> bool:
    """Whether rank was moved far enough, up or down."""
    return factor >= MOVED or factor <= 1 / MOVED


def follows(low: float, high: float, predicted: float) -> Follows:
    """What the interval of a change of quality says.

    Args:
        low, high: of the change.
        predicted: what the law says it should be, not 0; of the same unit.
    """
    shares = sorted((low / predicted, high / predicted))
    if shares[0] > WAY:
        return "follows"
    return "does not follow" if shares[1] < WAY else "cannot tell"


def cases(
    table: pd.DataFrame, exponents: Mapping[tuple[str, str], float], rank: str = "rankme"
) -> pd.DataFrame:
    """The interventions that moved rank far enough, each with what the law predicts of it.

    Args:
        table: ``encoder, intervention, kind, probe, tasks, accuracy, change, change_low,
            change_high`` and ranks; for each encoder, probe and tasks one row ``kind`` "control"
            named "as is".
        exponents: b for each (probe, tasks).
        rank: column of the rank that is meant.

    Returns:
        The rows that count, with ``factor``, ``predicted`` and ``word``. No control is among them,
        nor what a probe that standardises cannot see: there the answer is known beforehand.
    """
    key = ["encoder", "probe", "tasks"]
    before = table[table["intervention"] == AS_IS].set_index(key)[["accuracy", rank]]
    rows = table.join(before.add_suffix("_before"), on=key)
    rows["factor"] = rows[rank] / rows[f"{rank}_before"]
    unseen = rows["intervention"].map(lambda name: name.partition(":")[0] in UNSEEN_BY_LINEAR)
    told = (rows["kind"] != "control") & ~(unseen & rows["probe"].isin(STANDARDISING))
    rows = rows[told & rows["factor"].map(counts)]
    b = [exponents[case] for case in zip(rows["probe"], rows["tasks"], strict=True)]
    rows = rows.assign(predicted=rows["accuracy_before"] * (rows["factor"] ** b - 1))
    changes = zip(rows["change_low"], rows["change_high"], rows["predicted"], strict=True)
    words = [follows(*change) for change in changes]
    return rows.assign(word=words).drop(columns=["accuracy_before", f"{rank}_before"])


def of_kind(words: Sequence[Follows]) -> Follows:
    """What the cases of one kind of intervention say together."""
    if len(words) < CASES:
        return "cannot tell"
    for word in ("follows", "does not follow"):
        if words.count(word) >= MOST * len(words):
            return word
    return "cannot tell"


def of_all(kinds: Sequence[Follows]) -> Word:
    """The word on "move rank, and quality follows", from all kinds of intervention.

    **supported**: quality follows in all. **partly**: in some, and in some it does not. **not**:
    in none, and in some it does not. Else **cannot tell**.
    """
    if "does not follow" in kinds:
        return "partly" if "follows" in kinds else "not"
    return "supported" if set(kinds) == {"follows"} else "cannot tell"
