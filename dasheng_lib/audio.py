"""Audio files to the waveform that every encoder here takes: mono, 16 kHz, float32."""

from __future__ import annotations

import functools
import io
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
import torch

from dasheng_lib.common.errors import UserError
from dasheng_lib.common.torchaudio import torchaudio
from dasheng_lib.features import SAMPLE_RATE

# Frames read at a time: a header that lies about the length then costs no memory.
_BLOCK = 1 << 20


class AudioError(UserError):
    """An audio file that cannot be used; the text names it."""


class NotFiniteError(AudioError):
    """An audio file that holds NaN or infinity."""


def decode(
    source: bytes | str | os.PathLike, *, name: str = "", seconds: float | None = None
) -> np.ndarray:
    """Samples of one audio file, float32 [samples], mono, 16 kHz, not normalised.

    Args:
        source: a path, or the bytes of a file. Anything libsndfile reads: wav, flac, ogg
            (Vorbis, Opus), mp3, aiff, …; any number of channels, any rate.
        name: what to call it in an error; a path names itself.
        seconds: read no more than this from its beginning.

    Returns an empty array for a file that holds no samples. A file that was cut short gives
    what is left of it where the format allows, else an error.

    Raises:
        AudioError: not an audio file, damaged, or it holds NaN or infinity.
    """
    frames_FC, rate = read(source, name=name, seconds=seconds)
    return resample(frames_FC.mean(axis=1, dtype=np.float32), rate)


def read(
    source: bytes | str | os.PathLike, *, name: str = "", seconds: float | None = None
) -> tuple[np.ndarray, int]:
    """Samples as they are stored, float32 [frames, channels] in about -1…1, and the rate in Hz.

    Raises:
        AudioError: as for :func:`decode`.
    """
    if isinstance(source, bytes):
        name, file = name or "the audio", io.BytesIO(source)
    else:
        name, file = name or str(source), Path(source)
    try:
        with soundfile.SoundFile(file) as stream:
            rate = stream.samplerate
            left = None if seconds is None else round(seconds * rate)
            blocks = [np.empty((0, stream.channels), np.float32)]
            while left is None or left > 0:
                want = _BLOCK if left is None else min(left, _BLOCK)
                block = stream.read(want, dtype="float32", always_2d=True)
                if not len(block):
                    break
                blocks.append(block)
                left = None if left is None else left - len(block)
    except (soundfile.SoundFileError, OSError, TypeError, ValueError) as error:
        reason = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
        raise AudioError(
            f"{name} cannot be read as audio ({str(reason).rstrip('.')}): it is damaged or of a "
            "kind that libsndfile does not know; fetch it again, or convert it to wav or flac."
        ) from error
    frames_FC = np.concatenate(blocks)
    if not np.isfinite(frames_FC).all():
        raise NotFiniteError(f"{name} holds samples that are not numbers: export it again.")
    return frames_FC, rate


def resample(wave: np.ndarray, rate: int, to: int = SAMPLE_RATE) -> np.ndarray:
    """``wave`` [samples] at ``rate`` Hz as float32 [ceil(samples · to / rate)] at ``to`` Hz.

    torchaudio's windowed sinc with its defaults. Its kernel is made once per rate, so thousands
    of short clips cost no more than one long one.
    """
    wave = np.ascontiguousarray(wave, dtype=np.float32)
    if rate == to or not len(wave):
        return wave
    with torch.inference_mode():
        return _kernel(rate, to)(torch.from_numpy(wave)).numpy()


@functools.lru_cache(maxsize=64)
def _kernel(rate: int, to: int) -> torch.nn.Module:
    up, down = ratio(rate, to)
    return torchaudio.transforms.Resample(down, up)


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


def ratio(rate: int, to: int) -> tuple[int, int]:
    """``(up, down)`` of :func:`resample`, which gives ``ceil(samples · up / down)`` samples.

    Exact for every common rate. The kernel holds up · down taps, so a rate such as 44 099 Hz
    (sample banks have them) is taken as the nearest fraction, within 0.01 cent.
    """
    fraction = Fraction(to, rate).limit_denominator(2000)
    return fraction.numerator, fraction.denominator
