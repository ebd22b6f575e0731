"""Recorded results: a small table beside the command and the circumstances that made it."""

from __future__ import annotations

import json
import os
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

import pandas as pd

from dasheng_lib.common.cache import atomic_file
from dasheng_lib.common.places import RESULTS as FOLDER
from dasheng_lib.common.provenance import provenance

COLUMNS = ("corpus", "task", "encoder", "probe", "seed", "accuracy")


def read_results(name: str, folder: Path = FOLDER) -> pd.DataFrame:
    """A recorded table; its ``attrs`` hold the provenance. Empty where nothing is recorded yet."""
    path = folder / f"{name}.csv"
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS)
    table = pd.read_csv(path)
    table.attrs.update(json.loads(path.with_suffix(".json").read_text()))
    return table


def recordable(name: str) -> Path:
    """What ``--record`` names, for argparse: a fault shows before hours of work, not after.

    Raises:
        ArgumentTypeError: nothing can be written there.
    """
    path = Path(name)
    folder = next(place for place in path.absolute().parents if os.path.lexists(place))
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ArgumentTypeError(f"{name} cannot be written, since {folder} is no place for files")
    return path


def write_results(path: Path, table: pd.DataFrame, command: str, **facts: Any) -> None:
    """Keep a table as ``PATH.csv`` and, as ``PATH.json``, the command and what it ran on."""
    path = Path(path)
    origin = {"command": command, **facts, **provenance()}  # before the table changes the checkout
    with atomic_file(path.with_name(path.name + ".csv")) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    with atomic_file(path.with_name(path.name + ".json")) as temporary:
        temporary.write_text(json.dumps(origin, indent=1, sort_keys=True, default=str) + "\n")
