"""Medley-solos-DB: 21,571 clips of 3 s of one of 8 instruments (Lostanlen and Cella, 2016).

``Medley-solos-DB_{subset}-{instrument}_{uuid}.wav``, 32-bit float, in the newest release with the
ending ``.wav.wav``, and ``Medley-solos-DB_metadata.csv``. ARCH calls the set MedleyDB.
"""

from __future__ import annotations

from pathlib import Path

from dasheng_lib.corpora.official.files import Recording, audio_below, table, there, within

METADATA = "Medley-solos-DB_metadata.csv"
SPLITS = {"training": "train", "validation": "valid", "test": "test"}


def read(folder: Path) -> list[Recording]:
    """Its clips: one instrument, the official split, and the song as the group.

    Raises:
        UserError: this is not the set, or none of its clips is there.
    """
    rows = table(
        within(folder, [METADATA]) / METADATA, ["subset", "instrument", "instrument_id", "uuid4"]
    )
    songs = rows.get("track_id", rows.get("song_id", rows["uuid4"]))
    audio = audio_below(folder)
    return there(
        folder,
        (
            (audio.get(f"Medley-solos-DB_{row.subset}-{row.instrument_id}_{row.uuid4}"),
             (row.instrument,), SPLITS.get(row.subset, ""), song)
            for row, song in zip(rows.itertuples(), songs, strict=True)
        ),
    )  # fmt: skip
