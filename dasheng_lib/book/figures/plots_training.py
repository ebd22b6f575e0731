"""Loss against step, and what a masked autoencoder paints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from dasheng_lib.book.figures.plots import ENCODERS, WIDTH
from dasheng_lib.book.figures.plots_audio import hide, log_mel
from dasheng_lib.book.reconstructions import original, painted
from dasheng_lib.book.words.sources import NOW, RECORDED
from dasheng_lib.objectives.mae import MAEOutput


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


def loss(log: pd.DataFrame, reached: float, guesses: Mapping[str, float]) -> None:
    """The loss of a run, what the trained model reaches in the end (star), and other guesses.

    Args:
        log: ``step, loss``.
        guesses: two losses by name, drawn as horizontal lines.
    """
    _, ax = plt.subplots()
    curve(ax, log["step"], log["loss"], "masked autoencoder", ENCODERS["pretrained"][0])
    for (name, value), style in zip(guesses.items(), ("--", ":"), strict=True):
        ax.axhline(value, color="#555555", ls=style, lw=1, label=f"{name}: {value:.2f}")
    label = f"the trained model: {reached:.2f}"
    ax.plot(log["step"].iloc[-1], reached, "*", ms=11, color="black", label=label)
    ax.set(ylabel="loss on hidden tokens", ylim=(0, None))
    ax.legend(frameon=False)


def beside_recorded(log: pd.DataFrame, recorded: pd.DataFrame) -> None:
    """The loss of a run beside a recorded one, with what that explains and its rank.

    Args:
        log: ``step, loss``.
        recorded: ``step, loss, held_loss, explained, rankme``; the last three where validated.
            Empty where nothing is recorded.
    """
    panels = 2 if len(recorded) else 1
    _, axes = plt.subplots(panels, 1, figsize=(WIDTH, 2.8 * panels), squeeze=False)
    top = axes[0, 0]
    curve(top, log["step"], log["loss"], NOW.label, NOW.colour)
    if len(recorded):
        held, below = recorded.dropna(subset=["held_loss"]), axes[1, 0]
        ink = {"color": RECORDED.colour}
        learned = recorded.dropna(subset=["loss"])
        top.plot(learned["step"], learned["loss"], label=RECORDED.label, **ink)
        later = held[held["step"] > 0]  # step 0 has no place on a logarithmic axis
        top.plot(later["step"], later["held_loss"], "--", label="recorded, held out", **ink)
        below.plot(held["step"], held["explained"], "D-", ms=3, **ink)
        below.set(xlabel="step", ylabel="variance explained", ylim=(0, 1))
        rank = below.twinx()
        rank.plot(held["step"], held["rankme"], "x--", ms=4, color="#555555")
        rank.set(ylabel="RankMe", ylim=(0, None))
        lines = [*below.lines, *rank.lines]
        below.legend(lines, ["explained", "RankMe"], frameon=False, loc="lower right")
    top.set(xscale="log", xlabel="step", ylabel="loss", ylim=(0, None))
    top.legend(frameon=False)


def reconstructions(outs: Mapping[str, MAEOutput], clips: Mapping[int, str]) -> None:
    """A column a clip: the original, what was visible, and what a model painted at each stage.

    Args:
        outs: what the model made of one batch under one mask, by stage.
        clips: rows of the batch, and what is heard there.
    """
    look = {"figsize": (WIDTH, 1.5 * (2 + len(outs))), "sharex": True, "sharey": True}
    _, axes = plt.subplots(2 + len(outs), len(clips), squeeze=False, **look)
    first = next(iter(outs.values()))
    for column, (clip, name) in zip(axes.T, clips.items(), strict=True):
        true = original(first, clip)
        rows = {"original": true, "visible": true}
        rows |= {title: painted(out, clip) for title, out in outs.items()}
        for ax, (title, mel_FT) in zip(column, rows.items(), strict=True):
            log_mel(ax, mel_FT, high=float(true.max()))
            ax.set(ylabel=f"{title}\nkHz" if ax in axes[:, 0] else "", xlabel="")
        hide(column[1], first.mask_BT[clip].numpy())
        column[0].set(title=name)
        column[-1].set(xlabel="time (s)")
