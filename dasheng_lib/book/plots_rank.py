"""Effective rank over a run, over the number of clips, and over the arms of a sweep."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from dasheng_lib.book.plots import ENCODERS
from dasheng_lib.book.sources import RECORDED
from dasheng_lib.results import read_results
from dasheng_lib.scaling.rows import arms, last_checkpoints


def over_run(history: pd.DataFrame, spectra: Mapping[int, np.ndarray]) -> None:
    """RankMe over a run, plain and centred, and the spectra it is computed from.

    Args:
        history: ``step, RankMe, centred``; step 0 is drawn at the left edge.
        spectra: centred singular values by step.
    """
    _, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4))
    at = history["step"].replace(0, history["step"][history["step"] > 0].min() / 2)
    left.plot(at, history["RankMe"], "o-", color=ENCODERS["pretrained"][0], label="as defined")
    left.plot(at, history["centred"], "s--", color="#0072B2", label="centred")
    left.set(xscale="log", xlabel="step", ylabel="RankMe", ylim=(0, None))
    left.legend(frameon=False)
    shades = plt.cm.viridis(np.linspace(0.9, 0.1, len(spectra)))
    for (step, values), shade in zip(spectra.items(), shades, strict=True):
        shares = values / values.sum()
        right.plot(np.arange(1, len(values) + 1), shares, color=shade, label=f"{step}")
    right.set(xscale="log", yscale="log", xlabel="k", ylabel="p (centred)", ylim=(1e-5, 1))
    right.legend(title="step", frameon=False, fontsize=7, ncols=2)


def convergence(points: pd.DataFrame, everything: float, clips: int, D: int) -> None:
    """RankMe of subsets against their number of clips for each dimension, with the range of draws.

    Args:
        points: of :func:`.rank_traps.subsets`.
        everything, clips: RankMe of all clips, and how many those are.
        D: width.
    """
    _, ax = plt.subplots()
    looks = {"plain": (ENCODERS["pretrained"][0], "o-"), "corrected": ("#0072B2", "s--")}
    for kind, (colour, line) in looks.items():
        values = points.groupby("n")[kind]
        x = values.mean().index / D
        ax.plot(x, values.mean(), line, color=colour, label=kind)
        ax.fill_between(x, values.min(), values.max(), color=colour, alpha=0.15)
    ax.axhline(everything, color="#555555", lw=1, ls=":", label=f"all {clips} clips")
    ax.set(xscale="log", xlabel="clips for each dimension", ylabel="RankMe")
    ax.legend(frameon=False)


def recorded_arms() -> dict[str, pd.DataFrame]:
    """The ends of the first sweep's runs of Dasheng, by arms of three runs or more."""
    ends = last_checkpoints(read_results("first_sweep"))
    return arms(ends[ends["family"] == "dasheng"], least=3)


def by_arm(branches: Mapping[str, pd.DataFrame]) -> None:
    """RankMe at the end of each recorded run, and as a share of the width, by arm of the sweep.

    Args:
        branches: ``rankme, rankme_per_dimension`` of the runs of each arm.
    """
    _, axes = plt.subplots(1, 2, figsize=(9.5, 3.6), sharex=True)
    look = {"color": RECORDED.colour, "mec": "k", "mew": 0.4, "ms": 5}
    columns = {"rankme": "RankMe", "rankme_per_dimension": "RankMe / width"}
    for ax, (column, label) in zip(axes, columns.items(), strict=True):
        for place, runs in enumerate(branches.values()):
            ax.plot(np.full(len(runs), place), runs[column], RECORDED.marker, **look)
            ax.vlines(place, runs[column].min(), runs[column].max(), color=RECORDED.colour, lw=1)
        ax.set_xticks(range(len(branches)), branches, rotation=40, ha="right")
        ax.set(ylabel=label, ylim=(0, None))
