"""One recording and its labels: a file, or a row of a corpus; both give their samples alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path

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
    """

    name: str
    samples: int
    rate: int
    identity: str
    wave: Callable[[], np.ndarray] = field(repr=False, compare=False)
    labels: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    part_of: str = ""

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.samples / self.rate


def file_clip(name: str, path: Path, facts: WavFacts, **labels) -> Clip:
    """The clip of a file, which is read when its samples are asked for."""
    wave = partial(read_file, path, facts.sha256)
    return Clip(name, facts.samples, facts.rate, facts.sha256, wave, **labels)


def read_file(path: Path, sha: str) -> np.ndarray:
    """Samples of a file, float32 [samples], its channels averaged.

    Raises:
        AudioError: it cannot be read, or is not the file that it was when its task was read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AudioError(f"{path} cannot be read ({error.strerror}): bring it back.") from error
    # What is cached under a hash must be of these very bytes.
    if sha256(data).hexdigest() != sha:
        raise AudioError(f"{path} has changed since its task was read: read the task again.")
    frames_FC, _ = audio.read(data, name=str(path))
    return frames_FC[:, 0] if frames_FC.shape[1] == 1 else frames_FC.mean(1, dtype=np.float32)
