"""VIVAE: 1,085 vocalisations without words, 6 emotions, 11 speakers (Holz et al., 2020).

``full_set/{speaker}_{emotion}_{intensity}_{number}.wav``. ``core_set`` holds copies of 480 of them,
which are not read.
"""

from __future__ import annotations

from pathlib import Path

from dasheng_lib.corpora.official.files import Recording, by_name, within


def read(folder: Path) -> list[Recording]:
    """Its clips: one emotion, and the speaker S01 to S11 as the group.

    Raises:
        UserError: this is not the set.
    """
    place = within(folder, ["full_set"]) / "full_set"
    found = by_name(place, r"(S\d+)_([a-z]+)_[a-z]+_\d+")
    return [Recording(path, (name[2],), group=name[1]) for path, name in found]
