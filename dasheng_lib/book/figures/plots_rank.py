"""Effective rank over a run, over the number of clips, and over the runs of a sweep."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from dasheng_lib.book.figures.plots import ENCODERS, WIDTH, log_axis
from dasheng_lib.book.words.sources import RECORDED
from dasheng_lib.results import read_results
from dasheng_lib.scaling.rows import arms, last_checkpoints
from dasheng_lib.sweep.recorded import title

SWEEP = "evening"  # the recorded sweep that is drawn


def over_run(history: pd.DataFrame, spectra: Mapping[int, np.ndarray]) -> None:
    """RankMe over a run, plain and centred, and the spectra it is computed from.

    Args:
        history: ``step, RankMe, centred``; step 0 is drawn at the left edge.
        spectra: centred singular values by step.
    """
    _, (top, bottom) = plt.subplots(2, 1, figsize=(WIDTH, 6))
    at = history["step"].replace(0, history["step"][history["step"] > 0].min() / 2)
    top.plot(at, history["RankMe"], "o-", color=ENCODERS["pretrained"][0], label="as defined")
    top.plot(at, history["centred"], "s--", color="#0072B2", label="centred")
    top.set(xscale="log", xlabel="step", ylabel="RankMe", ylim=(0, None))
    top.set_xticks(at, [f"{step:.0f}" for step in history["step"]])
    top.set_xticks([], minor=True)
    top.legend(frameon=False)
    shades = plt.cm.viridis(np.linspace(0.9, 0.1, len(spectra)))
    for (step, values), shade in zip(spectra.items(), shades, strict=True):
        shares = values / values.sum()
        bottom.plot(np.arange(1, len(values) + 1), shares, color=shade, label=f"{step}")
    bottom.set(
        xscale="log", yscale="log", xlabel="direction", ylabel="share, centred", ylim=(1e-5, 1)
    )
    bottom.legend(title="step", frameon=False, ncols=2)


def convergence(points: pd.DataFrame, everything: float, clips: int, D: int) -> None:
    """RankMe of subsets against their number of clips for each dimension, with the range of draws.

    Args:
        points: of :func:`.rank_traps.subsets`.
        everything, clips: RankMe of all clips, and how many those are.
        D: width.
    """
    _, ax = plt.subplots(figsize=(WIDTH, 3.4))
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
    """The ends of the recorded sweep's runs of Dasheng, by the title of arms of three or more."""
    ends = last_checkpoints(read_results(SWEEP))
    found = arms(ends[ends["family"] == "dasheng"], least=3)
    return {title(arm): runs for arm, runs in found.items()}


def by_arm(branches: Mapping[str, pd.DataFrame]) -> None:
    """RankMe at the end of each recorded run, and as a share of the width, by arm of the sweep.

    Args:
        branches: ``rankme, rankme_per_dimension`` of the runs of each arm.
    """
    _, axes = plt.subplots(2, 1, figsize=(WIDTH, 6), sharex=True)
    look = {"color": RECORDED.colour, "mec": "k", "mew": 0.4, "ms": 5}
    columns = {"rankme": "RankMe", "rankme_per_dimension": "RankMe / width"}
    for ax, (column, label) in zip(axes, columns.items(), strict=True):
        for place, runs in enumerate(branches.values()):
            ax.plot(np.full(len(runs), place), runs[column], RECORDED.marker, **look)
            ax.vlines(place, runs[column].min(), runs[column].max(), color=RECORDED.colour, lw=1)
        ax.set_xticks(range(len(branches)), branches, rotation=40, ha="right")
        ax.set(ylabel=label, ylim=(0, None))


def recorded_twins() -> pd.DataFrame:
    """The recorded sweep's encoders of Dasheng before training and after, each once.

    Returns:
        ``run, rankme, quality`` at the end, and ``rankme_untrained, quality_untrained``.
    """
    rows = read_results(SWEEP)
    rows = rows[rows["family"] == "dasheng"]
    columns = ["run", "rankme", "quality"]
    before = rows.loc[rows["step"] == 0, columns].set_index("run").add_suffix("_untrained")
    return last_checkpoints(rows)[columns].join(before, on="run", validate="one_to_one")


def twins(table: pd.DataFrame) -> None:
    """Each encoder of :func:`recorded_twins` before training and after, joined by a line."""
    _, ax = plt.subplots(figsize=(WIDTH, 3.6))
    begin = table["rankme_untrained"], 100 * table["quality_untrained"]
    end = table["rankme"], 100 * table["quality"]
    ax.plot(*np.stack([begin, end], 1), color="#999999", lw=0.7, zorder=0)
    ax.plot(*begin, ENCODERS["untrained"][1], mfc="none", mec="#0072B2", label="untrained")
    look = {"color": RECORDED.colour, "mec": "k", "mew": 0.4, "ms": 6}
    ax.plot(*end, RECORDED.marker, **look, label="the same, trained")
    log_axis(ax).set(xlabel="RankMe", ylabel="linear probes (%)")
    ax.legend(frameon=False)
