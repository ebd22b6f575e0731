"""TUT Urban Acoustic Scenes 2018, development set: 10 scenes, 10 s, stereo, 48 kHz, 24 bit.

Source: Mesaros, Heittola and Virtanen, DCASE 2018, task 1A.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dasheng_lib.corpora.official.files import Recording, named, official, there, within

# The third list, fold1_test.txt, is fold1_evaluate.txt without its labels.
LISTS = {
    "evaluation_setup/fold1_train.txt": "train",
    "evaluation_setup/fold1_evaluate.txt": "test",
}


def read(folder: Path) -> list[Recording]:
    """The official fold, which keeps all clips of one place in one split; the place is the group.

    HARES has another split, which was not at hand (the manifest says where it is). Its scores, up
    to 96.9 %, are far above what systems reach on this fold (the organisers' own: 59.7 %), so that
    split can hardly keep places apart: published and recorded numbers are not of one task.

    Raises:
        UserError: a list is missing, or all clips are.
    """
    folder = within(folder, list(LISTS))
    return there(folder, (row for name in LISTS for row in _clips(folder, name)))


def _clips(folder: Path, name: str) -> Iterator[tuple]:
    with official(folder / name):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            if line.strip():
                file, scene = line.split("\t")[:2]
                # airport-barcelona-0-12-a.wav: scene, city, place, piece, device
                place = "-".join(Path(file).name.split("-")[1:3])
                yield named(folder, file), (scene.strip(),), LISTS[name], place
