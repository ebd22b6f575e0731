"""Clips into tar shards in webdataset's layout: members ``KEY.flac`` and ``KEY.json``.

Audio is 16 kHz, mono, FLAC of 16 bit: a sample becomes the nearest multiple of 1/32768, and what
lies outside -1…1 is clipped. Recordings of 16 bit at 16 kHz keep every bit.
"""

from __future__ import annotations

import io
import itertools
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from operator import length_hint
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from dasheng_lib.audio import SAMPLE_RATE, AudioError
from dasheng_lib.common.cache import atomic_file, digest
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import expanded
from dasheng_lib.shards.member import MISSING, fault
from dasheng_lib.shards.sources import Clip

RECORD = "shards.json"
FULL_SCALE = 1 << 15
LOUDEST_PACKED = 2.0  # coders and resampling overshoot; what is louder would become a square wave
_BLOCK = 1 << 20  # samples


@dataclass(frozen=True)
class Packed:
    """What became of some clips: how many were packed, their samples, and origin to reason for
    those that were left out."""

    clips: int = 0
    samples: int = 0
    skipped: dict[str, str] = field(default_factory=dict)


def write_shards(
    folder: Path | str,
    clips: Iterable[Clip],
    per_shard: int = 1000,
    workers: int = 1,
    progress: bool = True,
) -> Packed:
    """Pack ``clips`` into ``folder/shard-000000.tar`` and so on, with a record in ``shards.json``.

    Shard n is made of clips ``n * per_shard …`` of the source, less those that are missing,
    damaged, silent, not numbers, over twice full scale or shorter than 480 samples. A shard
    appears whole or not at all, its bytes follow from the clips alone (for one version of
    libsndfile), and one that is there already is not made again: give the same command to go on.
    One that would be empty is not written. Keys are the names with every character but letters,
    digits, ``-`` and space replaced by ``_`` (so dots cannot cut them short), and ``-2``,
    ``-3``… where they repeat.

    Args:
        folder: where; made if need be.
        clips: see :func:`clips_of`. Names and meta decide whether a shard that is there is the
            one that is wanted; audio that changed under the same name is not noticed.
        per_shard: clips of the source in a shard. Ten-second clips give about 0.2 MB each.
        workers: threads that decode, resample and encode.
        progress: whether to show a bar.

    Raises:
        UserError: the folder holds other shards, cannot be written or the disk is full; or not
            one clip could be packed.
    """
    if min(per_shard, workers) < 1:
        raise ValueError("per_shard and workers are at least 1")
    folder = expanded(folder)
    record = _read_record(folder)
    _write_record(folder, record)  # if it cannot be written, better now
    number = 0
    total = length_hint(clips) or None
    with (
        tqdm(desc="packing", total=total, unit="clip", leave=False, disable=not progress) as bar,
        ThreadPoolExecutor(workers, "pack") as pool,
    ):
        named = _with_keys(clips)
        while part := list(itertools.islice(named, per_shard)):
            name = f"shard-{number:06d}.tar"
            source = digest([[key, clip.meta] for key, clip in part])
            known = record.get(name)
            if known and known["source"] != source:
                raise UserError(
                    f"{folder} holds shards of another source or another number of clips per "
                    "shard: name another folder."
                )
            if known and _size(folder / name) == known["size"]:
                bar.update(len(part))
            else:
                packed = _write(folder / name, part, pool, bar)
                size = _size(folder / name)
                record[name] = {"source": source, "size": size, **asdict(packed)}
                _write_record(folder, record)
            number += 1
    if len(record) > number:
        raise UserError(f"{folder} holds more shards than this source makes: name another folder.")
    shards = record.values()
    clips, samples = (sum(shard[name] for shard in shards) for name in ("clips", "samples"))
    if not clips:
        raise UserError(f"None of the clips could be packed; {folder / RECORD} says why.")
    skipped = {key: reason for shard in shards for key, reason in shard["skipped"].items()}
    return Packed(clips, samples, skipped)


def _with_keys(clips: Iterable[Clip]) -> Iterator[tuple[str, Clip]]:
    used: set[str] = set()
    repeats: dict[str, int] = {}
    for clip in clips:
        key = stem = re.sub(r"[^\w\- ]", "_", clip.name)[:100] or "clip"
        while key in used:
            repeats[stem] = repeats.get(stem, 1) + 1
            key = f"{stem}-{repeats[stem]}"
        used.add(key)
        yield key, clip


def _write(path: Path, part: list[tuple[str, Clip]], pool: ThreadPoolExecutor, bar: tqdm) -> Packed:
    clips, samples, skipped = 0, 0, {}
    encoded = pool.map(lambda item: _encode(item[1]), part)
    with (
        atomic_file(path) as temporary,
        tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for (key, clip), (flac, length) in zip(part, encoded, strict=True):
            bar.update()
            if isinstance(flac, str):
                name = clip.origin or key
                skipped[name if name not in skipped else f"{name} ({key})"] = flac
                continue
            meta = json.dumps(clip.meta, sort_keys=True, default=_plain).encode()
            for name, data in ((f"{key}.flac", flac), (f"{key}.json", meta)):
                entry = tarfile.TarInfo(name)  # no time, no owner: equal clips, equal bytes
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
            clips, samples = clips + 1, samples + length
    if not clips:
        path.unlink()
    return Packed(clips, samples, skipped)


def _encode(clip: Clip) -> tuple[bytes | str, int]:
    """FLAC and number of samples, or the reason why not."""
    try:
        wave = clip.wave()
    except FileNotFoundError:
        return MISSING, 0
    except AudioError as error:
        return error.reason, 0
    reason = fault(wave, LOUDEST_PACKED)
    if reason is not None:
        return reason, 0
    # Not by libsndfile, which scales by 32767 when it writes and by 32768 when it reads.
    steps = np.empty(len(wave), np.int16)
    for start in range(0, len(wave), _BLOCK):
        part = np.rint(wave[start : start + _BLOCK] * FULL_SCALE)
        steps[start : start + _BLOCK] = np.clip(part, -FULL_SCALE, FULL_SCALE - 1)
    file = io.BytesIO()
    soundfile.write(file, steps, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue(), len(steps)


def _read_record(folder: Path) -> dict[str, dict]:
    try:
        return json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        strange = next(folder.glob("*.tar"), None)
        if strange is None:
            return {}
        raise UserError(
            f"{folder} holds {strange.name}, which this command did not write: name another folder."
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder / RECORD} cannot be read ({error}): pack into another folder."
        ) from error


def _write_record(folder: Path, record: dict[str, dict]) -> None:
    with atomic_file(folder / RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)
