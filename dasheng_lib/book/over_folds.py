"""Accuracy fold by fold: what two encoders differ by on the same talkers, kits or packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from dasheng_lib.metrics.intervals import t_interval

if TYPE_CHECKING:
    from dasheng_lib.evaluation.folds import Score


def over_folds(score: Score) -> pd.Series:
    """Accuracy in each fold, in percent; heareval reports their mean."""
    return 100 * pd.Series(score.correct).groupby(score.groups).mean()


def interval(percent: np.ndarray | pd.Series) -> str:
    """Student's 95 % interval of a mean, no further than percentages go; "" of fewer than two."""
    if len(percent) < 2:
        return ""
    low, high = np.clip(t_interval(percent), 0, 100)
    return f"{low:.1f}\u00a0…\u00a0{high:.1f}"


class Lead(NamedTuple):
    """By how much one leads another: mean over folds in points, and its 95 % interval."""

    points: float
    low: float
    high: float
    folds: int

    @property
    def interval(self) -> str:
        return f"{self.low:+.1f}\u00a0…\u00a0{self.high:+.1f}"


def lead(better: Score, worse: Score) -> Lead:
    """By how much the first of two scores on the same folds leads."""
    points = over_folds(better) - over_folds(worse)
    return Lead(points.mean(), *t_interval(points), len(points))


def leads_in_rank(scores: Mapping[str, Score]) -> Iterator[tuple[str, str, Lead]]:
    """Of neighbours in rank, the best first: the better, the worse, and by how much it leads."""
    order = sorted(scores, key=lambda name: -over_folds(scores[name]).mean())
    for better, worse in pairwise(order):
        yield better, worse, lead(scores[better], scores[worse])
