"""Which law: by rows that the fit has not seen, and in how many resamples it is the best.

Shapes: B fits at once, G runs, N rows.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dasheng_lib.scaling.curves import Curves, fit_weighted
from dasheng_lib.scaling.descend import huber, log_residuals
from dasheng_lib.scaling.fit import Array, Fit


def robust_delta(y_N: Array, f_N: Array) -> float:
    """1.345 robust deviations of the residuals: Huber's choice, 95 % efficient under Gauss.

    Forms are compared at this delta. At Chinchilla's 0.001 curves are medians; those of two forms
    that both fit jump about by more than they lie apart, and their difference in error looks far
    surer than it is: 7 of 25 simulated sweeps with 12 % noise then prefer a wrong form, here none.
    """
    r_N = np.abs(log_residuals(y_N, f_N))
    return float(max(1.345 * 1.4826 * np.median(r_N), Fit.delta))


def errors(curves: Curves, x_N: Array, y: Array, delta: float) -> Array:
    """How wrong predictions are, ``[B, N]``: Huber's loss in units of delta.

    That is about ``|r|`` far beyond delta, and ``r^2 / (2 delta)`` within; for an infinite delta
    it is ``r^2``.

    A prediction below a tenth of the smallest quality counts as that tenth, so that a law that
    falls below 0 is wrong by a finite amount.
    """
    r_BN = log_residuals(y, curves.predict(x_N), floor=0.1 * float(np.min(y)))
    return r_BN**2 if delta == np.inf else huber(r_BN, delta) / delta


def run_errors(around: Curves, x_N: Array, y_N: Array, code_N: np.ndarray, delta: float) -> Array:
    """Mean error at each run's rows of the fit to all other runs, ``[G]``.

    Args:
        around: the law fitted to all rows, where the search begins.
        code_N: number of each row's run.
    """
    held_GN = code_N == np.arange(code_N.max() + 1)[:, None]
    curves = fit_weighted(around, x_N, y_N, (~held_GN).astype(float), delta)
    return np.nanmean(np.where(held_GN, errors(curves, x_N, y_N, delta), np.nan), axis=1)


def wins(
    curves: Mapping[str, Curves], x_N: Array, y: Array, drawn_BN: Array, delta: float
) -> dict[str, float]:
    """How often each law is the best, over resamples of runs, on the runs that were not drawn.

    Args:
        curves: each law fitted to each resample.
        y: ``[N]`` or ``[B, N]``.
        drawn_BN: how often each row was drawn.
    """
    out_BN = drawn_BN == 0
    some = out_BN.any(1)
    means = [
        np.nanmean(np.where(out_BN, errors(c, x_N, y, delta), np.nan)[some], axis=1)
        for c in curves.values()
    ]
    best = np.argmin(means, axis=0)
    return {name: float(np.mean(best == i)) for i, name in enumerate(curves)}
