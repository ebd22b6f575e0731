"""Simpson's paradox: does what holds for all runs together hold within the arms?

Slopes are of least squares, on logs (exponents) or on ranks of all rows. The pooled slope mixes
two that need not agree: the common slope within the arms and the one between the arms' means.

Shapes: B draws, F arms, G runs, N rows, R rows when the base runs stand in every arm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from dasheng_lib.scaling import bootstrap
from dasheng_lib.scaling.bootstrap import Estimate
from dasheng_lib.scaling.forms import Array
from dasheng_lib.scaling.rows import arms, codes, usable

Of = Literal["logs", "ranks"]


@dataclass(frozen=True)
class Simpson:
    """Slopes of y over x, together and apart, with intervals from resampled runs.

    Attributes:
        pooled: of all rows.
        within: the common slope within the arms.
        between: of the arms' means, each counted as often as it has rows.
        difference: within less between; away from 0, the pooled slope is a mixture.
        arms: of each arm.
        apart: each arm's slope less the pooled one.
        word: ``"reversal"``: the interval of an arm's slope, or of the common one, lies on the
            other side of 0 than that of the pooled slope. ``"not shared"``: in some arm, or
            within all, the slope may be 0 and surely differs from the pooled one on the side
            of 0. ``"shared"``: the slopes of all arms lie on the pooled slope's side.
            ``"cannot tell"``: anything else.
        reasons: which arms.
    """

    pooled: Estimate
    within: Estimate
    between: Estimate
    difference: Estimate
    arms: dict[str, Estimate]
    apart: dict[str, Estimate]
    word: Literal["reversal", "not shared", "shared", "cannot tell"]
    reasons: tuple[str, ...]


def simpson(
    table: pd.DataFrame,
    x: str = "rankme",
    y: str = "quality",
    *,
    of: Of = "logs",
    cluster: str = "run",
    factor: str = "factor",
    least: int = 5,
    draws: int = 4000,
    level: float = 0.95,
    seed: int = 0,
) -> Simpson:
    """Test for Simpson's paradox.

    Args:
        of: slopes of log y over log x, or of ranks over ranks, which no collapsed run can bend.
        least: runs that an arm must have, the base runs among them.

    Raises:
        UserError: a column is absent, or nothing is left of it.
        ValueError: fewer than two arms.
    """
    table = usable(table, [x, y], positive=of == "logs")
    x_N, y_N = (_scaled(table[column].to_numpy(float), of) for column in (x, y))
    parts = arms(table, factor, cluster, least)
    if len(parts) < 2:
        raise ValueError(f"Simpson's paradox takes two arms of {least} runs or more")
    code_N, runs = codes(table[cluster])
    counts_BG = bootstrap.draw_runs(runs, draws, np.random.default_rng(seed))
    w_BN = np.concatenate([np.ones((1, len(table))), counts_BG[:, code_N]])

    sums_BF5 = np.stack([_sums(x_N, y_N, w_BN, rows.index) for rows in parts.values()], axis=1)
    n, sx, sy, sxx, sxy = np.moveaxis(sums_BF5, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        cross, spread = sxy - sx * sy / n, sxx - sx**2 / n
        slopes = {
            "within": np.nansum(cross, 1) / np.nansum(spread, 1),
            "between": _slope(_means(n, sx, sy)),
            "pooled": _slope(_sums(x_N, y_N, w_BN, table.index)),
        }
        alone = np.where(spread > 1e-12 * sxx, cross / spread, np.nan)
    slopes["difference"] = slopes["within"] - slopes["between"]

    def estimate(values_B: Array, units: int, spent: int) -> Estimate:
        return bootstrap.interval(values_B[0], values_B[1:], units, spent=spent, level=level)

    sizes = [rows[cluster].nunique() for rows in parts.values()]
    fitted = dict.fromkeys(slopes, len(parts) + 1) | {"pooled": 2}
    found = {name: estimate(v, runs, fitted[name]) for name, v in slopes.items()}
    each = {n: estimate(alone[:, i], sizes[i], 2) for i, n in enumerate(parts)}
    apart = {n: estimate(alone[:, i] - slopes["pooled"], sizes[i], 2) for i, n in enumerate(parts)}
    word, reasons = _word(found, each, apart)
    return Simpson(**found, arms=each, apart=apart, word=word, reasons=reasons)


def arm_slopes(
    table: pd.DataFrame, x: str, y: str, *, of: Of = "logs", cluster: str, factor: str, **how
) -> dict[str, Estimate]:
    """Slope of each arm; empty if there are fewer than two arms to look at."""
    usable_rows = usable(table, [x, y], positive=of == "logs")
    if len(arms(usable_rows, factor, cluster)) < 2:
        return {}
    return simpson(table, x, y, of=of, cluster=cluster, factor=factor, **how).arms


def _scaled(values_N: Array, of: Of) -> Array:
    return np.log(values_N) if of == "logs" else stats.rankdata(values_N)


def _sums(x_N: Array, y_N: Array, w_BN: Array, rows: pd.Index) -> Array:
    """Weighted sums of 1, x, y, x^2 and xy over some rows, ``[B, 5]``."""
    x, y = x_N[rows], y_N[rows]
    return w_BN[:, rows] @ np.stack([np.ones_like(x), x, y, x * x, x * y], axis=1)


def _means(n_BF: Array, sx_BF: Array, sy_BF: Array) -> Array:
    """The sums, had every row of an arm lain at the arm's mean."""
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = (n_BF, sx_BF, sy_BF, sx_BF**2 / n_BF, sx_BF * sy_BF / n_BF)
    return np.stack([np.nansum(part, axis=1) for part in parts], axis=-1)


def _slope(sums_B5: Array) -> Array:
    n, sx, sy, sxx, sxy = sums_B5.T
    return (sxy - sx * sy / n) / (sxx - sx**2 / n)


def _word(found, each, apart) -> tuple[str, tuple[str, ...]]:
    pooled = found["pooled"]
    side = np.sign(pooled.value)
    if not (pooled.above or pooled.below):
        return "cannot tell", (f"The pooled slope may be 0: {pooled}.",)

    def lies(e: Estimate, sign: float) -> bool:
        return e.above if sign > 0 else e.below

    gap = {"all arms": found["within"], **each}
    back = [n for n, e in gap.items() if lies(e, -side)]
    if back:
        return "reversal", tuple(f"In {n} the slope is {gap[n]}, pooled {pooled}." for n in back)
    lost = [n for n, e in each.items() if not lies(e, side) and lies(apart[n], -side)]
    if lost:
        return "not shared", tuple(f"In {n} the slope is {each[n]}, pooled {pooled}." for n in lost)
    if all(lies(e, side) for e in gap.values()):
        return "shared", (f"The slopes of all {len(each)} arms lie on one side of 0.",)
    unsure = [n for n, e in gap.items() if not lies(e, side)]
    return "cannot tell", tuple(f"In {n} the slope may be 0: {gap[n]}." for n in unsure)
