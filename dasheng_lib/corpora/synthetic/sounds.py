"""Sounds from arithmetic: syllables, notes and events for the synthetic corpus.

Waves are float64 [samples] at 16 kHz within -1..1. Random numbers come from ``Dice``, whose
stream is fixed by a name; phases are kept in 0..1 so that sines see small arguments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

from dasheng_lib.features import SAMPLE_RATE


class Dice:
    """Random numbers that a name determines: Philox's raw words, keyed by the name's hash."""

    def __init__(self, name: str) -> None:
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
        self._source = np.random.Philox(key=key)

    def uniform(self, count: int, low: float = -1.0, high: float = 1.0) -> np.ndarray:
        """float64 [count] in low..high, from the upper 53 bits of each word."""
        words = self._source.random_raw(count) >> np.uint64(11)
        return low + (high - low) * (words * 2.0**-53)

    def between(self, low: float, high: float) -> float:
        return float(self.uniform(1, low, high)[0])

    def choice(self, count: int) -> int:
        return int(self.uniform(1, 0, count)[0])


def syllable(
    dice: Dice,
    pitch: float,
    semitones: tuple[float, float, float],
    formants: tuple[float, ...],
    shorter: float,
) -> np.ndarray:
    """A sung-like vowel: pulses at the pitch contour through resonators (source and filter)."""
    count = int(SAMPLE_RATE * dice.between(0.3, 0.6))
    time = np.linspace(0, 1, count)
    glide = np.interp(time, (0, 0.5, 1), semitones)
    bend = glide + dice.between(-0.8, 0.8)
    wobble = 0.15 * sine(5.5 * time * count / SAMPLE_RATE + dice.between(0, 1))
    phase = np.cumsum(pitch * 2.0 ** ((bend + wobble) / 12)) / SAMPLE_RATE
    pulses = np.diff(np.floor(phase), prepend=0.0) + 0.02 * dice.uniform(count)
    wave = lfilter([1.0], [1.0, -0.94], pulses)
    for number, formant in enumerate((*formants, 3500)):
        centre = formant * shorter * (1 + dice.between(-0.14, 0.14))
        wave = resonate(wave, centre, 60 + 40 * number)
    # Voices are softer where they are low.
    return finish(dice, wave * 2.0 ** (glide / 4) * swell(time, 0.08, 0.25), noise=0.01)


def tone(dice: Dice, instrument: str, build: int, pitch: float) -> np.ndarray:
    """A note of one of four instruments; ``build`` (0 bright, 1 dark, 2 worn) colours it."""
    count = int(SAMPLE_RATE * dice.between(0.5, 1.0))
    time = np.arange(count) / SAMPLE_RATE
    ratios, slope, attack, decay = {
        "bell": (np.array([0.5, 1, 1.19, 1.5, 2, 2.74, 4.1]), 0.5, 0.004, 3.0),
        "organ": (np.array([0.5, 1, 1.5, 2, 3, 4, 6, 8]), 0.4, 0.04, 0.2),
        "pluck": (np.arange(1.0, 13), 0.8, 0.003, 5.0),
        "reed": (np.arange(1.0, 16, 2), 0.3, 0.06, 0.4),
    }[instrument]
    slope = slope + (0.0, 1.1, 0.5)[build] + dice.between(-0.2, 0.2)
    detune = (0.0, 0.0, 0.006)[build] * dice.uniform(len(ratios))
    decay = decay * (1.0, 1.6, 0.7)[build] * dice.between(0.6, 1.6)
    partials = pitch * ratios * (1 + detune + 0.004 * dice.between(-1, 1))
    wave = np.zeros(count)
    for ratio, partial, start in zip(ratios, partials, dice.uniform(len(ratios)), strict=True):
        if partial < 0.45 * SAMPLE_RATE:
            # Higher partials of struck and plucked things die sooner.
            fade = np.exp(-decay * (0.5 + 0.5 * ratio) * time)
            wave += ratio**-slope * fade * sine(partial * time + start)
    return finish(dice, wave * np.minimum(1, time / attack), noise=(0.003, 0.003, 0.02)[build])


def event(dice: Dice, kind: str) -> np.ndarray:
    """One environmental sound of 0.6 to 2.6 s."""
    count = int(SAMPLE_RATE * dice.between(0.6, 2.6))
    return EVENTS[kind](dice, np.arange(count) / SAMPLE_RATE)


def record(dice: Dice, wave: np.ndarray, place: str) -> np.ndarray:
    """The wave as it would be heard in a place: echoes, background, band."""
    wave = wave / np.abs(wave).max()
    count, noise = len(wave), dice.uniform(len(wave))
    if place == "hall":
        for number in range(12):
            delay = int(SAMPLE_RATE * dice.between(0.01, 0.12) * (1 + number / 3))
            wave[delay:] += 0.6 * 0.8**number * wave[: max(count - delay, 0)]
    elif place == "street":
        wave = wave + 0.35 * lfilter([0.06], [1.0, -0.94], noise)
    elif place == "phone":
        low_cut = lfilter([1.0, -1.0], [1.0, -0.9], wave + 0.05 * noise)
        wave = lfilter([0.45], [1.0, -0.55], low_cut)
    return finish(dice, wave, noise=0.004)


def _hum(dice: Dice, time: np.ndarray) -> np.ndarray:
    base = dice.between(45, 130)
    return sum(sine(base * k * time + dice.between(0, 1)) / k for k in (1, 2, 3, 5, 7))


def _rain(dice: Dice, time: np.ndarray) -> np.ndarray:
    drops = dice.uniform(len(time)) * (dice.uniform(len(time), 0, 1) < 0.02)
    return resonate(drops, dice.between(2000, 5000), 1500) + 0.15 * dice.uniform(len(time))


def _wind(dice: Dice, time: np.ndarray) -> np.ndarray:
    gusts = 1 + 0.8 * sine(dice.between(0.4, 1.2) * time + dice.between(0, 1))
    return gusts * resonate(dice.uniform(len(time)), dice.between(250, 700), 200)


def _chirp(dice: Dice, time: np.ndarray) -> np.ndarray:
    rate, centre = dice.between(4, 9), dice.between(2000, 4500)
    cycle = rate * time % 1
    sweep = centre * (1 + 0.25 * cycle)
    return sine(np.cumsum(sweep) / SAMPLE_RATE) * np.maximum(0, sine(cycle / 2)) * (cycle < 0.6)


def _click(dice: Dice, time: np.ndarray) -> np.ndarray:
    ticks = np.diff(np.floor(dice.between(3, 9) * time + dice.between(0, 1)), prepend=0.0)
    return resonate(ticks, dice.between(1200, 4000), 500)


def _knock(dice: Dice, time: np.ndarray) -> np.ndarray:
    blows = np.diff(np.floor(dice.between(2, 5) * time + dice.between(0, 1)), prepend=0.0)
    return resonate(blows, dice.between(120, 320), 60) + 0.3 * resonate(blows, 900, 300)


def _siren(dice: Dice, time: np.ndarray) -> np.ndarray:
    swing = sine(dice.between(0.5, 2) * time + dice.between(0, 1))
    phase = np.cumsum(dice.between(600, 1300) * (1 + 0.3 * swing)) / SAMPLE_RATE
    return sine(phase) + 0.4 * sine(2 * phase) + 0.2 * sine(3 * phase)


def _engine(dice: Dice, time: np.ndarray) -> np.ndarray:
    speed = dice.between(22, 60) * (1 + 0.2 * sine(dice.between(0.2, 0.6) * time))
    strokes = np.diff(np.floor(np.cumsum(speed) / SAMPLE_RATE), prepend=0.0)
    rough = strokes + 0.02 * dice.uniform(len(time))
    return resonate(rough, dice.between(90, 200), 80) + resonate(rough, 600, 250)


def _hiss(dice: Dice, time: np.ndarray) -> np.ndarray:
    return lfilter([1.0, -0.9], [1.0], dice.uniform(len(time))) * swell(
        time / time[-1], dice.between(0.02, 0.3), dice.between(0.1, 0.6)
    )


def _burst(dice: Dice, time: np.ndarray) -> np.ndarray:
    later = np.maximum(0, time - dice.between(0, 0.2))
    blast = lfilter([0.3], [1.0, -0.7], dice.uniform(len(time)))
    return blast * np.minimum(1, 200 * later) * np.exp(-dice.between(4, 14) * later)


EVENTS: dict[str, Callable[[Dice, np.ndarray], np.ndarray]] = {
    "burst": _burst,
    "chirp": _chirp,
    "click": _click,
    "engine": _engine,
    "hiss": _hiss,
    "hum": _hum,
    "knock": _knock,
    "rain": _rain,
    "siren": _siren,
    "wind": _wind,
}


def sine(turns: np.ndarray) -> np.ndarray:
    """Sine of a phase in turns."""
    return np.sin(2 * np.pi * (turns % 1))


def resonate(wave: np.ndarray, centre: float, width: float) -> np.ndarray:
    """Two-pole resonator, gain about 1 at its centre; centre and width in Hz."""
    radius = np.exp(-np.pi * width / SAMPLE_RATE)
    pole = 2 * radius * np.cos(2 * np.pi * min(centre, 0.48 * SAMPLE_RATE) / SAMPLE_RATE)
    return lfilter([1 - radius], [1.0, -pole, radius**2], wave)


def swell(time: np.ndarray, attack: float, release: float) -> np.ndarray:
    """Envelope over time 0..1 that rises for ``attack`` and falls for ``release``."""
    return np.clip(np.minimum(time / attack, (1 - time) / release), 0, 1)


def finish(dice: Dice, wave: np.ndarray, noise: float) -> np.ndarray:
    """Scale to a peak of 0.1 to 0.9 with ``noise`` of that peak beneath."""
    wave = wave / np.abs(wave).max() + noise * dice.uniform(len(wave))
    return wave / np.abs(wave).max() * dice.between(0.1, 0.9)
