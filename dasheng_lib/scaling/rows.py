"""The rows of a sweep's table: which can be used, which belong to an arm, which are last."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from dasheng_lib.common.errors import UserError

BASE = "base"  # the factor of runs that belong to every arm


def usable(table: pd.DataFrame, columns: Iterable[str], positive: bool = True) -> pd.DataFrame:
    """The rows in which all ``columns`` are finite and, for logs, above 0; numbered anew.

    An untrained checkpoint has spent no operations and so drops out where ``flops`` is asked for.

    Raises:
        UserError: a column is absent, or no row is left.
    """
    columns = list(columns)
    if missing := [name for name in columns if name not in table]:
        raise UserError(
            f"The table has no column {', '.join(missing)}: choose among {', '.join(table)}."
        )
    values = table[columns].to_numpy(float)
    keep = np.isfinite(values).all(1)
    if positive:
        keep &= (values > 0).all(1)
    if not keep.any():
        raise UserError(f"No row has finite values above 0 in {', '.join(columns)}.")
    return table[keep].reset_index(drop=True)


def last_checkpoints(table: pd.DataFrame) -> pd.DataFrame:
    """Each run's row of the last step."""
    return table.loc[table.groupby("run", sort=False)["step"].idxmax()].reset_index(drop=True)


def base_setting(table: pd.DataFrame) -> str:
    """The point that a sweep is built around: the setting with most runs, the first of them."""
    return table.groupby("setting", sort=False)["run"].nunique().idxmax()


def in_arms(table: pd.DataFrame) -> pd.DataFrame:
    """Which arms each row is of: a bool column an arm, in order of appearance.

    A run's factor names its arms, joined by ``+``; runs of the factor ``base`` are in none here
    and belong to all, see :func:`arms`.
    """
    named = table["factor"].astype(str).str.split("+")
    names = list(dict.fromkeys(name for row in named for name in row if name != BASE))
    return pd.DataFrame({name: [name in row for row in named] for name in names}, table.index)


def arms(table: pd.DataFrame, least: int = 5) -> dict[str, pd.DataFrame]:
    """Rows of each arm, the base runs with them; arms of fewer than ``least`` runs are left out."""
    base = table["factor"].astype(str) == BASE
    found = {name: table[own | base] for name, own in in_arms(table).items()}
    return {name: rows for name, rows in found.items() if rows["run"].nunique() >= least}
