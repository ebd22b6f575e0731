"""What rank adds to a law that knows size, data and compute, on runs that no law has seen.

All laws are products of powers, ``log y = c + sum of b_k log x_k``, by least squares.

Shapes: B draws, G runs, H held-out groups, P columns of the design, the constant among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from dasheng_lib.scaling import bootstrap
from dasheng_lib.scaling.bootstrap import Estimate
from dasheng_lib.scaling.forms import Array
from dasheng_lib.scaling.rows import codes, in_arms, usable

LAW = ("params", "data_hours", "flops")


@dataclass(frozen=True)
class Increment:
    """Held-out R^2 of a law without and with another predictor.

    Attributes:
        without, with_extra: 1 less the squared error on held-out groups over that of the mean of
            the rows fitted to; below 0 the law predicts worse than that mean.
        gain: the second less the first.
        coefficient: exponent of the extra predictor in the law fitted to all rows.
        runs, rows, groups: how much it rests on, and how many groups were held out.
    """

    without: Estimate
    with_extra: Estimate
    gain: Estimate
    coefficient: Estimate
    runs: int
    rows: int
    groups: int


def increment(
    table: pd.DataFrame,
    law: Sequence[str] = LAW,
    extra: str = "rankme",
    y: str = "quality",
    *,
    by: Literal["run", "arm"] = "run",
    cluster: str = "run",
    factor: str = "factor",
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Increment:
    """Held-out R^2 that log ``extra`` adds to a power law in the columns of ``law``.

    Intervals are of the whole procedure: in each resample of runs the groups are held out anew,
    copies of a run together.

    Args:
        law: columns, such as ``("loss",)`` for validation loss under common masks; may be empty.
        by: hold out one run at a time, or the runs of one arm, when the base runs stay.

    Raises:
        UserError: a column is absent, or nothing is left of it.
        ValueError: fewer than three groups, or fewer runs than coefficients and two more.
    """
    table = usable(table, [*law, extra, y])
    code_N, runs = codes(table[cluster])
    held_HG = _held(table, by, code_N, runs, factor)
    if len(held_HG) < 3 or runs < len(law) + 4:
        raise ValueError(f"{len(held_HG)} groups, {runs} runs: too few to hold one out")
    counts_BG = bootstrap.draw_runs(runs, draws, np.random.default_rng(seed))
    counts_BG = np.concatenate([np.ones((1, runs)), counts_BG])

    X_NP = np.log(table[[*law, extra]].to_numpy(float))
    scale_P = np.maximum(X_NP.std(0), 1e-12)
    X_NP = np.column_stack([np.ones(len(table)), (X_NP - X_NP.mean(0)) / scale_P])
    y_N = np.log(table[y].to_numpy(float))
    # Sums over the rows of each run are all that least squares need.
    gram_GPP = _by_run(X_NP[:, :, None] * X_NP[:, None], code_N, runs)
    cross_GP, square_G = _by_run(X_NP * y_N[:, None], code_N, runs), _by_run(y_N**2, code_N, runs)

    def errors(columns: slice) -> Array:
        return _held_out(
            counts_BG, held_HG, gram_GPP[:, columns, columns], cross_GP[:, columns], square_G
        )

    base, plain, full = (errors(slice(end)) for end in (1, len(law) + 1, len(law) + 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        r2 = {"without": 1 - plain / base, "with_extra": 1 - full / base}
    r2["gain"] = r2["with_extra"] - r2["without"]
    r2["coefficient"] = (
        _coefficients(np.einsum("bg,gpq->bpq", counts_BG, gram_GPP), counts_BG @ cross_GP)[:, -1]
        / scale_P[-1]
    )
    spent = len(law) + 2
    found = {
        name: bootstrap.interval(v[0], v[1:], runs, spent=spent, level=level)
        for name, v in r2.items()
    }
    return Increment(**found, runs=runs, rows=len(table), groups=len(held_HG))


def _held(table: pd.DataFrame, by: str, code_N: Array, runs: int, factor: str) -> Array:
    if by == "run":
        return np.eye(runs)
    first = np.unique(code_N, return_index=True)[1]
    return in_arms(table, factor).to_numpy()[first].T.astype(float)


def _by_run(values: Array, code_N: Array, runs: int) -> Array:
    out = np.zeros((runs, *values.shape[1:]))
    np.add.at(out, code_N, values)
    return out


def _coefficients(gram: Array, cross: Array) -> Array:
    """Least squares from sums; a ridge of a millionth, since compute may be size times data."""
    P = gram.shape[-1]
    rows = gram[..., :1, :1]
    ridge = np.eye(P) * np.maximum(rows, 1e-12) * 1e-6
    ridge[..., 0, 0] = np.maximum(rows[..., 0, 0], 1e-12) * 1e-12
    return np.linalg.solve(gram + ridge, cross[..., None])[..., 0]


def _held_out(
    counts_BG: Array, held_HG: Array, gram_GPP: Array, cross_GP: Array, square_G: Array
) -> Array:
    """Summed squared error at the held-out groups, each predicted by the others, ``[B]``."""
    P = cross_GP.shape[1]
    flat = gram_GPP.reshape(len(gram_GPP), -1)
    total = 0.0
    for held_G in held_HG:
        out_BG, in_BG = counts_BG * held_G, counts_BG * (1 - held_G)
        beta_BP = _coefficients((in_BG @ flat).reshape(-1, P, P), in_BG @ cross_GP)
        out_BPP = (out_BG @ flat).reshape(-1, P, P)
        explained = np.einsum("bp,bpq,bq->b", beta_BP, out_BPP, beta_BP)
        total = total + (out_BG @ square_G - 2 * ((out_BG @ cross_GP) * beta_BP).sum(1) + explained)
    return total
