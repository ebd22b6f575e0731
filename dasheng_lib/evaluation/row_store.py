"""Rows of features that are appended batch by batch, and survive a sudden end."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

_BLOCK = 20_000  # rows in memory while they are put in order


class RowStore:
    """Features in the order of the work, and how many rows each clip has.

    ``counts.i64`` holds the width, then the rows of each clip that is done. A batch counts only
    when its counts are there, which are written after its rows have reached the disk; what a
    sudden end left behind them is cut off.

    Attributes:
        width: of the features; None before the first batch.
        counts: rows of each clip that is done.
    """

    def __init__(self, folder: Path) -> None:
        self._rows, self._counts = folder / "rows.f32", folder / "counts.i64"
        self._features, self._starts = folder / "features.f32", folder / "starts.npy"
        words = np.fromfile(self._counts, "<i8") if self._counts.exists() else np.empty(0, "<i8")
        self.width = int(words[0]) if len(words) else None
        self.counts = list(map(int, words[1:]))
        if not self._finished():
            self._cut_off()

    def add(self, features: np.ndarray) -> None:
        """Append a batch: float32 [B, D], or [B, T, D] for T rows a clip.

        Raises:
            ValueError: of another width than the batches before.
        """
        counts = [features.shape[1] if features.ndim == 3 else 1] * len(features)
        width = features.shape[-1]
        if self.width not in (None, width):
            raise ValueError(f"gave features {width} wide after features {self.width} wide")
        _append(self._rows, features, "<f4")
        _append(self._counts, counts if self.width else [width, *counts], "<i8")
        self.width = width
        self.counts += counts

    def put_in_order(self, order: np.ndarray) -> None:
        """Write ``features.f32`` and ``starts.npy``, as :func:`read_rows` wants them.

        Args:
            order: the clips' numbers in the order in which they were added, int64 [clips].
        """
        counts = np.array(self.counts, np.int64)
        place = np.argsort(order)
        np.save(self._starts, np.concatenate([[0], np.cumsum(counts[place])]))
        if self._finished():
            return
        if (order == np.arange(len(order))).all():
            os.replace(self._rows, self._features)
            return
        rows = np.memmap(self._rows, "<f4", "r").reshape(counts.sum(), -1)
        first = np.cumsum(counts) - counts
        with self._features.open("wb") as file:
            for some in np.array_split(place, -(-counts.sum() // _BLOCK)):
                wanted = [np.arange(first[i], first[i] + counts[i]) for i in some]
                if wanted:
                    rows[np.concatenate(wanted)].tofile(file)
        self._rows.unlink()

    def _finished(self) -> bool:
        return self._features.exists() and not self._rows.exists()

    def _cut_off(self) -> None:
        """Leave what both files agree on."""
        have = self._rows.stat().st_size if self._rows.exists() else 0
        size = 4 * (self.width or 0)
        while self.counts and size * sum(self.counts) > have:
            self.counts.pop()
        if not self.counts:
            self.width = None
        if self._rows.exists():
            os.truncate(self._rows, size * sum(self.counts))
        if self._counts.exists():
            os.truncate(self._counts, 8 * (len(self.counts) + 1) if self.counts else 0)


def read_rows(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features, float32 [rows, D], mapped; and starts, int64 [clips + 1]."""
    starts = np.load(folder / "starts.npy", allow_pickle=False)
    return np.memmap(folder / "features.f32", "<f4", "r").reshape(starts[-1], -1), starts


def _append(path: Path, values: object, kind: str) -> None:
    with path.open("ab") as file:
        np.ascontiguousarray(values, kind).tofile(file)
        file.flush()
        os.fsync(file.fileno())
