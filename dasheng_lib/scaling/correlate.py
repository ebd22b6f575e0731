"""Spearman's correlation of a sweep, pooled and within each arm, with two intervals each.

Shapes: B weightings, N rows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from dasheng_lib.scaling.fit import FIT, Array, Fit
from dasheng_lib.scaling.rows import arms, usable


def midranks(values_N: Array, w_BN: Array) -> Array:
    """Ranks of each value among all, each counted as often as its weight says: ``[B, N]``.

    From 1; equal values share the mean of their ranks. A row of weight 0 is ranked as it would be
    if it came in.
    """
    _, place_N = np.unique(values_N, return_inverse=True)
    totals_BU = np.zeros((len(w_BN), place_N.max() + 1))
    np.add.at(totals_BU.T, place_N, w_BN.T)
    ranks_BU = np.cumsum(totals_BU, axis=1) - totals_BU / 2 + 0.5
    return ranks_BU[:, place_N]


def spearman(x_N: Array, y_N: Array, w_BN: Array) -> Array:
    """The correlation under each weighting of the rows, ``[B]``; NaN where one is constant."""
    return pearson(midranks(x_N, w_BN), midranks(y_N, w_BN), w_BN)


def pearson(x_BN: Array, y_BN: Array, w_BN: Array) -> Array:
    """Pearson's r under each weighting, ``[B]``."""
    w_BN = w_BN / w_BN.sum(1, keepdims=True)
    floors = [1e-24 * (w_BN * v**2).sum(1) for v in (x_BN, y_BN)]  # below it is rounding
    x_BN, y_BN = (v - (w_BN * v).sum(1, keepdims=True) for v in (x_BN, y_BN))
    xy, xx, yy = ((w_BN * p).sum(1) for p in (x_BN * y_BN, x_BN**2, y_BN**2))
    varies = (xx > floors[0]) & (yy > floors[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(varies, np.clip(xy / np.sqrt(xx * yy), -1, 1), np.nan)


def fisher_interval(r: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """The interval of a rank correlation of ``n`` independent pairs by Fisher's z.

    The variance of z is ``(1 + r^2 / 2) / (n - 3)`` (Bonett and Wright 2000). NaN for fewer than
    five pairs.
    """
    if n < 5 or not np.isfinite(r):
        return np.nan, np.nan
    z = np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
    reach = stats.norm.ppf((1 + level) / 2) * np.sqrt((1 + r**2 / 2) / (n - 3))
    return float(np.tanh(z - reach)), float(np.tanh(z + reach))


def correlate(
    table: pd.DataFrame, x: str = "rankme", y: str = "quality", fit: Fit = FIT
) -> pd.DataFrame:
    """Spearman's correlation pooled and within each arm, the base runs with every arm.

    Returns:
        A row an arm, the first ``pooled``: ``r, low, high, fisher_low, fisher_high, runs``.
        ``low, high`` come from resampled runs; Fisher's interval counts each run once, however
        many rows it has, and so is wide where checkpoints add anything.

    Raises:
        UserError: a column is absent, or nothing is left of it.
    """
    table = usable(table, [x, y], positive=False)
    parts = {"pooled": table, **(arms(table) if "factor" in table else {})}
    found = {}
    for place, (arm, rows) in enumerate(parts.items()):
        counts_BG, code_N = replace(fit, seed=(fit.seed, place)).resample(rows["run"])
        r_B = spearman(rows[x].to_numpy(float), rows[y].to_numpy(float), counts_BG[:, code_N])
        runs = counts_BG.shape[1]
        around = fit.estimate(r_B, runs, spent=2)
        fisher = fisher_interval(around.value, runs, fit.level)
        found[arm] = (around.value, around.low, around.high, *fisher, runs)
    columns = ["r", "low", "high", "fisher_low", "fisher_high", "runs"]
    return pd.DataFrame.from_dict(found, orient="index", columns=columns)
