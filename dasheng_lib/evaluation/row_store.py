"""Rows of features that are appended batch by batch, and survive a sudden end."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np

_BLOCK = 20_000  # rows in memory while they are put in order


class RowStore:
    """Features in the order of the work, and how many rows each clip has.

    ``counts.i64`` holds the width, then how many rows each clip that is done has and their CRC-32.
    A batch counts only when its counts are there, which are written after its rows have reached
    the disk; what a sudden end left behind them is cut off, as is what follows damage.

    Attributes:
        width: of the features; None before the first batch.
        counts: rows of each clip that is done.
    """

    def __init__(self, folder: Path) -> None:
        self._rows, self._counts = folder / "rows.f32", folder / "counts.i64"
        self._features, self._starts = folder / "features.f32", folder / "starts.npy"
        words = np.fromfile(self._counts, "<i8") if self._counts.exists() else np.empty(0, "<i8")
        self.width = int(words[0]) if len(words) else None
        told = [*map(tuple, words[1 : 1 + (len(words) - 1) // 2 * 2].reshape(-1, 2).tolist())]
        if self._finished():
            self.counts = [rows for rows, _ in told]
            if self._features.stat().st_size == 4 * (self.width or 0) * sum(self.counts):
                return
            self._features.unlink()
        self.counts = self._sound(told)
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
        sums = [zlib.crc32(np.ascontiguousarray(rows, "<f4")) for rows in features]
        told = [number for pair in zip(counts, sums, strict=True) for number in pair]
        _append(self._counts, told if self.width else [width, *told], "<i8")
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

    def _sound(self, told: list[tuple[int, int]]) -> list[int]:
        """Rows of the first clips whose bytes are those that were written."""
        counts: list[int] = []
        if self._rows.exists() and self.width and self.width > 0:
            have = self._rows.stat().st_size
            with self._rows.open("rb") as file:
                for rows, crc in told:
                    size = 4 * self.width * rows
                    if rows < 1 or size > have - file.tell() or zlib.crc32(file.read(size)) != crc:
                        break
                    counts.append(rows)
        return counts

    def _cut_off(self) -> None:
        """Leave what is sound."""
        if not self.counts:
            self.width = None
        if self._rows.exists():
            os.truncate(self._rows, 4 * (self.width or 0) * sum(self.counts))
        if self._counts.exists():
            os.truncate(self._counts, 8 * (2 * len(self.counts) + 1) if self.counts else 0)


def read_rows(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features, float32 [rows, D], mapped; and starts, int64 [clips + 1]."""
    starts = np.load(folder / "starts.npy", allow_pickle=False)
    return np.memmap(folder / "features.f32", "<f4", "r").reshape(starts[-1], -1), starts


def _append(path: Path, values: object, kind: str) -> None:
    with path.open("ab") as file:
        np.ascontiguousarray(values, kind).tofile(file)
        file.flush()
        os.fsync(file.fileno())
