"""OpenTTD's sound archive (.cat): a table of offsets, then titled wav files."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from dasheng_lib.corpora.fetch.unpack import UnpackError
from dasheng_lib.corpora.source import Source

_OFFSET = 0x7FFF_FFFF  # the top bit only says that the archive is of the newer kind


def read_cat(data: bytes, name: str) -> Iterator[Source]:
    """Each sound as a wav file; member ``name#index title``.

    Raises:
        UnpackError: cut short, or not such an archive.
    """
    try:
        count = (struct.unpack_from("<I", data)[0] & _OFFSET) // 8
        for index in range(count):
            offset, size = struct.unpack_from("<II", data, 8 * index)
            offset &= _OFFSET
            length = data[offset]
            title = data[offset + 1 : offset + 1 + length].rstrip(b"\0").decode("utf-8", "replace")
            wav = data[offset + 1 + length : offset + 1 + length + size]
            if len(wav) < size or wav[:4] != b"RIFF":
                raise IndexError(index)
            yield Source(member=f"{name}#{index} {title}", payload=wav)
    except (struct.error, IndexError) as error:
        raise UnpackError(f"{name} is cut short: fetch its package again.") from error
