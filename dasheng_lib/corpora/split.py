"""A part of a corpus that training does not see."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from dasheng_lib.cache import digest
from dasheng_lib.corpora.corpus import Corpus


def hold_out(corpus: Corpus, share: float) -> tuple[Corpus, Corpus]:
    """What is left, and what is held out; labels are in neither.

    Whole groups (talkers, kits, packages) are held out, in an order that only their names
    determine, as long as they fit into ``share`` of the corpus's length.

    Args:
        share: at least 0 and below 1.
    """
    groups = corpus.clips["group"].astype(str)
    lengths = corpus.clips["samples"].groupby(groups).sum()
    room = share * lengths.sum()
    held = set()
    for group in sorted(lengths.index, key=lambda g: hashlib.sha256(g.encode()).digest()):
        if lengths[group] <= room:
            held.add(group)
            room -= lengths[group]
    mask = groups.isin(held).to_numpy()
    return _part(corpus, ~mask), _part(corpus, mask)


def _part(corpus: Corpus, mask: np.ndarray) -> Corpus:
    rows = np.flatnonzero(mask)
    if len(rows) == len(corpus):
        return corpus
    return replace(
        corpus,
        digest=digest([corpus.digest, rows.tolist()]),
        clips=corpus.clips.iloc[rows].reset_index(drop=True),
        tasks=corpus.tasks.iloc[:0],
    )
