"""VoxCeleb1: which of 1,251 celebrities speaks (Nagrani, Chung and Zisserman, 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dasheng_lib.corpora.official.files import Recording, named, official, there, within

LIST = "iden_split.txt"
SPLITS = {"1": "train", "2": "valid", "3": "test"}
# Where the archives unpack to: those of both parts, each by itself or together.
PLACES = ("", "wav", "dev/wav", "test/wav", "vox1_dev_wav/wav", "vox1_test_wav/wav")


def read(folder: Path) -> list[Recording]:
    """The official split for identification; a video, the group, is in one part of it.

    Raises:
        UserError: ``iden_split.txt`` is missing, or all clips are.
    """
    return there(folder, _clips(within(folder, [LIST])))


def _clips(folder: Path) -> Iterator[tuple]:
    places = [folder / place for place in PLACES if (folder / place).is_dir()]
    with official(folder / LIST):
        for line in (folder / LIST).read_text(encoding="utf-8").splitlines():
            if line.strip():
                number, name = line.split()
                path = next((path for place in places if (path := named(place, name))), None)
                speaker, video, _ = name.split("/")
                yield path, (speaker,), SPLITS[number], f"{speaker}/{video}"
