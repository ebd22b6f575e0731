"""What an early checkpoint says about the last one, and whether another measure says more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dasheng_lib.common.errors import UserError
from dasheng_lib.scaling import bootstrap
from dasheng_lib.scaling.bootstrap import Estimate
from dasheng_lib.scaling.correlate import Kind, correlation, fisher_interval
from dasheng_lib.scaling.rows import usable

FRACTIONS = (1 / 14, 1 / 7, 2 / 7, 3 / 7)  # 50, 100, 200 and 300 of the paper's 700 thousand


def early_and_last(
    table: pd.DataFrame,
    fraction: float,
    columns: Sequence[str],
    y: str = "quality",
    *,
    cluster: str = "run",
    within: float = 1.25,
) -> pd.DataFrame:
    """One row a run: some columns at an early step, and quality at the last.

    Args:
        fraction: of the run's last step.
        columns: that might predict.
        within: the checkpoint that is nearest by ratio may be off by this factor; runs without
            such a one, or with a value missing, are left out.

    Returns:
        Columns ``run, factor`` (if there is one), ``step``, those asked for, and ``last``.

    Raises:
        UserError: a column is absent, or no run has a checkpoint there.
    """
    table = usable(table, ["step", *columns, y], positive=False)
    last = table.loc[table.groupby(cluster, sort=False)["step"].idxmax()]
    last = last.set_index(cluster)[[y, "step"]].rename(columns={y: "last", "step": "end"})
    rows = table[table["step"] > 0].join(last, on=cluster)
    rows["off"] = np.abs(np.log(rows["step"] / (fraction * rows["end"])))
    rows = rows[(rows["off"] <= np.log(within)) & (rows["step"] < rows["end"])]
    if rows.empty:
        raise UserError(f"No run has a checkpoint near {fraction:.3g} of its steps.")
    nearest = rows.loc[rows.groupby(cluster, sort=False)["off"].idxmin()]
    kept = [cluster, *(["factor"] if "factor" in table else []), "step", *columns, "last"]
    return nearest[list(dict.fromkeys(kept))].reset_index(drop=True)


@dataclass(frozen=True)
class Early:
    """How well a column at an early step orders the runs by their last quality.

    Attributes:
        column, fraction, kind: what, when, and which correlation.
        r: with the interval from resampled runs.
        fisher_low, fisher_high: by Fisher's z.
        runs: that have such a checkpoint.
    """

    column: str
    fraction: float
    kind: Kind
    r: Estimate
    fisher_low: float
    fisher_high: float
    runs: int


def early(
    table: pd.DataFrame,
    column: str = "rankme",
    y: str = "quality",
    *,
    fractions: Sequence[float] = FRACTIONS,
    kind: Kind = "spearman",
    draws: int = 4000,
    level: float = 0.95,
    seed: int = 0,
) -> list[Early]:
    """Correlation of a column early in a run with its quality at the end, for each fraction.

    Raises:
        UserError: a column is absent, or no run has a checkpoint there.
    """
    found = []
    for fraction in fractions:
        rows = early_and_last(table, fraction, [column], y)
        r, drawn_B = _drawn(rows, [column], kind, draws, seed)[0]
        runs = len(rows)
        around = bootstrap.interval(r, drawn_B, runs, spent=2, level=level)
        low, high = fisher_interval(r, runs, kind, level)
        found.append(Early(column, fraction, kind, around, low, high, runs))
    return found


def compare_early(
    table: pd.DataFrame,
    first: str,
    second: str,
    fraction: float,
    y: str = "quality",
    *,
    kind: Kind = "spearman",
    draws: int = 4000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """By how much the first column predicts better than the second, on the same resampled runs.

    The difference of the sizes of their correlations with last quality: a loss that falls as
    quality rises counts as a rank that rises with it.

    Raises:
        UserError: a column is absent, or no run has a checkpoint there.
    """
    rows = early_and_last(table, fraction, [first, second], y)
    (a, a_B), (b, b_B) = _drawn(rows, [first, second], kind, draws, seed)
    # The sign is that of all runs, so that a weak predictor is not helped by flipping.
    difference_B = np.sign(a) * a_B - np.sign(b) * b_B
    return bootstrap.interval(abs(a) - abs(b), difference_B, len(rows), spent=2, level=level)


def _drawn(
    rows: pd.DataFrame, columns: Sequence[str], kind: Kind, draws: int, seed: int
) -> list[tuple[float, np.ndarray]]:
    """Correlation of each column with last quality, and the same under the same resamples."""
    counts_BG = bootstrap.draw_runs(len(rows), draws, np.random.default_rng(seed))
    w_BN = np.concatenate([np.ones((1, len(rows))), counts_BG])
    last_N = rows["last"].to_numpy(float)
    found = [correlation(rows[c].to_numpy(float), last_N, w_BN, kind) for c in columns]
    return [(float(r_B[0]), r_B[1:]) for r_B in found]
