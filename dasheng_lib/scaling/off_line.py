"""How far other families lie from the line of one, at equal rank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dasheng_lib.metrics.intervals import t_interval


@dataclass(frozen=True, eq=False)
class OffLine:
    """Distances from a line of quality over the logarithm of rank, in points.

    Attributes:
        slope, level: of the line, points for each doubling of rank and percent at a rank of 1.
        usual: deviation of the settings that it was fitted to.
        others: a row each other family: ``settings``, the mean distance ``points`` over them, and
            its 95 % interval ``low, high`` (Student's; NaN of a single setting).
    """

    slope: float
    level: float
    usual: float
    others: pd.DataFrame


def off_line(
    table: pd.DataFrame, measure: str, x: str = "rankme", family: str = "dasheng"
) -> OffLine:
    """Fit a line to the settings of one family, and tell how far above it the others lie.

    Args:
        table: a row a run at its end, with ``family, setting``; with ``state``, healthy rows count.
        measure: a column of shares from 0 to 1.
    """
    rows = table[table["state"] == "healthy"] if "state" in table else table
    values = {x: np.log2(rows[x].astype(float)), measure: 100 * rows[measure].astype(float)}
    rows = rows[["family", "setting"]].assign(**values)
    settings = rows.groupby(["family", "setting"], sort=False).mean()
    own = settings.loc[family]
    slope, level = np.polyfit(own[x], own[measure], 1)
    off = settings[measure] - (level + slope * settings[x])
    others = {}
    for name, points in off.drop(index=family, level="family").groupby("family", sort=False):
        low, high = t_interval(points.to_numpy()) if len(points) > 1 else (np.nan, np.nan)
        others[name] = {"settings": len(points), "points": points.mean(), "low": low, "high": high}
    found = pd.DataFrame.from_dict(others, orient="index")
    return OffLine(float(slope), float(level), float(off.loc[family].std(ddof=2)), found)
