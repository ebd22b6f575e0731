"""A reader's own clips as a task: a CSV table of paths and labels."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from dasheng_lib.common.errors import UserError, tell
from dasheng_lib.common.places import expanded
from dasheng_lib.tasks.clip import Clip
from dasheng_lib.tasks.own_files import clips_at, read_table
from dasheng_lib.tasks.task import POOLED, Task, k_folds

FOLDS = 5  # that are drawn, or as many as there are groups
FOLD, GROUP = "fold", "group"


def read_table_task(path: Path | str, seed: int = 0, progress: bool = True) -> Task:
    """The task of a table: one class a clip, every fold tested in turn.

    Args:
        path: a CSV file with the columns ``path`` (of audio that libsndfile reads, relative to
            the table) and ``label``; optionally ``fold``, which part each clip is tested in, and
            ``group``, what must not be in two folds (a talker, a recording).
        seed: of the folds if the table has none. They are stratified by label and split neither
            a group nor, without groups, recordings that are equal byte for byte.

    Raises:
        UserError: the table, or audio that it names, is not there or cannot be read; fewer than
            two labels, folds or groups; a group is in two folds, a path is named twice.
    """
    path = expanded(path)
    table = _read(path)
    found = clips_at(
        [path.parent / expanded(n) for n in table["path"]], table["path"], str(path), progress
    )
    hashes = np.array([clip.identity for clip in found])
    given = FOLD in table
    parts = _given(path, table, hashes) if given else _drawn(path, table, hashes, seed)
    clips: dict[str, list[Clip]] = {name: [] for name in sorted(set(parts))}
    for part, label, clip in zip(parts, table["label"], found, strict=True):
        clips[part].append(replace(clip, labels=(label,)))
    return Task(
        name=path.stem,
        clips={name: tuple(part) for name, part in clips.items()},
        labels=tuple(sorted(set(table["label"]))),
        folds=k_folds(list(clips)),
        metrics=(POOLED, "top1_acc"),
        pool=tuple(sorted(found, key=lambda clip: clip.name)),  # whatever the folds, the same
    )


def _read(path: Path) -> pd.DataFrame:
    table = read_table(path, ("path", "label"), (FOLD, GROUP))
    if twice := [file for file, count in Counter(table["path"]).items() if count > 1]:
        raise UserError(f"{path}: {tell('path is named twice', twice, 'paths are named twice')}.")
    if table["label"].nunique() < 2:
        raise UserError(f"{path} has {table['label'].nunique()} labels: to tell apart takes two.")
    return table


def _given(path: Path, table: pd.DataFrame, hashes: np.ndarray) -> list[str]:
    folds = table[FOLD]
    if folds.nunique() < 2:
        raise UserError(f"{path} has one fold: to train and test takes two, or no such column.")
    if GROUP in table and (split := _in_two(table[GROUP], folds)):
        raise UserError(f"{path}: {tell('group is in two folds', split, 'groups are in two')}.")
    if same := _in_two(pd.Series(hashes), folds, table["path"]):
        many = "recordings are in more than one fold"
        warnings.warn(
            f"{path}: {tell('recording is in more than one fold', same, many)}: what is tested "
            "was trained on.",
            stacklevel=3,
        )
    return list(folds)


def _drawn(path: Path, table: pd.DataFrame, hashes: np.ndarray, seed: int) -> list[str]:
    groups = table[GROUP].to_numpy() if GROUP in table else hashes
    k = min(FOLDS, len(set(groups)))
    if k < 2:
        raise UserError(f"{path} has one group: to train and test takes two.")
    alone = len(set(groups)) == len(groups)
    # Sorted by name: the order of lines changes no fold.
    order = np.argsort(table["path"].to_numpy(str), kind="stable")
    split = (StratifiedKFold if alone else StratifiedGroupKFold)(k, shuffle=True, random_state=seed)
    parts = np.empty(len(table), object)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        labels = table["label"].to_numpy()[order]
        try:
            found = list(split.split(labels, labels, None if alone else groups[order]))
        except ValueError as error:  # every class has fewer clips than there are folds
            raise UserError(f"{path}: folds cannot be drawn: {error}.") from error
    for number, (_, tested) in enumerate(found):
        parts[order[tested]] = f"fold{number}"
    return list(parts)


def _in_two(things: pd.Series, folds: pd.Series, names: pd.Series | None = None) -> list[str]:
    """The things that are in two folds, by the name of their first row."""
    counts = folds.groupby(things.to_numpy()).nunique()
    names = things if names is None else names
    split = things.isin(counts.index[counts > 1]) & ~things.duplicated()
    return list(names[split.to_numpy()])
