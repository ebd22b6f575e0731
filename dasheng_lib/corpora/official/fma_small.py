"""FMA small: 8,000 excerpts of 30 s of music in 8 genres (Defferrard et al., ISMIR 2017).

``fma_small/{first three of six digits}/{six digits}.mp3`` and ``fma_metadata/tracks.csv``. Six of
the excerpts are known to be damaged or cut short.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.official.files import Recording, around, named, official, there

TRACKS = "fma_metadata/tracks.csv"
COLUMNS = [("set", "subset"), ("set", "split"), ("track", "genre_top"), ("artist", "id")]
SPLITS = {"training": "train", "validation": "valid", "test": "test"}


def read(folder: Path) -> list[Recording]:
    """Its clips: one top genre, the official split, and the artist as the group.

    Raises:
        UserError: this is not the set, or none of its clips is there.
    """
    # The two archives may as well be unpacked beside each other.
    places = [around(folder, [TRACKS, "tracks.csv"]), folder.absolute().parent]
    tables = [place / name for place in places for name in (TRACKS, "tracks.csv")]
    tracks = next((path for path in tables if path.is_file()), None)
    if tracks is None:
        raise UserError(f"{folder / TRACKS} is missing: unpack fma_metadata.zip there.")
    audio = around(around(folder, ["fma_small"]), [f"{number:03d}" for number in range(156)])
    return there(
        folder,
        (
            (named(audio, f"{track[:3]}/{track}.mp3"), (genre,), SPLITS.get(split, split), artist)
            for track, subset, split, genre, artist in _tracks(tracks).itertuples(index=False)
            if subset == "small"
        ),
    )


def _tracks(path: Path) -> pd.DataFrame:
    """Number in six digits, subset, split, genre and artist of all tracks, as text.

    The table has two lines of names and a third that only names the index.
    """
    with official(path):
        with path.open(newline="", encoding="utf-8") as file:
            names = list(zip(*(next(csv.reader(file)) for _ in range(2)), strict=True))
        places = [names.index(name) for name in COLUMNS]
        rows = pd.read_csv(path, header=None, skiprows=3, usecols=[0, *places], dtype=str)
    rows = rows[[0, *places]].fillna("")
    return rows.assign(**{"0": rows[0].str.zfill(6)})[["0", *places]]
