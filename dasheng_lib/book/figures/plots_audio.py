"""Waveforms, log-mels and masks, and what a corpus sounds like on average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from dasheng_lib.book.figures.plots import DOMAINS, WIDTH
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.features import HOP, MELS, SAMPLE_RATE, LogMel
from dasheng_lib.model.encoder import PATCH_FRAMES

TOKEN_SECONDS = PATCH_FRAMES * HOP / SAMPLE_RATE
SHORTEST = 480  # samples; a shorter clip is filled up to have a log-mel


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
    for token in np.flatnonzero(mask_T):
        ax.axvspan(
            token * TOKEN_SECONDS, (token + 1) * TOKEN_SECONDS, color=colour, alpha=alpha, lw=0
        )
    return ax


def clips(waves: Sequence[np.ndarray], domains: Sequence[str]) -> None:
    """Clips, two in a row, the waveform above its log-mel.

    Args:
        waves: [samples] each, at 16 kHz.
        domains: of each clip, its title and colour.
    """
    rows = -(-len(waves) // 2)
    look = {"figsize": (WIDTH, 2.4 * rows), "height_ratios": [1, 2] * rows, "squeeze": False}
    _, axes = plt.subplots(2 * rows, 2, **look)
    pairs = [axes[row : row + 2, side] for row in range(0, 2 * rows, 2) for side in (0, 1)]
    for wave, domain, (top, bottom) in zip(waves, domains, pairs, strict=False):
        look = {"title": domain, "xlabel": "", "xticks": [], "ylabel": "", "yticks": []}
        waveform(top, wave, DOMAINS[domain]).set(**look)
        filled = np.pad(wave, (0, max(0, SHORTEST - len(wave))))
        log_mel(bottom, LogMel()(torch.from_numpy(filled)[None])[0].numpy())
        if bottom not in axes[:, 0]:
            bottom.set(ylabel="", yticklabels=[])
        if bottom not in axes[-2:]:
            bottom.set(xlabel="")
    for ax in np.ravel(pairs[len(waves) :]):
        ax.axis("off")


def lengths(clips: pd.DataFrame, crop: float) -> None:
    """Histogram of the lengths of clips by domain, and a crop's length in seconds."""
    _, ax = plt.subplots()
    edges = np.geomspace(0.05, max(10.0, clips["seconds"].max()), 40)
    for domain, rows in clips.groupby("domain", sort=False):
        look = {"histtype": "step", "lw": 1.8, "color": DOMAINS[domain]}
        ax.hist(rows["seconds"], edges, label=domain, **look)
    ax.axvline(crop, color="black", ls="--", lw=1)
    ax.set(xscale="log", xlabel="length of a clip (s)", ylabel="clips")
    ax.legend(frameon=False)


def mean_levels(corpus: Corpus, most: int = 25) -> dict[str, list[np.ndarray]]:
    """Average log-mel, dB [64], of each package of each domain, from about ``most`` clips of it."""
    log_mel, found = LogMel(), {domain: [] for domain in DOMAINS}
    for (domain, _), rows in corpus.clips.groupby(["domain", "package"], sort=False):
        waves = [np.array(corpus.wave(clip)) for clip in rows.index[:: max(len(rows) // most, 1)]]
        levels = [
            log_mel(torch.from_numpy(w)[None])[0].mean(1) for w in waves if len(w) >= SHORTEST
        ]
        if levels:
            found[domain].append(torch.stack(levels).mean(0).numpy())
    return found


def levels(levels: Mapping[str, Sequence[np.ndarray]]) -> None:
    """A line for each of :func:`mean_levels`, coloured by domain."""
    _, ax = plt.subplots()
    for domain, lines in levels.items():
        for level in lines:
            ax.plot(mel_frequencies() / 1000, level, color=DOMAINS[domain], lw=1, alpha=0.8)
    for domain, colour in DOMAINS.items():
        ax.plot([], [], color=colour, label=domain)
    ax.set(xlabel="frequency (kHz)", ylabel="mean level (dB)")
    ax.legend(frameon=False, ncols=3)


def front_end(wave: np.ndarray, mel_FT: np.ndarray, tokens: int) -> None:
    """A clip on its way into the encoder: waveform, log-mel, and the log-mel cut into tokens."""
    look = {"figsize": (WIDTH, 5.5), "sharex": True, "height_ratios": (1, 1.5, 1.5)}
    _, (top, middle, bottom) = plt.subplots(3, 1, **look)
    waveform(top, wave).set(xlabel="")
    log_mel(middle, mel_FT).axes.set(xlabel="")
    log_mel(bottom, mel_FT)
    for token in range(tokens + 1):
        bottom.axvline(TOKEN_SECONDS * token, color="white", lw=0.7)


def masks(mel_FT: np.ndarray, masks: Mapping[str, np.ndarray]) -> None:
    """One log-mel under several masks, bool [tokens], each below its title."""
    _, axes = plt.subplots(len(masks), 1, figsize=(WIDTH, 1.6 * len(masks) + 0.4), sharex=True)
    for ax, (title, mask_T) in zip(axes, masks.items(), strict=True):
        log_mel(ax, mel_FT)
        hide(ax, mask_T).set(title=title, ylabel="kHz")
    for ax in axes[:-1]:
        ax.set(xlabel="")
