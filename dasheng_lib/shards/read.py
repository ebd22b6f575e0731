"""Shards back to waves and files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dasheng_lib.audio import AudioError
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import expanded
from dasheng_lib.corpora.fetch.unpack import plain_name, write_member
from dasheng_lib.shards.index import Member, find_shards, shard_index
from dasheng_lib.shards.member import DUPLICATE, NO_NAME, OpenShard, json_of


@dataclass(frozen=True, eq=False)
class Sample:
    """One clip of a shard.

    Attributes:
        shard: file name of the shard.
        key: name of the clip within it.
        wave: float32 [samples], mono, in -1…1, at ``rate`` Hz.
        rate: as stored; training takes 16000 only.
        meta: what ``KEY.json`` holds; empty if there is none or it is damaged.
    """

    shard: str
    key: str
    wave: np.ndarray
    rate: int
    meta: dict


def read_shards(
    shards: str | Path | Sequence[str | Path], skipped: dict[tuple[str, str], str] | None = None
) -> Iterator[Sample]:
    """Every clip, shard after shard, in the order of the files.

    Args:
        shards: what :func:`find_shards` takes.
        skipped: gets (shard, key) to reason for what cannot be decoded.

    Raises:
        UserError: there are no shards or they cannot be read.
    """
    skipped = {} if skipped is None else skipped
    for name, shard, member in _members(shards, skipped):
        try:
            wave = shard.wave(member.offset, member.size, 0, member.samples)
        except AudioError as error:
            skipped[name, member.key] = error.reason
            continue
        text = shard.bytes(member.meta_offset, member.meta_size)
        yield Sample(name, member.key, wave, member.rate, json_of(text))


def extract(
    shards: str | Path | Sequence[str | Path], folder: Path | str
) -> tuple[int, dict[tuple[str, str], str]]:
    """Write members of shards as files ``KEY.flac`` (byte for byte as stored) and ``KEY.json``.

    A name that leads out of the folder is left out, and so is one that an earlier shard had or
    that no file can have; links are never made.

    Returns how many clips were written, and (shard, key) to reason for what was not.

    Raises:
        UserError: no shards, or the folder cannot be written.
    """
    folder = expanded(folder)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: name a folder.")
    names: set[str] = set()
    skipped: dict[tuple[str, str], str] = {}
    for shard_name, shard, member in _members(shards, skipped):
        name = plain_name(member.key)
        if name is None or name in names:
            skipped[shard_name, member.key] = NO_NAME if name is None else DUPLICATE
            continue
        names.add(name)
        parts = {member.kind: (member.offset, member.size)}
        if member.meta_size:
            parts["json"] = (member.meta_offset, member.meta_size)
        data = {folder / f"{name}.{kind}": shard.bytes(*place) for kind, place in parts.items()}
        if any(write_member(*file, whole=True) for file in data.items()):
            names.discard(name)
            skipped[shard_name, member.key] = NO_NAME
    return len(names), skipped


def _members(
    shards: str | Path | Sequence[str | Path], skipped: dict[tuple[str, str], str]
) -> Iterator[tuple[str, OpenShard, Member]]:
    for path in find_shards(shards):
        index, shard = shard_index(path), OpenShard(path)
        skipped |= {(path.name, key): reason for key, reason in index.faults.items()}
        for row in range(len(index.members)):
            yield path.name, shard, index.member(row)
