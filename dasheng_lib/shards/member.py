"""One audio member of a shard: its bytes where they lie, its samples, and what is wrong with them.

Besides the reasons of errors of audio, those below are all that this package ever gives for leaving
something out.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dasheng_lib import audio
from dasheng_lib.audio import LOUDEST
from dasheng_lib.audio.reading import CutError, NotFiniteError, TooLoudError
from dasheng_lib.common.errors import UserError

DUPLICATE = "duplicate key"
MISSING = "missing"
NO_NAME = "no name for a file below the folder"
NOT_NUMBERS = NotFiniteError.reason
NOT_READ = "hidden or of a kind that libsndfile does not read"
SHORT = "too short"
SILENT = "silent"
TOO_LOUD = TooLoudError.reason
WRONG_RATE = "wrong rate"

SHORTEST = 480  # samples: the front end needs 30 ms at 16 kHz
SILENCE = 2.0**-16  # half a step of 16 bit: what never exceeds it is packed as zeros
_READ_AHEAD = 1 << 18  # bytes; most members come with one read


class OpenShard:
    """A shard held open; threads share it, for every read says where it reads.

    Closed when the last user lets go of it, so it can leave a cache while another thread reads.

    Raises:
        UserError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._handle = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise unreadable(path, error) from error

    def __del__(self) -> None:
        if hasattr(self, "_handle"):
            os.close(self._handle)

    def bytes(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``, fewer at the end of the file.

        Raises:
            UserError: the disk or network fails.
        """
        try:
            return os.pread(self._handle, size, offset)
        except OSError as error:
            raise unreadable(self.path, error) from error

    def length(self, offset: int, size: int) -> tuple[int, int]:
        """Samples per channel that are there, and the rate in Hz; see :func:`audio.length`.

        Raises:
            AudioError: it is no audio, or shorter than its header says.
        """
        with self._file(offset, size) as file:
            return audio.length(file, name=f"A member of {self.path}")

    def wave(self, offset: int, size: int, start: int, count: int) -> np.ndarray:
        """Samples ``start … start + count`` of a member: float32 [count], channels averaged.

        Only this part is decoded where the format can seek (wav and flac do so cheaply).

        Raises:
            AudioError: damaged, or it holds fewer samples.
        """
        name = f"A member of {self.path}"
        with self._file(offset, size) as file, audio.opened(file, name) as stream:
            stream.seek(start)
            frames_FC = stream.read(count, dtype="float32", always_2d=True)
        if len(frames_FC) != count:
            raise CutError(f"{name} ends early.")
        return frames_FC.mean(axis=1, dtype=np.float32)

    @contextlib.contextmanager
    def _file(self, offset: int, size: int) -> Iterator[BinaryIO]:
        """A member as a file; an error of the disk is none of the member."""
        part = _Part(self, offset, size)
        try:
            yield io.BufferedReader(part, _READ_AHEAD)
        finally:
            if part.error is not None:
                raise part.error


class _Part(io.RawIOBase):
    """A stretch of a shard as a file. libsndfile calls it and cannot be thrown at, so an error
    of the disk is kept for whoever opened it."""

    def __init__(self, shard: OpenShard, offset: int, size: int) -> None:
        self.shard, self._offset, self._size, self._at = shard, offset, size, 0
        self.error: UserError | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer) -> int:
        want = max(min(len(buffer), self._size - self._at), 0)
        try:
            data = self.shard.bytes(self._offset + self._at, want)
        except UserError as error:
            self.error, data = error, b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def fault(wave: np.ndarray, loudest: float = LOUDEST) -> str | None:
    """Why ``wave`` [samples] must not be trained on; None if it may be.

    Args:
        loudest: absolute sample, of full scale, up to which it is no other unit.
    """
    if len(wave) < SHORTEST:
        return SHORT
    peak = max(-wave.min(), wave.max())  # one NaN makes it NaN
    if not np.isfinite(peak):
        return NOT_NUMBERS
    if peak > loudest:
        return TOO_LOUD
    return SILENT if peak <= SILENCE else None


def counted(reasons: Iterable[str]) -> str:
    """``"3 silent, 1 damaged"``."""
    return ", ".join(f"{count} {reason}" for reason, count in Counter(reasons).most_common())


def json_of(data: bytes) -> dict:
    """What ``KEY.json`` holds; empty if it holds nothing, is damaged or no object."""
    try:
        meta = json.loads(data or b"{}")
    except ValueError:
        return {}
    return meta if isinstance(meta, dict) else {}


def unreadable(path: Path, error: OSError) -> UserError:
    """What to say when the file system does not give a shard."""
    return UserError(
        f"Cannot read the shard {path} ({error.strerror}): see that it is there and readable, "
        "and run the same command again."
    )
