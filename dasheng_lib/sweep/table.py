"""The table of a sweep on disk: whole rows, each run once, whoever writes.

``sweep.csv`` has a row a judged checkpoint, ``runs.csv`` one a run with what it cost and what it
was made with. Both are written anew under a lock, in the order of the grid, so an interrupted
sweep ends with the file that an uninterrupted one writes. A grid may grow: old runs then belong to
its new arms.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dasheng_lib.cache import atomic_file, locked
from dasheng_lib.errors import UserError


class SweepTable:
    """The two tables in a folder.

    Args:
        folder: of the sweep.
        factors: the arms of each run, in the order of the grid.
    """

    def __init__(self, folder: Path, factors: Mapping[str, str]) -> None:
        self.rows_path, self.runs_path = folder / "sweep.csv", folder / "runs.csv"
        self.factors = factors
        self.order = {run: place for place, run in enumerate(factors)}

    def done(self) -> set[str]:
        """Names of the runs whose rows are there."""
        return set(_read(self.runs_path).get("run", ()))

    def rows(self) -> pd.DataFrame:
        """All rows, with the arms of the grid as it is now."""
        return self._with_arms(_read(self.rows_path))

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
            self._write(self.rows_path, old, rows, ["run", "step"])
            self._write(self.runs_path, _read(self.runs_path), [facts], ["run"])

    def _write(
        self, path: Path, old: pd.DataFrame, rows: list[dict[str, Any]], by: list[str]
    ) -> None:
        table = pd.concat([old, pd.DataFrame(rows)], ignore_index=True)
        table = table.sort_values(
            by, key=lambda c: c.map(self.order) if c.name == "run" else c, kind="stable"
        )
        with atomic_file(path) as temporary:
            self._with_arms(table).to_csv(temporary, index=False)

    def _with_arms(self, table: pd.DataFrame) -> pd.DataFrame:
        if "factor" not in table:
            return table
        return table.assign(factor=table["run"].map(self.factors).fillna(table["factor"]))


def _read(path: Path) -> pd.DataFrame:
    if not path.exists():
        return pd.DataFrame()
    try:
        return pd.read_csv(path)
    except ValueError as error:  # only a hand can have done that
        raise UserError(f"{path} is no table ({error}): restore it or remove it.") from error
