"""What audio files hold, found out once: samples that are there, rate, hash of the bytes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm.auto import tqdm

from dasheng_lib import audio
from dasheng_lib.audio import AudioError
from dasheng_lib.common.cache import atomic_file, cache_dir, digest

VERSION = 3  # raise it when other facts are found out, or other files refused


@dataclass(frozen=True)
class WavFacts:
    """Samples per channel that can be read, rate in Hz, SHA-256 of the bytes of the file.

    Attributes:
        fault: in a few words why it cannot be read; its rate is then 0.
    """

    samples: int
    rate: int
    sha256: str
    fault: str = ""

    def named(self, name: str) -> str:
        """``name`` with the fault, but for plain damage."""
        return name if self.fault == AudioError.reason else f"{name}: {self.fault}"


def wav_facts(folder: Path, files: Sequence[str], progress: bool = True) -> list[WavFacts | None]:
    """Facts about each of ``files`` (paths below ``folder``); None where there is no such file.

    A file that is there and cannot be read as audio has rate 0. What was read before is taken from
    the cache as long as size and times of the file are the same, so that 100,000 clips are hashed
    once.
    """
    store = cache_dir("hear", "index", digest([str(folder.resolve()), VERSION]) + ".json")
    known = _load(store)
    stamps = [_stamp(folder / file) for file in files]
    new = [
        file
        for file, stamp in zip(files, stamps, strict=True)
        if stamp is not None and known.get(file, [None])[0] != stamp
    ]
    if new:
        stamp_of = dict(zip(files, stamps, strict=True))
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1), "index") as pool:
            read = pool.map(lambda file: _read(folder / file), new)
            bar = tqdm(read, "look at wavs", len(new), disable=not progress or len(new) < 1000)
            for file, facts in zip(new, bar, strict=True):
                known[file] = [stamp_of[file], asdict(facts)]
        with atomic_file(store) as path:
            text = json.dumps(known).encode()
            path.write_bytes(_sum(text) + text)
    return [
        None if stamp is None else WavFacts(**known[file][1])
        for file, stamp in zip(files, stamps, strict=True)
    ]


def _load(store: Path) -> dict[str, list]:
    try:
        data = store.read_bytes()
    except OSError:
        return {}
    text = data[_SUM:]
    return json.loads(text) if data[:_SUM] == _sum(text) else {}


_SUM = 64  # letters of the hash that stands before the facts


def _sum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()


def _stamp(path: Path) -> list[int] | None:
    try:
        stat = path.stat()
    except (OSError, ValueError):  # no name of a file
        return None
    # The time of the last change of the inode cannot be set back, as a copy's other time can.
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _read(path: Path) -> WavFacts:
    sha256 = ""
    try:
        if not path.is_file():  # a pipe would be waited for, for ever
            return WavFacts(0, 0, "", "no file")
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            return WavFacts(*audio.length(file, name=str(path)), sha256)
    except (AudioError, OSError) as error:
        return WavFacts(0, 0, sha256, getattr(error, "reason", AudioError.reason))
