"""Which systems lie apart on several tasks, and which do not: ranks, and averages of unlike scores.

Friedman's test and Nemenyi's critical difference as in Demšar, Statistical Comparisons of
Classifiers over Multiple Data Sets, JMLR 7, 2006. Scores are tables of tasks by systems; more is
better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from dasheng_lib.common.arrays import numbers


@dataclass(frozen=True)
class Friedman:
    """Are all systems alike: the statistic of Iman and Davenport, and how probable it then is.

    Attributes:
        chi2: Friedman's own statistic, without a correction for ties.
        f: Iman and Davenport's, which is less conservative; infinite if all tasks rank alike.
        p: of ``f``.
    """

    chi2: float
    f: float
    p: float


def average_ranks(scores: pd.DataFrame) -> pd.Series:
    """Mean over tasks of each system's rank, 1 for the best, the best first; ties share a rank.

    Raises:
        ValueError: a score is missing, or there are fewer than two tasks or systems.
    """
    scores = _numbers(scores)
    if scores.isna().any(axis=None) or min(scores.shape) < 2:
        raise ValueError("ranks take two tasks and two systems at least, and every score of both")
    return scores.rank(axis=1, ascending=False).mean().sort_values(kind="stable")


def friedman(ranks: pd.Series, tasks: int) -> Friedman:
    """The test that none of the systems is better than another.

    Args:
        ranks: of :func:`average_ranks`.
        tasks: over how many they are means.
    """
    k = len(ranks)
    chi2 = 12 * tasks / (k * (k + 1)) * float((ranks**2).sum() - k * (k + 1) ** 2 / 4)
    left = tasks * (k - 1) - chi2
    f = (tasks - 1) * chi2 / left if left > 1e-9 else float("inf")
    return Friedman(chi2, f, float(stats.f.sf(f, k - 1, (k - 1) * (tasks - 1))))


def critical_difference(systems: int, tasks: int, level: float = 0.05) -> float:
    """Nemenyi's: two of ``systems`` lie apart if their average ranks differ by more.

    With chance ``level`` at most, any two do by accident.
    """
    q = stats.studentized_range.ppf(1 - level, systems, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(systems * (systems + 1) / (6 * tasks)))


def not_apart(ranks: pd.Series, difference: float) -> list[list[str]]:
    """The largest groups in which no two lie apart, two systems or more each, the best first.

    Args:
        ranks: of :func:`average_ranks`.
        difference: of :func:`critical_difference`.
    """
    groups: list[list[str]] = []
    for rank in ranks:
        group = list(ranks.index[(ranks >= rank) & (ranks <= rank + difference)])
        if len(group) > 1 and not (groups and set(group) <= set(groups[-1])):
            groups.append(group)
    return groups


def mean_z(scores: pd.DataFrame, clamp: float = 1.0) -> pd.Series:
    """Mean over tasks of each system's z-score, as on the overall view of HEAR's leaderboard.

    Each task has mean 0 and deviation 1 over the systems that have a score; z-scores are clamped
    to ± ``clamp``, so that no task counts for more than it separates. Missing scores are left out
    (the leaderboard guesses them).
    """
    scores = _numbers(scores)
    z = (scores.sub(scores.mean(axis=1), axis=0)).div(scores.std(axis=1, ddof=0), axis=0)
    return z.clip(-clamp, clamp).mean()


def mean_min_max(scores: pd.DataFrame) -> pd.Series:
    """Mean over tasks, each stretched from 0 for its worst system to 1 for its best."""
    scores = _numbers(scores)
    low, high = scores.min(axis=1), scores.max(axis=1)
    return scores.sub(low, axis=0).div(high - low, axis=0).mean()


def _numbers(scores: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(numbers(scores, "scores", 2).astype(float), scores.index, scores.columns)
