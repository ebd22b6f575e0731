"""ESC-50: 2,000 environmental sounds of 5 s in 50 classes and 5 folds (K. J. Piczak, ACM MM 2015).

``audio/{fold}-{recording}-{take}-{class}.wav`` and ``meta/esc50.csv``.
"""

from __future__ import annotations

from pathlib import Path

from dasheng_lib.corpora.official.files import Recording, named, table, there, within


def read(folder: Path) -> list[Recording]:
    """Its clips: one class, the official fold "1" to "5", and the recording each is cut from.

    Raises:
        UserError: this is not the set, or none of its clips is there.
    """
    folder = within(folder, ["audio", "meta/esc50.csv"])
    rows = table(folder / "meta" / "esc50.csv", ["filename", "fold", "category", "src_file"])
    return there(
        folder,
        (
            (named(folder / "audio", row.filename), (row.category,), row.fold, row.src_file)
            for row in rows.itertuples()
        ),
    )
