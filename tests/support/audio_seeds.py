"""Small audio files of every kind that libsndfile writes, made in memory."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import soundfile

# Format, coding, rate in Hz, channels.
KINDS = [
    ("WAV", "PCM_16", 16000, 1), ("WAV", "PCM_24", 44100, 2), ("WAV", "PCM_U8", 8000, 1),
    ("WAV", "FLOAT", 16000, 1), ("WAV", "DOUBLE", 22050, 2), ("WAV", "ULAW", 8000, 1),
    ("WAV", "ALAW", 8000, 2), ("WAV", "IMA_ADPCM", 16000, 1), ("WAV", "MS_ADPCM", 11025, 1),
    ("WAV", "GSM610", 8000, 1), ("WAVEX", "PCM_16", 48000, 3), ("WAVEX", "FLOAT", 16000, 2),
    ("RF64", "PCM_16", 16000, 1), ("W64", "PCM_24", 16000, 1), ("AIFF", "PCM_16", 16000, 2),
    ("AIFF", "FLOAT", 16000, 1), ("AU", "PCM_16", 16000, 1), ("AU", "FLOAT", 8000, 1),
    ("CAF", "PCM_16", 16000, 1), ("CAF", "ALAC_16", 16000, 1), ("NIST", "PCM_16", 16000, 1),
    ("VOC", "PCM_16", 16000, 1), ("SVX", "PCM_16", 16000, 1), ("PAF", "PCM_16", 16000, 1),
    ("IRCAM", "PCM_16", 16000, 1), ("AVR", "PCM_16", 16000, 1),
    ("FLAC", "PCM_16", 16000, 1), ("FLAC", "PCM_24", 48000, 2),
    ("OGG", "VORBIS", 16000, 1), ("OGG", "VORBIS", 44100, 2), ("OGG", "OPUS", 48000, 1),
    ("MP3", "MPEG_LAYER_III", 16000, 1), ("MP3", "MPEG_LAYER_III", 44100, 2),
]  # fmt: skip


@cache
def seeds() -> dict[str, tuple[bytes, np.ndarray]]:
    """Name to bytes and to what they hold: float32 [samples], channels averaged."""
    made = {}
    for kind, coding, rate, channels in KINDS:
        samples = rate * (15 if kind == "OGG" else 2) // 10  # an ogg of a few pages
        noise = np.random.default_rng(len(made)).normal(size=(samples, channels))
        file = io.BytesIO()
        soundfile.write(file, 0.1 * noise, rate, format=kind, subtype=coding)
        wave, _ = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32", always_2d=True)
        made[f"{kind} {coding} {rate}x{channels}"] = file.getvalue(), wave.mean(1, dtype=np.float32)
    return made
