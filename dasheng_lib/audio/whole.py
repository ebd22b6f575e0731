"""Whether a file is as long as its container says: what libsndfile shortens without a word."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple

_UNKNOWN = 0x7FFF_0000  # what writes to a pipe says this or more, for it does not know its length
_CHUNKS = 1000  # more than any file has before its samples
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


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
        reason = _of_pages(file, total)
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


def _of_pages(file: BinaryIO, total: int) -> str:
    """libogg drops a damaged page without a word, and libsndfile counts to the last good one."""
    at, ended, counts = 0, True, {}
    while at + 27 <= total:
        file.seek(at)
        head = file.read(27)
        if head[:4] != b"OggS":
            at += max((head + file.read(1 << 16)).find(b"OggS"), 0) or 1 << 16
            continue
        sizes = file.read(head[26])
        page = head[:22] + bytes(4) + head[26:] + sizes + file.read(sum(sizes))
        if len(page) < 27 + head[26] + sum(sizes):
            break
        if _page_sum(page) != int.from_bytes(head[22:26], "little"):
            return "one of its pages has changed"
        stream, number = head[14:18], int.from_bytes(head[18:22], "little")
        if number != counts.setdefault(stream, number):
            return "one of its pages is missing"
        counts[stream], ended, at = number + 1, bool(head[5] & 4), at + len(page)
    if at + 27 <= total:
        return "its last page is cut"
    return "" if ended else "its end is missing"


def _page_sum(page: bytes) -> int:
    """The CRC of an ogg, which takes the bits of a byte in the other order than zlib's."""
    found = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{found:032b}"[::-1], 2)


def _cut(told: int, there: int) -> str:
    return f"it lost its end: {told} bytes of samples are told and {max(there, 0)} are there" * (
        told > there
    )
