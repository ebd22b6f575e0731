"""Figures of the chapters on sweeps: tables in, a figure drawn and shown.

Accuracies are shares in the tables and percent in the figures; ``lines`` are scores that belong
into every figure of quality, in percent by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dasheng_lib.book.figures.plots import ENCODERS, SMALL, WIDTH, log_axis, references
from dasheng_lib.book.words.sources import NOW, PUBLISHED, RECORDED

EDGE = {"mec": "k", "mew": 0.4}
UNTRAINED = ENCODERS["untrained"][0]
GROUPS = {"size": "s", "masking": "^", "learning rate": "X", "other family": "P"}
GROUPS |= {"other settings": "o"}
FAMILIES = {
    "dasheng": ("o", "#D55E00"),
    "ssast": ("s", "#009E73"),
    "hubert": ("^", "#0072B2"),
    "wav2vec2": ("X", "#CC79A7"),
    "simclr": ("D", "#56B4E9"),
    "byol": ("v", "#E69F00"),
    "supervised": ("P", "#000000"),
}
DIAMOND = ("D", RECORDED.colour)
FIRST = 1 / 56
Look = tuple[str, str]  # a marker and a colour


def published_sizes(
    printed: pd.DataFrame, sizes: Mapping[str, float], hours: Mapping[str, float]
) -> None:
    """Printed scores against the parameters of the models, a line for each amount of audio.

    Args:
        printed: models by corpora.
        sizes, hours: parameters of each model, and hours of each corpus.
    """
    _, ax = plt.subplots()
    for name, line in zip(hours, ("--", "-"), strict=True):
        x = [sizes[size] / 1e6 for size in printed.index]
        look = {"marker": PUBLISHED.marker, "ls": line, "color": PUBLISHED.colour}
        ax.plot(x, printed[name], label=f"{hours[name]:,} hours", **look)
    ax.set(xscale="log", xlabel="parameters of the encoder (million)", ylabel="mean HEAR score")
    ax.set_xticks([100, 300, 1000], ["100", "300", "1000"])
    ax.minorticks_off()
    ax.legend(frameon=False, title="published")


def factors(
    arms: Mapping[str, pd.DataFrame],
    untrained: pd.DataFrame,
    axes: Mapping[str, tuple[str, str]],
    measure: str,
    lines: Mapping[str, float],
    band: tuple[float, float],
) -> Figure:
    """Accuracy along each arm, with the same encoders before their first step; not yet shown.

    Args:
        arms, untrained: runs of each arm; the rows of step 0, by run.
        axes: column and label of each arm that is drawn.
        band: of what a seed does, in percent.
    """
    fig, panels = plt.subplots(3, 2, figsize=(WIDTH, 8), sharey=True)
    look = {"marker": RECORDED.marker, "ls": "", "mew": 0.6}
    for ax, (arm, (column, label)) in zip(panels.flat, axes.items(), strict=False):
        rows = arms[arm].sort_values(column)
        ax.axhspan(*band, color="#cccccc", alpha=0.6, lw=0)
        references(ax, lines)
        means = rows.groupby(column)[measure].mean()
        ax.plot(means.index, 100 * means, RECORDED.line, color=RECORDED.colour)
        filled = {"color": RECORDED.colour, "mec": "k", "label": "trained", **look}
        ax.plot(rows[column], 100 * rows[measure], **filled)
        before = untrained.loc[rows["run"]]
        hollow = {"color": "none", "mec": "#333333", "label": "its start", **look}
        ax.plot(before[column], 100 * before[measure], **hollow)
        ax.set(xlabel=label)
        if arm != "mask":
            ticks = list(means.index)
            ax.set_xscale("log")
            labels = [f"{tick:.2g}" if tick < 100 else f"{tick:g}" for tick in ticks]
            ax.set_xticks(ticks, labels, rotation=45 if len(ticks) > 6 else 0)
            ax.minorticks_off()
    for ax in panels[:, 0]:
        ax.set(ylabel="accuracy (%)")
    legend_below(fig, panels[0, 0])
    return fig


def just_now(
    ends: pd.DataFrame, start: pd.DataFrame, free: pd.Series, x: str = "rankme", xlabel: str = ""
) -> None:
    """Runs of a small grid that were trained now: filled at their end, hollow at their start.

    Args:
        ends, start: a row a run, with ``run, family, quality``.
        free: qualities that cost nothing, ``log-mel`` and ``chance``.
    """
    _, ax = plt.subplots()
    untrained = 100 * start["quality"].mean()
    lines = {"log-mel": 100 * free["log-mel"], "untrained (mean)": untrained}
    references(ax, lines | {"chance": 100 * free["chance"]})
    for family, runs in ends.groupby("family", sort=False):
        marker, edge = FAMILIES[family] if ends["family"].nunique() > 1 else (NOW.marker, "k")
        before = start[start["family"] == family]
        ax.plot(before[x], 100 * before["quality"], marker, color="none", mec=edge)
        ax.plot(runs[x], 100 * runs["quality"], marker, color=NOW.colour, mec=edge)
    for run, at, quality in zip(ends["run"], ends[x], 100 * ends["quality"], strict=True):
        offset = {"xytext": (4, 3), "textcoords": "offset points"}
        ax.annotate(run, (at, quality), fontsize=SMALL, **offset)
    log_axis(ax).set(xlabel=f"{xlabel or 'RankMe'}, just now", ylabel="accuracy (%)")
    ax.margins(0.2)
    ax.legend(frameon=False)


def groups_of(rows: pd.DataFrame) -> pd.Series:
    """What each run is drawn as: by its first arm, base runs as "other settings"."""
    of_arm = {"width": "size", "depth": "size", "mask": "masking", "rate": "learning rate"}
    group = rows["factor"].str.split("[+-]").str[0].map(of_arm).fillna("other settings")
    return group.mask(rows["family"] != "dasheng", "other family")


def laws(
    rows: pd.DataFrame, start: pd.DataFrame, trained: Any, untrained: Any, lines, free: pd.Series
) -> Axes:
    """All runs, and the encoders before their first step, each with its law; not yet shown.

    Args:
        rows, start: of ``trained`` and ``untrained``, two power laws (see
            :class:`dasheng_lib.scaling.power_law.PowerLaw`) of one predictor and measure.
        free: what log-mel reaches; with the predictor, if it has one.
    """
    x, y = trained.x, trained.y
    fig, ax = plt.subplots(figsize=(WIDTH, 5.6))
    references(ax, lines)
    group = groups_of(rows)
    for name, shade in zip(GROUPS, plt.cm.cividis(np.linspace(0, 1, len(GROUPS))), strict=True):
        points = rows[group == name]
        ax.plot(points[x], 100 * points[y], GROUPS[name], color=shade, label=name, **EDGE)
    hollow = {"color": "none", "mec": UNTRAINED, "label": "before training"}
    ax.plot(start[x], 100 * start[y], "o", **hollow)
    if x in free:
        ax.plot(free[x], 100 * free[y], "*", ms=11, color="k", label="log-mel itself")
    at = np.geomspace(rows[x].min(), rows[x].max(), 100)
    ax.plot(at, 100 * trained.predict(at), color=RECORDED.colour, lw=2, label="law, trained")
    ends = (100 * end for end in trained.band(at))
    ax.fill_between(at, *ends, color=RECORDED.colour, alpha=0.15, lw=0)
    at = np.geomspace(start[x].min(), start[x].max(), 100)
    ax.plot(at, 100 * untrained.predict(at), color=UNTRAINED, lw=2, label="law, untrained")
    log_axis(ax)
    legend_below(fig, ax, ncols=2)
    return ax


def arm_panels(
    arms: Mapping[str, pd.DataFrame],
    everything: pd.DataFrame,
    slopes: pd.DataFrame,
    x: str,
    y: str,
    lines: Mapping[str, float],
) -> Figure:
    """One arm a panel, with a line of its own, all other runs in grey; not yet shown.

    Args:
        slopes: a row an arm that is drawn: ``title``, and ``value`` points for each doubling of
            x around its mean ``x``, in log2, and ``y``, in percent.
    """
    columns = 3
    lines_of_panels = -(-len(slopes) // columns)
    size = (WIDTH, 1.9 * lines_of_panels)
    fig, panels = plt.subplots(lines_of_panels, columns, figsize=size, sharex=True, sharey=True)
    panels = np.ravel(panels)
    for ax, (arm, slope) in zip(panels, slopes.iterrows(), strict=False):
        points = arms[arm]
        references(ax, lines)
        ax.plot(everything[x], 100 * everything[y], ".", color="#cccccc", ms=4, zorder=0)
        ax.plot(points[x], 100 * points[y], "o", color=RECORDED.colour, ms=5, **EDGE)
        at = np.geomspace(points[x].min(), points[x].max(), 50)
        fitted = slope["y"] + slope["value"] * (np.log2(at) - slope["x"])
        ax.plot(at, fitted, color=RECORDED.colour)
        log_axis(ax)
        ax.set_title(f"{slope['title']}: {slope['value']:+.1f}", size=SMALL)
    for ax in panels[len(slopes) :]:
        ax.axis("off")
    for ax in panels[max(len(slopes) - columns, 0) : len(slopes)]:
        ax.tick_params(labelbottom=True)
    legend_below(fig, panels[0], place="outside upper center", ncols=2)
    return fig


def masking(
    sizes: Mapping[str, pd.DataFrame], x: str, y: str, lines: Mapping[str, float]
) -> Figure:
    """Rank against the share hidden, and accuracy against rank, by size; not yet shown."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.6))
    for (label, runs), marker in zip(sizes.items(), "os", strict=False):
        look = {"color": RECORDED.colour, "label": label, **EDGE}
        left.plot(runs["mask_ratio"], runs[x], marker, ls="-.", **look)
        right.plot(runs[x], 100 * runs[y], marker, ls="", **look)
        for _, run in runs.iloc[[0, -1]].iterrows():
            offset = {"xytext": (-6, -13), "textcoords": "offset points", "fontsize": SMALL}
            right.annotate(f"{run['mask_ratio']:g}", (run[x], 100 * run[y]), **offset)
    references(right, lines)
    left.set(xlabel="share hidden", ylim=(0, None))
    legend_below(fig, right)
    return fig


def correlations(
    tables: Mapping[str, tuple[pd.DataFrame, Look]], xlabel: str, reach: float = 1.02
) -> None:
    """Correlations, or slopes, with their intervals; several tables share their lines.

    Args:
        tables: by name, each with its look: columns ``r, low, high``; the first has all rows.
        reach: of the axis, either way; an interval may go on beyond it.
    """
    labels = list(next(iter(tables.values()))[0].index)
    fig, ax = plt.subplots(figsize=(WIDTH, (0.3 + 0.05 * len(tables)) * len(labels) + 0.8))
    for place, (name, (table, (marker, colour))) in enumerate(tables.items()):
        y = np.arange(len(labels))[::-1] + 0.2 * ((len(tables) - 1) / 2 - place)
        r = table.reindex(labels)[["r", "low", "high"]].to_numpy(float)
        bars = np.abs(r[:, 1:] - r[:, :1]).T
        look = {"fmt": marker, "color": colour, "ms": 5, "label": name, **EDGE}
        ax.errorbar(r[:, 0], y, xerr=bars, **look)
    ax.axvline(0, color="#999999", lw=1)
    ax.set_yticks(range(len(labels)), labels[::-1])
    ax.set(xlabel=xlabel, xlim=(-reach, reach))
    if len(tables) > 1:
        legend_below(fig, ax, ncols=2)


def families(
    ends: pd.DataFrame,
    line: tuple[float, float],
    measure: str,
    lines: Mapping[str, float],
    names: Mapping[str, str],
) -> Axes:
    """Accuracy against RankMe at the end of each run, by family; not yet shown.

    Args:
        ends: a row a run, with ``family, state, rankme`` and the measure.
        line: of Dasheng, points for each doubling of rank and percent at a rank of 1.
    """
    fig, ax = plt.subplots(figsize=(WIDTH, 5.2))
    references(ax, lines)
    for name in [name for name in FAMILIES if name in set(ends["family"])]:
        marker, colour = FAMILIES[name]
        own = ends[ends["family"] == name]
        well = own["state"] == "healthy"
        ax.plot(own["rankme"][~well], 100 * own[measure][~well], marker, color="#bbbbbb", ms=4)
        look = {"color": colour, "label": names[name], "ms": 4 if name == "dasheng" else 7}
        ax.plot(own["rankme"][well], 100 * own[measure][well], marker, **look, **EDGE)
    at = np.geomspace(ends["rankme"].min(), ends["rankme"].max(), 50)
    slope, level = line
    look = {"color": FAMILIES["dasheng"][1], "label": f"line of {names['dasheng']}"}
    ax.plot(at, level + slope * np.log2(at), **look)
    log_axis(ax).set(xlabel="RankMe")
    legend_below(fig, ax)
    return ax


def shares(run: pd.DataFrame) -> pd.Series:
    """Steps as shares of the run; the start lies at half of 1/28 on a logarithmic axis."""
    return (run["step"] / run["steps"]).replace(0, FIRST)


def share_axis(ax: Axes) -> None:
    """The axis of :func:`shares`."""
    ax.set(xscale="log", xlabel="share of the run")
    ax.set_xticks([FIRST, 1 / 14, 2 / 7, 1], ["start", "1/14", "2/7", "1"])
    ax.minorticks_off()


def legend_below(
    fig: Figure, ax: Axes, place: str = "outside lower center", ncols: int = 3
) -> None:
    """One legend for a figure of several panels."""
    handles = ax.get_legend_handles_labels()
    fig.legend(*handles, loc=place, ncols=ncols, frameon=False)
