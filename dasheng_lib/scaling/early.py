"""What an early checkpoint says about the last one, and whether another measure says more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from dasheng_lib.common.errors import UserError
from dasheng_lib.scaling.correlate import spearman
from dasheng_lib.scaling.fit import FIT, Array, Estimate, Fit
from dasheng_lib.scaling.rows import usable

FRACTIONS = (1 / 14, 1 / 7, 2 / 7, 3 / 7)  # 50, 100, 200 and 300 of the paper's 700 thousand
WITHIN = 1.25  # the checkpoint that is nearest by ratio may be off by this factor


class Look(NamedTuple):
    """Spearman's correlation of a column at a fraction of each run with its last quality."""

    fraction: float
    r: Estimate
    runs: int


def early_and_last(
    table: pd.DataFrame, fraction: float, columns: Sequence[str], y: str = "quality"
) -> pd.DataFrame:
    """One row a run: some columns at an early step, and quality at the last.

    Args:
        fraction: of the run's last step; runs without a checkpoint near it, or with a value
            missing, are left out.
        columns: that might predict.

    Returns:
        Columns ``run, factor`` (if there is one), ``step``, those asked for, and ``last``.

    Raises:
        UserError: a column is absent, or no run has a checkpoint there.
    """
    table = usable(table, ["step", *columns, y], positive=False)
    last = table.loc[table.groupby("run", sort=False)["step"].idxmax()]
    last = last.set_index("run")[[y, "step"]].rename(columns={y: "last", "step": "end"})
    rows = table[table["step"] > 0].join(last, on="run")
    rows["off"] = np.abs(np.log(rows["step"] / (fraction * rows["end"])))
    rows = rows[(rows["off"] <= np.log(WITHIN)) & (rows["step"] < rows["end"])]
    if rows.empty:
        raise UserError(f"No run has a checkpoint near {fraction:.3g} of its steps.")
    nearest = rows.loc[rows.groupby("run", sort=False)["off"].idxmin()]
    kept = ["run", *(["factor"] if "factor" in table else []), "step", *columns, "last"]
    return nearest[list(dict.fromkeys(kept))].reset_index(drop=True)


def looks(table: pd.DataFrame) -> tuple[float, ...]:
    """The fractions of a run at which some run of the table was judged, not counting its end."""
    last = table.groupby("run")["step"].transform("max")
    share = table["step"] / last
    return tuple(f for f in FRACTIONS if share.between(f / WITHIN, f * WITHIN).any())


def early(
    table: pd.DataFrame, column: str = "rankme", y: str = "quality", fit: Fit = FIT
) -> list[Look]:
    """Correlation of a column early in a run with its quality at the end, at each look.

    Raises:
        UserError: a column is absent.
    """
    found = []
    for fraction in looks(table):
        rows = early_and_last(table, fraction, [column], y)
        (r_B,) = _correlations(rows, [column], fit)
        found.append(Look(fraction, fit.estimate(r_B, len(rows), spent=2), len(rows)))
    return found


def compare_early(
    table: pd.DataFrame,
    first: str,
    second: str,
    fraction: float,
    y: str = "quality",
    fit: Fit = FIT,
) -> Estimate:
    """By how much the first column predicts better than the second, on the same resampled runs.

    The difference of the sizes of their correlations with last quality: a loss that falls as
    quality rises counts as a rank that rises with it.

    Raises:
        UserError: a column is absent, or no run has a checkpoint there.
    """
    rows = early_and_last(table, fraction, [first, second], y)
    a_B, b_B = _correlations(rows, [first, second], fit)
    # The sign is that of all runs, so that a weak predictor is not helped by flipping.
    return fit.estimate(np.sign(a_B[0]) * a_B - np.sign(b_B[0]) * b_B, len(rows), spent=2)


def _correlations(rows: pd.DataFrame, columns: Sequence[str], fit: Fit) -> list[Array]:
    """Correlation of each column with last quality, under the same resamples."""
    counts_BG, _ = fit.resample(rows["run"])
    last_N = rows["last"].to_numpy(float)
    return [spearman(rows[column].to_numpy(float), last_N, counts_BG) for column in columns]
