"""Gravis Ultrasound patches (.pat): the samples of one instrument."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from dasheng_lib.corpora.fetch.unpack import UnpackError
from dasheng_lib.corpora.pocket.soundfont import SHORTEST
from dasheng_lib.corpora.source import Source

_SAMPLE = struct.Struct("<7s B III H III hB 6s 6s 6x B hH 36x")
_SIXTEEN_BIT, _UNSIGNED, _LOOPED, _PING_PONG, _BACKWARDS = 1, 2, 4, 8, 16


def read_pat(
    data: bytes, name: str, *, bank: int, program: int, seconds: float
) -> Iterator[Source]:
    """Samples of a patch as int16, in its order; member ``name#index``.

    Samples under 400 frames are left out, as in sound fonts.

    Args:
        data: the file.
        bank: 0 for a melodic instrument, 128 for a drum; a patch does not say itself.
        program: General MIDI program, or the key of a drum.
        seconds: how much of each sample a clip holds.

    Raises:
        UnpackError: not a patch, or cut short.
    """
    if data[:12] != b"GF1PATCH110\0":
        raise UnpackError(f"{name} is not a Gravis patch: fetch its package again.")
    try:
        layers = data[129 + 22]
        position = 129 + 63
        index = 0
        for _ in range(layers):
            count = data[position + 6]
            position += 47
            for _ in range(count):
                source = _sample(data, position, f"{name}#{index}", bank, program, seconds)
                if len(source.payload) >= 2 * SHORTEST:
                    yield source
                size = _SAMPLE.unpack_from(data, position)[2]
                position += _SAMPLE.size + size
                index += 1
    except (struct.error, IndexError) as error:
        raise UnpackError(f"{name} is cut short: fetch its package again.") from error


def _sample(
    data: bytes, position: int, member: str, bank: int, program: int, seconds: float
) -> Source:
    fields = _SAMPLE.unpack_from(data, position)
    size, start, end, rate, root = fields[2], fields[3], fields[4], fields[5], fields[8]
    modes = fields[13]
    raw = data[position + _SAMPLE.size : position + _SAMPLE.size + size]
    if len(raw) < size or not rate:
        raise UnpackError(f"{member} is cut short: fetch its package again.")
    width = 2 if modes & _SIXTEEN_BIT else 1
    pcm = np.frombuffer(raw[: size - size % width], "<u2" if width == 2 else "u1").astype(np.int32)
    half = 1 << (8 * width - 1)
    pcm = pcm - half if modes & _UNSIGNED else np.where(pcm >= half, pcm - 2 * half, pcm)
    pcm = (pcm << (16 - 8 * width)).astype("<i2")
    # A ping-pong or backwards loop would need its mirror image; no used patch has one.
    plain_loop = modes & (_LOOPED | _PING_PONG | _BACKWARDS) == _LOOPED
    key = round(69 + 12 * np.log2(root / 440_000)) if root else 0
    zone = f"{bank}:{program}:" + (f"{program}-{program}:" if bank else "0-127:") + f"{key}"
    return Source(
        member=member,
        payload=pcm.tobytes(),
        rate=rate,
        seconds=seconds,
        loop=(start // width, end // width) if plain_loop else None,
        zone=zone,
    )
