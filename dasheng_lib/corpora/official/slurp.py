"""SLURP: 72,396 commands to a home assistant, what they ask for (Bastianelli et al., EMNLP 2020).

``slurp_real/{name}.flac`` (``audio/slurp_real`` in a checkout of the authors' repository) and
``train.jsonl``, ``devel.jsonl`` and ``test.jsonl`` (there in ``dataset/slurp``), a sentence a line
with all its recordings. Synthetic speech (``slurp_synth``) is not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from dasheng_lib.corpora.official.files import (
    Recording,
    around,
    audio_below,
    official,
    stem,
    there,
    within,
)

SPLITS = {"train": "train", "devel": "valid", "test": "test"}


def read(folder: Path) -> list[Recording]:
    """Its real recordings: one intent, and the official split.

    Raises:
        UserError: this is not the set, or none of its recordings is there.
    """
    checkout = around(folder, ["dataset/slurp"]) / "dataset/slurp"
    names = [f"{name}.jsonl" for name in SPLITS]
    lists = within(checkout if checkout.is_dir() else folder, names)
    clips = audio_below(around(folder, ["slurp_real"]) / "slurp_real")
    return there(
        folder,
        (
            (clips.get(stem(name)), (intent,), split, "")
            for part, split in SPLITS.items()
            for intent, names in _rows(lists / f"{part}.jsonl")
            for name in names
        ),
    )


def _rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The intent of each sentence of a list, and the names of its recordings."""
    with official(path):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            yield row["intent"], [recording["file"] for recording in row["recordings"]]
