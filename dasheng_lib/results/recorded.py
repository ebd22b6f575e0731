"""Recorded results: a small table beside the command and the circumstances that made it."""

from __future__ import annotations

import json
import os
import tempfile
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

import pandas as pd

from dasheng_lib.common.cache import atomic_file
from dasheng_lib.common.places import RESULTS as FOLDER
from dasheng_lib.common.places import expanded
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
    path = Path(path)
    origin = {"command": command, **facts, **provenance()}  # before the table changes the checkout
    with atomic_file(path.with_name(path.name + ".csv")) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    with atomic_file(path.with_name(path.name + ".json")) as temporary:
        temporary.write_text(json.dumps(origin, indent=1, sort_keys=True, default=str) + "\n")
