"""Figures of the book: Matplotlib axes in, drawn axes out.

Colours are Okabe and Ito's, told apart with any of the common colour-vision deficiencies;
markers and line styles say the same without colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from dasheng_lib.features import HOP, MELS, SAMPLE_RATE
from dasheng_lib.model.encoder import PATCH_FRAMES

DOMAINS = {"speech": "#0072B2", "music": "#CC79A7", "environment": "#009E73"}
ENCODERS = {
    "majority class": ("#999999", "|"),
    "log-mel statistics": ("#E69F00", "s"),
    "untrained": ("#56B4E9", "v"),
    "pretrained": ("#D55E00", "o"),
    "untrained nano": ("#56B4E9", "v"),
    "dasheng:nano": ("#D55E00", "o"),
    "aisfx": ("#009E73", "^"),
    "resemblyzer": ("#0072B2", "P"),
    "openwakeword": ("#CC79A7", "X"),
}


def style() -> None:
    """The book's look; call it once at the top of a chapter."""
    sns.set_theme(style="ticks", context="notebook", font_scale=0.9)
    plt.rcParams.update(
        {
            "figure.figsize": (7.5, 3.2),
            "figure.dpi": 110,
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "image.cmap": "magma",
        }
    )


def log_axis(ax: Axes, which: str = "x") -> Axes:
    """Make an axis ("x" or "y") logarithmic, with ticks at 1, 2 and 5 in plain numbers."""
    ax.set(**{f"{which}scale": "log"})
    axis = getattr(ax, f"{which}axis")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
    return ax


def references(ax: Axes, lines: Mapping[str, float], label: bool = True) -> Axes:
    """Horizontal lines for scores that cost nothing, such as log-mel, untrained and chance.

    Args:
        lines: heights by name, on the scale of the axis.
        label: name them in the legend; of several panels one is enough.
    """
    for (name, height), dashes in zip(lines.items(), ("--", "-.", ":"), strict=False):
        ax.axhline(
            height, ls=dashes, lw=1.1, color="#555555", label=name if label else None, zorder=0.5
        )
    return ax


def mel_frequencies() -> np.ndarray:
    """Centre of each mel bin in Hz (HTK scale, 0 to 8 kHz)."""
    top = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    return 700 * (10 ** (np.linspace(0, top, MELS + 2)[1:-1] / 2595) - 1)


def waveform(ax: Axes, wave: np.ndarray, colour: str = "#333333") -> Axes:
    """A waveform against time in seconds."""
    ax.plot(np.arange(len(wave)) / SAMPLE_RATE, wave, lw=0.5, color=colour)
    ax.set(xlabel="time (s)", ylabel="amplitude", xlim=(0, max(len(wave), 1) / SAMPLE_RATE))
    return ax


def log_mel(ax: Axes, mel_FT: np.ndarray, low: float | None = None, high: float | None = None):
    """A log-mel image in dB, ``[64, frames]``; returns the image, for a colour bar."""
    high = float(np.nanmax(mel_FT)) if high is None else high
    image = ax.imshow(
        mel_FT,
        origin="lower",
        aspect="auto",
        vmin=high - 80 if low is None else low,
        vmax=high,
        extent=(0, mel_FT.shape[1] * HOP / SAMPLE_RATE, 0, MELS),
        interpolation="nearest",
    )
    wanted = np.array([250, 1000, 2000, 4000])
    ax.set_yticks(np.interp(wanted, mel_frequencies(), np.arange(MELS) + 0.5))
    ax.yaxis.set_major_formatter(
        FuncFormatter(lambda _, i: f"{wanted[i] / 1000:g}" if i is not None else "")
    )
    ax.set(xlabel="time (s)", ylabel="frequency (kHz)")
    return image


def hide(ax: Axes, mask_T: np.ndarray, colour: str = "#BBBBBB", alpha: float = 1.0) -> Axes:
    """Cover the masked tokens of a log-mel image."""
    seconds = PATCH_FRAMES * HOP / SAMPLE_RATE
    for token in np.flatnonzero(mask_T):
        ax.axvspan(token * seconds, (token + 1) * seconds, color=colour, alpha=alpha, lw=0)
    return ax


def curve(
    ax: Axes, steps: Sequence[float], values: Sequence[float], label: str, colour: str
) -> Axes:
    """A training curve: every step faintly, a running mean on top."""
    values = pd.Series(np.asarray(values, float))
    window = max(len(values) // 50, 1)
    ax.plot(steps, values, color=colour, alpha=0.25, lw=0.6)
    ax.plot(steps, values.rolling(window, min_periods=1).mean(), color=colour, lw=1.6, label=label)
    ax.set(xlabel="step")
    return ax


def scores(ax: Axes, table: pd.DataFrame) -> Axes:
    """Accuracy of each encoder on each task, with 95 % intervals over clips.

    Args:
        table: rows of :func:`dasheng_lib.evaluation.pocket.evaluate_corpus`, one probe.
    """
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
    ax.figure.legend(*handles, loc="outside lower center", ncols=2, frameon=False)
    return ax


def confusion(ax: Axes, share_CC: np.ndarray, classes: Sequence[str]) -> Axes:
    """Percent of each true class (row) by guess (column); numbers where they say something.

    Args:
        share_CC: rows add up to 100.
    """
    ax.imshow(share_CC, vmin=0, vmax=100, cmap="Blues")
    for (row, column), value in np.ndenumerate(share_CC):
        if value >= 10:
            colour = "white" if value > 55 else "#333333"
            ax.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, size=7)
    places = np.arange(len(classes))
    ax.set_xticks(places, classes, rotation=60, ha="right", rotation_mode="anchor", size=8)
    ax.set_yticks(places, classes, size=8)
    ax.set(xlabel="guess", ylabel="true class")
    return ax


def radar(
    ax: Axes, scores: pd.DataFrame, looks: Mapping[str, dict], groups: Mapping[str, Sequence[str]]
) -> Axes:
    """A closed line for each system over axes from 0 to 100; a missing score leaves a gap.

    Args:
        ax: polar.
        scores: systems by tasks, in percent.
        looks: what to hand to ``ax.plot`` for each system that is to be drawn, in this order.
        groups: tasks by domain, in the order of the axes; a domain names its axes' colour as in
            ``DOMAINS``.
    """
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
    ax.set_yticks([20, 40, 60, 80, 100], ["", "40", "", "80", ""], color="#555555", size=8)
    ax.set_rlabel_position(180 / len(tasks))
    ax.grid(color="#DDDDDD")
    ax.spines["polar"].set_color("#BBBBBB")
    return ax


def ranks(ax: Axes, average: pd.Series, groups: Sequence[Sequence[str]], difference: float) -> Axes:
    """Average ranks, the best on top; a vertical bar joins systems that do not lie apart.

    Demšar's critical-difference diagram on its side, so that names of any length fit.

    Args:
        average, difference: of :mod:`dasheng_lib.metrics.ranking`, as are the ``groups`` of names.
    """
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
    return ax
