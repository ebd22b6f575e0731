"""Pairs of published models that differ in one thing: what it adds, over the tasks of a benchmark.

A benchmark's tasks stand for all that one might have asked, so that the interval of a mean gain is
Student's over tasks. It says whether the gain would hold on other tasks, not whether it would with
another run of the pretraining, of which papers print one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from dasheng_lib.metrics.intervals import t_interval


@dataclass(frozen=True)
class Pair:
    """Two models, and what the second has that the first has not.

    Attributes:
        before, after: rows of a published table.
        label: of the pair, short.
    """

    before: str
    after: str
    label: str


@dataclass(frozen=True)
class Gain:
    """What a pair's second model has over its first.

    Attributes:
        pair: which.
        by_task: points on each task.
        mean, low, high: over the tasks, and its 95 % interval.
    """

    pair: Pair
    by_task: pd.Series
    mean: float
    low: float
    high: float

    @property
    def ahead(self) -> int:
        """Tasks on which the second has more."""
        return int((self.by_task > 0).sum())

    def __str__(self) -> str:
        return f"{self.mean:+.1f} ({self.low:+.1f}\u00a0…\u00a0{self.high:+.1f})"


def gain(scores: pd.DataFrame, pair: Pair, tasks: Sequence[str] | None = None) -> Gain:
    """The gain of a pair on some tasks, by default on all.

    Args:
        scores: models by tasks.

    Raises:
        ValueError: fewer than two tasks, or a score is missing.
    """
    columns = list(scores) if tasks is None else list(tasks)
    points = scores.loc[pair.after, columns] - scores.loc[pair.before, columns]
    if points.isna().any():
        raise ValueError(f"{pair.before} and {pair.after} have not every score of {columns}")
    return Gain(pair, points, float(points.mean()), *t_interval(points.to_numpy()))


def word(gains: Sequence[Gain]) -> str:
    """What pairs say of a claim that the second is better, as a verdict.

    ``"supported"``: each interval lies above zero. ``"partly"``: some do. ``"not"``: none does,
    and some lie below. ``"cannot tell"``: every interval holds zero.
    """
    above = sum(found.low > 0 for found in gains)
    if above:
        return "supported" if above == len(gains) else "partly"
    return "not" if any(found.high < 0 for found in gains) else "cannot tell"
