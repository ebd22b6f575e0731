"""Intervals from resampled runs, and from resampled tasks.

Checkpoints of a run share its luck, so runs are drawn, each with all its rows. Plain percentiles
of such draws are too narrow where runs are few, for two reasons: the spread of resampled values
is too small, by ``sqrt((G - p) / G)`` for G runs and p parameters fitted to them, and it is read
off with the normal curve's quantiles where Student's are due. At 15 runs 90 of 100 intervals of
95 % then hold the truth. BCa mends bias and skew and has both faults; the expanded percentile
(Hesterberg, The American Statistician 69, 2015, section 5.2) reads the same draws further out,
and is what is used here. Of fewer than twelve runs it says next to nothing: for a slope of few
settings see :mod:`dasheng_lib.scaling.slope`.

Shapes: B draws, G runs, N rows, T columns of task scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from dasheng_lib.scaling.forms import Array


@dataclass(frozen=True)
class Estimate:
    """A value and the interval around it; the interval is NaN where the draws do not give one."""

    value: float
    low: float
    high: float

    @property
    def above(self) -> bool:
        """The whole interval is above 0."""
        return self.low > 0

    @property
    def below(self) -> bool:
        """The whole interval is below 0."""
        return self.high < 0

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


def draw_runs(runs: int, draws: int, rng: np.random.Generator) -> Array:
    """How often each run is in each of the resamples, ``[B, G]``."""
    return rng.multinomial(runs, np.full(runs, 1 / runs), draws).astype(float)


def interval(
    value: float,
    draws_B: Array,
    runs: int,
    *,
    spent: int = 1,
    level: float = 0.95,
) -> Estimate:
    """The interval of a value from its bootstrap draws.

    Args:
        value: from all rows.
        draws_B: the same from each resample; draws that are not finite are left out.
        runs: what was resampled, G.
        spent: parameters that were fitted, p.
        level: share of such intervals that should hold the truth.

    Returns:
        An interval of NaN if fewer than half of the draws are finite, or G <= p.
    """
    draws = np.asarray(draws_B, float)
    finite = draws[np.isfinite(draws)]
    if len(finite) < max(2, len(draws) / 2) or runs <= spent:
        return Estimate(float(value), np.nan, np.nan)
    free = runs - spent
    tails = stats.t.ppf([(1 - level) / 2, (1 + level) / 2], free)
    tails = stats.norm.cdf(np.sqrt(runs / free) * tails)
    low, high = np.quantile(finite, tails)
    return Estimate(float(value), float(low), float(high))


def quality(table: pd.DataFrame, domains: Mapping[str, str], weights: Array | None = None) -> Array:
    """Quality from its tasks: the mean over domains of the mean over their tasks, ``[N]``.

    Args:
        table: has a column of scores for each key of ``domains``, such as ``linear:fsdd``.
        domains: of each column, such as speech.
        weights: ``[B, T]`` of :func:`draw_tasks` instead, for ``[B, N]``.
    """
    scores_NT = table[list(domains)].to_numpy(float)
    if weights is None:
        weights = draw_tasks(domains, None, None)[0]
    return weights @ scores_NT.T


def draw_tasks(
    domains: Mapping[str, str], draws: int | None, rng: np.random.Generator | None
) -> Array:
    """Weights of the columns of tasks, ``[B, T]``, tasks drawn anew within their domains.

    One fewer is drawn than there are, which makes the variance of a mean of few tasks come out
    right (Rao and Wu, JASA 83, 1988). Columns of one task (``linear:fsdd``, ``knn:fsdd``) stay
    together. A domain of one task always keeps it, so that nothing is learned about its choice.

    Args:
        domains: of each column.
        draws: B; None for the plain mean, B = 1.
    """
    columns = pd.DataFrame({"column": list(domains), "domain": list(domains.values())})
    columns["task"] = columns["column"].str.split(":", n=1).str[-1]
    weights_BT = np.zeros((draws or 1, len(columns)))
    for _, rows in columns.groupby("domain"):
        code, tasks = pd.factorize(rows["task"])
        k = len(tasks)
        if draws is None or k == 1:
            counts_BK = np.ones((len(weights_BT), k))
        else:
            counts_BK = rng.multinomial(k - 1, np.full(k, 1 / k), draws).astype(float)
        share_BT = counts_BK[:, code] / np.bincount(code)[code]
        weights_BT[:, rows.index] = share_BT / share_BT.sum(1, keepdims=True)
    return weights_BT / columns["domain"].nunique()
