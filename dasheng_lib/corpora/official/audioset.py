"""AudioSet: 10 s of YouTube in 527 classes, any number of which may hold (Gemmeke et al., 2017)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.official.files import Recording, audio_in, official, table, there, within

CLASSES = "class_labels_indices.csv"
LISTS = {
    "balanced_train_segments": "train",
    "unbalanced_train_segments": "train",
    "eval_segments": "test",
}


def read(folder: Path) -> list[Recording]:
    """The clips that are there, of the lists that are there; videos vanish, so some always lack.

    The official part is ``class_labels_indices.csv`` and the lists, such as ``eval_segments.csv``.
    Audio is nowhere official: that of a list is looked for in the folder of its name, there or in
    ``audios/``, and in the folders within it; a clip is called after its video as usual tools do,
    ``ID``, ``YID``, ``ID_30``, ``ID_30.000``, ``ID_30000`` or ``ID_30000_40000``. The video is the
    group.

    Raises:
        UserError: no list, no table of classes, a class that it has not, or no clip.
    """
    folder = within(folder, [CLASSES])
    rows = table(folder / CLASSES, ["mid", "display_name"])
    classes = dict(zip(rows["mid"], rows["display_name"], strict=True))
    lists = [name for name in LISTS if (folder / f"{name}.csv").is_file()]
    if not lists:
        raise UserError(f"{folder} has none of {', '.join(f'{name}.csv' for name in LISTS)}.")
    return there(folder, (row for name in lists for row in _clips(folder, name, classes)))


def _clips(folder: Path, name: str, classes: dict[str, str]) -> Iterator[tuple]:
    """Path or None, labels, split and video of each clip of a list."""
    audio = _audio(folder, name)
    path = folder / f"{name}.csv"
    with official(path), path.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file, skipinitialspace=True):
            # Names of videos may begin with a dash, but none with a hash.
            if not row or row[0].startswith("#"):
                continue
            mids = row[3].strip().split(",")
            if unknown := [mid for mid in mids if mid not in classes]:
                raise UserError(f"{path}: {CLASSES} has no class {unknown[0]}.")
            stems = _stems(row[0], float(row[1]), float(row[2]))
            clip = next((audio[stem] for stem in stems if stem in audio), None)
            yield clip, tuple(classes[mid] for mid in mids), LISTS[name], row[0]


def _audio(folder: Path, name: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for place in (folder / name, folder / "audios" / name):
        for inner in (place, *sorted(path for path in place.glob("*") if path.is_dir())):
            found = audio_in(inner) | found
    return found


def _stems(video: str, start: float, end: float) -> tuple[str, ...]:
    milliseconds = f"{video}_{1000 * start:.0f}"
    return (
        video,
        f"Y{video}",
        f"{video}_{start:.0f}",
        f"{video}_{start:.3f}",
        milliseconds,
        f"{milliseconds}_{1000 * end:.0f}",
    )
