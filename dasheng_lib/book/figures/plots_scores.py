"""Scores of encoders: by task, by number of neighbours, by class, by rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from dasheng_lib.book.figures.plots import DOMAINS, ENCODERS, SMALL, WIDTH

# Of Dasheng's Table 2: its three sizes, the two rivals with the highest average, and Whisper.
HEAR_MODELS = {
    "Dasheng-1.2B": {"color": "#D55E00", "lw": 2.4},
    "Dasheng-0.6B": {"color": "#D55E00", "lw": 1.2, "ls": "--"},
    "Dasheng-Base": {"color": "#E69F00", "lw": 1.2, "ls": ":"},
    "CED-Base": {"color": "#009E73", "lw": 1.2, "marker": "^", "ms": 5},
    "ATST-Frame": {"color": "#0072B2", "lw": 1.2, "marker": "s", "ms": 4},
    "Whisper-base": {"color": "#777777", "lw": 1.2, "marker": "x", "ms": 5},
}


def scores(table: pd.DataFrame, height: float) -> None:
    """Accuracy of each encoder on each task, with 95 % intervals over clips.

    Args:
        table: ``title, encoder, accuracy, low, high``, a row a task and encoder, of one probe.
        height: of the figure, in inches.
    """
    fig, ax = plt.subplots(figsize=(WIDTH, height))
    titles = list(dict.fromkeys(table["title"]))
    names = [name for name in ENCODERS if name in set(table["encoder"])]
    names += [name for name in dict.fromkeys(table["encoder"]) if name not in ENCODERS]
    for offset, name in zip(np.linspace(-0.25, 0.25, len(names)), names, strict=True):
        rows = table[table["encoder"] == name].set_index("title").reindex(titles)
        colour, marker = ENCODERS.get(name, ("#000000", "D"))
        y = np.arange(len(titles)) + offset
        ax.hlines(y, 100 * rows["low"], 100 * rows["high"], color=colour, lw=1.2, alpha=0.7)
        ax.plot(100 * rows["accuracy"], y, marker, color=colour, ms=6, label=name)
    ax.set_yticks(np.arange(len(titles)), titles)
    ax.invert_yaxis()
    ax.set(xlabel="accuracy (%)", xlim=(0, 100))
    ax.grid(axis="x", alpha=0.3)
    handles = ax.get_legend_handles_labels()
    fig.legend(*handles, loc="outside lower center", ncols=2, frameon=False)


def by_neighbours(accuracy: Mapping[str, Mapping[int, float]]) -> None:
    """Accuracy in percent of each encoder against the number of neighbours."""
    _, ax = plt.subplots()
    for name, line in accuracy.items():
        colour, marker = ENCODERS[name]
        ax.plot(list(line), list(line.values()), marker=marker, color=colour, label=name)
    ticks = {"xticks": list(line), "xticklabels": list(line)}
    ax.set(xscale="log", xlabel="neighbours (k)", ylabel="mean accuracy (%)", **ticks)
    ax.minorticks_off()
    ax.legend(frameon=False)


def confusions(
    votes: Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]],
) -> dict[tuple[str, str], float]:
    """Confusion matrices, a task in a row and an encoder in a column.

    Args:
        votes: true classes and guesses, one for each clip, by task and encoder.

    Returns:
        For each, how much of a class is right on average, in percent.
    """
    tasks, encoders = (list(dict.fromkeys(names)) for names in zip(*votes, strict=True))
    size = (WIDTH, 3.1 * len(tasks))
    _, axes = plt.subplots(len(tasks), len(encoders), figsize=size, squeeze=False)
    right = {}
    for (task, encoder), (labels, guesses) in votes.items():
        classes = np.unique(labels)
        counts = pd.crosstab(labels, guesses).reindex(index=classes, columns=classes, fill_value=0)
        share_CC = (100 * counts.div(counts.sum(axis=1), axis=0)).to_numpy()
        right[task, encoder] = share_CC.diagonal().mean()
        ax = confusion(axes[tasks.index(task), encoders.index(encoder)], share_CC, classes)
        ax.set_title(f"{task}\n{encoder}: {right[task, encoder]:.0f} %", size=SMALL)
    return right


def confusion(ax: Axes, share_CC: np.ndarray, classes: Sequence[str]) -> Axes:
    """Percent of each true class (row) by guess (column); numbers where they say something.

    Args:
        share_CC: rows add up to 100.
    """
    ax.imshow(share_CC, vmin=0, vmax=100, cmap="Blues")
    for (row, column), value in np.ndenumerate(share_CC):
        if value >= 10:
            colour = "white" if value > 55 else "#333333"
            ax.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, size=SMALL)
    places = np.arange(len(classes))
    ax.set_xticks(places, classes, rotation=60, ha="right", rotation_mode="anchor", size=SMALL)
    ax.set_yticks(places, classes, size=SMALL)
    ax.set(xlabel="guess", ylabel="true class")
    return ax


def radar(
    scores: pd.DataFrame, looks: Mapping[str, dict], groups: Mapping[str, Sequence[str]]
) -> None:
    """A closed line for each system over axes from 0 to 100; a missing score leaves a gap.

    Args:
        scores: systems by tasks, in percent.
        looks: what to hand to ``ax.plot`` for each system that is to be drawn, in this order.
        groups: tasks by domain, in the order of the axes; a domain names its axes' colour as in
            ``DOMAINS``.
    """
    _, ax = plt.subplots(figsize=(WIDTH, 6), subplot_kw={"projection": "polar"})
    tasks = [task for group in groups.values() for task in group]
    angles = np.arange(len(tasks)) * 2 * np.pi / len(tasks)
    for name, look in looks.items():
        values = scores.loc[name, tasks].to_numpy()
        ax.plot(np.append(angles, angles[0]), np.append(values, values[0]), label=name, **look)
    ax.set_theta_zero_location("N")
    ax.set_theta_direction(-1)
    ax.set_xticks(angles, tasks)
    ax.tick_params(axis="x", pad=4)
    inks = [DOMAINS[domain] for domain, group in groups.items() for _ in group]
    for label, ink in zip(ax.get_xticklabels(), inks, strict=True):
        label.set(color=ink, weight="bold")
    ax.set(ylim=(0, 100))
    ax.set_yticks([20, 40, 60, 80, 100], ["", "40", "", "80", ""], color="#555555", size=SMALL)
    ax.set_rlabel_position(180 / len(tasks))
    ax.grid(color="#DDDDDD")
    ax.spines["polar"].set_color("#BBBBBB")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2, frameon=False)


def ranks(
    average: pd.Series,
    groups: Sequence[Sequence[str]],
    difference: float,
    height: float,
) -> None:
    """Average ranks, the best on top; a vertical bar joins systems that do not lie apart.

    Demšar's critical-difference diagram on its side, so that names of any length fit.

    Args:
        average, difference: of :mod:`dasheng_lib.metrics.ranking`, as are the ``groups`` of names.
        height: of the figure, in inches.
    """
    _, ax = plt.subplots(figsize=(WIDTH, height))
    places = {name: y for y, name in enumerate(average.index)}
    worst = len(average)
    for name, y in places.items():
        colour, marker = ENCODERS.get(name, ("#333333", "o"))
        ax.hlines(y, 1, average[name], color="#DDDDDD", lw=1, zorder=0)
        ax.plot(average[name], y, marker, color=colour, ms=7)
    for column, group in enumerate(groups):
        x = worst + 0.35 + 0.25 * column
        low, high = places[group[0]] - 0.2, places[group[-1]] + 0.2
        ax.plot([x, x], [low, high], color="#333333", lw=4, solid_capstyle="butt", clip_on=False)
    ax.plot([1, 1 + difference], [-0.9, -0.9], "|-", color="#0072B2", ms=9, lw=1.5, clip_on=False)
    ax.text(1, -1.15, f"critical difference {difference:.2f}", color="#0072B2", va="bottom")
    ax.set_yticks(list(places.values()), list(places))
    ax.set_xticks(range(1, worst + 1))
    ax.set(xlabel="average rank", xlim=(0.9, worst + 0.1), ylim=(worst - 0.5, -0.7))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def ladder(table: pd.DataFrame, labels: Mapping[str, str], reference: str) -> None:
    """Encoders from best to worst, each with its interval; a line where a reference stands.

    Args:
        table: ``mean, half`` in percent, by encoder.
        labels: what an encoder is called in ``plots.ENCODERS``, where that is another name.
        reference: the encoder whose mean is drawn as a line.
    """
    rows = table.sort_values("mean")
    _, ax = plt.subplots(figsize=(WIDTH, 0.8 + 0.32 * len(rows)))
    ax.axvline(rows.at[reference, "mean"], color="#999999", lw=1, ls="--")
    for y, (name, row) in enumerate(rows.iterrows()):
        colour, marker = ENCODERS.get(labels.get(name, name), ("#555555", "o"))
        ax.hlines(y, row["mean"] - row["half"], row["mean"] + row["half"], color=colour, lw=2)
        ax.plot(row["mean"], y, marker, color=colour, ms=8)
    ax.set_yticks(range(len(rows)), rows.index)
    ax.set(xlabel="accuracy (%)")
    ax.grid(axis="x", alpha=0.3)
