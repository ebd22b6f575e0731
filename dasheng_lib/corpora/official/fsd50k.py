"""FSD50K: 51,197 sounds of 0.3 to 30 s, each with any of 200 classes (Fonseca et al., 2022).

``FSD50K.dev_audio/{id}.wav``, ``FSD50K.eval_audio/{id}.wav``, and in ``FSD50K.ground_truth`` the
labels: ``dev.csv``, whose column ``split`` says train or val, and ``eval.csv``.
"""

from __future__ import annotations

from pathlib import Path

from dasheng_lib.corpora.official.files import (
    Recording,
    around,
    audio_below,
    stem,
    table,
    there,
    within,
)

TRUTH = "FSD50K.ground_truth"


def read(folder: Path) -> list[Recording]:
    """Its clips: all their classes, and the official split.

    Raises:
        UserError: this is not the set, or none of its clips is there.
    """
    folder = around(folder, [TRUTH])
    truth = within(folder / TRUTH, ["dev.csv", "eval.csv"])
    dev = table(truth / "dev.csv", ["fname", "labels", "split"])
    test = table(truth / "eval.csv", ["fname", "labels"]).assign(split="test")
    splits = {"train": "train", "val": "valid", "test": "test"}
    parts = [
        (audio_below(folder / f"FSD50K.{part}_audio"), rows)
        for part, rows in (("dev", dev), ("eval", test))
    ]
    return there(
        folder,
        (
            (audio.get(stem(row.fname)), _labels(row.labels), splits.get(row.split, ""), "")
            for audio, rows in parts
            for row in rows.itertuples()
        ),
    )


def _labels(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.split(",")))
