"""Is there a bird? Three sets of DCASE 2018, task 3: freefield1010, warblrb10k, BirdVox-DCASE-20k.

Source: Stowell et al., "Automatic acoustic detection of birds through deep learning", 2018.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.official.files import Recording, audio_below, stem, table, there

COLUMNS = ["itemid", "hasbird"]
LABELS = {"0": "no bird", "1": "bird"}


def read(folder: Path) -> list[Recording]:
    """The clips of those of the three that are there.

    A set is a csv with the columns ``itemid`` and ``hasbird``, and clips of these names, which no
    two of the sets share; all of them anywhere in ``folder``. Splits are ours, by the clip's name,
    see :func:`dealt`: the labels of the official test were never given out, and the split that
    HARES has of the rest was not at hand (the manifest says where it is).

    Raises:
        UserError: no such csv, a label that is neither 0 nor 1, or no clip.
    """
    tables = sorted(path for path in folder.rglob("*.csv") if _is(path))
    if not tables:
        raise UserError(f"{folder} has no csv with the columns {' and '.join(COLUMNS)}.")
    audio = audio_below(folder)
    return there(folder, (row for path in tables for row in _clips(path, audio)))


def dealt(clip: str) -> str:
    """The split of a clip: of ten two test, the others train.

    It depends on the clip's name alone, so that clips which are missing move no other.
    """
    return "test" if int(hashlib.sha256(clip.encode()).hexdigest(), 16) % 10 < 2 else "train"


def _is(path: Path) -> bool:
    if path.name.startswith("._"):
        return False
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            return set(COLUMNS) <= set(next(csv.reader(file), []))
        except csv.Error:  # any other file of the folder
            return False


def _clips(path: Path, audio: dict[str, Path]) -> Iterator[tuple]:
    """Path or None, label, split and group (itself) of each clip of a csv."""
    for row in table(path, COLUMNS).itertuples():
        clip = stem(row.itemid)
        if row.hasbird not in LABELS:
            raise UserError(f"{path}: hasbird of {clip} is {row.hasbird!r}, neither 0 nor 1.")
        yield audio.get(clip), (LABELS[row.hasbird],), dealt(clip), clip
