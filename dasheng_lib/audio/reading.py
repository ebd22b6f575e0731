"""Bytes to samples, block by block: nothing that a header says is believed before it is there."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from dasheng_lib.audio import mp3
from dasheng_lib.audio.rates import BLOCK, SAMPLE_RATE, joined, resampled
from dasheng_lib.audio.whole import lost
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import expanded

LOUDEST = 100.0  # of full scale; beyond it is another unit or a flipped bit
RATES = (1_000, 1_000_000)  # Hz
LONGEST_HOURS = 4.0  # what is held as float32 at 16 kHz in 0.9 GB
_MP3_SLACK = 2304  # samples: decoders may drop a frame at both ends


class AudioError(UserError):
    """An audio file that cannot be used; the text names it, ``reason`` says why in a few words."""

    reason = "damaged"


class NotFiniteError(AudioError):
    """An audio file that holds NaN or infinity."""

    reason = "not numbers"


class TooLoudError(AudioError):
    """An audio file whose samples are in another unit than full scale."""

    reason = "too loud"


class TooLongError(AudioError):
    """An audio file of more than ``LONGEST_HOURS``, or whose header says so."""

    reason = "too long"


class RateError(AudioError):
    """An audio file at a rate that is none of sound."""

    reason = "rate of no sound"


class CutError(AudioError):
    """An audio file that is shorter than its header says."""

    reason = "shorter than its header says"


class _Stream(soundfile.SoundFile):
    """soundfile seeks after each read where it can, which fails in a flac of unknown length."""

    def seekable(self) -> bool:
        return False

    def seek(self, frames: int, *whence: int) -> int:
        try:
            return super().seek(frames, *whence)
        except soundfile.SoundFileRuntimeError:
            if self.subtype != "GSM610":  # which goes forward alone
                raise
            for start in range(0, frames, BLOCK):
                self.read(min(BLOCK, frames - start), dtype="float32")
            return frames


class _Seekable:
    """Damaged files send libsndfile before their beginning, and cffi prints what it is told."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.readinto, self.tell = file, file.readinto, file.tell

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._file.seek(offset, whence)


def decode(
    source: bytes | str | os.PathLike | BinaryIO,
    *,
    name: str = "",
    seconds: float | None = None,
    rate: int = SAMPLE_RATE,
) -> np.ndarray:
    """Samples of one audio file, float32 [samples], mono, at ``rate`` Hz, not normalised.

    Besides the result, memory holds some seconds of the file.

    Args:
        source: a path, the bytes of a file, or a file that can seek. Anything libsndfile reads:
            wav, flac, ogg (Vorbis, Opus), mp3, aiff, …; any number of channels, any rate.
        name: what to call it in an error; a path names itself.
        seconds: read no more than this from its beginning.

    Returns an empty array for a file that holds no samples.

    Raises:
        AudioError: not an audio file, damaged, shorter than its header says, over four hours, of
            a rate outside 1 kHz…1 MHz, or it holds NaN, infinity or a sample beyond ±100.
    """
    with opened(source, name) as stream:
        return joined(resampled(_blocks(stream, seconds), stream.samplerate, rate))


def read(
    source: bytes | str | os.PathLike | BinaryIO,
    *,
    name: str = "",
    seconds: float | None = None,
    checked: bool = True,
) -> tuple[np.ndarray, int, int]:
    """Samples at the file's own rate, float32 [samples], channels averaged; rate; channels.

    Args:
        checked: whether what a header says of the length is compared with what is there. False
            for bytes whose hash is known, which have lost nothing.

    Raises:
        AudioError: as for :func:`decode`.
    """
    with opened(source, name, checked) as stream:
        return joined(_blocks(stream, seconds, checked)), stream.samplerate, stream.channels


def length(source: bytes | str | os.PathLike | BinaryIO, *, name: str = "") -> tuple[int, int]:
    """Samples per channel that can be read, and the rate in Hz.

    The header is believed if its last sample is there; where it does not tell, all is decoded.

    Raises:
        AudioError: as for :func:`decode`, as far as that is seen without decoding.
    """
    with opened(source, name) as stream:
        rate = stream.samplerate
        if stream.frames > LONGEST_HOURS * 3600 * rate and not _tells(stream):
            return sum(map(len, _blocks(stream))), rate
        _check_length(stream, stream.frames)
        if stream.frames:
            stream.seek(stream.frames - 1)
            if not len(stream.read(1, dtype="float32")):
                raise CutError(f"{stream.called} is shorter than its header says: {_AGAIN}.")
        return stream.frames, rate


@contextlib.contextmanager
def opened(
    source: bytes | str | os.PathLike | BinaryIO, name: str = "", checked: bool = True
) -> Iterator[soundfile.SoundFile]:
    """An audio file as libsndfile reads it, by its bytes alone: names say nothing.

    Raises:
        AudioError: as for :func:`decode`; also for what libsndfile says while it is read.
    """
    if not name:
        name = str(source) if isinstance(source, str | os.PathLike) else "the audio"
    try:
        with _file(source) as file:
            if checked:
                reason = lost(file)
                if not reason:
                    file, reason = _counted(file)
                if reason:
                    raise CutError(f"{name} is damaged ({reason}): {_AGAIN}.")
            with _Stream(_Seekable(file)) as stream:
                stream.called = name
                if not RATES[0] <= stream.samplerate <= RATES[1]:
                    raise RateError(
                        f"{name} says {stream.samplerate} Hz, and sound is read at "
                        f"{RATES[0]} to {RATES[1]} Hz: {_AGAIN}."
                    )
                yield stream
    except (soundfile.SoundFileError, OSError) as error:
        reason = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
        raise AudioError(
            f"{name} cannot be read as audio ({str(reason).rstrip('.')}): it is damaged or of a "
            "kind that libsndfile does not know; fetch it again, or convert it to wav or flac."
        ) from error


_AGAIN = "fetch or export it again"


def _file(source: bytes | str | os.PathLike | BinaryIO) -> contextlib.AbstractContextManager:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if not isinstance(source, str | os.PathLike):
        return contextlib.nullcontext(source)
    if "\0" in str(source):
        raise OSError("no file has such a name")
    # A text is as a user wrote it; a path may be that of a file ~x, found in a folder.
    path = expanded(source) if isinstance(source, str) else Path(source)
    if path.exists() and not path.is_file():  # a pipe would be waited for, for ever
        raise OSError("it is no file")
    return path.open("rb")


def _counted(file: BinaryIO) -> tuple[BinaryIO, str]:
    """The file, an mp3 with its true number of frames in front; and what its own number belies."""
    head = file.read(3)
    file.seek(0)
    if head != b"ID3" and head[:1] != b"\xff":
        return file, ""
    data = file.read()
    file.seek(0)
    first = mp3.start(data)
    if first is None:
        return file, ""
    told, (there, cut) = mp3.told(data, first), mp3.count(data, first)
    if told is not None and there <= told + 1:  # the frame that tells may be counted or not
        lost_end = there < told or (cut and there == told)
        return file, f"of {told} frames {there} are there" * lost_end
    with soundfile.SoundFile(file) as stream:
        right = stream.frames == there * mp3.samples(data, first)
    file.seek(0)
    return (file if right else io.BytesIO(mp3.said(data, first, there) + data[first:])), ""


def _blocks(
    stream: soundfile.SoundFile, seconds: float | None = None, checked: bool = True
) -> Iterator[np.ndarray]:
    """Samples with their channels averaged, float32 [some], to the end or for so many seconds."""
    left = None if seconds is None else round(seconds * stream.samplerate)
    most = min(BLOCK, max(8 * BLOCK // stream.channels, 1))
    if left is None and _tells(stream):
        _check_length(stream, stream.frames)
    done = 0
    while left is None or done < left:
        want = most if left is None else min(left - done, most)
        frames_FC = stream.read(want, dtype="float32", always_2d=True)
        if not len(frames_FC):
            break
        peak = max(-frames_FC.min(), frames_FC.max())
        if not np.isfinite(peak):
            raise NotFiniteError(
                f"{stream.called} holds samples that are not numbers: export it again."
            )
        if peak > LOUDEST:
            raise TooLoudError(
                f"{stream.called} has a sample of {peak:.3g} where full scale is 1: export it "
                "again."
            )
        done += len(frames_FC)
        _check_length(stream, done)
        yield frames_FC[:, 0] if stream.channels == 1 else frames_FC.mean(1, dtype=np.float32)
    slack = _MP3_SLACK if stream.format == "MP3" else 0
    if checked and left is None and _tells(stream) and done < stream.frames - slack:
        raise CutError(
            f"{stream.called} is damaged (its header tells {stream.frames} samples and {done} are "
            f"there): {_AGAIN}."
        )


def _tells(stream: soundfile.SoundFile) -> bool:
    """Whether the header says a length: libsndfile counts to 2^63 - 1 where it does not."""
    return stream.frames < 1 << 62


def _check_length(stream: soundfile.SoundFile, frames: int) -> None:
    if frames > LONGEST_HOURS * 3600 * stream.samplerate:
        raise TooLongError(
            f"{stream.called} lasts more than {LONGEST_HOURS:g} hours, or its header says so: cut "
            "it into pieces."
        )
