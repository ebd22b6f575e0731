"""Parts of a corpus: what training does not see, a share of it, its clips cut short."""

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


def portion(corpus: Corpus, share: float) -> Corpus:
    """A share of each domain's length, clip by clip; a smaller share is part of a larger one.

    Clips come in an order that only their content determines. Labels are left out.

    Args:
        share: above 0, at most 1; each domain keeps one clip at least.
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share is above 0 and at most 1, not {share}")
    order = np.argsort(corpus.clips["sha256"].astype(str).to_numpy(), kind="stable")
    lengths = corpus.clips["samples"].to_numpy(np.float64)
    mask = np.zeros(len(corpus), bool)
    for domain in corpus.clips["domain"].unique():
        rows = order[(corpus.clips["domain"] == domain).to_numpy()[order]]
        before = np.cumsum(lengths[rows]) - lengths[rows]
        mask[rows[before < share * lengths[rows].sum()]] = True
    return _part(corpus, mask)


def shortened(corpus: Corpus, seconds: float) -> Corpus:
    """The same clips and labels, each clip's first ``seconds`` at most."""
    samples = corpus.clips["samples"].clip(upper=round(seconds * corpus.sample_rate))
    return replace(
        corpus,
        digest=digest([corpus.digest, "first seconds", seconds]),
        clips=corpus.clips.assign(samples=samples, seconds=samples / corpus.sample_rate),
    )


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
