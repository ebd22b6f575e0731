"""Agreement of benchmarks: of orders, of tasks, of scores on the same data."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from dasheng_lib.book.figures.plots import DOMAINS, SMALL, WIDTH
from dasheng_lib.book.figures.plots_benchmarks import MARKERS
from dasheng_lib.metrics.rank_correlation import smallest_p

BENCHMARKS = {"HEAR": ("#0072B2", "o"), "ARCH": ("#D55E00", "s"), "HARES": ("#009E73", "D")}


def reachable(shared: Mapping[str, int], level: float = 0.05) -> None:
    """The smallest p of a rank correlation against the number of systems; marked is what is shared.

    Args:
        shared: systems by what they are shared by.
    """
    _, ax = plt.subplots(figsize=(WIDTH, 2.9))
    n = np.arange(2, 9)
    ax.plot(n, [smallest_p(k) for k in n], "o-", color="#777777", mfc="white")
    ax.axhline(level, ls="--", lw=1.1, color="#D55E00")
    ax.text(8, level * 1.15, f"p = {level:g}", color="#D55E00", ha="right", va="bottom")
    for k in sorted(set(shared.values())):
        names = [name for name, many in shared.items() if many == k]
        ax.plot(k, smallest_p(k), "o", color="#0072B2", ms=8)
        ax.annotate(
            ", ".join(names),
            (k, smallest_p(k)),
            xytext=(8, 3),
            textcoords="offset points",
            color="#0072B2",
            va="bottom",
        )
    ax.set(yscale="log", xlabel="encoders in both tables", ylabel="smallest p", ylim=(2e-5, 8))
    ax.yaxis.set_major_formatter("{x:g}")


def between(table: pd.DataFrame, domains: Mapping[str, str] | None = None, size: float = WIDTH):
    """A heat map of rank correlations, red alike and blue opposed, domain after domain.

    Args:
        table: tasks by tasks, or exams by exams.
        domains: from task to domain, whose colour its name then has. Without, numbers stand in
            the fields.
        size: of the figure in inches.
    """
    fig, ax = plt.subplots(figsize=(size, 0.98 * size))
    image = ax.imshow(table.mask(np.eye(len(table), dtype=bool)), vmin=-1, vmax=1, cmap="RdBu_r")
    places = np.arange(len(table))
    ax.set_xticks(places, table.columns, rotation=60, ha="right", rotation_mode="anchor")
    ax.set_yticks(places, table.index)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if domains:
        names = [domains[task] for task in table]
        for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
            for label, name in zip(labels, names, strict=True):
                label.set(color=DOMAINS[name], weight="bold")
        for place in np.flatnonzero([a != b for a, b in zip(names[1:], names, strict=False)]):
            ax.axhline(place + 0.5, color="white", lw=4)
            ax.axvline(place + 0.5, color="white", lw=4)
    else:
        for (i, j), value in np.ndenumerate(table):
            if i != j and np.isfinite(value):
                ink = "white" if abs(value) > 0.7 else "#333333"
                ax.text(j, i, f"{value:.1f}", ha="center", va="center", color=ink, size=SMALL)
    bar = fig.colorbar(image, ax=ax, shrink=0.6, aspect=25, ticks=[-1, -0.5, 0, 0.5, 1])
    bar.outline.set_visible(False)


def signal(tables: Mapping[str, pd.Series], domains: Mapping[str, Mapping[str, str]]) -> None:
    """Of each benchmark the correlation of each task with the mean of the others, highest on top.

    Args:
        tables: by task, of each benchmark.
        domains: from task to domain, of each benchmark.
    """
    heights = [len(table) for table in tables.values()]
    _, axes = plt.subplots(
        len(tables),
        1,
        figsize=(WIDTH, 0.25 * sum(heights) + 1.6),
        sharex=True,
        height_ratios=heights,
    )
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        table = table.sort_values(ascending=False)
        for domain, marker in MARKERS.items():
            rows = [y for y, task in enumerate(table.index) if domains[name][task] == domain]
            values = table.iloc[rows]
            ax.hlines(rows, 0, values, color="#DDDDDD", lw=1, zorder=0)
            ax.plot(values, rows, marker, color=DOMAINS[domain], ms=7, label=domain)
        ax.axvline(0, color="#555555", lw=1)
        ax.set_yticks(range(len(table)), table.index)
        ax.set(ylim=(len(table) - 0.5, -0.6), title=name)
        ax.tick_params(axis="y", length=0)
    axes[0].legend(frameon=False, loc="best")
    axes[-1].set(xlabel="rank correlation with the mean of the other tasks")


def subsets(tables: Mapping[str, pd.DataFrame]) -> None:
    """Agreement of the order by ``k`` random tasks with the whole, and with the tasks left out.

    Args:
        tables: of :func:`dasheng_lib.metrics.task_signal.subsets`, by benchmark.
    """
    _, axes = plt.subplots(2, 1, figsize=(WIDTH, 6.4), sharex=True)
    titles = {"whole": "with all tasks", "left": "with the tasks left out"}
    for ax, (column, title) in zip(axes, titles.items(), strict=True):
        for name, table in tables.items():
            colour, marker = BENCHMARKS[name]
            ax.fill_between(
                table.index,
                table[f"{column}_low"],
                table[f"{column}_high"],
                color=colour,
                alpha=0.12,
            )
            ax.plot(table.index, table[column], marker=marker, ms=4, color=colour, label=name)
        ax.axhline(0, color="#999999", lw=0.8)
        ax.set(ylabel="rank correlation", title=title)
        ax.set_ylim(top=1.05)
    axes[1].set(xlabel="tasks in the set")
    axes[0].legend(frameon=False, loc="lower right")


def twice(rows: pd.DataFrame) -> None:
    """One encoder on one data set in two benchmarks, joined by a line.

    Args:
        rows: of :func:`dasheng_lib.book.coinciding.on_shared_sets`, with ``group``, in the order
            in which they are drawn; a new group is named above its rows.
    """
    groups = rows["group"].nunique()
    _, ax = plt.subplots(figsize=(WIDTH, 0.29 * (len(rows) + 1.25 * groups) + 0.9))
    places, y, before = [], 0.0, None
    for group in rows["group"]:
        if group != before:
            y, before = y + 0.25, group
            ax.text(1, y, group, color="#333333", size=10, style="italic", va="center")
            y += 1
        places.append(y)
        y += 1
    for place, row in zip(places, rows.itertuples(), strict=True):
        ax.hlines(place, row.score, row.other_score, color="#BBBBBB", lw=2, zorder=0)
        for benchmark, score in ((row.first, row.score), (row.second, row.other_score)):
            colour, marker = BENCHMARKS[benchmark]
            ax.plot(score, place, marker, color=colour, ms=7)
    for name, (colour, marker) in BENCHMARKS.items():
        ax.plot([], [], marker, color=colour, ms=7, label=name)
    ax.set_yticks(places, rows["data_set"])
    ax.set(xlabel="published score (%)", xlim=(0, 100), ylim=(y - 0.3, -0.5))
    ax.grid(axis="x", alpha=0.3)
    ax.tick_params(axis="y", length=0)
    place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1)}
    ax.legend(frameon=False, ncols=3, **place)
