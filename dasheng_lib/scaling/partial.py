"""Does rank still go with quality when size, data, compute and the like are held fixed?

Shapes: B draws, G runs, N rows, K controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from dasheng_lib.scaling.correlate import midranks, pearson
from dasheng_lib.scaling.fit import FIT, Array, Estimate, Fit
from dasheng_lib.scaling.rows import usable
from dasheng_lib.scaling.slope import orthonormal

CHUNK = 250  # draws at once


class Partial(NamedTuple):
    """A partial correlation of ranks.

    Attributes:
        plain: Spearman's correlation without controls.
        partial: with them.
        p: two-sided, by permutation of runs: how often chance alone goes as far.
        given: the controls that vary; one that does not is none.
    """

    plain: Estimate
    partial: Estimate
    p: float
    given: tuple[str, ...]


def partial_spearman(
    table: pd.DataFrame,
    x: str = "rankme",
    y: str = "quality",
    given: Sequence[str] = ("params", "data_hours", "flops", "step", "clip_seconds"),
    fit: Fit = FIT,
) -> Partial:
    """Partial Spearman correlation of x and y given controls, by residuals of ranks.

    Ranks of x and of y are each regressed on the ranks of all controls, and what is left is
    correlated. Ranks of logs are ranks: no control needs a log. For the p-value what is left of y
    is handed from run to run, as a whole where runs have several rows, and regressed anew (Freedman
    and Lane 1983); runs swap only with runs of as many rows.

    Args:
        table: a row a checkpoint.
        given: columns to hold fixed.
        fit: its draws are resamples, and permutations.

    Raises:
        UserError: a column is absent, or nothing is left of it.
        ValueError: fewer runs than controls and 3 more, or no two runs have as many rows.
    """
    table = usable(table, [x, y, *given], positive=False)
    runs = table["run"].nunique()
    given = tuple(name for name in given if table[name].nunique() > 1)
    if runs < len(given) + 4:
        raise ValueError(f"{len(given)} controls take {len(given) + 4} runs at least, not {runs}")
    columns = [table[name].to_numpy(float) for name in (x, y, *given)]
    counts_BG, code_N = fit.resample(table["run"])
    w_BN = counts_BG[:, code_N]
    both = [_both(columns, w_BN[i : i + CHUNK]) for i in range(0, len(w_BN), CHUNK)]
    plain_B, partial_B = (np.concatenate(part) for part in zip(*both, strict=True))
    return Partial(
        plain=fit.estimate(plain_B, runs, spent=2),
        partial=fit.estimate(partial_B, runs, spent=2 + len(given)),
        p=_permutation_p(columns, code_N, fit.draws, np.random.default_rng((fit.seed, 1))),
        given=given,
    )


def _both(columns: list[Array], w_BN: Array) -> tuple[Array, Array]:
    """Plain and partial correlation of the first two columns' ranks, ``[B]`` each."""
    x, y, *controls = (midranks(column, w_BN) for column in columns)
    w = w_BN / w_BN.sum(1, keepdims=True)
    x, y, *controls = (v - (w * v).sum(1, keepdims=True) for v in (x, y, *controls))
    plain_B = pearson(x, y, w)
    if controls:
        Z_BNK = np.stack(controls, axis=2)
        ZW_BKN = (Z_BNK * w[:, :, None]).transpose(0, 2, 1)
        # A pseudoinverse, since controls may be one another's product, as compute is.
        inverse_BKK = np.linalg.pinv(ZW_BKN @ Z_BNK, rcond=1e-10, hermitian=True)
        x, y = (v - (Z_BNK @ (inverse_BKK @ (ZW_BKN @ v[..., None])))[..., 0] for v in (x, y))
    return plain_B, pearson(x, y, w)


def _permutation_p(columns: list[Array], code_N: Array, draws: int, rng) -> float:
    ranks = [stats.rankdata(column) for column in columns]
    design_NK = np.stack([np.ones_like(ranks[0]), *ranks[2:]], axis=1)
    basis_NK = orthonormal(design_NK)
    left_x, left_y = (v - basis_NK @ (basis_NK.T @ v) for v in ranks[:2])
    shuffled_BN = left_y[_permuted(code_N, draws, rng)]
    again_BN = shuffled_BN - shuffled_BN @ basis_NK @ basis_NK.T
    norms_B = np.maximum(np.linalg.norm(again_BN, axis=1), 1e-300)
    found = abs(left_y @ left_x) / np.linalg.norm(left_y)
    as_far = np.abs(again_BN @ left_x) / norms_B >= found * (1 - 1e-12)
    return float((1 + as_far.sum()) / (1 + draws))


def _permuted(code_N: Array, draws: int, rng: np.random.Generator) -> Array:
    """Row numbers after swapping whole runs of equal length, ``[B, N]``."""
    rows_of = [np.flatnonzero(code_N == run) for run in range(code_N.max() + 1)]
    lengths = np.array([len(rows) for rows in rows_of])
    order_BN = np.tile(np.arange(len(code_N)), (draws, 1))
    moved = False
    for length in np.unique(lengths):
        rows_GL = np.stack([rows for rows in rows_of if len(rows) == length])
        moved |= len(rows_GL) > 1
        shuffle_BG = rng.permuted(np.tile(np.arange(len(rows_GL)), (draws, 1)), axis=1)
        order_BN[:, rows_GL.ravel()] = rows_GL[shuffle_BG].reshape(draws, -1)
    if not moved:
        raise ValueError("no two runs have as many rows, so that none can be swapped")
    return order_BN
