"""Speech Commands, v0.01 and v0.02: single words, 1 s at 16 kHz (Warden, 2018, arXiv 1804.03209).

HARES has two tasks of it: 12 classes, as in TensorFlow Datasets (:func:`twelve`), and every word
(:func:`words`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dasheng_lib.corpora.official.files import (
    Recording,
    audio_in,
    nested,
    official,
    stem,
    there,
    within,
)

COMMANDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
SILENCE, UNKNOWN, NOISE = "_silence_", "_unknown_", "_background_noise_"
LISTS = {"validation_list.txt": "valid", "testing_list.txt": "test"}
SPEAKER = re.compile(r"(?:^|_)([0-9a-f]{8})_")

Row = tuple[Path | None, tuple[str, ...], str, str]


def words(folder: Path) -> list[Recording]:
    """Every word a class, 35 in v0.02 and 30 in v0.01; the official lists split.

    The group is the speaker. Recordings that occur twice have one speaker and one word.

    Raises:
        UserError: a list is missing, or all clips are.
    """
    return there(folder, (row for row in _archive(folder) if row[1] != (SILENCE,)))


def twelve(folder: Path) -> list[Recording]:
    """Ten commands, silence, and all other words as unknown.

    Silence is the recordings of ``_background_noise_``, to be cut into seconds; ``running_tap``
    selects and the others train, as in TensorFlow Datasets. What tests is the official test set,
    which has its own silence, if it is there (``speech_commands_test_set_v0.0N``, in ``folder``,
    beside it, or ``folder`` itself); else the testing list, which has no silence.

    Raises:
        UserError: neither the lists nor a test set are there, or all clips are missing.
    """
    beside = folder.with_name(folder.name.replace("commands_v0", "commands_test_set_v0"))
    places = (*nested(folder), beside)
    tests = [path for path in places if (path / UNKNOWN).is_dir()]
    rows = [] if tests[:1] == [folder] else list(_archive(folder))
    if tests:
        rows = [row for row in rows if row[2] != "test"]
        rows += [
            (path, (place.name,), "test", _speaker(path))
            for place in _folders(tests[0])
            for path in audio_in(place).values()
        ]
    classes = {*COMMANDS, SILENCE, UNKNOWN}
    return there(
        folder,
        (
            (path, labels if labels[0] in classes else (UNKNOWN,), split, group)
            for path, labels, split, group in rows
        ),
    )


def _archive(folder: Path) -> Iterator[Row]:
    """The recordings of the archive, noise as silence, and what its lists name and it lacks."""
    folder = within(folder, list(LISTS))
    split_of = {}
    for name, split in LISTS.items():
        with official(folder / name):
            for line in (folder / name).read_text(encoding="utf-8").split():
                word, file = line.split("/")
                split_of[word, stem(file)] = split
    for place in _folders(folder):
        for name, path in audio_in(place).items():
            split = split_of.pop((place.name, name), "train")
            if place.name != NOISE:
                yield path, (place.name,), split, _speaker(path)
            else:
                yield path, (SILENCE,), "valid" if name == "running_tap" else "train", name
    for (word, _), split in split_of.items():
        yield None, (word,), split, ""


def _folders(folder: Path) -> Iterator[Path]:
    special = {NOISE, SILENCE, UNKNOWN}
    for path in sorted(folder.glob("*")):
        if path.is_dir() and (path.name in special or path.name.isalpha()):
            yield path


def _speaker(path: Path) -> str:
    """The first eight hexadecimal digits, behind the word in ``_unknown_``; silence has none."""
    found = SPEAKER.search(path.name)
    return found[1] if found else ""
