"""A design before its runs: which settings, at which rank, with how much luck.

Shapes: M measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dasheng_lib.common.errors import UserError, reading
from dasheng_lib.scaling.fit import Array
from dasheng_lib.scaling.one_curve import one_curve
from dasheng_lib.scaling.settings import LEVELS, SLOPES, Settings, rows_to_judge


@dataclass(frozen=True, eq=False)
class Noise:
    """Standard deviations of luck, ``[M]`` in points but for the rank's.

    Attributes:
        measures: names.
        seed: between seeds of a setting.
        setting: between settings, beyond rank and arm.
        rank: of log2 of rank, between seeds.
        shared: part of the seed's variance that all judged steps of a run have in common.
    """

    measures: tuple[str, ...]
    seed: Array
    setting: Array
    rank: float
    shared: float = 0.25


def noise_of(table: pd.DataFrame, measures: Sequence[str], x: str = "rankme") -> Noise:
    """The noise of a recorded sweep: between its seeds, and of settings around their arms' curves.

    Raises:
        UserError: no setting has two seeds, or settings are too few for their arms.
    """
    s = Settings.of(rows_to_judge(table, x, measures), measures, x)
    arms = one_curve(s.x_N, s.y_MN, s.layout.shares(LEVELS), s.layout.shares(SLOPES))
    if s.degrees < 1 or arms.rest < 1:
        raise UserError("The noise of a sweep wants settings with two seeds, and more settings.")
    setting_M = np.maximum(arms.variance - s.noise_M * (1 / s.layout.seeds_N).mean(), 0)
    rank = float(np.sqrt(s.rank_noise))
    return Noise(tuple(measures), np.sqrt(s.noise_M), np.sqrt(setting_M), rank)


def read_noise(path: Path) -> Noise:
    """From a CSV file with a row a measure: ``measure, seed_sd, setting_sd, rank_sd, shared``.

    Of the last two the first row counts.

    Raises:
        UserError: it is missing, or a column is.
    """
    table = _read(path, ("measure",), ("seed_sd", "setting_sd", "rank_sd", "shared"))
    first = table.iloc[0]
    seed, setting = (table[name].to_numpy(float) for name in ("seed_sd", "setting_sd"))
    return Noise(tuple(table["measure"]), seed, setting, first["rank_sd"], first["shared"])


def read_design(path: Path) -> pd.DataFrame:
    """From a CSV file with a row a setting: ``setting, factor, rank, seeds, of``.

    ``factor`` names its arms, joined by ``+``, or is ``base``. ``of`` is empty, or the setting
    whose runs these are at an earlier step.

    Returns:
        A row a judged run: ``setting, factor, rank, seed, run``.

    Raises:
        UserError: it is missing, or a column is.
    """
    table = _read(path, ("setting", "factor"), ("rank", "seeds"), ("of",))
    rows = table.loc[table.index.repeat(table["seeds"].astype(int))].reset_index(drop=True)
    rows["seed"] = rows.groupby("setting", sort=False).cumcount()
    rows["run"] = rows["of"].fillna(rows["setting"]) + "/" + rows["seed"].astype(str)
    return rows[["setting", "factor", "rank", "seed", "run"]]


_MOST = 100_000.0  # of any number, seeds included


def _read(
    path: Path, words: Sequence[str], numbers: Sequence[str], free: Sequence[str] = ()
) -> pd.DataFrame:
    """A table whose cells in ``words`` are not empty, and in ``numbers`` from 0 to ``_MOST``."""
    with reading(path, "a CSV table", "see data_manifests/sweeps for one of its kind"):
        table = pd.read_csv(path, dtype={"of": str, **dict.fromkeys(words, str)})
        if missing := [name for name in (*words, *numbers, *free) if name not in table]:
            raise UserError(f"{path} has no column {', '.join(missing)}.")
        if table.empty or table[list(words)].isna().any(axis=None):
            raise ValueError(f"a row has no {' or '.join(words)}")
        table = table.astype(dict.fromkeys(numbers, float))
        if wrong := [name for name in numbers if not table[name].between(0, _MOST).all()]:
            raise ValueError(f"{wrong[0]} is a number from 0 to {_MOST:.0f}")
    return table
