"""The table of a sweep on disk: whole rows, each run once, whoever writes.

``sweep.csv`` has a row a judged checkpoint, ``runs.csv`` one a run with what it cost and what it
was made with. Both are written anew under a lock, in the order of the grid, so an interrupted
sweep ends with the file that an uninterrupted one writes. A grid may change: which arms a row
belongs to is written as the grid has it now, and what it no longer has is left out of
:meth:`SweepTable.rows`, but not lost.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd

from dasheng_lib.common.cache import atomic_file, locked
from dasheng_lib.common.errors import UserError, reading, tell
from dasheng_lib.sweep.grid import Trial


class SweepTable:
    """The two tables in a folder.

    Args:
        folder: of the sweep.
        trials: of the grid, in its order.
    """

    def __init__(self, folder: Path, trials: Sequence[Trial]) -> None:
        self.rows_path, self.runs_path = folder / "sweep.csv", folder / "runs.csv"
        self.trials = trials
        self.order = {trial.run: place for place, trial in enumerate(trials)}

    def done(self) -> set[str]:
        """Names of the runs whose rows are there."""
        return set(_read(self.runs_path).get("run", ()))

    def rows(self) -> pd.DataFrame:
        """A row a checkpoint of the grid's runs that are there.

        Raises:
            UserError: one of the tables is damaged, or a run has no rows.
        """
        rows = _read(self.rows_path)
        if lost := sorted(self.done() - set(rows.get("run", ()))):
            raise UserError(
                f"{self.rows_path} has no row of {tell('run', lost, 'runs')}: "
                f"restore it, or remove {self.runs_path} too."
            )
        return self._labelled(self._of_the_grid(rows)) if len(rows) else rows

    def runs(self) -> pd.DataFrame:
        """A row a run of the grid that is there."""
        return self._of_the_grid(_read(self.runs_path))

    def origin(self) -> dict[str, Any]:
        """What the runs were made with: digests of their audio, commits, processors, seconds.

        Raises:
            UserError: the table is damaged.
        """
        runs = self.runs()
        with _reading(self.runs_path):
            made = runs["provenance"].map(json.loads)
            digests = runs.groupby("corpus")["corpus_digest"]
            return {
                "corpora": {name: sorted(set(found)) for name, found in digests},
                "commits": sorted({origin["commit"] for origin in made}),
                "processors": sorted({origin["processor"] for origin in made}),
                "seconds": round(float(runs[["train_seconds", "judge_seconds"]].sum().sum())),
                "device": ", ".join(sorted(set(runs["device"]))),
            }

    def keep_runs(self, path: Path) -> None:
        """Write ``PATH_runs.csv`` beside a recorded table ``PATH.csv``."""
        _write(path.with_name(f"{path.name}_runs.csv"), self.runs())

    def add(self, rows: list[dict[str, Any]], facts: dict[str, Any]) -> None:
        """Add a finished run: the rows of its checkpoints, then its own.

        A run that is there already stays as it is.
        """
        with locked(self.runs_path):
            if facts["run"] in self.done():
                return
            # Rows first: if we die between the two files the run is judged again, and its rows,
            # which are the same, take the place of those that are there.
            old = _read(self.rows_path)
            if not old.empty:
                old = old[old["run"] != facts["run"]]
            _write(self.rows_path, self._labelled(self._joined(old, rows, ["run", "step"])))
            _write(self.runs_path, self._joined(_read(self.runs_path), [facts], ["run"]))

    def _joined(self, old: pd.DataFrame, rows: list[dict[str, Any]], by: list[str]) -> pd.DataFrame:
        table = pd.concat([old, pd.DataFrame(rows)], ignore_index=True)
        return table.sort_values(
            by, key=lambda c: c.map(self.order) if c.name == "run" else c, kind="stable"
        )

    def _of_the_grid(self, table: pd.DataFrame) -> pd.DataFrame:
        return table[table["run"].isin(self.order)] if len(table) else table

    def _labelled(self, table: pd.DataFrame) -> pd.DataFrame:
        """With the columns ``setting`` and ``factor`` behind the run's name."""
        labels = pd.DataFrame(
            {trial.run: (trial.setting, trial.factor) for trial in self.trials},
            index=["setting", "factor"],
        ).T
        others = table.drop(columns=["run", *labels], errors="ignore")
        return table[["run"]].join(labels, on="run").join(others)


def _write(path: Path, table: pd.DataFrame) -> None:
    with atomic_file(path) as temporary:
        table.to_csv(temporary, index=False)


def _reading(path: Path) -> AbstractContextManager[None]:
    return reading(path, "a table of this sweep", "restore it or remove it")


def _read(path: Path) -> pd.DataFrame:
    if not path.exists():
        return pd.DataFrame()
    with _reading(path):  # only a hand can have done that
        table = pd.read_csv(path)
        if not all(isinstance(run, str) for run in table["run"]):
            raise ValueError("a row has no run")
    return table
