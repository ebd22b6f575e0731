"""Audio files to the waveform that every encoder here takes: mono, 16 kHz, float32."""

from dasheng_lib.audio.rates import SAMPLE_RATE, played, ratio, resample
from dasheng_lib.audio.reading import (
    LONGEST_HOURS,
    LOUDEST,
    AudioError,
    decode,
    length,
    opened,
    read,
)

__all__ = [
    "LONGEST_HOURS",
    "LOUDEST",
    "SAMPLE_RATE",
    "AudioError",
    "decode",
    "length",
    "opened",
    "played",
    "ratio",
    "read",
    "resample",
]
