"""Settings of a sweep: runs that differ in nothing but the seed, taken together.

Shapes: A arms, M measures, N settings, R runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dasheng_lib.scaling.fit import Array
from dasheng_lib.scaling.rows import BASE, base_setting, in_arms, usable

FAMILY = "family"
SNAPSHOTS = "snapshots"  # the arm of one setting at its earlier steps
LEVELS, SLOPES = 2, 3  # settings that an arm must have for a level, and for a slope, of its own


@dataclass(frozen=True, eq=False)
class Layout:
    """Which run is of which setting, and which setting of which arms.

    Attributes:
        names: of the settings, in order of appearance.
        code_R: the setting of each run.
        seeds_N: runs of each setting.
        arms: names.
        in_NA: bool, whether a setting is of an arm; one of no arm is of none.
        block_N: settings of the same arms have the same number.
    """

    names: tuple[str, ...]
    code_R: np.ndarray
    seeds_N: Array
    arms: tuple[str, ...]
    in_NA: np.ndarray
    block_N: np.ndarray

    def means(self, values_MR: Array) -> Array:
        """The mean over the seeds of each setting, ``[M, N]``."""
        sums = np.zeros((len(self.names), len(values_MR)))
        np.add.at(sums, self.code_R, values_MR.T)
        return sums.T / self.seeds_N

    def within_seeds(self, values_MR: Array) -> tuple[Array, int]:
        """Variance between the seeds of a setting ``[M]``, pooled, and its degrees of freedom.

        NaN where no setting has two seeds.
        """
        degrees = len(self.code_R) - len(self.names)
        rest_MR = values_MR - self.means(values_MR)[:, self.code_R]
        with np.errstate(invalid="ignore"):
            return (rest_MR**2).sum(1) / np.float64(degrees), degrees

    def shares(self, least: int) -> Array:
        """Columns of the arms of ``least`` settings or more, ``[N, A]``; rows sum to 1.

        A setting of several arms, as the base point is, counts in each by an equal share: its
        level is the mean of theirs. What is in no such arm shares one column, "other".
        """
        kept_NA = self.in_NA[:, self.in_NA.sum(0) >= least].astype(float)
        other_N = 1.0 - kept_NA.any(1)
        columns_NA = np.column_stack([kept_NA, other_N]) if other_N.any() else kept_NA
        return columns_NA / columns_NA.sum(1, keepdims=True)


def layout(table: pd.DataFrame) -> Layout:
    """The layout of a table of one row a run.

    A run's factor names its arms, joined by ``+``; runs of the factor ``base`` are of all arms.
    An arm of one setting is none.
    """
    code_R, names = pd.factorize(table["setting"].astype(str))
    named = in_arms(table)
    base_R = (table["factor"].astype(str) == BASE).to_numpy()
    in_NA = np.zeros((len(names), named.shape[1]), bool)
    np.logical_or.at(in_NA, code_R, named.to_numpy(bool) | base_R[:, None])
    kept = in_NA.sum(0) >= 2
    in_NA = in_NA[:, kept]
    return Layout(
        names=tuple(names),
        code_R=code_R,
        seeds_N=np.bincount(code_R).astype(float),
        arms=tuple(named.columns[kept]),
        in_NA=in_NA,
        block_N=np.unique(in_NA, axis=0, return_inverse=True)[1].ravel(),
    )


@dataclass(frozen=True, eq=False)
class Settings:
    """The settings of a sweep with their numbers.

    Attributes:
        measures: names.
        layout: which run is of which setting.
        x_N: mean over the seeds of log2 of rank.
        y_MN: mean of the measures, in points of a hundred.
        noise_M: variance between seeds of a setting, points squared; NaN without such seeds.
        rank_noise: the same of log2 of rank.
        degrees: of freedom of both.
    """

    measures: tuple[str, ...]
    layout: Layout
    x_N: Array
    y_MN: Array
    noise_M: Array
    rank_noise: float
    degrees: int

    @classmethod
    def of(cls, rows: pd.DataFrame, measures: Sequence[str], x: str) -> Settings:
        """Of a table of one row a run and judged step, measures as shares from 0 to 1."""
        laid = layout(rows)
        x_1R = np.log2(rows[[x]].to_numpy(float).T)
        y_MR = 100 * rows[list(measures)].to_numpy(float).T
        noise_M, degrees = laid.within_seeds(y_MR)
        rank_noise = float(laid.within_seeds(x_1R)[0][0])
        means = laid.means(x_1R)[0], laid.means(y_MR)
        return cls(tuple(measures), laid, *means, noise_M, rank_noise, degrees)


def rows_to_judge(
    table: pd.DataFrame, x: str, measures: Sequence[str], snapshots: bool = True
) -> pd.DataFrame:
    """Each run's last row, and with ``snapshots`` the base point at its earlier steps as an arm.

    Of these, the rows that are healthy, if there is a column ``state``, and have all numbers. An
    arm "family" becomes one arm for each family but the first, whose runs it leaves.

    Raises:
        UserError: a column is absent, or nothing is left.
    """
    last_R = table["step"] == table.groupby("run")["step"].transform("max")
    rows, base = table[last_R], base_setting(table)
    earlier = table[~last_R & (table["step"] > 0) & (table["setting"] == base)]
    if snapshots and len(earlier):
        own = rows["setting"] == base
        own &= rows["factor"] != BASE
        named = rows["factor"].where(~own, rows["factor"] + f"+{SNAPSHOTS}")
        names = earlier["setting"] + "@" + earlier["step"].astype(str)
        earlier = earlier.assign(setting=names, factor=SNAPSHOTS)
        rows = pd.concat([rows.assign(factor=named), earlier])
    if "family" in rows:
        rows = rows.assign(factor=_families_named(rows))
    if "state" in rows:
        rows = rows[rows["state"] == "healthy"]
    return usable(usable(rows, [x]), measures, positive=False)


def _families_named(rows: pd.DataFrame) -> list[str]:
    first = rows["family"].iloc[0]
    return [
        "+".join(family if name == FAMILY else name for name in factor.split("+"))
        if family != first
        else "+".join(name for name in factor.split("+") if name != FAMILY) or factor
        for factor, family in zip(rows["factor"].astype(str), rows["family"], strict=True)
    ]


def with_gain(table: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """The table with a column ``NAME_gain`` each: less the same run's row of step 0."""
    untrained = table[table["step"] == 0].set_index("run")[list(measures)]
    start = untrained.reindex(table["run"]).to_numpy(float)
    gained = table[list(measures)].to_numpy(float) - start
    return table.assign(**{f"{m}_gain": gained[:, i] for i, m in enumerate(measures)})


def untrained(table: pd.DataFrame, x: str, measures: Sequence[str]) -> pd.DataFrame:
    """The untrained encoders of a sweep: a row a seed of each family, width and depth.

    Many runs start from one encoder, or from one that differs by the audio it was normalised on
    alone; their rows are averaged. A setting is what was built.
    """
    built = ["family", "width", "depth"]
    rows = usable(table[table["step"] == 0], [x, *built[1:]])
    rows = rows.groupby([*built, "seed"], as_index=False)[[x, *measures]].mean()
    setting = rows[built].astype(str).agg("-".join, axis=1)
    run = setting + "/" + rows["seed"].astype(str)
    return rows.assign(setting=setting, run=run, factor=BASE, step=0)
