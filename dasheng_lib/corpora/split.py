"""Parts of a corpus: what training does not see, a share of it, its clips cut short or labelled."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from dasheng_lib.common.cache import digest
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.corpus import Corpus


def hold_out(corpus: Corpus, share: float) -> tuple[Corpus, Corpus]:
    """What is left, and what is held out; labels are in neither.

    Whole groups (talkers, kits, packages) are held out, of each domain at least two, at least
    ``share`` of its groups and at least ``share`` of its length; groups are taken in an order
    that only their names determine. One longer than a quarter of its domain is taken only where
    there are no others, and the last group of a domain is never taken.

    Args:
        share: at least 0 and below 1; 0 holds nothing out.
    """
    held: set[str] = set()
    for domain in sorted(corpus.clips["domain"].unique()) if share else ():
        clips = corpus.clips[corpus.clips["domain"] == domain]
        held |= _groups_to_hold_out(clips.groupby("group")["samples"].sum(), share)
    mask = corpus.clips["group"].isin(held).to_numpy()
    return _part(corpus, ~mask), _part(corpus, mask)


def without(corpus: Corpus, groups: Collection[str]) -> Corpus:
    """The clips of all other groups; labels are left out unless nothing is."""
    return _part(corpus, ~corpus.clips["group"].isin(groups).to_numpy())


def _groups_to_hold_out(lengths: pd.Series, share: float) -> set[str]:
    """Of the groups of one domain, with their lengths; see :func:`hold_out`."""
    long = lengths > lengths.sum() / 4
    by_name = sorted(lengths.index, key=lambda group: hashlib.sha256(group.encode()).digest())
    order = [g for g in by_name if not long[g]] + list(lengths[long].sort_values().index)
    held: list[str] = []
    for group in order[:-1]:
        enough = lengths[held].sum() >= share * lengths.sum()
        if enough and len(held) >= max(2, share * len(lengths)):
            break
        held.append(group)
    return set(held)


def exam_clips(corpus: Corpus, count: int) -> dict[str, Corpus]:
    """``count`` clips of each domain, the groups of a domain in turn.

    A domain with fewer clips gives some more than once. Clips come in an order that only their
    content determines, so the same corpus gives the same exam.

    Returns:
        A corpus a domain, in alphabetical order, without labels.
    """
    exam = {}
    for domain, clips in corpus.clips.groupby("domain"):
        ordered = clips.sort_values("sha256", kind="stable")
        turns = ordered.groupby("group").cumcount()
        rows = ordered.index[np.lexsort((ordered["group"], turns))]
        exam[str(domain)] = _part(corpus, np.resize(rows, count))
    return exam


def of_domain(corpus: Corpus, domain: str) -> Corpus:
    """The clips of one domain, or all where it is ``""``; labels are left out unless nothing is.

    Raises:
        UserError: there are none.
    """
    domains = corpus.clips["domain"]
    if domain and domain not in set(domains):
        known = ", ".join(sorted(set(domains)))
        raise UserError(f"{corpus.name} has no domain {domain!r}: it has {known}.")
    return _part(corpus, (domains == domain).to_numpy() | (not domain))


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


def labelled(corpus: Corpus, tasks: Iterable[str]) -> Corpus:
    """The clips with a label in one of the tasks; ``clips["label"]`` is its class, from 0.

    Classes are counted task after task, in alphabetical order within one. A clip with labels in
    several tasks has that of the first. Further parts of the result keep the column.

    Raises:
        UserError: there is no such task.
    """
    class_C, known = np.full(len(corpus), -1), 0
    for task in tasks:
        rows = corpus.task(task)
        names, codes = np.unique(rows["label"].astype(str), return_inverse=True)
        clips = rows["clip"].to_numpy()
        free = class_C[clips] < 0
        class_C[clips[free]] = known + codes[free]
        known += len(names)
    part = _part(corpus, class_C >= 0)
    class_C = class_C[class_C >= 0]
    return replace(
        part,
        digest=digest([part.digest, "labels", class_C.tolist()]),
        clips=part.clips.assign(label=class_C),
    )


def _part(corpus: Corpus, rows: np.ndarray) -> Corpus:
    """The corpus of these rows, numbers or a mask; without labels unless it is the whole."""
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows
    if np.array_equal(rows, np.arange(len(corpus))):
        return corpus
    return replace(
        corpus,
        digest=digest([corpus.digest, rows.tolist()]),
        clips=corpus.clips.iloc[rows].reset_index(drop=True),
        tasks=corpus.tasks.iloc[:0],
    )
