"""A corpus: clips, the tasks that label some of them, and their samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from dasheng_lib.audio import SAMPLE_RATE
from dasheng_lib.common.errors import UserError


@dataclass(frozen=True, eq=False)
class Corpus:
    """Clips, tasks and samples.

    Attributes:
        name: such as ``"pocket"`` or ``"synthetic"``.
        digest: hex; equal digests mean equal samples up to the rounding of libraries.
        clips: one row per clip, with at least ``package, member, domain, group, seconds,
            samples, offset, rate, sha256, licence``. ``samples`` and ``offset`` count samples
            of ``store``; ``rate`` is the original rate in Hz; ``sha256`` is that of the original
            bytes; ``group`` is what must stay on one side of a split.
        tasks: one row per label: ``task, clip, label, fold``; ``clip`` is a row of ``clips``.
        store: float32 [samples of all clips], mono, nominally in -1..1.
        sample_rate: Hz.
    """

    name: str
    digest: str
    clips: pd.DataFrame
    tasks: pd.DataFrame
    store: np.ndarray
    sample_rate: int = SAMPLE_RATE

    def wave(self, i: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Samples of clip ``i``, or those from ``start`` to before ``stop``: float32 [samples].

        They are multiplied by the clip's ``gain`` if it has one.
        """
        offset, samples, gain = (column[i] for column in self._places)
        stop = samples if stop is None else min(stop, samples)
        wave = self.store[offset + start : offset + stop]
        return wave if gain is None else wave * gain

    @cached_property
    def _places(self) -> tuple[list[int], list[int], list[np.float32 | None]]:
        """Offset, samples and gain of each clip: plain lists, which are quick to index."""
        clips = self.clips
        gains = list(clips["gain"].to_numpy(np.float32)) if "gain" in clips else [None] * len(clips)
        return clips["offset"].tolist(), clips["samples"].tolist(), gains

    def __len__(self) -> int:
        return len(self.clips)

    def hours(self) -> float:
        """Length of all clips together."""
        return float(self.clips["seconds"].sum()) / 3600

    def task(self, name: str) -> pd.DataFrame:
        """The rows of one task: ``clip, label, fold``.

        Raises:
            UserError: there is no such task.
        """
        rows = self.tasks[self.tasks["task"] == name]
        if rows.empty:
            known = ", ".join(sorted(self.tasks["task"].unique()))
            raise UserError(f"Corpus {self.name} has no task {name!r}; it has {known}.")
        return rows[["clip", "label", "fold"]].reset_index(drop=True)
