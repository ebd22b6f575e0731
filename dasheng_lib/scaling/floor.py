"""How much a number changes when only the seed does, and so which differences mean anything."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from dasheng_lib.common.errors import UserError
from dasheng_lib.scaling.rows import usable

# What makes two runs the same but for their seed: in the table of a sweep the first says it all.
SETTINGS = ("setting", "family", "params", "width", "depth", "mask_ratio", "data_hours")
SETTINGS += ("clip_seconds", "batch", "lr", "steps", "step")


class Floor(NamedTuple):
    """The retrain floor of one column.

    Attributes:
        sd: deviation between seeds within a setting, pooled over settings; on logs about a
            relative deviation.
        smallest: two single runs differ by chance by less, 95 times of 100; on logs it is given
            as a ratio, above 1.
        log: whether of logs.
    """

    sd: float
    smallest: float
    log: bool

    def smallest_of_means(self, seeds: int) -> float:
        """``smallest`` for the difference of two means over so many seeds each."""
        shrink = 1 / np.sqrt(seeds)
        return self.smallest**shrink if self.log else self.smallest * shrink


def retrain_floor(table: pd.DataFrame, column: str = "rankme", log: bool = True) -> Floor:
    """The floor under a column, from runs that differ in nothing but ``seed``.

    Hand in one row a run, see :func:`dasheng_lib.scaling.rows.last_checkpoints`. It is the floor
    at those settings that have seeds; elsewhere it may be another.

    Args:
        log: of ratios (right for a rank), or of differences.

    Raises:
        UserError: no setting has two seeds.
    """
    table = usable(table, [column], positive=log)
    values = np.log(table[column]) if log else table[column].astype(float)
    groups = values.groupby([table[name] for name in SETTINGS if name in table], dropna=False)
    groups = [g.to_numpy() for _, g in groups if len(g) > 1]
    if not groups:
        raise UserError("No setting was trained with two seeds: add some, `seed: [1, 2]`.")
    degrees = sum(len(g) - 1 for g in groups)
    sd = np.sqrt(sum(((g - g.mean()) ** 2).sum() for g in groups) / degrees)
    smallest = stats.t.ppf(0.975, degrees) * sd * np.sqrt(2)
    return Floor(float(sd), float(np.exp(smallest) if log else smallest), log)
