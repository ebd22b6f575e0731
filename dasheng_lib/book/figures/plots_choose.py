"""Figures of the chapter on choosing: tables and choices in, a figure drawn, not yet shown.

Qualities and regrets are in points of a hundred.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from dasheng_lib.book.figures.plots import SMALL, WIDTH
from dasheng_lib.book.figures.plots_scaling import EDGE, Look, legend_below
from dasheng_lib.book.words.sources import RECORDED
from dasheng_lib.scaling.choose import LOTS, Choice


def one_draw(rows: pd.DataFrame, x: str, y: str, taken: Mapping[str, list[str]]) -> None:
    """Some candidates by rank and quality, with what would take which.

    Args:
        taken: by run, the names of the numbers that would take it.
    """
    _, ax = plt.subplots(figsize=(WIDTH, 4.2))
    lots = rows[y].mean()
    ax.axhline(lots, color="#555555", ls="--", zorder=0.5)
    ax.plot(rows[x], rows[y], "o", color="#cccccc", ms=8, **EDGE)
    for run, names in taken.items():
        at = rows.set_index("run").loc[run, [x, y]]
        ax.plot(*at, "o", color=RECORDED.colour, ms=10, **EDGE)
        place = {"xytext": (0, 7), "textcoords": "offset points", "ha": "center"}
        ax.annotate(", ".join(names), at, zorder=4, **place)
    ax.annotate(LOTS, (0.01, lots), xycoords=("axes fraction", "data"), va="bottom", size=SMALL)
    ax.set(ylabel="quality (%)")
    ax.margins(0.1, 0.12)


def regrets(found: Mapping[str, Mapping[str, Choice]]) -> None:
    """Regret of each way to choose, with its interval, a panel a probe; lots are a line.

    Args:
        found: of :func:`dasheng_lib.scaling.choose.choose`, by probe.
    """
    fig, panels = plt.subplots(len(found), 1, figsize=(WIDTH, 2.7 * len(found)), squeeze=False)
    for ax, (probe, choices) in zip(panels.flat, found.items(), strict=True):
        names = [name for name in choices if name != LOTS][::-1]
        value, low, high = np.array([_ends(choices[name]) for name in names]).T
        reach = [value - low, high - value]
        look = {"fmt": RECORDED.marker, "color": RECORDED.colour, "ms": 7, "capsize": 2, **EDGE}
        ax.errorbar(value, range(len(names)), xerr=reach, **look)
        lots = choices[LOTS].regret
        ax.axvspan(lots.low, lots.high, color="#cccccc", alpha=0.5, lw=0, zorder=0)
        ax.axvline(lots.value, color="#555555", ls="--", label=LOTS, zorder=0.5)
        ax.set_yticks(range(len(names)), names)
        for place, name in enumerate(names):
            at = {"xycoords": ("axes fraction", "data"), "va": "center", "size": SMALL}
            ax.annotate(f" {choices[name].word}", (1, place), **at)
        ax.set(xlim=(0, None), title=f"judged by {probe}", ylim=(-0.6, len(names) - 0.4))
    ax.set(xlabel="regret (points)")
    legend_below(fig, ax)


def over_looks(looks: Mapping[float, Mapping[str, Choice]], look_of: Mapping[str, Look]) -> None:
    """Regret at the end of a choice that is made at some share of the runs.

    Args:
        looks: choices by share.
        look_of: marker and colour of what is drawn; lots are a dashed line.
    """
    fig, ax = plt.subplots(figsize=(WIDTH, 3.8))
    for shift, (name, (marker, colour)) in enumerate(look_of.items()):
        at = np.array(list(looks)) * 1.05 ** (shift - (len(look_of) - 1) / 2)
        value, low, high = np.array([_ends(found[name]) for found in looks.values()]).T
        look = {"fmt": f"{marker}-", "color": colour, "capsize": 2, "label": name, **EDGE}
        ax.errorbar(at, value, [value - low, high - value], **look)
    lots = [found[LOTS].regret.value for found in looks.values()]
    ax.plot(list(looks), lots, "--", color="#555555", label=LOTS)
    ax.set(xscale="log", xlabel="share of the run at which one chooses")
    ax.set(ylabel="regret at the end (points)", ylim=(0, None))
    ax.set_xticks(list(looks), [str(Fraction(s).limit_denominator(14)) for s in looks])
    ax.minorticks_off()
    legend_below(fig, ax, ncols=2)


def _ends(choice: Choice) -> tuple[float, float, float]:
    return choice.regret.value, choice.regret.low, choice.regret.high
