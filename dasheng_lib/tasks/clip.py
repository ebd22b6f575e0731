"""One recording and its labels: a file, or a row of a corpus; both give their samples alike."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import file_digest
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dasheng_lib import audio
from dasheng_lib.audio import AudioError
from dasheng_lib.corpora.wav_facts import WavFacts
from dasheng_lib.metrics.events import Event


@dataclass(frozen=True)
class Clip:
    """One recording and its labels.

    Attributes:
        name: in its task.
        samples, rate: its length, at its own rate in Hz.
        identity: of equal identities the samples are equal; a file's is the SHA-256 of its bytes.
        wave: gives the samples, float32 [samples], mono.
        labels: of a scene; of a multiclass task exactly one.
        events: of an event task.
        part_of: the recording that it is a piece of, whose pieces' scores are averaged; "" if it
            is whole.
        at: gives the samples at a rate in Hz, where that can be done with less memory than by
            resampling ``wave``; None where it cannot.
    """

    name: str
    samples: int
    rate: int
    identity: str
    wave: Callable[[], np.ndarray] = field(repr=False, compare=False)
    labels: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    part_of: str = ""
    at: Callable[[int], np.ndarray] | None = field(default=None, repr=False, compare=False)

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.samples / self.rate

    def resampled(self, rate: int) -> np.ndarray:
        """Its samples at ``rate`` Hz."""
        if self.at is not None:
            return self.at(rate)
        return audio.resample(self.wave(), self.rate, rate)


def file_clip(name: str, path: Path, facts: WavFacts, **labels) -> Clip:
    """The clip of a file, which is read when its samples are asked for."""
    wave, at = (partial(read, path, facts.sha256) for read in (read_file, read_file_at))
    return Clip(name, facts.samples, facts.rate, facts.sha256, wave, at=at, **labels)


def read_file(path: Path, sha: str) -> np.ndarray:
    """Samples of a file, float32 [samples], its channels averaged.

    Raises:
        AudioError: it cannot be read, or is not the file that it was when its task was read.
    """
    with _same(path, sha) as file:
        return audio.read(file, name=str(path))[0]


def read_file_at(path: Path, sha: str, rate: int) -> np.ndarray:
    """:func:`read_file` at ``rate`` Hz, without ever holding all samples of another rate."""
    with _same(path, sha) as file:
        return audio.decode(file, name=str(path), rate=rate)


@contextlib.contextmanager
def _same(path: Path, sha: str) -> Iterator[BinaryIO]:
    """The file from its beginning, if it is the one of this hash."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise AudioError(f"{path} cannot be read ({error.strerror}): bring it back.") from error
    with file:
        # What is cached under a hash must be of these very bytes.
        if file_digest(file, "sha256").hexdigest() != sha:
            raise AudioError(f"{path} has changed since its task was read: read the task again.")
        file.seek(0)
        yield file
