"""The forms side by side, fitted to the same rows and tried on rows that they have not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dasheng_lib.scaling import bootstrap, compare
from dasheng_lib.scaling.bootstrap import Estimate
from dasheng_lib.scaling.descend import Scale, residuals
from dasheng_lib.scaling.fit import Fits, fit_weighted
from dasheng_lib.scaling.forms import POWER, Array, Form

RIVAL_DRAWS = 1000  # resamples in which all forms compete


@dataclass(frozen=True, eq=False)
class Rival:
    """One form fitted to all rows, and how it did against the power law.

    Attributes:
        form, parameters: the law and its numbers; ``form.predict(parameters, x)`` is its curve.
        r2: share of the variance explained in the sample, on the scale of the fit.
        aicc: less is better; only where each run has one row, NaN otherwise.
        held_out: mean over runs of the error at a run that the fit did not see, see
            :func:`dasheng_lib.scaling.compare.errors`.
        worse_than_power: ``held_out`` less the power law's, per run; above 0: the power law wins.
        wins: share of resamples of runs in which it errs least on the runs not drawn.
    """

    form: Form
    parameters: dict[str, float]
    r2: float
    aicc: float
    held_out: float
    worse_than_power: Estimate
    wins: float


def rivals(
    best: Mapping[str, Fits],
    x_N: Array,
    y_N: Array,
    y_draws: Array,
    counts_BG: Array,
    code_N: Array,
    *,
    level: float,
    scale: Scale,
    delta: float,
    compare_delta: float,
) -> tuple[Rival, ...]:
    """Every form beside the power law, which comes first.

    Parameters, R^2 and AICc are of fits at ``delta``, what is held out is judged at
    ``compare_delta``.

    Args:
        best: each form fitted to all rows, by name; the power law among them.
        y_draws: quality for each resample, ``[B, N]``, or ``y_N`` if it is the same in all.
        counts_BG: how often each run was drawn.
        code_N: number of each row's run.
    """
    how = {"scale": scale, "delta": compare_delta}
    few_BG = counts_BG[:RIVAL_DRAWS]
    few_y = y_draws[:RIVAL_DRAWS] if y_draws.ndim == 2 else y_draws
    runs = counts_BG.shape[1]
    resampled, wrong_G = {}, {}
    for name, fits in best.items():
        near = {"around": fits, **how}
        resampled[name] = fit_weighted(fits.form, x_N, few_y, few_BG[:, code_N], **near)
        wrong_G[name] = compare.run_errors(fits.form, x_N, y_N, code_N, runs, **near)
    wins = compare.wins(x_N, few_y, few_BG, code_N, resampled, **how)
    # Rows of one run are not independent, and AICc would count them as if they were.
    one_each = runs == len(x_N)
    found = []
    for name, fits in best.items():
        worse_G = wrong_G[name] - wrong_G["power"]
        drawn_B = counts_BG @ worse_G / runs
        names = fits.form.parameters
        rival = Rival(
            form=fits.form,
            parameters=dict(zip(names, fits.parameters_BP[0].tolist(), strict=True)),
            r2=_r2(y_N, fits.predict(x_N)[0], scale),
            aicc=_aicc(fits, len(x_N), delta) if one_each else float("nan"),
            held_out=float(wrong_G[name].mean()),
            worse_than_power=bootstrap.interval(worse_G.mean(), drawn_B, runs, level=level),
            wins=wins[name],
        )
        found.append(rival)
    return tuple(sorted(found, key=lambda rival: rival.form is not POWER))


def _r2(y_N: Array, f_N: Array, scale: Scale) -> float:
    seen_N = np.log(y_N) if scale == "log" else y_N
    unexplained = (residuals(y_N, f_N, scale) ** 2).sum()
    return float(1 - unexplained / ((seen_N - seen_N.mean()) ** 2).sum())


def _aicc(fits: Fits, rows: int, delta: float) -> float:
    return float(compare.aicc(fits.loss_B, rows, len(fits.form.parameters), delta)[0])
