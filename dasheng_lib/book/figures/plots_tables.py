"""Published tables against one another: what follows, who stands where, what is called the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from dasheng_lib.book.figures.plots import DOMAINS, SMALL, WIDTH
from dasheng_lib.results.agreement import AVERAGE

MARKS = {
    "Env": (DOMAINS["environment"], "^"),
    "Speech": (DOMAINS["speech"], "o"),
    "Music": (DOMAINS["music"], "s"),
    AVERAGE: ("#000000", "D"),
}
LACKING = {
    "ATST-Frame": ("#D55E00", "o"),
    "ATST-Clip": ("#0072B2", "s"),
    "MSM-MAE": ("#009E73", "^"),
}


def residuals(table: pd.DataFrame, models: Sequence[str], tolerance: float) -> None:
    """How far each printed mean lies from that of its scores, a model in a row.

    Args:
        table: of :func:`dasheng_lib.results.agreement.compare`.
        tolerance: points that rounding explains; inside them the axis is linear.
    """
    _, ax = plt.subplots(figsize=(WIDTH, 5.4))
    ax.axvspan(-tolerance, tolerance, color="#DDDDDD", lw=0, label="rounding")
    rows = np.arange(len(models))
    for offset, (name, (colour, marker)) in zip(
        np.linspace(-0.27, 0.27, len(MARKS)), MARKS.items(), strict=True
    ):
        column = table[table["column"] == name].set_index("row").loc[list(models)]
        look = {"color": colour, "ms": 6, "ls": "", "label": name}
        ax.plot(column["difference"], rows + offset, marker, **look)
    ax.set_xscale("symlog", linthresh=tolerance, linscale=0.8)
    ticks = [-10, -1, -0.1, 0, 0.1, 1, 10]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.set_yticks(rows, models)
    ax.set_ylim(len(models) - 0.4, -0.6)
    for y in rows[:-1] + 0.5:
        ax.axhline(y, color="#EEEEEE", lw=0.8, zorder=0)
    ax.set(xlabel="recomputed from Table 2 less published in Table 4 (points)")
    place = {"loc": "lower center", "bbox_to_anchor": (0.4, 1), "ncols": len(MARKS) + 1}
    ax.legend(frameon=False, columnspacing=1, handletextpad=0.4, **place)


def slopes(columns: Mapping[str, pd.DataFrame], places: Mapping[str, pd.Series]) -> None:
    """Places of models from column to column; those of ``LACKING`` stand out.

    Args:
        columns: means of each model by what a missing score counts as, the published ones first;
            the first and the last averages are written beside the models.
        places: of each model in each column, 1 on top.
    """
    _, ax = plt.subplots(figsize=(WIDTH, 5))
    left, right = (list(columns.values())[i][AVERAGE] for i in (0, -1))
    x = np.arange(len(columns))
    models = next(iter(places.values())).index
    for name in models:
        bold = name in LACKING
        colour, marker = LACKING.get(name, ("#999999", "."))
        y = [place[name] for place in places.values()]
        ax.plot(x, y, color=colour, marker=marker, lw=2.4 if bold else 1, zorder=2 + bold)
        text = {"va": "center", "color": colour if bold else "#333333"}
        ax.text(-0.07, y[0], f"{name}  {left[name]:.2f}", ha="right", **text)
        ax.text(x[-1] + 0.07, y[-1], f"{right[name]:.2f}  {name}", ha="left", **text)
    below = ["missing\n" + name.replace(", ", ",\n") for name in list(columns)[1:]]
    ax.set_xticks(x, ["published\nin Table 4", *below])
    ax.set(xlim=(-0.95, x[-1] + 0.95), ylim=(len(models) + 0.5, 0.5), yticks=[])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)


def above(
    line: str, best: pd.Series, named: Mapping[str, str], ours: pd.Series, label: str
) -> None:
    """Points of two systems above a row of a table, by task; what beats the row is named.

    Args:
        line: the row's name.
        best: of the earlier models, by task.
        named: which model that is.
        ours, label: of another model, and its name.
    """
    _, ax = plt.subplots(figsize=(WIDTH, 5.4))
    y = np.arange(len(best))
    ax.axvline(0, color="#0072B2", lw=1.5)
    ax.text(0, -1.1, line, color="#0072B2", ha="center", va="bottom")
    ax.hlines(y, np.minimum(best, ours), np.maximum(best, ours), color="#DDDDDD", lw=1, zorder=0)
    ax.plot(best, y, "o", color="#555555", ms=6, label="best earlier model of Table 2")
    ax.plot(ours, y, "D", mfc="none", mew=1.5, color="#D55E00", ms=7, label=label)
    for place, (task, points) in enumerate(best.items()):
        if points > 1e-9:
            far = points > 10  # where there is no room at the right
            text = {"xytext": (4, -12) if far else (8, 0), "ha": "right" if far else "left"}
            ax.annotate(
                f"{named[task]} {points:+.1f}",
                (points, place),
                textcoords="offset points",
                va="center",
                fontsize=SMALL,
                **text,
            )
    ax.set_yticks(y, best.index)
    ax.set(xlabel=f"points above the row {line}", ylim=(len(best) - 0.4, -1.2))
    ax.grid(axis="x", alpha=0.3)
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.12), ncols=2, frameon=False)
