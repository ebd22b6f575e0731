"""Clips cut to the lengths that a benchmark asks for: whole, padded, or in pieces."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from dasheng_lib.tasks.clip import Clip


def fixed(clip: Clip, seconds: float) -> Clip:
    """The clip's first ``seconds``; a shorter one has zeros behind it."""
    return _cut(clip, 0, round(seconds * clip.rate), clip.name, clip.part_of)


def at_most(clip: Clip, seconds: float) -> Clip:
    """The clip's first ``seconds``; a shorter one is left as it is."""
    samples = min(round(seconds * clip.rate), clip.samples)
    return clip if samples == clip.samples else _cut(clip, 0, samples, clip.name, clip.part_of)


def pieces(clip: Clip, seconds: float) -> list[Clip]:
    """Pieces of ``seconds`` one after the other; a clip that is shorter is one, padded.

    What is left behind the last whole piece is dropped.
    """
    length = round(seconds * clip.rate)
    count = max(clip.samples // length, 1)
    return [_piece(clip, number * length, length, number) for number in range(count)]


def spread(clip: Clip, seconds: float, count: int) -> list[Clip]:
    """``count`` pieces of ``seconds``, equally spaced from the beginning to the end."""
    length = round(seconds * clip.rate)
    starts = np.linspace(0, max(clip.samples - length, 0), count).round().astype(int).tolist()
    return [_piece(clip, start, length, number) for number, start in enumerate(starts)]


def _piece(clip: Clip, start: int, length: int, number: int) -> Clip:
    return _cut(clip, start, length, f"{clip.name}#{number}", clip.name)


def _cut(clip: Clip, start: int, length: int, name: str, part_of: str) -> Clip:
    if start == 0 and length == clip.samples:
        return replace(clip, name=name, part_of=part_of)

    identity = f"{clip.identity}[{start}:{start + length}]"
    return replace(
        clip,
        name=name,
        samples=length,
        identity=identity,
        wave=partial(_samples, clip, start, length),
        part_of=part_of,
        at=None,
    )


def _samples(clip: Clip, start: int, length: int) -> np.ndarray:
    part = clip.wave()[start : start + length]
    return np.pad(part, (0, length - len(part)))
