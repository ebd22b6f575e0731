"""Sound fonts, SF2 and SF3: recorded notes with the program and key they belong to.

SoundFont 2.04 specification (Creative, 2006), sections 7 and 8; SF3 is the same with the
samples packed as ogg.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import soundfile

from dasheng_lib.corpora.fetch.unpack import UnpackError
from dasheng_lib.corpora.source import Source

DRUMS = 128  # bank number of the percussion presets
_INSTRUMENT, _KEY_RANGE, _SAMPLE_ID, _SAMPLE_MODES, _ROOT = 41, 43, 53, 54, 58
_RIGHT, _PACKED = 2, 0x10
SHORTEST = 400  # frames; what is shorter is a single cycle for a synthesiser


@dataclass(frozen=True)
class _Zone:
    program: int
    low: int
    high: int
    root: int | None
    looped: bool


def read_soundfont(
    data: bytes, name: str, *, seconds: float, drum_seconds: float
) -> Iterator[Source]:
    """Samples of bank 0 (programs below 120) and of the drums; member ``name#index title``,
    with ``(drum)`` behind it for a drum.

    Every sample comes once for each of the two, with the first preset and zone that refers to
    it. Right channels of stereo pairs and samples under 400 frames are left out.

    Raises:
        UnpackError: not a sound font, or cut short.
    """
    try:
        chunks = dict(_chunks(data))
        headers = list(struct.iter_unpack("<20s5IBbHH", chunks[b"shdr"]))[:-1]
        used = _zones(chunks)
        pool = chunks[b"smpl"]
    except (KeyError, struct.error, IndexError) as error:
        raise UnpackError(f"{name} is not a whole sound font: fetch its package again.") from error
    for (bank, index), zone in sorted(used.items(), key=lambda item: item[0][::-1]):
        if index >= len(headers):
            raise UnpackError(f"{name} is not a whole sound font: fetch its package again.")
        title, start, end, loop_start, loop_end, rate, key, _, _, kind = headers[index]
        packed = bool(kind & _PACKED)
        payload = pool[start:end] if packed else pool[2 * start : 2 * end]
        if len(payload) < (end - start) * (1 if packed else 2):
            raise UnpackError(f"{name} is cut short: fetch its package again.")
        frames = _frames(payload) if packed else end - start
        if kind & 15 == _RIGHT or frames < SHORTEST or not rate:
            continue
        if not packed:  # SF3 counts loops from the sample's own beginning already
            loop_start, loop_end = loop_start - start, loop_end - start
        root = key if zone.root is None else zone.root
        text = title.split(b"\0")[0].decode("latin-1").strip()
        yield Source(
            member=f"{name}#{index:04d} {text}" + (" (drum)" if bank == DRUMS else ""),
            payload=payload,
            rate=None if packed else rate,
            seconds=drum_seconds if bank == DRUMS else seconds,
            loop=(loop_start, loop_end) if zone.looped else None,
            zone=f"{bank}:{zone.program}:{zone.low}-{zone.high}:{root}",
        )


def _frames(packed: bytes) -> int:
    try:
        return soundfile.info(io.BytesIO(packed)).frames
    except soundfile.SoundFileError:
        return 0


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Leaves of the RIFF tree, lists opened."""
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise IndexError("not RIFF sfbk")
    position = 12
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        if name == b"LIST":
            position += 12
            continue
        yield name, data[position + 8 : position + 8 + size]
        position += 8 + size
        # Some writers leave out the pad byte behind an odd chunk.
        if size % 2 and not _is_name(data[position : position + 4]):
            position += 1


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and name.isalnum()


def _zones(chunks: dict[bytes, bytes]) -> dict[tuple[int, int], _Zone]:
    """First zone of each (bank, sample), presets in the order of the file."""
    presets = list(struct.iter_unpack("<20sHHHIII", chunks[b"phdr"]))
    instruments = [bag for _, bag in struct.iter_unpack("<20sH", chunks[b"inst"])]
    preset_zones = _bags(chunks[b"pbag"], chunks[b"pgen"])
    instrument_zones = _bags(chunks[b"ibag"], chunks[b"igen"])
    first: dict[tuple[int, int], _Zone] = {}
    spans = [(p[2], p[1], p[3], q[3]) for p, q in pairwise(presets)]
    for bank, program, begin, end in spans:
        if bank != DRUMS and not (bank == 0 and program < 120):
            continue
        for outer in _with_global(preset_zones[begin:end], _INSTRUMENT):
            number = outer[_INSTRUMENT]
            inner = instrument_zones[instruments[number] : instruments[number + 1]]
            for zone in _with_global(inner, _SAMPLE_ID):
                low, high = _keys(zone)
                outer_low, outer_high = _keys(outer)
                root = zone.get(_ROOT)
                first.setdefault(
                    (bank, zone[_SAMPLE_ID]),
                    _Zone(
                        program,
                        max(low, outer_low),
                        min(high, outer_high),
                        root if root is not None and root < 128 else None,
                        zone.get(_SAMPLE_MODES, 0) & 1 == 1,
                    ),
                )
    return first


def _bags(bag: bytes, generators: bytes) -> list[dict[int, int]]:
    """Generators of each zone as {operator: amount}."""
    starts = [start for start, _ in struct.iter_unpack("<HH", bag)]
    pairs = list(struct.iter_unpack("<HH", generators))
    return [dict(pairs[a:b]) for a, b in pairwise(starts)]


def _with_global(zones: list[dict[int, int]], target: int) -> Iterator[dict[int, int]]:
    """Zones that have a target, each over the defaults of a leading zone that has none."""
    default = zones[0] if zones and target not in zones[0] else {}
    for zone in zones:
        if target in zone:
            yield default | zone


def _keys(zone: dict[int, int]) -> tuple[int, int]:
    value = zone.get(_KEY_RANGE, 127 << 8)
    return value & 255, value >> 8
