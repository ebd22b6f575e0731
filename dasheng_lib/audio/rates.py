"""From one rate to another, in parts, so that a long recording costs no more than a short one."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from dasheng_lib.common.torchaudio import torchaudio
from dasheng_lib.features import SAMPLE_RATE

# Samples resampled together: 47 s at 44.1 kHz. A shorter clip goes in one piece.
BLOCK = 1 << 21


def resample(wave: np.ndarray, rate: int, to: int = SAMPLE_RATE) -> np.ndarray:
    """``wave`` [samples] at ``rate`` Hz as float32 [ceil(samples · to / rate)] at ``to`` Hz.

    torchaudio's windowed sinc with its defaults. Its kernel is made once per rate, so thousands
    of short clips cost no more than one long one.
    """
    wave = np.ascontiguousarray(wave, dtype=np.float32)
    if rate == to or not len(wave):
        return wave
    starts = range(0, len(wave), BLOCK)
    return joined(resampled((wave[start : start + BLOCK] for start in starts), rate, to))


def resampled(parts: Iterable[np.ndarray], rate: int, to: int) -> Iterator[np.ndarray]:
    """:func:`resample` of a wave that comes in ``parts``, float32 [samples] each, as parts."""
    up, down = ratio(rate, to)
    if up == down:
        yield from parts
        return
    module = _kernel(rate, to)
    # Zeros before the first sample and behind the last; what two parts share is held in between.
    held, samples, given = np.zeros(module.width, np.float32), 0, 0
    # What is little before may be much behind.
    for part, last in _marked(_at_most(BLOCK * down // max(up, down), parts)):
        samples += len(part)
        zeros = np.zeros(module.width + down if last else 0, np.float32)
        held = np.concatenate([held, part, zeros])
        groups = (len(held) - module.kernel.shape[-1]) // down + 1
        if groups < 1:
            continue
        with torch.inference_mode():
            found = F.conv1d(torch.from_numpy(held)[None, None], module.kernel, stride=down)
            wave = found[0].T.reshape(-1).numpy()
        held = held[groups * down :]
        if last:
            wave = wave[: -(-samples * up // down) - given]
        given += len(wave)
        yield wave


def _at_most(samples: int, parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    for part in parts:
        yield from (part[start : start + samples] for start in range(0, len(part), samples))


def _marked(parts: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, bool]]:
    """Each part, and whether it is the last."""
    parts = iter(parts)
    now = next(parts, None)
    while now is not None:
        coming = next(parts, None)
        yield now, coming is None
        now = coming


def joined(parts: Iterable[np.ndarray]) -> np.ndarray:
    """All parts as one float32 [samples]: it grows in place, where a list would need it twice."""
    whole = bytearray()
    for part in parts:
        whole += memoryview(np.ascontiguousarray(part, np.float32)).cast("B")
    return np.frombuffer(whole, np.float32)


@functools.lru_cache(maxsize=64)
def _kernel(rate: int, to: int) -> nn.Module:
    up, down = ratio(rate, to)
    return torchaudio.transforms.Resample(down, up)


def ratio(rate: int, to: int) -> tuple[int, int]:
    """``(up, down)`` of :func:`resample`, which gives ``ceil(samples · up / down)`` samples.

    Exact for every common rate. The kernel holds up · down taps, so a rate such as 44 099 Hz
    (sample banks have them) is taken as the nearest fraction, within half a cent.
    """
    # Below 4 kHz the kernel would grow as the rate shrinks, to 0.25 GB at 1 kHz.
    fraction = Fraction(to, rate).limit_denominator(2000 if rate >= 4000 else 1000)
    return fraction.numerator, fraction.denominator


def played(wave: np.ndarray, speed: float, samples: int) -> np.ndarray:
    """The first ``samples`` of ``wave`` played at ``speed``, or as many as there are.

    As a tape would: at twice the speed half as long and an octave up. Between two samples lies a
    straight line, so what is above a third of the rate loses a few dB; for augmentation alone.

    Args:
        wave: [samples], at least one.
        speed: above 0.
    """
    count = min(samples, int((len(wave) - 1) / speed) + 1)
    if speed == 1.0:
        return wave[:count]
    place = np.arange(count) * speed
    before = place.astype(np.int64)
    after = np.minimum(before + 1, len(wave) - 1)
    left = wave[before].astype(np.float64)  # float64 throughout, as numpy.interp, four times faster
    return ((wave[after] - left) * (place - before) + left).astype(np.float32)
