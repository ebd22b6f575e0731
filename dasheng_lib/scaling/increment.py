"""What rank adds to a law that knows size, data and compute, on runs that no law has seen.

All laws are products of powers, ``log y = c + sum of b_k log x_k``, by least squares.

Shapes: B draws, G runs, N rows, P columns of the design, the constant among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from dasheng_lib.scaling.fit import FIT, Array, Estimate, Fit
from dasheng_lib.scaling.rows import usable

LAW = ("params", "data_hours", "flops")


class Increment(NamedTuple):
    """Held-out R^2 of a law without and with another predictor.

    Attributes:
        without, with_extra: 1 less the squared error on held-out runs over that of the mean of
            the rows fitted to; below 0 the law predicts worse than that mean.
        gain: the second less the first.
    """

    without: Estimate
    with_extra: Estimate
    gain: Estimate


def increment(
    table: pd.DataFrame,
    law: Sequence[str] = LAW,
    extra: str = "rankme",
    y: str = "quality",
    fit: Fit = FIT,
) -> Increment:
    """Held-out R^2 that log ``extra`` adds to a power law in the columns of ``law``.

    One run at a time is held out. Intervals are of the whole procedure: in each resample of runs
    they are held out anew, copies of a run together.

    Args:
        law: columns, such as ``("loss",)`` for validation loss under common masks; may be empty.

    Raises:
        UserError: a column is absent, or nothing is left of it.
        ValueError: fewer runs than coefficients and two more.
    """
    table = usable(table, [*law, extra, y])
    counts_BG, code_N = fit.resample(table["run"])
    runs, spent = counts_BG.shape[1], len(law) + 2
    if runs < spent + 2:
        raise ValueError(f"{runs} runs are too few to hold one out")
    X_NP = np.log(table[[*law, extra]].to_numpy(float))
    X_NP = (X_NP - X_NP.mean(0)) / np.maximum(X_NP.std(0), 1e-12)
    X_NP = np.column_stack([np.ones(len(table)), X_NP])
    y_N = np.log(table[y].to_numpy(float))

    base, plain, full = (
        _held_out(X_NP[:, :columns], y_N, counts_BG, code_N) for columns in (1, spent - 1, spent)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        r2 = (1 - plain / base, 1 - full / base)
    return Increment(*(fit.estimate(v, runs, spent) for v in (*r2, r2[1] - r2[0])))


def _held_out(X_NP: Array, y_N: Array, counts_BG: Array, code_N: np.ndarray) -> Array:
    """Summed squared error at each run as often as it was drawn, predicted by the others, ``[B]``.

    Sums over the rows of each run are all that least squares need.
    """
    P, runs = X_NP.shape[1], counts_BG.shape[1]
    of_run_GN = (code_N == np.arange(runs)[:, None]).astype(float)
    gram_GPP = np.einsum("gn,np,nq->gpq", of_run_GN, X_NP, X_NP)
    cross_GP, square_G = of_run_GN @ (X_NP * y_N[:, None]), of_run_GN @ y_N**2
    total_B = np.zeros(len(counts_BG))
    for run in range(runs):
        others_BG = counts_BG.copy()
        others_BG[:, run] = 0
        gram_BPP = (others_BG @ gram_GPP.reshape(runs, -1)).reshape(-1, P, P)
        beta_BP = _coefficients(gram_BPP, others_BG @ cross_GP)
        explained_B = np.einsum("bp,pq,bq->b", beta_BP, gram_GPP[run], beta_BP)
        error_B = square_G[run] - 2 * beta_BP @ cross_GP[run] + explained_B
        total_B += counts_BG[:, run] * error_B
    return total_B


def _coefficients(gram_BPP: Array, cross_BP: Array) -> Array:
    """Least squares from sums; a ridge of a millionth, since compute may be size times data."""
    rows_B = np.maximum(gram_BPP[:, 0, 0], 1e-12)[:, None, None]
    ridge_P = np.full(gram_BPP.shape[-1], 1e-6)
    ridge_P[0] = 1e-12
    return np.linalg.solve(gram_BPP + rows_B * np.diag(ridge_P), cross_BP[..., None])[..., 0]
