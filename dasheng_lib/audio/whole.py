"""Whether a file is as long as its container says: what libsndfile shortens without a word."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple

_UNKNOWN = 0x7FFF_0000  # what writes to a pipe says this or more, for it does not know its length
_CHUNKS = 1000  # more than any file has before its samples
_PAGE = 27 + 255 + 255 * 255  # bytes of the longest page of an ogg


class _Kind(NamedTuple):
    """Chunks one after another: from where, how they are headed, which of them is the samples."""

    first: int
    name: int  # bytes of a chunk's name
    size: int  # bytes of its size
    order: str
    data: tuple[bytes, ...]
    padded: int  # a chunk ends at a multiple of this
    itself: bool = False  # its size counts its own header


_W64 = _Kind(40, 16, 8, "little", (b"data",), 8, True)
_KINDS = {
    b"RIFF": _Kind(12, 4, 4, "little", (b"data",), 2),
    b"RIFX": _Kind(12, 4, 4, "big", (b"data",), 2),
    b"RF64": _Kind(12, 4, 4, "little", (b"data",), 2),
    b"FORM": _Kind(12, 4, 4, "big", (b"SSND", b"BODY"), 2),
    b"riff": _W64,
    b"caff": _Kind(8, 4, 8, "big", (b"data",), 1),
}


def lost(file: BinaryIO) -> str:
    """What is wrong with the length of an audio file, "" if nothing is or its kind does not tell.

    Args:
        file: that can seek; it is left at its beginning.
    """
    total = file.seek(0, io.SEEK_END)
    file.seek(0)
    magic = file.read(4)
    if magic in _KINDS:
        reason = _of_chunks(file, _KINDS[magic], total)
    elif magic == b".snd":
        begin, size = (int.from_bytes(file.read(4), "big") for _ in range(2))
        reason = _cut(size, total - begin) if size < _UNKNOWN else ""
    elif magic == b"OggS":
        file.seek(max(0, total - _PAGE))
        reason = _of_pages(file.read())
    else:
        reason = ""
    file.seek(0)
    return reason


def _of_chunks(file: BinaryIO, kind: _Kind, total: int) -> str:
    long = None  # RF64 tells the length of its samples ahead, in a chunk of its own
    for name, at, size in islice(_chunks(file, kind, total), _CHUNKS):
        if name == b"ds64":
            file.seek(at + 8)
            long = int.from_bytes(file.read(8), "little")
        if name in kind.data:
            size = long if long is not None and size >= _UNKNOWN else size
            if size == 0 and at < total and not _is_chunk(file, kind, at, total):
                return f"its header was never finished: no samples, yet {total - at} bytes follow"
            if (kind.size == 4 and long is None and size >= _UNKNOWN) or size >= 1 << 62:
                return ""
            return _cut(size, total - at)
    return ""


def _chunks(file: BinaryIO, kind: _Kind, total: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and size of what each chunk holds, as far as their headers lie in the file."""
    at = kind.first
    while at + kind.name + kind.size <= total:
        file.seek(at)
        name = file.read(kind.name)[:4]
        size = int.from_bytes(file.read(kind.size), kind.order)
        at += kind.name + kind.size
        size = max(size - kind.name - kind.size, 0) if kind.itself else size
        yield name, at, size
        at += -(-size // kind.padded) * kind.padded


def _is_chunk(file: BinaryIO, kind: _Kind, at: int, total: int) -> bool:
    """Whether another chunk begins here, as behind a file's samples where there are none."""
    name, begin, size = next(_chunks(file, kind._replace(first=at), total), (b"", 0, total))
    return name.isascii() and name.decode("ascii").isprintable() and begin + size <= total


def _of_pages(tail: bytes) -> str:
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return "" if at < 0 else "its last page is cut"
    segments = tail[at + 27 : at + 27 + tail[at + 26]]
    return "its last page is cut" if len(tail) < at + 27 + tail[at + 26] + sum(segments) else ""


def _cut(told: int, there: int) -> str:
    return f"it lost its end: {told} bytes of samples are told and {max(there, 0)} are there" * (
        told > there
    )
