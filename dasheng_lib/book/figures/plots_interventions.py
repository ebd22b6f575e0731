"""Figures of the chapter on interventions: tables in, a figure drawn and shown.

Accuracies are shares in the tables and percent in the figures; ``lines`` are scores that belong
into every figure of quality, in percent by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dasheng_lib.book.figures.plots import ENCODERS, SMALL, WIDTH, log_axis
from dasheng_lib.book.figures.plots_scaling import EDGE

KINDS = {"rescale": "o", "drop leading": "^", "keep leading": "v", "control": "*"}


def interventions(
    ax: Axes, rows: pd.DataFrame, rank: str, law: Mapping[str, float], encoders: Sequence[str]
) -> None:
    """Accuracy against rank after each intervention, for one probe and set of tasks.

    Args:
        rows: of :func:`dasheng_lib.sweep.interventions.rows_of`, with untrained encoders (they
            have a ``width``) and the majority class.
        law: ``a`` and ``b`` of the untrained encoders' law.
        encoders: whose interventions are drawn.
    """
    drawn = rows[rows["width"].notna() & (rows["intervention"] == "as is")]
    grey = {"color": "#777777"}
    ax.plot(drawn[rank], 100 * drawn["accuracy"], "+", ms=6, zorder=1, **grey)
    at = np.geomspace(rows[rank].min(), rows[rank].max(), 50)
    ax.plot(at, 100 * law["a"] * at ** law["b"], "--", lw=1, **grey)
    for name in encoders:
        mine, colour = rows[rows["encoder"] == name], encoder_colour(name)
        base = mine[mine["intervention"] == "as is"].iloc[0]
        ax.axhline(100 * base["accuracy"], color=colour, lw=0.9, alpha=0.8, zorder=0)
        for kind, marker in KINDS.items():
            done = mine[(mine["kind"] == kind) & (mine["intervention"] != "as is")]
            x, y = done[rank], 100 * done["accuracy"]
            ends = 100 * done[["change_low", "change_high"]].sub(done["change"], axis=0)
            ax.errorbar(x, y, ends.abs().T, fmt="none", color=colour, lw=0.8, alpha=0.5)
            ax.plot(x, y, marker, color=colour, ms=9 if marker == "*" else 5.5, **EDGE)
        square = {"mfc": "none", "mec": colour, "ms": 12, "mew": 1.6}
        ax.plot(base[rank], 100 * base["accuracy"], "s", **square)
    log_axis(ax)


def four_panels(titles: Iterable[str], xlabel: str) -> tuple[Figure, np.ndarray]:
    """A figure of two by two panels of accuracy."""
    fig, axes = plt.subplots(2, 2, figsize=(WIDTH, 7.2), sharex=True, sharey="row")
    for ax, title in zip(axes.flat, titles, strict=True):
        ax.set_title(title.replace(", ", "\n"), size=SMALL + 1)
    for ax in axes[1]:
        ax.set(xlabel=xlabel)
    for ax in axes[:, 0]:
        ax.set(ylabel="accuracy (%)")
    return fig, axes


def interventions_legend(fig: Figure, encoders: Sequence[str]) -> None:
    """What :func:`interventions` draws, in words."""
    handles = [Line2D([], [], color=encoder_colour(n), lw=2, label=n) for n in encoders]
    dark, grey = {"color": "#333333", "ls": ""}, {"color": "#777777"}
    for kind, marker in KINDS.items():
        label = kind.replace("control", "rotate")
        handles.append(Line2D([], [], marker=marker, label=label, **dark))
    law = "untrained encoders and their law"
    handles += [
        Line2D([], [], marker="s", mfc="none", ms=10, label="as is", **dark),
        Line2D([], [], marker="+", ls="--", label=law, **grey),
        Line2D([], [], color="#999999", ls=":", label="chance (majority class)"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)


def encoder_colour(name: str) -> str:
    """The colour of an encoder by name."""
    return ENCODERS.get(name, ("#56B4E9", "v"))[0]
