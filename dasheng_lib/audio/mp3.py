"""How many frames an mp3 holds: counted, where decoders guess from the first frame's bit rate.

An mp3 tells its length in a first frame without sound (``Xing``, ``Info`` or ``VBRI``), which many
writers leave out. libsndfile then divides the size of the file by the first bit rate, and stops
there: of a file that begins loud and ends quiet the end is lost without a word.
"""

from __future__ import annotations

from typing import NamedTuple

_TAGS = (b"Xing", b"Info")
# kbit/s of layer III by index, of MPEG 1 and of MPEG 2 and 2.5.
_BIT_RATES = (
    (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_MISSES = 1 << 16  # bytes that look like a frame and are none, before the search is given up
_SAME = bytes([0xFF, 0xFE, 0x0C])  # bits of a header that are equal in all frames of a file


class _Frame(NamedTuple):
    size: int  # bytes
    samples: int
    tag: int  # where a tag of length lies, from the frame's first byte


def start(data: bytes) -> int | None:
    """Where the first frame of layer III begins, behind an ID3v2 tag; None if this is no mp3."""
    at = 0
    if data[:3] == b"ID3" and len(data) > 10:
        size = 0
        for byte in data[6:10]:
            size = size << 7 | byte & 0x7F
        at = 10 + size + 10 * bool(data[5] & 0x10)
    return at if _frame(data, at) else None


def told(data: bytes, first: int) -> int | None:
    """Frames that the file says it has; None if it does not say."""
    at = first + _frame(data, first).tag
    if data[at : at + 4] in _TAGS and data[at + 7] & 1:
        return int.from_bytes(data[at + 8 : at + 12], "big")
    at = first + 36
    return int.from_bytes(data[at + 14 : at + 18], "big") if data[at : at + 4] == b"VBRI" else None


def samples(data: bytes, first: int) -> int:
    """Samples per channel in each frame."""
    return _frame(data, first).samples


def count(data: bytes, first: int) -> tuple[int, bool]:
    """Whole frames that are there, the first included, and whether another one is cut off.

    What lies between frames is passed over.
    """
    same = bytes(a & b for a, b in zip(data[first : first + 3], _SAME, strict=True))
    found, at, misses = 0, first, 0
    while at >= 0 and misses < _MISSES:
        frame = _frame(data, at)
        like = frame and bytes(a & b for a, b in zip(data[at : at + 3], _SAME, strict=True)) == same
        if not like:
            at, misses = data.find(b"\xff", at + 1), misses + 1
        elif at + frame.size > len(data):
            return found, True
        else:
            found, at = found + 1, at + frame.size
    return found, False


def said(data: bytes, first: int, frames: int) -> bytes:
    """A first frame without sound that tells how many ``frames`` follow: put it before them."""
    header = bytearray(data[first : first + 4])
    header[1] |= 1  # no checksum
    # The largest frame of its kind, so that the tag has room in it at every rate.
    header[2] = header[2] & 0x0F | 0xE0
    frame = _frame(bytes(header), 0)
    tag = b"Info" + (1).to_bytes(4, "big") + frames.to_bytes(4, "big")
    return (bytes(header) + bytes(frame.tag - 4) + tag).ljust(frame.size, b"\0")


def _frame(data: bytes, at: int) -> _Frame | None:
    """The frame whose header lies at ``at``; None if there is none, or of a free bit rate."""
    head = data[at : at + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, rate, bits = head[1] >> 3 & 3, head[2] >> 2 & 3, head[2] >> 4
    if version == 1 or rate == 3 or not 1 <= bits <= 14:
        return None
    one = version == 3
    size = (144_000 if one else 72_000) * _BIT_RATES[not one][bits - 1] // _RATES[version][rate]
    mono = head[3] >> 6 == 3
    tag = 4 + ((17 if mono else 32) if one else (9 if mono else 17))
    return _Frame(size + (head[2] >> 1 & 1), 1152 if one else 576, tag)
