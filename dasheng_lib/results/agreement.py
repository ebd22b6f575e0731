"""Do published tables agree with one another: means of HEAR scores, computed again.

Functions take what :func:`dasheng_lib.results.published.read_table` gives and touch nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

# The grouping that gives Dasheng's Table 4 from its Table 2; the paper does not print it.
HEAR_DOMAINS = {
    "Env": ("D16", "E50", "F50k", "Gun"),
    "Speech": ("SPC-5", "SPC-F", "VL", "LiCt", "VI", "CD"),
    "Music": ("BJ", "GZ-Gen", "GZ-M/S", "Mri-T", "Mri-S", "MST", "NS-5", "NS-50"),
}
# As printed in Table 5.
KNN_DOMAINS = {
    "Env": ("ESC50", "FSDK18", "US8k"),
    "Music": ("NSynth instrument",),
    "Speech": ("SPC1", "SPC2", "VoxCeleb1", "RAVDESS", "FSC"),
}
AVERAGE = "Average"
ROUNDING = 0.05  # of scores with one decimal, and so of any mean of them
# Models that Table 2 spells otherwise than Table 4.
_SPELLING = {"Whisper-base": "Whisper-Base", "BEATs it3": "BEATs it3+"}

MISSING = ("zero", "skip", "skip zeros")


def grid(table: pd.DataFrame) -> pd.DataFrame:
    """A published table as it is printed: rows by columns, in printed order, NaN where missing."""
    wide = table.pivot(index="row", columns="column", values="value")
    return wide.reindex(index=table["row"].unique(), columns=table["column"].unique())


def domain_means(
    scores: pd.DataFrame,
    missing: str = "zero",
    domains: Mapping[str, Sequence[str]] = HEAR_DOMAINS,
) -> pd.DataFrame:
    """Mean score of each model in each domain, and the mean of these means as ``Average``.

    Models are spelled as in Table 4.

    Args:
        scores: models by tasks; NaN is missing.
        missing: what a missing score is. ``zero``: 0. ``skip``: left out. ``skip zeros``: left
            out, and so is a score of 0.

    Raises:
        ValueError: no such treatment.
    """
    if missing not in MISSING:
        raise ValueError(f"missing is one of {', '.join(MISSING)}, not {missing!r}")
    if missing == "zero":
        scores = scores.fillna(0)
    elif missing == "skip zeros":
        scores = scores[scores != 0]
    means = pd.DataFrame(
        {name: scores[list(tasks)].mean(axis=1) for name, tasks in domains.items()}
    )
    return means.assign(**{AVERAGE: means.mean(axis=1)}).rename(index=_SPELLING)


def compare(
    scores: pd.DataFrame, means: pd.DataFrame, missing: str = "zero", tolerance: float = ROUNDING
) -> pd.DataFrame:
    """Printed means (Table 4) beside those of the printed scores (Table 2), one row for each cell.

    Returns:
        ``row, column, published, recomputed, difference`` (recomputed less published) and
        ``follows``: whether the difference is within the tolerance. Cells as printed in ``means``.
    """
    again = domain_means(scores, missing)
    table = means.stack().rename_axis(["row", "column"]).rename("published").reset_index()
    table["recomputed"] = [
        again.at[r, c] for r, c in zip(table["row"], table["column"], strict=True)
    ]
    table["difference"] = table["recomputed"] - table["published"]
    table["follows"] = table["difference"].abs() <= tolerance + 1e-9  # 1e-9: binary fractions
    return table


def treatments(
    scores: pd.DataFrame, means: pd.DataFrame, tolerance: float = ROUNDING
) -> pd.DataFrame:
    """Which treatments of missing scores give each printed mean: a tuple from ``MISSING``.

    Models by domains, as ``means``. Empty where the mean follows from the scores in no way.
    """
    follows = {
        missing: compare(scores, means, missing, tolerance)
        .pivot(index="row", columns="column", values="follows")
        .reindex(index=means.index, columns=means.columns)
        for missing in MISSING
    }
    return pd.DataFrame(
        {
            column: [tuple(m for m in MISSING if follows[m].at[row, column]) for row in means.index]
            for column in means.columns
        },
        index=means.index,
    )


def ranking(means: pd.DataFrame, models: Sequence[str] | None = None) -> pd.Series:
    """Place of each model by its ``Average``, 1 for the highest; equals share the better place.

    Args:
        models: which compete; all if None.
    """
    average = means[AVERAGE] if models is None else means.loc[list(models), AVERAGE]
    return average.rank(ascending=False, method="min").astype(int)


def ahead(scores: pd.DataFrame, model: str, rivals: Sequence[str]) -> list[str]:
    """Tasks on which ``model`` scores more than each of ``rivals`` that has a score there."""
    best = scores.loc[list(rivals)].max()
    return list(scores.columns[scores.loc[model] > best])
