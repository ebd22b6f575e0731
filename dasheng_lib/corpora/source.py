"""One clip as it is found: bytes that decide its samples, and their hash."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np
import soundfile

from dasheng_lib import audio


@dataclass(frozen=True, eq=False)
class Source:
    """Bytes of one clip and how to make samples of them.

    Attributes:
        member: where it was found, unique within its package or set.
        payload: an audio file, or with ``rate`` the bare samples of one channel, int16
            little-endian.
        rate: Hz of bare samples; None for a file, which knows its own.
        seconds: only so much of the beginning is used; None for all of it.
        loop: first frame of the loop and the first frame behind it. A clip that is shorter than
            ``seconds`` repeats it, as a sampler does that holds the key down.
        zone: what a sample bank says about the sample, ``bank:program:low-high:root``.
        by_samples: its hash is that of the decoded samples, so that a wav and a flac of one
            recording are the same clip.
    """

    member: str
    payload: bytes
    rate: int | None = None
    seconds: float | None = None
    loop: tuple[int, int] | None = None
    zone: str = ""
    by_samples: bool = False

    def sha256(self) -> str:
        """Hash of all that determines the samples; of the file alone if it is used as it is."""
        if self.by_samples:
            return _samples_sha256(self.payload)
        sha = hashlib.sha256(self.payload)
        if self.rate or self.seconds or self.loop:
            sha.update(f"|{self.rate}|{self.seconds}|{self.loop}".encode())
        return sha.hexdigest()

    def decode(self) -> tuple[np.ndarray, int, int]:
        """Samples float32 [samples] at 16 kHz, the original rate in Hz, the original channels.

        Raises:
            AudioError: the payload is damaged.
        """
        if self.rate is None:
            cut = None if self.loop else self.seconds
            # Its hash is known, so that nothing of it is lost, whatever its header says.
            wave, rate, channels = audio.read(
                self.payload, name=self.member, seconds=cut, checked=False
            )
        else:
            wave = np.frombuffer(self.payload, "<i2").astype(np.float32) / 32768
            rate, channels = self.rate, 1
        if self.seconds is not None:
            wave = _hold(wave, round(self.seconds * rate), self.loop)
        return audio.resample(wave, rate), rate, channels


def _hold(wave: np.ndarray, frames: int, loop: tuple[int, int] | None) -> np.ndarray:
    """First ``frames`` of ``wave``, prolonged by its loop where it has a usable one."""
    if len(wave) >= frames or loop is None:
        return wave[:frames]
    start, end = loop
    if not 0 <= start < end <= len(wave):
        return wave
    ring = wave[start:end]
    turns = -(-(frames - end) // len(ring))
    return np.concatenate([wave[:end], np.tile(ring, turns)])[:frames]


def _samples_sha256(payload: bytes) -> str:
    """Hash of rate, channels and 16-bit samples; "" for what is no audio file."""
    try:
        with soundfile.SoundFile(io.BytesIO(payload)) as stream:
            head = f"{stream.samplerate}|{stream.channels}|"
            samples = stream.read(dtype="int16")
    except soundfile.SoundFileError:
        return ""
    return hashlib.sha256(head.encode() + samples.astype("<i2").tobytes()).hexdigest()
