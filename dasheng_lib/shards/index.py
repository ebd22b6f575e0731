"""What a shard holds and where, found by one pass over its headers and kept in the cache.

Training reads members in its own order, and must know how many crops there are before it
begins; both follow from the index alone. Nothing is written beside the shard.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dasheng_lib.audio import SAMPLE_RATE, AudioError
from dasheng_lib.audio.below import OTHER, READ
from dasheng_lib.common.cache import artefact
from dasheng_lib.common.errors import UserError, tell
from dasheng_lib.common.places import expanded
from dasheng_lib.corpora.fetch.unpack import Entry
from dasheng_lib.shards.member import (
    DUPLICATE,
    NOT_READ,
    SHORT,
    SHORTEST,
    WRONG_RATE,
    OpenShard,
    unreadable,
)

VERSION = 3  # raise it when an index changes
_HEAD = 4096  # bytes
_MOST = 1_000_000  # shards that a range may name
_PACKED = {b"\x1f\x8b": "gunzip", b"\x28\xb5": "unzstd", b"BZ": "bunzip2", b"\xfd7": "unxz"}


class Member(NamedTuple):
    """Audio in a shard; see :class:`ShardIndex`."""

    key: str
    kind: str
    offset: int
    size: int
    samples: int
    rate: int
    meta_offset: int
    meta_size: int


@dataclass(frozen=True, eq=False)
class ShardIndex:
    """The audio of one shard.

    Attributes:
        path: of the tar file.
        stored: where its members lie in the cache.
        members: structured, one row per audio member in the order of the file: ``key``
            (UTF-8 bytes), ``kind`` (file ending), ``offset`` and ``size`` in bytes, ``samples``,
            ``rate`` in Hz, and ``meta_offset``, ``meta_size`` of ``KEY.json`` (size 0: none).
            Mapped from disk, so a process holds only what it touches, and of the last shards
            alone: each map takes a file descriptor, of which a process has 1024 or fewer.
        faults: key to reason, for audio that has no row; ``""`` is the tar file itself.
        digest: hex, of every key, size, number of samples, rate and first 4096 bytes (in flac these
            hold the MD5 of the samples); not of the path.
    """

    path: Path
    stored: Path
    faults: dict[str, str]
    digest: str

    @property
    def members(self) -> np.ndarray:
        """See above."""
        try:
            return _mapped(self.stored)
        except FileNotFoundError:  # the cache was emptied
            return _mapped(shard_index(self.path).stored)

    def member(self, row: int) -> Member:
        """One row of ``members`` in Python's own types."""
        key, kind, *numbers = self.members[row].item()
        return Member(key.decode(), kind.decode(), *numbers)

    def crops(self, samples: int) -> np.ndarray:
        """Crops of so many samples in each member, int [members]; 0 where it must not be used."""
        lengths = np.asarray(self.members["samples"])
        usable = (lengths >= SHORTEST) & (self.members["rate"] == SAMPLE_RATE)
        return np.where(usable, np.maximum(lengths // samples, 1), 0)

    def unusable(self) -> dict[str, str]:
        """Key to reason, for all audio that training leaves out unheard."""
        rows = np.flatnonzero(self.crops(SHORTEST) == 0)
        reasons = np.where(self.members["rate"][rows] == SAMPLE_RATE, SHORT, WRONG_RATE)
        keys = [self.member(row).key for row in rows]
        return self.faults | dict(zip(keys, reasons.tolist(), strict=True))


def shard_index(path: Path | str) -> ShardIndex:
    """The index of a tar shard, ours or any in webdataset's layout.

    A tar that is cut short or damaged serves the members before the damage and says so in
    ``faults[""]``. A file that is replaced is indexed again.

    Raises:
        UserError: the file cannot be read.
    """
    path = Path(path).absolute()
    try:
        stat = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error

    def make(folder: Path) -> None:
        rows, faults, heads = _scan(path)
        width = max([len(row[0]) for row in rows], default=1)
        numbers = [(name, "<i8") for name in Member._fields[2:]]
        members = np.array(rows, [("key", f"S{width}"), ("kind", "S8"), *numbers])
        np.save(folder / "members.npy", members)
        columns = [members[name].tobytes() for name in ("key", "size", "samples", "rate")]
        identity = hashlib.sha256(b"".join([*columns, heads])).hexdigest()[:16]
        told = {"faults": faults, "digest": identity}
        (folder / "told.json").write_text(json.dumps(told))

    # A copy may have the time of what it replaces; what is in its place since when it has not.
    recipe = {
        "path": os.fsdecode(os.fsencode(path)).encode("utf-8", "backslashreplace").decode(),
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        # The time of the last change of the inode cannot be set back, as a copy's other time can.
        "ctime_ns": stat.st_ctime_ns,
        "inode": stat.st_ino,
        "version": VERSION,
    }
    folder = artefact("shard-index", recipe, make)
    told = json.loads((folder / "told.json").read_text())
    return ShardIndex(path, folder / "members.npy", **told)


@lru_cache(maxsize=32)
def _mapped(path: Path) -> np.ndarray:
    return np.load(path, mmap_mode="r", allow_pickle=False)


def find_shards(shards: str | Path | Sequence[str | Path]) -> list[Path]:
    """Paths of shards, sorted by file name, so that moving a folder changes no order.

    Args:
        shards: tar files, folders of them, patterns (``audioset/*.tar``) or ranges as webdataset
            writes them (``shard-{000000..000012}.tar``), one or a list.

    Raises:
        UserError: one of them names nothing, or a shard of a range is not there.
    """
    found: set[Path] = set()
    for one in [shards] if isinstance(shards, str | os.PathLike) else shards:
        path = expanded(one)
        if path.is_dir():
            here = list(path.glob("*.tar"))
            packed = [p.name for p in path.glob("*.tar.*") if not p.with_suffix("").exists()]
            if packed:
                said = tell("shard is compressed", sorted(packed), "shards are compressed")
                raise UserError(
                    f"{path}: {said}: unpack them with gunzip, and name the folder again."
                )
        elif path.is_file():
            here = [path]
        else:
            here = _there(_ranges(str(path)), str(one))
        if not here:
            raise UserError(
                f"There are no shards at {one}: name a .tar file, a folder of them or a quoted "
                "pattern, or make some with `dasheng shards pack`."
            )
        found.update(p.absolute() for p in here)
    return sorted(found, key=lambda p: (p.name, str(p)))


def _scan(path: Path) -> tuple[list[tuple], dict[str, str], bytes]:
    """Rows of the index, faults, and a hash over the beginnings of the members."""
    shard, size = OpenShard(path), path.stat().st_size
    audio: dict[str, tuple[str, int, int]] = {}
    meta: dict[str, tuple[int, int]] = {}
    faults: dict[str, str] = {}
    last = "the beginning"
    try:
        with tarfile.open(path, "r:", tarinfo=Entry) as tar:
            for entry in tar:
                if entry.offset_data + entry.size > size:
                    raise tarfile.ReadError("unexpected end")
                name = _text(entry.name)
                last = name
                stem, kind = _split(name)
                hidden = name.rpartition("/")[2].startswith("._")  # macOS leaves these
                if not entry.isreg() or entry.issparse() or hidden:
                    continue
                if kind == "json":
                    meta.setdefault(stem, (entry.offset_data, entry.size))
                elif kind in OTHER:
                    faults[f"{stem}.{kind}"] = NOT_READ
                elif kind in READ and stem in audio:
                    faults[f"{stem}.{kind}"] = DUPLICATE
                elif kind in READ:
                    audio[stem] = kind, entry.offset_data, entry.size
    except (
        tarfile.TarError,
        ValueError,
        EOFError,
        OverflowError,
        MemoryError,  # a header that claims 64 GB
        RecursionError,  # thousands of headers, each about the next
    ):
        if not audio and (how := _PACKED.get(shard.bytes(0, 2))):
            raise UserError(f"{path} is compressed: unpack it with {how}.") from None
        faults[""] = f"cut short or damaged after {last}"
    except OSError as error:
        raise unreadable(path, error) from error
    rows, heads = [], hashlib.sha256()
    for key, (kind, offset, length) in audio.items():
        try:
            samples, rate = shard.length(offset, length)
        except AudioError as error:
            faults[key] = error.reason
            continue
        heads.update(shard.bytes(offset, min(length, _HEAD)))
        rows.append((key.encode(), kind.encode(), offset, length, samples, rate))
    rows = [(*row, *meta.get(row[0].decode(), (0, 0))) for row in rows]
    return rows, faults, heads.digest()


def _split(name: str) -> tuple[str, str]:
    """Key and ending. webdataset cuts at the first dot; foreign names such as ``a.16k.flac``
    would then have no known ending, so the key reaches to the last one."""
    stem, _, kind = name.rpartition(".")
    if not stem.rpartition("/")[2] or "/" in kind:
        return name, ""
    return stem, kind.lower()


def _text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _ranges(text: str) -> list[str]:
    """Each name of a range, or of several in one text."""
    found = re.search(r"\{(\d+)\.\.(\d+)\}", text)
    if not found:
        return [text]
    first, last = found.groups()
    numbers = range(int(first), int(last) + 1)
    tails = _ranges(text[found.end() :])
    if len(numbers) * len(tails) > _MOST:
        raise UserError(f"{text} names over {_MOST} shards: name fewer.")
    names = [str(n).zfill(len(first)) for n in numbers]
    return [text[: found.start()] + name + tail for name in names for tail in tails]


def _there(texts: Sequence[str], one: str) -> list[Path]:
    """The files that names or patterns stand for; each name of a range has to be there."""
    found = {
        text: [Path(text)] if Path(text).is_file() else list(map(Path, glob.glob(text)))
        for text in texts
    }
    lost = [text for text, paths in found.items() if not paths]
    if lost and len(lost) < len(found):
        raise UserError(
            f"{one}: {tell('shard is not there', lost, 'shards are not there')}: bring "
            "them back, or name those that are there."
        )
    return [path for paths in found.values() for path in paths]
