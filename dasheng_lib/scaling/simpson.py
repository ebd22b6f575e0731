"""Simpson's paradox: does what holds for all runs together hold within the arms?

Slopes are of least squares on logs, so exponents. The pooled slope mixes two that need not
agree: the common slope within the arms and the one between the arms' means.

Shapes: B draws, F arms, N rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from dasheng_lib.scaling.fit import FIT, Array, Estimate, Fit
from dasheng_lib.scaling.rows import arms, usable


class Simpson(NamedTuple):
    """Slopes of log y over log x, together and apart, with intervals from resampled runs.

    Attributes:
        pooled: of all rows.
        within: the common slope within the arms.
        between: of the arms' means, each counted as often as it has rows.
        arms: of each arm.
    """

    pooled: Estimate
    within: Estimate
    between: Estimate
    arms: dict[str, Estimate]


def simpson(table: pd.DataFrame, x: str = "rankme", y: str = "quality", fit: Fit = FIT) -> Simpson:
    """Slopes of all runs, within the arms and between them.

    Raises:
        UserError: a column is absent, or nothing is left of it.
        ValueError: fewer than two arms.
    """
    table = usable(table, [x, y])
    x_N, y_N = (np.log(table[column].to_numpy(float)) for column in (x, y))
    parts = arms(table)
    if len(parts) < 2:
        raise ValueError("Simpson's paradox takes two arms of 5 runs or more")
    counts_BG, code_N = fit.resample(table["run"])
    w_BN, runs = counts_BG[:, code_N], counts_BG.shape[1]

    sums_BF5 = np.stack([_sums(x_N, y_N, w_BN, rows.index) for rows in parts.values()], axis=1)
    n, sx, sy, sxx, sxy = np.moveaxis(sums_BF5, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        cross, spread = sxy - sx * sy / n, sxx - sx**2 / n
        within_B = np.nansum(cross, 1) / np.nansum(spread, 1)
        alone_BF = np.where(spread > 1e-12 * sxx, cross / spread, np.nan)
        # The sums, had every row of an arm lain at the arm's mean.
        at_means = (n, sx, sy, sx**2 / n, sx * sy / n)
    between_B5 = np.stack([np.nansum(part, axis=1) for part in at_means], axis=-1)
    pooled_B = _slope(_sums(x_N, y_N, w_BN, table.index))
    sizes = [rows["run"].nunique() for rows in parts.values()]
    each = zip(parts, alone_BF.T, sizes, strict=True)
    return Simpson(
        pooled=fit.estimate(pooled_B, runs, spent=2),
        within=fit.estimate(within_B, runs, spent=len(parts) + 1),
        between=fit.estimate(_slope(between_B5), runs, spent=len(parts) + 1),
        arms={arm: fit.estimate(alone_B, size, spent=2) for arm, alone_B, size in each},
    )


def _sums(x_N: Array, y_N: Array, w_BN: Array, rows: pd.Index) -> Array:
    """Weighted sums of 1, x, y, x^2 and xy over some rows, ``[B, 5]``."""
    x, y = x_N[rows], y_N[rows]
    return w_BN[:, rows] @ np.stack([np.ones_like(x), x, y, x * x, x * y], axis=1)


def _slope(sums_B5: Array) -> Array:
    n, sx, sy, sxx, sxy = sums_B5.T
    return (sxy - sx * sy / n) / (sxx - sx**2 / n)
