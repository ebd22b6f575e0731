"""A corpus: clips, the tasks that label some of them, and their samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dasheng_lib.errors import UserError


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
    sample_rate: int = 16000

    def wave(self, i: int) -> np.ndarray:
        """Samples of clip ``i``: float32 [samples], times the clip's ``gain`` if it has one."""
        start = int(self.clips["offset"].iat[i])
        wave = self.store[start : start + int(self.clips["samples"].iat[i])]
        return wave * np.float32(self.clips["gain"].iat[i]) if "gain" in self.clips else wave

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
