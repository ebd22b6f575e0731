"""Which law: by AICc, by rows that the fit has not seen, and as often as chance lets us know.

Shapes: B fits at once, G runs, N rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from dasheng_lib.common.errors import UserError
from dasheng_lib.scaling.descend import Scale, huber, residuals
from dasheng_lib.scaling.fit import DELTA, Fits, fit_form, fit_weighted
from dasheng_lib.scaling.forms import FORMS, POWER, Array, Form
from dasheng_lib.scaling.rows import in_arms


def aicc(loss_B: Array, rows: int, parameters: int, delta: float = DELTA) -> Array:
    """Akaike's criterion, corrected for few rows, of fits by Huber's loss; less is better.

    The errors' density is ``exp(-huber(r) / tau)``, Gauss in the middle and Laplace beyond
    ``delta``, with the likeliest ``tau``, which counts as a parameter. For ``delta`` infinite it
    is the usual ``n log(rss / n) + ...`` with its constants. Rows count as independent, so hand
    in one a run. Values compare only at one scale and one delta.

    Args:
        loss_B: summed losses.
        parameters: of the law.

    Returns:
        [B]; infinite where there are too few rows.
    """
    loss_B = np.atleast_1d(loss_B)
    k = parameters + 1
    if rows <= k + 1:
        return np.full(len(loss_B), np.inf)
    if delta == np.inf:
        deviance = rows * (np.log(2 * np.pi * np.maximum(2 * loss_B / rows, 1e-300)) + 1)
    else:
        deviance = np.array([_deviance(loss, rows, delta) for loss in loss_B])
    return deviance + 2 * k + 2 * k * (k + 1) / (rows - k - 1)


def _deviance(loss: float, rows: int, delta: float) -> float:
    """Twice the negative log likelihood of a summed loss at its likeliest ``tau``."""

    def at(log_tau: float) -> float:
        tau = np.exp(log_tau)
        edge = delta / np.sqrt(2 * tau)
        middle = 0.5 * np.log(2 * np.pi * tau) + np.log(special.erf(edge))
        tails = np.log(2 * tau / delta) - edge**2
        return 2 * loss / tau + 2 * rows * np.logaddexp(middle, tails)

    # A Gauss of that loss has tau = 2 loss / n, a Laplace loss / n: look well around both.
    centre = np.log(max(loss / rows, 1e-300))
    return float(
        optimize.minimize_scalar(at, bounds=(centre - 3, centre + 5), method="bounded").fun
    )


def robust_delta(y_N: Array, f_N: Array, scale: Scale) -> float:
    """1.345 robust deviations of the residuals: Huber's choice, 95 % efficient under Gauss.

    Forms are compared at this delta. At Chinchilla's 0.001 curves are medians; those of two forms
    that both fit jump about by more than they lie apart, and their difference in error looks far
    surer than it is: 7 of 25 simulated sweeps with 12 % noise then prefer a wrong form, here none.
    """
    r_N = np.abs(residuals(y_N, f_N, scale))
    return float(max(1.345 * 1.4826 * np.median(r_N), DELTA))


def errors(fits: Fits, x_N: Array, y: Array, *, scale: Scale, delta: float) -> Array:
    """How wrong predictions are, ``[B, N]``: Huber's loss in units of delta.

    That is about ``|r|`` far beyond delta, and ``r^2 / (2 delta)`` within; for an infinite delta
    it is ``r^2``.

    A prediction below a tenth of the smallest quality counts as that tenth, so that a law that
    falls below 0 is wrong by a finite amount.
    """
    r_BN = residuals(y, fits.predict(x_N), scale, floor=0.1 * float(np.min(y)))
    return r_BN**2 if delta == np.inf else huber(r_BN, delta) / delta


def held_out_errors(
    form: Form,
    x_N: Array,
    y_N: Array,
    held_GN: Array,
    *,
    scale: Scale = "log",
    delta: float = DELTA,
    around: Fits | None = None,
) -> Array:
    """Errors ``[G, N]`` at the held-out rows of fits to the others; NaN elsewhere.

    Args:
        held_GN: bool; a fit for each row of it.
    """
    kept_GN = (~held_GN).astype(float)
    fits = fit_weighted(form, x_N, y_N, kept_GN, scale=scale, delta=delta, around=around)
    return np.where(held_GN, errors(fits, x_N, y_N, scale=scale, delta=delta), np.nan)


def run_errors(
    form: Form, x_N: Array, y_N: Array, code_N: Array, runs: int, **how: object
) -> Array:
    """Mean error at each run's rows of the fit to all other runs, ``[G]``."""
    held_GN = code_N == np.arange(runs)[:, None]
    return np.nanmean(held_out_errors(form, x_N, y_N, held_GN, **how), axis=1)


def largest_held_out(table: pd.DataFrame, size: str = "params") -> Array:
    """bool [N]: the rows of the largest models.

    Raises:
        UserError: all are of one size.
    """
    largest = (table[size] == table[size].max()).to_numpy()
    if largest.all():
        raise UserError(f"All rows have one {size}: nothing larger can be held out.")
    return largest


def extrapolations(
    table: pd.DataFrame,
    x: str = "rankme",
    y: str = "quality",
    *,
    size: str | None = "params",
    factor: str | None = "factor",
    forms: Sequence[Form] = FORMS,
    scale: Scale = "log",
    delta: float | None = None,
) -> pd.DataFrame:
    """Mean held-out error of each law on the largest models, and on each arm, fitted to the rest.

    An arm is held out without the base runs, which are of every arm.

    Args:
        size: column whose largest value is held out, if any.
        factor: column of the arms, if any.
        delta: by default :func:`robust_delta` of a power law.

    Returns:
        A row a law, a column ``largest`` and one for each arm; and a first row ``rows`` with how
        many rows were held out.
    """
    splits: Mapping[str, Array] = {}
    if size:
        splits["largest"] = largest_held_out(table, size)
    if factor:
        splits |= {name: own.to_numpy() for name, own in in_arms(table, factor).items()}
    held_GN = np.stack(list(splits.values()))
    x_N, y_N = table[x].to_numpy(float), table[y].to_numpy(float)
    if delta is None:
        power = fit_form(POWER, x_N, y_N, scale=scale)
        delta = robust_delta(y_N, power.predict(x_N)[0], scale)
    found = {"rows": held_GN.sum(1)}
    for form in forms:
        wrong = held_out_errors(form, x_N, y_N, held_GN, scale=scale, delta=delta)
        found[form.name] = np.nanmean(wrong, axis=1)
    return pd.DataFrame(found, index=list(splits)).T


def wins(
    x_N: Array,
    y: Array,
    counts_BG: Array,
    code_N: Array,
    fits: Mapping[str, Fits],
    *,
    scale: Scale = "log",
    delta: float = DELTA,
) -> dict[str, float]:
    """How often each law is the best, over resamples of runs, on the runs that were not drawn.

    Args:
        y: ``[N]`` or ``[B, N]``.
        counts_BG: how often each run was drawn.
        fits: each law fitted to each resample.
    """
    out_BN = counts_BG[:, code_N] == 0
    some = out_BN.any(1)
    means = [
        np.nanmean(
            np.where(out_BN, errors(f, x_N, y, scale=scale, delta=delta), np.nan)[some], axis=1
        )
        for f in fits.values()
    ]
    best = np.argmin(means, axis=0)
    return {name: float(np.mean(best == i)) for i, name in enumerate(fits)}


def chance_of_choosing(truth: Fits, rival: Form, x_N: Array, sd: float) -> float:
    """How often the smaller sum of squares is the true law's, whatever the data: ``phi(d / 2)``.

    ``d`` is how far the closest curve of the rival stays from the true one, in deviations of the
    noise: ``sqrt(sum of squares) / sd``. It is what the best possible test of the one against the
    other achieves at equal risks, and least squares reach it if both have as many parameters.

    Args:
        truth: one fit (B = 1) whose curve is taken for the truth.
        sd: of Gaussian noise of the quality itself (scale "raw").
    """
    y_N = truth.predict(x_N)[0]
    apart = fit_form(rival, x_N, y_N, scale="raw", delta=np.inf)
    return float(stats.norm.cdf(np.sqrt(2 * apart.loss_B[0]) / sd / 2))
