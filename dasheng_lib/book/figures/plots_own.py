"""What our own models gained, by what they heard and by what they were asked."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from dasheng_lib.book.figures.plots import DOMAINS, WIDTH
from dasheng_lib.book.figures.plots_benchmarks import MARKERS
from dasheng_lib.book.own_models import gain

PROBES = {"": "linear probe", "knn_": "k-NN"}


def by_domain(own: pd.DataFrame, heard: Sequence[str]) -> None:
    """Gains on the tasks of each domain and their mean, by what was heard; a panel a probe.

    A ring is around the tasks of the domain that was heard alone. Narrow, for a phone.

    Args:
        own: of :func:`dasheng_lib.book.own_models.runs`.
        heard: rows of a panel, from the top.
    """
    objectives = list(dict.fromkeys(own["objective"]))
    shape = {"nrows": len(PROBES), "ncols": len(objectives), "squeeze": False}
    fig, axes = plt.subplots(**shape, sharex="row", sharey=True, figsize=(WIDTH, 6.6))
    for (row, column), ax in np.ndenumerate(axes):
        probe, objective = list(PROBES)[row], objectives[column]
        ax.axvline(0, color="#777777", lw=1)
        for place, what in enumerate(heard):
            runs = own[(own["objective"] == objective) & (own["heard"] == what)]
            if len(runs):
                _row_of_gains(ax, place, runs, probe)
        ax.set_title(f"{objective}, {PROBES[probe]}", size=11, loc="left")
        ax.set_yticks(range(len(heard)), heard)
        ax.set_ylim(len(heard) - 0.4, -0.6)
        ax.grid(axis="x", alpha=0.3)
        ax.tick_params(axis="y", length=0)
    for domain, marker in MARKERS.items():
        axes[0, 0].plot([], [], marker, color=DOMAINS[domain], label=f"{domain} tasks")
    axes[0, 0].plot([], [], "D-", color="black", ms=5, lw=2, label="mean, 95 % over seeds")
    for ax in axes[-1]:
        ax.set_xlabel("points gained")
    fig.legend(loc="outside lower center", ncols=2, frameon=False)


def _row_of_gains(ax: plt.Axes, place: int, runs: pd.DataFrame, probe: str) -> None:
    """One line of a panel: a mark for each domain's tasks, below them their mean."""
    for domain, marker in MARKERS.items():
        points = runs[f"{probe}quality_{domain}"].mean()
        ax.plot(points, place, marker, color=DOMAINS[domain])
        if domain == runs["heard"].iloc[0]:
            ax.plot(points, place, "o", mfc="none", mec=DOMAINS[domain], ms=13, mew=1.5)
    mean = gain(runs, f"{probe}quality")
    ax.plot([mean.low, mean.high], [place + 0.3] * 2, color="black", lw=2)
    ax.plot(mean.mean, place + 0.3, "D", color="black", ms=5)
