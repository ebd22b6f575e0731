"""Loss against step, and what a masked autoencoder paints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from dasheng_lib.book.plots import ENCODERS
from dasheng_lib.book.plots_audio import hide, log_mel
from dasheng_lib.book.reconstructions import original, painted
from dasheng_lib.book.sources import NOW, RECORDED
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
    _, axes = plt.subplots(1, 2 if len(recorded) else 1, figsize=(9, 3), squeeze=False)
    left = axes[0, 0]
    curve(left, log["step"], log["loss"], NOW.label, NOW.colour)
    if len(recorded):
        held, right = recorded.dropna(subset=["held_loss"]), axes[0, 1]
        ink = {"color": RECORDED.colour}
        left.plot(recorded["step"], recorded["loss"], label=RECORDED.label, **ink)
        left.plot(held["step"], held["held_loss"], "--", label="recorded, held out", **ink)
        right.plot(held["step"], held["explained"], "D-", ms=3, **ink)
        right.set(xlabel="step", ylabel="variance explained", ylim=(0, 1))
        rank = right.twinx()
        rank.plot(held["step"], held["rankme"], "x--", ms=4, color="#555555")
        rank.set(ylabel="RankMe", ylim=(0, None))
        lines = [*right.lines, *rank.lines]
        right.legend(lines, ["explained", "RankMe"], frameon=False, loc="lower right")
    left.set(xscale="log", xlabel="step", ylabel="loss", ylim=(0, None))
    left.legend(frameon=False)


def reconstructions(outs: Mapping[str, MAEOutput], clips: Sequence[int]) -> None:
    """A row a clip: the original, what was visible, and what a model painted at each stage.

    Args:
        outs: what the model made of one batch under one mask, by stage.
        clips: rows of the batch.
    """
    size = (11, 2.0 * len(clips) + 0.4)
    _, axes = plt.subplots(len(clips), 2 + len(outs), figsize=size, sharey=True, squeeze=False)
    first = next(iter(outs.values()))
    for row, clip in zip(axes, clips, strict=True):
        true = original(first, clip)
        columns = {"original": true, "visible": true}
        columns |= {title: painted(out, clip) for title, out in outs.items()}
        for ax, (title, mel_FT) in zip(row, columns.items(), strict=True):
            log_mel(ax, mel_FT, high=float(true.max()))
            ax.set(title=title if clip == clips[0] else "")
        hide(row[1], first.mask_BT[clip].numpy())
    for ax in axes[:, 1:].flat:
        ax.set(ylabel="")
    for ax in axes[:-1].flat:
        ax.set(xlabel="")
