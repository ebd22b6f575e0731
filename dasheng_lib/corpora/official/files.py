"""What every reader of an official layout gives, and how it finds the audio of a name."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from dasheng_lib.audio.below import files_below
from dasheng_lib.common.errors import UserError, reading, tell

# A copy in another coding is the same clip; where several are there, the first of these is read.
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


@dataclass(frozen=True)
class Recording:
    """One recording of a data set.

    Attributes:
        path: its file.
        labels: one, or any number where several may hold.
        split: as its authors split it; "" if they did not.
        group: what must not be in two splits, such as the speaker; "" if nothing is said.
    """

    path: Path
    labels: tuple[str, ...]
    split: str = ""
    group: str = ""


def stem(name: str) -> str:
    """A file's name without the endings of audio: ``"a.wav.wav"`` is ``"a"``."""
    while Path(name).suffix.lower() in SUFFIXES:
        name = name[: -len(Path(name).suffix)]
    return name


def audio_in(folder: Path) -> dict[str, Path]:
    """The audio files right in a folder by stem, in the order of their names."""
    return _listed(folder.absolute())


@lru_cache(maxsize=64)
def _listed(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    if not folder.is_dir():
        return found
    for path in sorted(folder.iterdir(), key=lambda path: (_rank(path), path.name)):
        if _is_audio(path):
            found.setdefault(stem(path.name), path)
    return dict(sorted(found.items()))


def audio_below(folder: Path) -> dict[str, Path]:
    """The audio files anywhere below a folder by stem, in the order of their paths.

    Of equal stems the first is taken: copies of a set hold its clips a second time.
    """
    paths = [path for path in files_below(folder) if _is_audio(path)]
    found: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: (_rank(path), path)):
        found.setdefault(stem(path.name), path)
    return dict(sorted(found.items(), key=lambda item: (item[1].parent, item[0])))


def by_name(folder: Path, pattern: str) -> list[tuple[Path, re.Match[str]]]:
    """The audio below a folder whose stem is as ``pattern`` says, with what it says.

    Raises:
        UserError: there is none.
    """
    pairs = [(path, re.fullmatch(pattern, name)) for name, path in audio_below(folder).items()]
    if not any(match for _, match in pairs):
        raise UserError(f"{folder} holds no audio with a name such as the set's ({pattern}).")
    return [(path, match) for path, match in pairs if match]


def _is_audio(path: Path) -> bool:
    """Whether its ending is one of audio; macOS leaves ``._`` files that only look so."""
    return _rank(path) < len(SUFFIXES) and not path.name.startswith("._")


def _rank(path: Path) -> int:
    suffix = path.suffix.lower()
    return SUFFIXES.index(suffix) if suffix in SUFFIXES else len(SUFFIXES)


def named(folder: Path, name: str) -> Path | None:
    """The audio of an official name in a folder, whatever it is coded as; None if it is absent."""
    place = Path(name)
    return audio_in(folder / place.parent).get(stem(place.name))


def need(folder: Path, names: Iterable[str]) -> None:
    """Raise unless all of these files or folders are in ``folder``.

    Raises:
        UserError: some are not; the sentence names them.
    """
    if lost := [name for name in names if not (folder / name).exists()]:
        said = tell("part of the official layout is missing", lost, "parts of it are missing")
        raise UserError(f"{folder}: {said}.")


def within(folder: Path, names: Sequence[str]) -> Path:
    """The folder itself, or the one in it that holds all of ``names``, as archives unpack.

    Raises:
        UserError: none does, as :func:`need` says it.
    """
    for place in nested(folder):
        if all((place / name).exists() for name in names):
            return place
    need(folder, names)
    raise AssertionError("unreachable")


def around(folder: Path, names: Iterable[str]) -> Path:
    """The folder itself, or the one in it that holds any of ``names``; itself if none does."""
    names = list(names)
    found = (at for at in nested(folder) if any((at / name).exists() for name in names))
    return next(found, folder)


def folders_in(folder: Path) -> list[Path]:
    """The folders right in a folder by name, but hidden ones and what macOS leaves in zips."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir()]
    return [folder / name for name in sorted(names) if not name.startswith((".", "__MACOSX"))]


def nested(folder: Path) -> Iterator[Path]:
    """The folder, those in it, and those in these: archives have folders of their own around."""
    yield folder
    yield from (inner := folders_in(folder))
    for place in inner:
        yield from folders_in(place)


def official(path: Path) -> AbstractContextManager[None]:
    """While a list of a set is read: what is wrong with it is said of that file.

    Raises:
        UserError: whatever else was raised.
    """
    return reading(path, "as its set has it", "get it again")


def table(path: Path, columns: Sequence[str], **how) -> pd.DataFrame:
    """A table of text that comes with a set.

    Args:
        columns: that it must have.
        how: for :func:`pandas.read_csv`.

    Raises:
        UserError: it is no table, or lacks a column.
    """
    with official(path):
        rows = pd.read_csv(path, dtype=str, keep_default_na=False, **how)
    if lost := [name for name in columns if name not in rows]:
        raise UserError(f"{path}: {tell('column is missing', lost, 'columns are missing')}.")
    return rows


def there(
    folder: Path, listed: Iterable[tuple[Path | None, tuple[str, ...], str, str]]
) -> list[Recording]:
    """The recordings of a list that are there, sorted by folder and stem; says once what is not.

    Args:
        folder: of the set, for messages.
        listed: path (None if it is absent), labels, split and group of each.

    Raises:
        UserError: none is there.
    """
    listed = list(listed)
    found = [Recording(*row) for row in listed if row[0] is not None]
    if not found:
        raise UserError(f"{folder} holds none of the {len(listed)} clips that its lists name.")
    if lost := len(listed) - len(found):
        warnings.warn(
            f"{folder}: {lost} of the {len(listed)} clips that its lists name are not there and "
            "are left out.",
            stacklevel=1,  # as the library's own, which a command tells in a line
        )
    return sorted(found, key=lambda one: (one.path.parent, stem(one.path.name)))
