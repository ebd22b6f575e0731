"""Figures of the chapter on early rank: tables in, a figure drawn and shown.

Accuracies are shares in the tables and percent in the figures; ``lines`` are scores that belong
into every figure of quality, in percent by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from dasheng_lib.book.figures.plots import WIDTH, log_axis, references
from dasheng_lib.book.figures.plots_scaling import EDGE, Look, legend_below, share_axis, shares
from dasheng_lib.book.words.sources import NOW


def looks(tables: Mapping[str, tuple[Sequence[Any], Look]]) -> None:
    """Correlations of early numbers with the end, over the shares of a run that were looked at.

    Args:
        tables: by name, each with its look: of :func:`dasheng_lib.scaling.early`.
    """
    fig, ax = plt.subplots(figsize=(WIDTH, 4.2))
    for shift, (name, (rows, (marker, colour))) in enumerate(tables.items()):
        at = np.array([row.fraction for row in rows]) * 1.06 ** (shift - 1.5)
        r = np.array([[row.r.value, row.r.low, row.r.high] for row in rows])
        reach = np.abs(r[:, 1:] - r[:, :1]).T
        look = {"fmt": f"{marker}-.", "color": colour, "capsize": 2, "label": name, **EDGE}
        ax.errorbar(at, r[:, 0], reach, **look)
    ax.axhline(0, color="#999999", lw=1)
    ax.set(xscale="log", xlabel="share of the run", ylim=(-1, 1))
    ax.set(ylabel="correlation with final quality")
    ax.set_xticks([1 / 14, 1 / 7, 2 / 7, 3 / 7], ["1/14", "1/7", "2/7", "3/7"])
    ax.minorticks_off()
    legend_below(fig, ax, ncols=2)


def courses(
    arms: Mapping[str, pd.DataFrame],
    axes: Mapping[str, tuple[str, str]],
    measure: str,
    lines: Mapping[str, float],
) -> None:
    """Effective rank as a share of the width, and accuracy, over the runs of some arms.

    Args:
        axes: column and label of each arm that is drawn.
    """
    size = (WIDTH, 2.9 * len(axes))
    narrow = {"columnspacing": 0.8, "handlelength": 1, "labelspacing": 0.2}
    narrow |= {"loc": "lower left", "bbox_to_anchor": (0, 0.06)}
    fig, panels = plt.subplots(len(axes), 2, figsize=size, sharex=True, sharey="col")
    for (left, right), (arm, (column, label)) in zip(panels, axes.items(), strict=True):
        runs = arms[arm].sort_values([column, "step"])
        shades = plt.cm.viridis(np.linspace(0.9, 0.05, runs[column].nunique()))
        references(right, lines, label=left is panels[0, 0])
        for shade, (value, settings) in zip(shades, runs.groupby(column), strict=True):
            for place, (_, run) in enumerate(settings.groupby("run")):
                name = None if place else f"{value:g}"
                share = shares(run)
                left.plot(share, run["rankme_per_dimension"], ".-", color=shade, label=name)
                right.plot(share, 100 * run[measure], ".-", color=shade)
        handles = left.get_legend_handles_labels()
        right.legend(*handles, frameon=False, title=label, ncols=2, **narrow)
        log_axis(left, "y").set(ylabel="RankMe / width", xscale="log")
        right.set(ylabel="accuracy (%)")
    for ax in panels[-1]:
        share_axis(ax)
    handles = [line for line in panels[0, 1].lines if line.get_label() in lines]
    fig.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)


def course_now(table: pd.DataFrame) -> None:
    """RankMe over small runs that were trained now."""
    _, ax = plt.subplots()
    for name, run in table.groupby("run", sort=False):
        ax.plot(shares(run), run["rankme"], f"{NOW.marker}-", label=name)
    log_axis(ax, "y").set(ylabel="RankMe, just now")
    share_axis(ax)
    ax.legend(frameon=False)
