"""A benchmark in one picture, places with each task left out, gains of pairs, scores beside ours.

Widths are such that the type can be read on a phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba

from dasheng_lib.book.figures.plots import DOMAINS, SMALL, WIDTH
from dasheng_lib.book.words.sources import PUBLISHED, RECORDED
from dasheng_lib.results.order import WHOLE
from dasheng_lib.results.pairs import Gain

MARKERS = {"environment": "^", "music": "s", "speech": "o"}
UP, DOWN = "#56B4E9", "#E69F00"  # a better and a worse place


def overview(tasks: pd.DataFrame, unit: str) -> None:
    """Tasks by domain: how many clips, and in words what is asked, how it is split and scored.

    Args:
        tasks: of :func:`dasheng_lib.book.benchmarks.declared`, domain by domain.
        unit: of the bars, ``"clips"`` or ``"hours"``.
    """
    new = tasks["domain"] != tasks["domain"].shift()
    y = np.arange(len(tasks)) + 0.6 * new.cumsum()
    _, ax = plt.subplots(figsize=(WIDTH, 0.58 * y.iloc[-1] + 0.9))
    left = tasks[unit].min() / 1.6
    inks = [DOMAINS[domain] for domain in tasks["domain"]]
    ax.barh(y, tasks[unit] - left, left=left, height=0.26, color=inks)
    for place, ink, (_, task) in zip(y, inks, tasks.iterrows(), strict=True):
        size = f"{task[unit]:,.1f}" if task[unit] < 10 else f"{task[unit]:,.0f}"
        ax.text(task[unit] * 1.08, place, size, va="center", color=ink, size=9.5)
        words = f"{task['title']}\n{task['classes']:,} classes, {task['measure']}, {task['how']}"
        ax.text(left * 1.05, place + 0.17, words, va="top", color="#333333", size=SMALL)
    for place, domain in zip(y[new], tasks["domain"][new], strict=True):
        ax.text(left, place - 0.42, domain, color=DOMAINS[domain], weight="bold", va="center")
    ax.set_yticks(y, tasks.index)
    for label, ink in zip(ax.get_yticklabels(), inks, strict=True):
        label.set_color(ink)
    ax.set(xscale="log", xlabel=unit, ylim=(y.iloc[-1] + 0.85, y.iloc[0] - 0.7))
    ax.set_xlim(left, tasks[unit].max() * 4)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def places(table: pd.DataFrame, domains: Mapping[str, str], unsaid: str = "") -> None:
    """Places of models (rows) by all tasks and with each left out; those that change are coloured.

    Args:
        table: of :func:`dasheng_lib.results.order.places_without_each`.
        domains: of each task.
        unsaid: an ending of names that is left out, so that there is room.
    """
    models, columns = table.shape
    _, ax = plt.subplots(figsize=(1.9 + 0.27 * columns, 1.3 + 0.26 * models))
    for (row, column), place in np.ndenumerate(table.to_numpy()):
        moved = place - table[WHOLE].iloc[row]
        colour = UP if moved < 0 else DOWN if moved > 0 else "#F4F4F4"
        ax.add_patch(plt.Rectangle((column - 0.47, row - 0.45), 0.94, 0.9, color=colour))
        text = {"weight": "bold" if column == 0 or moved else "normal", "size": 9.5}
        ax.text(column, row, str(place), ha="center", va="center", **text)
    heads = [f"{WHOLE} tasks", *(f"without {task}" for task in table.columns[1:])]
    ax.set_xticks(range(columns), heads, rotation=90, size=9.5)
    for label, task in zip(ax.get_xticklabels()[1:], table.columns[1:], strict=True):
        label.set_color(DOMAINS[domains[task]])
    names = [name.removesuffix(unsaid) for name in table.index]
    ax.set_yticks(range(models), names, size=9.5)
    ax.xaxis.tick_top()
    ax.set(xlim=(-0.55, columns - 0.45), ylim=(models - 0.45, -0.55))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def gains(groups: Mapping[str, Sequence[Gain]], domains: Mapping[str, str]) -> None:
    """Points that the second model of each pair has over the first, task by task and on average.

    Args:
        groups: pairs by what they ask.
        domains: of each task.
    """
    rows = [(title, found) for title, group in groups.items() for found in group]
    new = [i == 0 or rows[i - 1][0] != title for i, (title, _) in enumerate(rows)]
    y = np.arange(len(rows)) + 0.85 * np.cumsum(new)
    _, ax = plt.subplots(figsize=(WIDTH, 0.42 * y[-1] + 1.3))
    ax.axvline(0, color="#777777", lw=1)
    for place, (_, found) in zip(y, rows, strict=True):
        for domain, marker in MARKERS.items():
            points = [v for task, v in found.by_task.items() if domains[task] == domain]
            ax.plot(points, [place] * len(points), marker, color=to_rgba(DOMAINS[domain], 0.75))
        ax.plot([found.low, found.high], [place + 0.32] * 2, color="black", lw=2)
        ax.plot(found.mean, place + 0.32, "D", color="black", ms=5)
    for place, (title, _), first in zip(y, rows, new, strict=True):
        if first:
            look = {"weight": "bold", "va": "center"}
            look |= {"bbox": {"color": "white", "pad": 1}, "transform": ax.get_yaxis_transform()}
            ax.text(0, place - 0.68, title, **look)
    ax.set_yticks(y, [found.pair.label for _, found in rows])
    ax.set(ylim=(y[-1] + 0.7, y[0] - 1.1), xlabel="points that the second has more")
    ax.grid(axis="x", alpha=0.3)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    for domain, marker in MARKERS.items():
        ax.plot([], [], marker, color=DOMAINS[domain], label=domain)
    ax.plot([], [], "D-", color="black", ms=5, lw=2, label="mean, 95 % over tasks")
    ax.legend(loc="upper center", bbox_to_anchor=(0.3, -0.16), ncols=2, frameon=False)


def gains_table(groups: Mapping[str, Sequence[Gain]]) -> pd.DataFrame:
    """What :func:`gains` draws: a row a pair; columns the tasks, and mean, low and high."""
    rows = {
        (title, found.pair.label): {
            **found.by_task,
            "mean": found.mean,
            "low": found.low,
            "high": found.high,
        }
        for title, group in groups.items()
        for found in group
    }
    return pd.DataFrame(rows).T.rename_axis(["question", "pair"])


def beside(printed: pd.Series, ours: pd.DataFrame, guess: float, measure: str) -> None:
    """Published scores of a task and recorded ones with their intervals, the best on top.

    Args:
        printed: by model, in percent.
        ours: of :func:`dasheng_lib.book.benchmarks.recorded_scores`.
        guess: what a guess gets, in percent.
        measure: of the axis.
    """
    every = pd.concat([printed, ours["score"]]).sort_values(ascending=False)
    _, ax = plt.subplots(figsize=(WIDTH, 0.235 * len(every) + 1))
    rows = {name: row for row, name in enumerate(every.index)}
    ax.axvline(guess, color="#777777", lw=1, ls=":")
    ax.text(
        guess, len(rows) - 0.4, "a guess ", color="#555555", size=SMALL, ha="right", va="bottom"
    )
    mine = [rows[name] for name in ours.index]
    ax.hlines(mine, ours["low"], ours["high"], color=RECORDED.colour, lw=2, zorder=1)
    for source, values in ((PUBLISHED, printed), (RECORDED, ours["score"])):
        at = [rows[name] for name in values.index]
        ax.plot(values, at, source.marker, color=source.colour, label=source.label, ms=6)
    ax.set_yticks(range(len(every)), every.index, size=SMALL)
    for label in ax.get_yticklabels():
        label.set_weight("bold" if label.get_text() in ours.index else "normal")
    ax.set(xlabel=f"{measure} (%)", xlim=(0, None), ylim=(len(every) - 0.3, -0.7))
    ax.grid(axis="x", alpha=0.3)
    ax.legend(frameon=False, loc="lower right")


def depth(variances: pd.DataFrame, expected: Sequence[float], stages: Sequence[int]) -> None:
    """Variance behind each block of both paths.

    Args:
        variances: a row a block, columns ``(path, what comes in)``, of two kinds.
        expected: by the network's own count, of each block's input.
        stages: blocks of each stage.
    """
    _, ax = plt.subplots(figsize=(WIDTH, 4))
    x = np.arange(1, len(variances) + 1)
    looks = {"slow": ("#0072B2", "o"), "fast": ("#D55E00", "^")}
    first = variances.columns[0][1]
    for path, kind in variances.columns:
        colour, marker = looks[path]
        look = {"ls": "-"} if kind == first else {"ls": ":", "mfc": "none"}
        look |= {"marker": marker, "color": colour, "label": f"{path}, {kind}"}
        ax.plot(x, variances[path, kind], **look)
    ax.step(x, expected, where="mid", color="#777777", lw=1.2, label="expected of its input")
    for begin in np.cumsum(stages)[:-1]:
        ax.axvline(begin + 0.5, color="#CCCCCC", lw=1, zorder=0)
    ax.set(xlabel="block (grey lines part the stages)", ylabel="variance", yscale="log")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set_xticks(x)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.45, 1), ncols=2)
