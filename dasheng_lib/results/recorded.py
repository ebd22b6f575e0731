"""Recorded results: a small table beside the command and the circumstances that made it.

A hash ties the two, so that neither is taken for another's.
"""

from __future__ import annotations

import json
import os
import tempfile
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

import pandas as pd

from dasheng_lib.common.cache import atomic_file
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import RESULTS as FOLDER
from dasheng_lib.common.places import expanded
from dasheng_lib.common.provenance import provenance
from dasheng_lib.common.sums import sha256_of

COLUMNS = ("corpus", "task", "encoder", "probe", "seed", "accuracy")
SUM = "sha256"  # in the origin, of the table beside it


def read_results(name: str, folder: Path = FOLDER) -> pd.DataFrame:
    """A recorded table; its ``attrs`` hold the provenance. Empty where nothing is recorded yet.

    Raises:
        UserError: the table is not the one that its origin is of, or one of the two is damaged.
    """
    path = folder / f"{name}.csv"
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS)
    try:
        origin = dict(json.loads(path.with_suffix(".json").read_bytes()))
        if origin.pop(SUM, None) not in (None, sha256_of(path)):
            raise ValueError("the table is not the one that was recorded")
        table = pd.read_csv(path)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path} and the .json beside it do not belong together ({error}): restore both, or "
            "record it again."
        ) from error
    table.attrs.update(origin)
    return table


def by_fold(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the one metric that each task reports: without second metrics, and without the
    pooled accuracy, whose ``fold`` is ``"all"`` and would count as one more fold.

    Args:
        table: rows of ``dasheng evaluate`` on a benchmark: ``task, fold, metric`` and more; or
            what :func:`read_results` gives of what is not recorded yet.
    """
    if table.empty:
        return table
    folds = table[table["fold"] != "all"]
    return folds[folds["metric"] == folds.groupby("task")["metric"].transform("first")]


def stamp(path: Path) -> None:
    """Write the hash of the table ``path`` (.csv) into its origin, which lacks it or is checked.

    Raises:
        UserError: there is another hash already.
    """
    beside = path.with_suffix(".json")
    origin = json.loads(beside.read_text())
    if origin.setdefault(SUM, found := sha256_of(path)) != found:
        raise UserError(f"{path} is not the table that {beside.name} is of: record it again.")
    _write_origin(beside, origin)


def recordable(name: str) -> Path:
    """What ``--record`` names, for argparse: a fault shows before hours of work, not after.

    Raises:
        ArgumentTypeError: nothing can be written there.
    """
    path = expanded(name)
    if not path.name or name.endswith("/"):
        raise ArgumentTypeError(f"{name!r} names no file")
    for ending in (".csv", ".json"):
        writable(f"{path}{ending}")
    return path


def writable(name: str) -> Path:
    """The path of a file that can be written, for argparse.

    Raises:
        ArgumentTypeError: it is a folder, or nothing can be written there.
    """
    path = expanded(name)
    if path.is_dir() or not path.name:
        raise ArgumentTypeError(f"{name!r} is a folder: name a file")
    folder = next(place for place in path.absolute().parents if os.path.lexists(place))
    try:
        if not os.access(folder, os.W_OK):
            raise PermissionError
        tempfile.TemporaryFile(dir=folder).close()  # some folders take no files
    except OSError as error:
        raise ArgumentTypeError(
            f"{name} cannot be written, since {folder} is no place for files"
        ) from error
    return path


def write_results(path: Path, table: pd.DataFrame, command: str, **facts: Any) -> None:
    """Keep a table as ``PATH.csv`` and, as ``PATH.json``, the command and what it ran on."""
    path = expanded(path)
    origin = {"command": command, **facts, **provenance()}  # before the table changes the checkout
    beside = path.with_name(path.name + ".csv")
    with atomic_file(beside) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    _write_origin(beside.with_suffix(".json"), {**origin, SUM: sha256_of(beside)})


def _write_origin(path: Path, origin: dict[str, Any]) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(origin, indent=1, sort_keys=True, default=str) + "\n")


if __name__ == "__main__":  # python -m dasheng_lib.results.recorded: stamp records that lack it
    for table in sorted(FOLDER.glob("*.csv")):
        if table.with_suffix(".json").exists():
            stamp(table)
