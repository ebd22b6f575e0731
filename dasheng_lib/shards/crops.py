"""Batches of equally long crops from shards, addressed by step: what ``corpora.crops`` is for a
corpus in memory, for audio that does not fit there.

A batch is a pure function of shards, settings, seed and step. A run that resumes at step s needs
no state, and ranks that each make their rows see together what one process sees.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dasheng_lib.audio import SAMPLE_RATE, AudioError
from dasheng_lib.common.cache import digest
from dasheng_lib.common.errors import UserError
from dasheng_lib.shards.index import find_shards, shard_index
from dasheng_lib.shards.member import SHORTEST, OpenShard, counted, fault
from dasheng_lib.shards.order import Order


class ShardCrops:
    """``crops.batch(step)`` is float32 ``[batch, seconds * 16000]``.

    As upstream (`train/audiowebdataset.py`), a clip gives every whole crop that it holds, one
    after another, and what remains is dropped; a clip shorter than a crop is padded with zeros.
    Unlike upstream, an epoch shows every crop once, in an order that the seed alone decides.

    What must not be trained on never is. Members at another rate than 16 kHz or shorter than 480
    samples, and those that are shorter than their header says, have no crops. A crop that turns
    out damaged, silent (never above half a step of 16 bit), over a hundred times full scale or not
    a number when it is read gives way to another crop of its shard, the same one on
    every rank and in every run; only where a whole shard is bad, to one of the next shard.
    What damage shows is up to the format: flac, ogg and opus carry checksums in every frame, mp3
    and wav do not, so there only a broken header, a lost end or NaN is seen.

    Args:
        shards: what :func:`find_shards` takes.
        seconds: length of a crop, at least 0.03.
        batch: crops in a batch.
        seed: of the order.
        window: crops shuffled among each other; see :class:`Order`.
        streams: places read at once. It decides the order, so it belongs to a run's settings: a
            multiple of the ranks, or each rank reads more of the shards than its share.
        short: ``"pad"``, or ``"fill"`` to follow a short clip by the next crops of its shard.
        workers: threads that decode, the next batch while this one is trained on; 0 decodes
            when asked. They change no sample.
        progress: whether to show a bar while shards are indexed for the first time.

    Attributes:
        digest: hex, of what lies in the shards, wherever they lie.
        name: for people.
        skipped: (shard, key) to the reason why a member, or a part of it, was left out; a key of
            ``""`` is the tar itself. It grows while training; look at it as often as you log.

    Raises:
        UserError: there are no shards, they cannot be read, or none holds a usable crop.
    """

    def __init__(
        self,
        shards: str | Path | Sequence[str | Path],
        seconds: float,
        batch: int,
        seed: int = 0,
        *,
        window: int = 512,
        streams: int = 8,
        short: str = "pad",
        workers: int = 2,
        progress: bool = False,
    ) -> None:
        if short not in ("fill", "pad"):
            raise ValueError(f"short is 'fill' or 'pad', not {short!r}")
        self.samples = round(seconds * SAMPLE_RATE)
        if self.samples < SHORTEST:
            raise ValueError(f"a crop is at least {SHORTEST / SAMPLE_RATE} s, not {seconds}")
        if min(batch, window, streams) < 1:
            raise ValueError("batch, window and streams are at least 1")
        self.batch_size, self.seed, self.short, self.workers = batch, seed, short, workers
        paths = find_shards(shards)
        bar = tqdm(paths, "indexing", unit="shard", leave=False, disable=not progress)
        # By name and content, not by path: a data set may be moved between two runs.
        self._indexes = sorted(map(shard_index, bar), key=lambda i: (i.path.name, i.digest))
        self.digest = digest([index.digest for index in self._indexes])
        self.name = " + ".join(sorted({path.parent.name for path in paths}))
        self.skipped: dict[tuple[str, str], str] = {}
        for index in self._indexes:
            name = index.path.name
            self.skipped |= {(name, key): reason for key, reason in index.unusable().items()}
        self._bad: set[tuple[int, int]] = set()
        self._parts = lru_cache(maxsize=256)(self._last_crops)
        self._open = lru_cache(maxsize=64)(lambda shard: OpenShard(self._indexes[shard].path))
        counts = np.array([index.crops(self.samples).sum() for index in self._indexes])
        if not counts.sum():
            raise self._nothing()
        self.order = Order(counts, batch, streams, window, seed)
        self._pool = ThreadPoolExecutor(workers, "crops") if workers else None
        self._ahead: tuple[tuple[int, range], list[Future]] | None = None

    def __len__(self) -> int:
        """Crops in an epoch."""
        return self.order.total

    def batch(self, step: int, rows: slice | None = None) -> np.ndarray:
        """The crops of one step, or some of its rows: float32 [rows, samples].

        Raises:
            UserError: a shard cannot be read any more, or no crop in any shard is usable.
        """
        chosen = range(self.batch_size)[rows or slice(None)]
        out = np.zeros((len(chosen), self.samples), np.float32)
        for place, wave in enumerate(self._waves(step, chosen)):
            out[place] = wave
        return out

    def places(self, step: int, rows: slice | None = None) -> list[tuple[str, str, int]]:
        """Shard, key and first sample of the crops of one step, before any gives way."""
        found = []
        for row in range(self.batch_size)[rows or slice(None)]:
            _, shard, crop = self.order.place(step, row)
            member, start = self._locate(shard, crop)
            index = self._indexes[shard]
            found.append((index.path.name, index.member(member).key, start))
        return found

    def _waves(self, step: int, chosen: range) -> Iterator[np.ndarray]:
        if self._pool is None:
            return (self._row(step, row) for row in chosen)

        def submit(step: int) -> list[Future]:
            return [self._pool.submit(self._row, step, row) for row in chosen]

        known, now = self._ahead or (None, [])
        if known != (step, chosen):
            for future in now:
                future.cancel()
            now = submit(step)
        self._ahead = (step + 1, chosen), submit(step + 1)
        return (future.result() for future in now)

    def _row(self, step: int, row: int) -> np.ndarray:
        epoch, shard, crop = self.order.place(step, row)
        wave = self._read(shard, crop)
        if wave is None:
            usable = (self._read(*other) for other in self._others(shard, (epoch, step, row)))
            wave = next((wave for wave in usable if wave is not None), None)
        if wave is None:
            raise self._nothing()
        return wave

    def _others(self, shard: int, key: tuple[int, ...]) -> Iterator[tuple[int, int]]:
        rng = np.random.default_rng((self.seed, 3, *key))
        shards = len(self._indexes)
        for other in range(shard, shard + shards):
            for crop in rng.permutation(self.order.counts[other % shards]):
                yield other % shards, int(crop)

    def _read(self, shard: int, crop: int) -> np.ndarray | None:
        """A whole crop, or None if it must not be trained on."""
        wave = self._stored(shard, crop)
        following = crop
        while wave is not None and len(wave) < self.samples and self.short == "fill":
            following = (following + 1) % int(self.order.counts[shard])
            if following == crop:
                break
            more = self._stored(shard, following)
            if more is not None:
                wave = np.concatenate([wave, more[: self.samples - len(wave)]])
        return None if wave is None else np.pad(wave, (0, self.samples - len(wave)))

    def _stored(self, shard: int, crop: int) -> np.ndarray | None:
        """What a crop has of its own: [samples], fewer for a short clip; None if it is bad."""
        if (shard, crop) in self._bad:
            return None
        place, start = self._locate(shard, crop)
        member = self._indexes[shard].member(place)
        count = min(self.samples, member.samples - start)
        try:
            wave = self._open(shard).wave(member.offset, member.size, start, count)
            reason = fault(wave)
        except AudioError as error:
            reason = error.reason
        if reason is None:
            return wave
        self._bad.add((shard, crop))
        self.skipped.setdefault((self._indexes[shard].path.name, member.key), reason)
        return None

    def _locate(self, shard: int, crop: int) -> tuple[int, int]:
        """Row of the index, and first sample, of a crop."""
        ends = self._parts(shard)
        member = int(np.searchsorted(ends, crop, side="right"))
        before = int(ends[member - 1]) if member else 0
        return member, (crop - before) * self.samples

    def _last_crops(self, shard: int) -> np.ndarray:
        return np.cumsum(self._indexes[shard].crops(self.samples))

    def _nothing(self) -> UserError:
        told = counted(self.skipped.values()) or "they are empty"
        return UserError(
            f"The shards of {self.name} hold nothing to train on ({told}): pack them again "
            "with `dasheng shards pack`."
        )
