"""Which crop each row of each batch shows: arithmetic on numbers of crops, no state, no audio.

Every epoch puts the shards in a new order, lays all their crops end to end, and cuts the line
into one stretch per stream. A stream walks its stretch from left to right, shuffled inside
windows, and feeds the same rows of every batch; so it needs few neighbouring members at a time,
and whoever makes those rows needs only that stream.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np


class Order:
    """``order.place(step, row)`` is the epoch, shard and crop of one row of one batch.

    Row ``r`` belongs to stream ``r * streams // batch``: a rank that makes a block of
    neighbouring rows reads only its own streams wherever ranks divide streams. The stretches are
    as long as their rows are many, so all streams begin an epoch together, to within a crop.

    Args:
        counts: crops in each shard, int [shards], at least one in all.
        batch: rows in a batch.
        streams: places read at once; fewer where there are fewer rows or crops.
        window: crops shuffled among each other. Two crops change places only if less than this
            many lie between them. Where windows begin is drawn anew for every epoch and stream.
        seed: of all that is drawn.
    """

    def __init__(
        self, counts: np.ndarray, batch: int, streams: int, window: int, seed: int
    ) -> None:
        self.counts, self.batch, self.window, self.seed = np.asarray(counts), batch, window, seed
        self.total = int(self.counts.sum())
        self.streams = min(streams, batch, self.total)
        while not self._cut():
            self.streams -= 1
        self._shards = lru_cache(maxsize=4)(self._shuffled_shards)
        self._shift = lru_cache(maxsize=4 * self.streams)(self._drawn_shift)
        self._window = lru_cache(maxsize=8 * self.streams)(self._shuffled_window)

    def stream(self, row: int) -> int:
        """The stream that feeds a row."""
        return row * self.streams // self.batch

    def place(self, step: int, row: int) -> tuple[int, int, int]:
        """Epoch, shard and crop within the shard."""
        stream = self.stream(row)
        first = self._rows[stream]
        rows = self._rows[stream + 1] - first
        start, stop = self._edges[stream : stream + 2]
        epoch, at = divmod(step * rows + row - first, stop - start)
        begin, crops = self._window(epoch, stream, (at + self._shift(epoch, stream)) // self.window)
        crop = start + begin + int(crops[at - begin])
        shards, ends = self._shards(epoch)
        turn = int(np.searchsorted(ends, crop, side="right"))
        shard = int(shards[turn])
        return epoch, shard, crop - int(ends[turn]) + int(self.counts[shard])

    def _cut(self) -> bool:
        """First row and first crop of every stream; whether none is left without crops."""
        self._rows = [-(-s * self.batch // self.streams) for s in range(self.streams + 1)]
        self._edges = [self.total * row // self.batch for row in self._rows]
        return all(np.diff(self._edges) > 0)

    def _shuffled_shards(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        shards = self._rng(0, epoch).permutation(len(self.counts))
        return shards, np.cumsum(self.counts[shards])

    def _drawn_shift(self, epoch: int, stream: int) -> int:
        return int(self._rng(1, epoch, stream).integers(self.window))

    def _shuffled_window(self, epoch: int, stream: int, number: int) -> tuple[int, np.ndarray]:
        begin = number * self.window - self._shift(epoch, stream)
        end = min(begin + self.window, self._edges[stream + 1] - self._edges[stream])
        begin = max(begin, 0)
        return begin, self._rng(2, epoch, stream, number).permutation(end - begin)

    def _rng(self, *purpose: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, *purpose))
