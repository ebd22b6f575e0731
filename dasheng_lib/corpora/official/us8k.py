"""UrbanSound8K: 8,732 sounds of at most 4 s in 10 classes and 10 folds (Salamon et al., 2014).

``audio/fold{1..10}/{name}.wav`` and ``metadata/UrbanSound8K.csv``. The files are of many rates (24
bit and 48 kHz among them) and mostly stereo; some are shorter than 0.1 s.
"""

from __future__ import annotations

from pathlib import Path

from dasheng_lib.corpora.official.files import Recording, named, table, there, within

METADATA = "metadata/UrbanSound8K.csv"


def read(folder: Path) -> list[Recording]:
    """Its clips: one class, the official fold "1" to "10", and the Freesound recording.

    Raises:
        UserError: this is not the set, or none of its clips is there.
    """
    folder = within(folder, ["audio", METADATA])
    rows = table(folder / METADATA, ["slice_file_name", "fsID", "fold", "class"])
    columns = zip(*(rows[c] for c in ("slice_file_name", "fsID", "fold", "class")), strict=True)
    return there(
        folder,
        (
            (named(folder / "audio", f"fold{fold}/{name}"), (label,), fold, recording)
            for name, recording, fold, label in columns
        ),
    )
