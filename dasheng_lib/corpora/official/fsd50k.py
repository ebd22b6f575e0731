"""FSD50K: 51,197 sounds of 0.3 to 30 s, each with any of 200 classes (Fonseca et al., 2022).

``FSD50K.dev_audio/{id}.wav``, ``FSD50K.eval_audio/{id}.wav``, and in ``FSD50K.ground_truth`` the
labels: ``dev.csv``, whose column ``split`` says train or val, and ``eval.csv``.
"""

from __future__ import annotations

from pathlib import Path

from dasheng_lib.corpora.official.files import Recording, named, table, there, within


def read(folder: Path) -> list[Recording]:
    """Its clips: all their classes, and the official split.

    Raises:
        UserError: this is not the set, or none of its clips is there.
    """
    truth = "FSD50K.ground_truth"
    folder = within(folder, [f"{truth}/dev.csv", f"{truth}/eval.csv"])
    dev = table(folder / truth / "dev.csv", ["fname", "labels", "split"])
    test = table(folder / truth / "eval.csv", ["fname", "labels"]).assign(split="test")
    splits = {"train": "train", "val": "valid", "test": "test"}
    return there(
        folder,
        (
            (named(folder / audio, f"{row.fname}.wav"), _labels(row.labels), splits[row.split], "")
            for audio, rows in (("FSD50K.dev_audio", dev), ("FSD50K.eval_audio", test))
            for row in rows.itertuples()
        ),
    )


def _labels(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.split(",")))
