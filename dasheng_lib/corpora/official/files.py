"""What every reader of an official layout gives, and how it finds the audio of a name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dasheng_lib.common.errors import UserError, tell

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
        if _rank(path) < len(SUFFIXES) and not path.name.startswith("._"):
            found.setdefault(stem(path.name), path)
    return dict(sorted(found.items()))


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
