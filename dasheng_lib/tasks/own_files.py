"""A reader's own files: tables of them, and clips by name; what cannot be used is said at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dasheng_lib.common.errors import UserError, reading, tell
from dasheng_lib.corpora.wav_facts import wav_facts
from dasheng_lib.tasks.clip import Clip, file_clip


def read_table(path: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> pd.DataFrame:
    """A CSV table of text, in which no cell of these columns is empty.

    Raises:
        UserError: it is not there or no CSV table; it lacks a needed column, or has no row.
    """
    with reading(path, "a CSV table", "name one"):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if lost := [name for name in needed if name not in table]:
        also = f", and may add {' or '.join(map(repr, optional))}" if optional else ""
        raise UserError(
            f"{path} has no column {' and no column '.join(lost)}: its first line is "
            f"{','.join(needed)}{also}."
        )
    if table.empty:
        raise UserError(f"{path} has no row.")
    for name in [name for name in (*needed, *optional) if name in table]:
        if empty := [f"line {row + 2}" for row, value in enumerate(table[name]) if not value]:
            said = tell(f"line has no {name}", empty, f"lines have no {name}")
            raise UserError(f"{path}: {said}.")
    return table


def clips_at(
    paths: Sequence[Path], names: Sequence[str], source: str, progress: bool = True
) -> list[Clip]:
    """The clips at ``paths``, without labels; each file is looked at once.

    Args:
        names: what to call them.
        source: what named them, to begin an error.

    Raises:
        UserError: a file is missing or no audio; says all of them at once.
    """
    places = [path.absolute() for path in paths]
    folder = Path(os.path.commonpath([place.parent for place in places]))
    found = wav_facts(folder, [str(place.relative_to(folder)) for place in places], progress)
    pairs = list(zip(names, found, strict=True))
    missing = [name for name, facts in pairs if facts is None]
    unread = [facts.named(name) for name, facts in pairs if facts and not facts.rate]
    kinds = [
        ("file is missing", missing, "files are missing"),
        ("file cannot be read as audio", unread, "files cannot be read as audio"),
    ]
    if wrong := [tell(one, files, many) for one, files, many in kinds if files]:
        raise UserError(f"{source} names audio that cannot be used: {'; '.join(wrong)}.")
    return [file_clip(name, path, facts) for path, (name, facts) in zip(paths, pairs, strict=True)]
