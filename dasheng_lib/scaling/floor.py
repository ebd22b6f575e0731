"""How much a number changes when only the seed does, and so which differences mean anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from dasheng_lib.common.errors import UserError
from dasheng_lib.scaling.rows import usable

# What makes two runs the same but for their seed: in the table of a sweep the first says it all.
SETTINGS = ("setting", "family", "params", "width", "depth", "mask_ratio", "data_hours")
SETTINGS += ("clip_seconds", "batch", "lr", "steps", "step")


@dataclass(frozen=True)
class Floor:
    """The retrain floor of one column.

    Attributes:
        column: of the table; on logs if ``log``.
        sd, sd_low, sd_high: deviation between seeds within a setting, pooled over settings, with
            its interval by chi squared; of the log, about a relative deviation.
        ratio: largest over smallest of the seeds, in the setting where that is largest.
        smallest: two single runs differ by chance by less, with the chance ``level``; on logs
            it is given as a ratio, above 1.
        share: of the sum of squares that lies between settings, eta squared.
        expected: what that share is on average if settings do nothing.
        f, p: of the one-way analysis of variance, settings against seeds.
        settings, runs: with two seeds or more.
        degrees: of freedom, between and within.
    """

    column: str
    log: bool
    sd: float
    sd_low: float
    sd_high: float
    ratio: float
    smallest: float
    share: float
    expected: float
    f: float
    p: float
    settings: int
    runs: int
    degrees: tuple[int, int]

    def smallest_of_means(self, seeds: int) -> float:
        """``smallest`` for the difference of two means over so many seeds each."""
        shrink = 1 / np.sqrt(seeds)
        return self.smallest**shrink if self.log else self.smallest * shrink


def retrain_floor(
    table: pd.DataFrame,
    column: str = "rankme",
    *,
    settings: Sequence[str] = SETTINGS,
    log: bool = True,
    level: float = 0.95,
) -> Floor:
    """The floor under a column, from runs that differ in nothing but ``seed``.

    Hand in one row a run, see :func:`dasheng_lib.scaling.rows.last_checkpoints`. It is the floor
    at those settings that have seeds; elsewhere it may be another.

    Args:
        settings: columns that make a setting, as far as the table has them.
        log: of ratios (right for a rank), or of differences.

    Raises:
        UserError: no setting has two seeds.
    """
    table = usable(table, [column], positive=log)
    settings = [name for name in settings if name in table]
    values = np.log(table[column]) if log else table[column].astype(float)
    groups = values.groupby([table[name] for name in settings], dropna=False)
    groups = [g.to_numpy() for _, g in groups if len(g) > 1]
    if not groups:
        raise UserError("No setting was trained with two seeds: add some, `seed: [1, 2]`.")
    between, within, f, p = analysis_of_variance(groups)
    degrees = len(groups) - 1, sum(len(g) - 1 for g in groups)
    sd = np.sqrt(within / degrees[1])
    low, high = (
        sd * np.sqrt(degrees[1] / stats.chi2.ppf(q, degrees[1]))
        for q in ((1 + level) / 2, (1 - level) / 2)
    )
    smallest = stats.t.ppf((1 + level) / 2, degrees[1]) * sd * np.sqrt(2)
    widest = max(np.ptp(g) for g in groups) if log else max(g.max() / g.min() for g in groups)
    return Floor(
        column=column,
        log=log,
        sd=float(sd),
        sd_low=float(low),
        sd_high=float(high),
        ratio=float(np.exp(widest)) if log else float(widest),
        smallest=float(np.exp(smallest)) if log else float(smallest),
        share=between / (between + within) if between + within else float("nan"),
        expected=degrees[0] / sum(degrees),
        f=f,
        p=p,
        settings=len(groups),
        runs=sum(len(g) for g in groups),
        degrees=degrees,
    )


def analysis_of_variance(groups: Sequence[np.ndarray]) -> tuple[float, float, float, float]:
    """Sums of squares between and within groups, F, and how probable it is by chance.

    NaN for F and p of one group alone.
    """
    everything = np.concatenate(groups)
    between = float(sum(len(g) * (g.mean() - everything.mean()) ** 2 for g in groups))
    within = float(sum(((g - g.mean()) ** 2).sum() for g in groups))
    above, below = len(groups) - 1, len(everything) - len(groups)
    if not above or not below:
        return between, within, float("nan"), float("nan")
    f = (between / above) / (within / below) if within else float("inf")
    return between, within, f, float(stats.f.sf(f, above, below))
