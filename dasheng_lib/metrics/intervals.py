"""Intervals for shares and means."""

from __future__ import annotations

import numpy as np
from scipy import stats

from dasheng_lib.common.arrays import column, labels


def wilson_interval(correct: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a share, both in [0, 1] (Wilson 1927).

    Raises:
        ValueError: n is below 1 or correct is not in [0, n].
    """
    if n < 1 or not 0 <= correct <= n:
        raise ValueError(f"{correct} of {n} is no share")
    z = stats.norm.ppf((1 + level) / 2)
    centre = (correct + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * np.sqrt(correct * (n - correct) / n + z * z / 4)
    return float(max(centre - half, 0.0)), float(min(centre + half, 1.0))


def t_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Student's interval of the mean of a few independent values, such as one for each seed.

    Raises:
        ValueError: fewer than two values.
    """
    values = column(values, "values").astype(float)
    if len(values) < 2:
        raise ValueError("an interval over seeds needs at least two seeds")
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * stats.sem(values)
    return float(values.mean() - half), float(values.mean() + half)


def paired_bootstrap(
    a: np.ndarray,
    b: np.ndarray,
    groups: np.ndarray | None = None,
    level: float = 0.95,
    rounds: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Interval of mean(a - b) over the same items, drawn again with replacement.

    Args:
        a, b: scores of two systems on the same items, such as right (1) or wrong (0).
        groups: what each item belongs to; whole groups are drawn, since clips of one talker are
            not independent.

    Raises:
        ValueError: lengths differ or are 0.
    """
    a_N, b_N = column(a, "scores").astype(float), column(b, "scores").astype(float)
    if len(a_N) == 0 or len(a_N) != len(b_N):
        raise ValueError("paired scores have the same length, at least 1")
    difference = a_N - b_N
    groups = np.arange(len(a_N)) if groups is None else labels(groups, "groups", len(a_N))
    _, codes = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(codes, difference), np.bincount(codes)
    draws = np.random.default_rng(seed).integers(len(sums), size=(rounds, len(sums)))
    means = sums[draws].sum(1) / counts[draws].sum(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
