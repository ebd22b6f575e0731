"""Correlations of a sweep, pooled and within each arm, with two intervals each.

Shapes: B weightings, N rows, G runs.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from dasheng_lib.scaling import bootstrap
from dasheng_lib.scaling.forms import Array
from dasheng_lib.scaling.rows import arms, codes, usable

Kind = Literal["pearson", "spearman", "kendall"]


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


def correlation(x_N: Array, y_N: Array, w_BN: Array, kind: Kind = "spearman") -> Array:
    """A correlation under each weighting of the rows, ``[B]``; NaN where one of them is constant.

    Kendall's is tau-b; a row drawn twice makes no pair with itself.
    """
    if kind == "kendall":
        x_NN = np.sign(x_N[:, None] - x_N)
        y_NN = np.sign(y_N[:, None] - y_N)
        both, in_x, in_y = (
            np.einsum("bn,bn->b", w_BN @ sign_NN, w_BN)
            for sign_NN in (x_NN * y_NN, np.abs(x_NN), np.abs(y_NN))
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            return both / np.sqrt(in_x * in_y)
    if kind == "spearman":
        return pearson(midranks(x_N, w_BN), midranks(y_N, w_BN), w_BN)
    return pearson(x_N[None], y_N[None], w_BN)


def pearson(x_BN: Array, y_BN: Array, w_BN: Array) -> Array:
    """Pearson's r under each weighting, ``[B]``."""
    w_BN = w_BN / w_BN.sum(1, keepdims=True)
    floors = [1e-24 * (w_BN * v**2).sum(1) for v in (x_BN, y_BN)]  # below it is rounding
    x_BN, y_BN = (v - (w_BN * v).sum(1, keepdims=True) for v in (x_BN, y_BN))
    xy, xx, yy = ((w_BN * p).sum(1) for p in (x_BN * y_BN, x_BN**2, y_BN**2))
    varies = (xx > floors[0]) & (yy > floors[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(varies, np.clip(xy / np.sqrt(xx * yy), -1, 1), np.nan)


def fisher_interval(
    r: float, n: int, kind: Kind = "pearson", level: float = 0.95
) -> tuple[float, float]:
    """The interval of a correlation of ``n`` independent pairs by Fisher's z.

    The variance of z is ``1 / (n - 3)`` for Pearson's, ``(1 + r^2 / 2) / (n - 3)`` for Spearman's
    (Bonett and Wright 2000), ``0.437 / (n - 4)`` for Kendall's (Fieller et al. 1957). NaN for
    fewer than five pairs.
    """
    if n < 5 or not np.isfinite(r):
        return np.nan, np.nan
    variance = {
        "pearson": 1 / (n - 3),
        "spearman": (1 + r**2 / 2) / (n - 3),
        "kendall": 0.437 / (n - 4),
    }[kind]
    z = np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
    reach = stats.norm.ppf((1 + level) / 2) * np.sqrt(variance)
    return float(np.tanh(z - reach)), float(np.tanh(z + reach))


def correlate(
    table: pd.DataFrame,
    x: str = "rankme",
    y: str = "quality",
    *,
    kinds: tuple[Kind, ...] = ("pearson", "spearman", "kendall"),
    cluster: str = "run",
    factor: str | None = "factor",
    log: bool = True,
    least: int = 5,
    draws: int = 4000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlations pooled and within each arm, the base runs with every arm.

    Args:
        log: Pearson's of the logs; ranks do not care.
        least: runs that an arm must have.

    Returns:
        Rows ``arm, kind, r, low, high, fisher_low, fisher_high, runs, rows``; the first arm is
        ``pooled``. ``low, high`` come from resampled runs; Fisher's interval counts each run
        once, however many rows it has, and so is wide where checkpoints add anything.

    Raises:
        UserError: a column is absent, or nothing is left of it.
    """
    table = usable(table, [x, y], positive=log)
    parts = {"pooled": table}
    if factor and factor in table:
        parts |= arms(table, factor, cluster, least)
    found = []
    for place, (arm, rows) in enumerate(parts.items()):
        x_N, y_N = rows[x].to_numpy(float), rows[y].to_numpy(float)
        if log:
            x_N, y_N = np.log(x_N), np.log(y_N)
        code_N, runs = codes(rows[cluster])
        rng = np.random.default_rng((seed, place))
        w_BN = bootstrap.draw_runs(runs, draws, rng)[:, code_N]
        for kind in kinds:
            r = float(correlation(x_N, y_N, np.ones((1, len(rows))), kind)[0])
            drawn_B = correlation(x_N, y_N, w_BN, kind)
            around = bootstrap.interval(r, drawn_B, runs, spent=2, level=level)
            fisher = fisher_interval(r, runs, kind, level)
            found.append((arm, kind, r, around.low, around.high, *fisher, runs, len(rows)))
    columns = ["arm", "kind", "r", "low", "high", "fisher_low", "fisher_high", "runs", "rows"]
    return pd.DataFrame(found, columns=columns)
