"""Fluent Speech Commands: spoken orders with an action, an object and a location.

Source: Lugosch et al., "Speech model pre-training for end-to-end spoken language understanding",
2019. The 31 intents are the combinations that occur.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dasheng_lib.corpora.official.files import Recording, named, table, there, within

SLOTS = ("action", "location", "object")
LISTS = {
    "data/train_data.csv": "train",
    "data/valid_data.csv": "valid",
    "data/test_data.csv": "test",
}


def read(folder: Path) -> list[Recording]:
    """Official splits; a speaker, the group, is in one of them.

    A recording has one label of each slot: ``"action=increase"``, ``"location=none"``,
    ``"object=heat"``.

    Raises:
        UserError: a list is missing, or all clips are.
    """
    folder = within(folder, list(LISTS))
    return there(folder, (row for name in LISTS for row in _clips(folder, name)))


def _clips(folder: Path, name: str) -> Iterator[tuple]:
    rows = table(folder / name, ["path", "speakerId", *SLOTS])
    for path, speaker, *values in rows[["path", "speakerId", *SLOTS]].itertuples(index=False):
        labels = tuple(f"{slot}={value}" for slot, value in zip(SLOTS, values, strict=True))
        yield named(folder, path), labels, LISTS[name], speaker
