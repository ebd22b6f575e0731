"""Recorded results: a small table beside the command and the circumstances that made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from dasheng_lib.cache import atomic_file
from dasheng_lib.provenance import provenance

FOLDER = Path(__file__).parents[1] / "book" / "results"
COLUMNS = ("corpus", "task", "encoder", "probe", "seed", "accuracy")


def read_results(name: str, folder: Path = FOLDER) -> pd.DataFrame:
    """A recorded table; its ``attrs`` hold the provenance. Empty where nothing is recorded yet."""
    path = folder / f"{name}.csv"
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS)
    table = pd.read_csv(path)
    table.attrs.update(json.loads(path.with_suffix(".json").read_text()))
    return table


def write_results(path: Path, table: pd.DataFrame, command: str, **facts: Any) -> None:
    """Keep a table as ``PATH.csv`` and, as ``PATH.json``, the command and what it ran on."""
    path = Path(path)
    origin = {"command": command, **facts, **provenance()}  # before the table changes the checkout
    with atomic_file(path.with_name(path.name + ".csv")) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    with atomic_file(path.with_name(path.name + ".json")) as temporary:
        temporary.write_text(json.dumps(origin, indent=1, sort_keys=True, default=str) + "\n")
