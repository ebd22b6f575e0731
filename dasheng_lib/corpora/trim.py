"""A corpus as encoders are given it: silence at both ends cut off, every clip at one level.

Recordings differ in level by 40 dB and in padding by seconds, and talker, kit and package go
with both; an encoder that averages over a clip would mostly learn and tell those.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from dasheng_lib.audio import SAMPLE_RATE
from dasheng_lib.common.cache import artefact, digest
from dasheng_lib.corpora.corpus import Corpus

WINDOW_SECONDS = 0.025
DEPTH_DB = 40.0
VERSION = 1  # raise it when a prepared sample changes


def prepare(corpus: Corpus) -> Corpus:
    """The same clips, trimmed and scaled to a peak of 1; nothing is copied.

    A clip begins and ends with the first and last sample around which the mean power of 25 ms
    is within 40 dB of the clip's loudest 25 ms. A silent clip stays as it is.
    """

    def make(folder):
        bounds = [sounding(corpus.wave(i)) for i in range(len(corpus))]
        frame = pd.DataFrame(bounds, columns=["start", "stop", "peak"])
        frame.to_csv(folder / "levels.csv", index=False)

    recipe = {"corpus": corpus.digest, "version": VERSION}
    levels = pd.read_csv(artefact("levels", recipe, make) / "levels.csv")
    clips = corpus.clips.assign(
        offset=corpus.clips["offset"] + levels["start"],
        samples=levels["stop"] - levels["start"],
        seconds=(levels["stop"] - levels["start"]) / corpus.sample_rate,
        gain=1 / levels["peak"].where(levels["peak"] > 0, 1.0),
    )
    return replace(corpus, digest=digest(["prepared", recipe]), clips=clips)


def sounding(wave: np.ndarray) -> tuple[int, int, float]:
    """First and last sample (exclusive) of what sounds, and its peak.

    Args:
        wave: [samples] at 16 kHz.
    """
    half = round(WINDOW_SECONDS * SAMPLE_RATE) // 2
    if len(wave) == 0 or not np.any(wave):
        return 0, len(wave), 0.0
    total = np.zeros(len(wave) + 2 * half + 1)
    np.cumsum(np.square(wave, dtype=np.float64), out=total[half + 1 : half + 1 + len(wave)])
    total[half + 1 + len(wave) :] = total[half + len(wave)]
    power = total[2 * half + 1 :] - total[: -2 * half - 1]
    loud = np.flatnonzero(power >= power.max() * 10 ** (-DEPTH_DB / 10))
    start, stop = int(loud[0]), int(loud[-1]) + 1
    return start, stop, float(np.abs(wave[start:stop]).max())
