"""Parts of a corpus: nested, complete, and alike on every machine."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.crops import Exam
from dasheng_lib.corpora.pocket import read_manifest
from dasheng_lib.corpora.split import exam_clips, hold_out, portion, shortened, without
from dasheng_lib.corpora.synthetic.corpus import synthetic_corpus


@pytest.fixture(scope="module")
def corpus():
    return synthetic_corpus()


def names(corpus):
    return set(corpus.clips["member"])


def test_a_smaller_portion_is_part_of_a_larger_one(corpus):
    parts = [portion(corpus, share) for share in (0.01, 0.1, 0.5, 1.0)]
    for small, large in itertools.pairwise(parts):
        assert names(small) < names(large)
    assert parts[-1].digest == corpus.digest
    assert len({part.digest for part in parts}) == 4


@pytest.mark.parametrize("share", [0.1, 0.3, 0.8])
def test_a_portion_has_its_share_of_every_domain(corpus, share):
    seconds = corpus.clips.groupby("domain")["seconds"]
    kept = portion(corpus, share).clips.groupby("domain")["seconds"].sum()
    assert set(kept.index) == set(seconds.groups)
    assert ((kept - share * seconds.sum()).abs() <= seconds.max()).all()


def test_a_portion_of_nothing_is_refused(corpus):
    for share in (0.0, 1.5):
        with pytest.raises(ValueError, match="share"):
            portion(corpus, share)


def test_what_is_held_out_is_not_in_the_rest(corpus):
    rest, held = hold_out(corpus, 0.2)
    assert not names(rest) & names(held) and names(rest) | names(held) == names(corpus)


def listed(name):
    """A corpus as its manifest lists it, without its audio."""
    manifest = read_manifest(name)
    samples = (16_000 * manifest.clips["seconds"].astype(float)).astype(int)
    clips = manifest.clips.assign(samples=samples, offset=0)
    return Corpus(name, name, clips, manifest.tasks.iloc[:0], np.zeros(0, np.float32))


@pytest.mark.parametrize("share", [0.001, 0.01, 0.02, 0.03, 0.1, 0.2])
@pytest.mark.parametrize("name", ["synthetic", "pocket", "pocket-full", "pocket-large"])
def test_every_domain_is_held_out_by_groups_whatever_the_share(name, share, corpus):
    whole = corpus if name == "synthetic" else listed(name)
    rest, held = hold_out(whole, share)
    length, groups = (
        {part: clips.clips.groupby("domain")[column].agg(how) for part, clips in parts.items()}
        for parts, column, how in (
            ({"all": whole, "held": held}, "samples", "sum"),
            ({"all": whole, "held": held, "rest": rest}, "group", "nunique"),
        )
    )
    assert set(groups["held"].index) == set(groups["rest"].index) == set(groups["all"].index)
    assert (groups["held"] >= np.minimum(2, groups["all"] - 1)).all()
    enough = (length["held"] >= share * length["all"]) | (groups["rest"] == 1)
    assert enough.all()
    assert not set(rest.clips["group"]) & set(held.clips["group"])


def test_a_group_that_is_most_of_its_domain_is_trained_on(corpus):
    clips = corpus.clips.assign(
        domain="one", group=[f"g{i % 5}" if i > 100 else "long" for i in range(len(corpus))]
    )
    _, held = hold_out(replace(corpus, clips=clips), 0.01)
    assert len(set(held.clips["group"])) == 2 and "long" not in set(held.clips["group"])


def test_an_exam_gives_every_domain_and_every_group_of_it_the_same_weight(corpus):
    _, held = hold_out(corpus, 0.2)
    exam = exam_clips(held, 12)
    assert list(exam) == sorted(held.clips["domain"].unique())
    for domain, part in exam.items():
        assert set(part.clips["domain"]) == {domain} and len(part) == 12
        turns = part.clips["group"].value_counts()
        available = held.clips[held.clips["domain"] == domain].groupby("group").size()
        full = turns[available[turns.index] > turns.max()]
        assert full.empty or full.max() - full.min() <= 1
    batches = Exam(held, 0.5, 4, crops=30)
    assert len(batches) % len(exam) == 0 and 4 * len(batches) >= 30
    crop, again = batches.batch(1), Exam(held, 0.5, 4, crops=30).batch(1)
    assert crop.shape == (4, 8000) and np.array_equal(crop, again)
    assert np.array_equal(batches.batch(1, slice(1, 3)), crop[1:3])


def test_a_batch_of_the_exam_is_of_one_domain_and_each_has_as_many(corpus):
    _, held = hold_out(corpus, 0.2)
    names, codes = np.unique(held.clips["domain"].to_numpy(str), return_inverse=True)
    store = np.zeros_like(held.store)  # every sample says which domain it is of
    for (offset, samples), code in zip(
        held.clips[["offset", "samples"]].to_numpy(int), codes, strict=True
    ):
        store[offset : offset + samples] = code + 1
    clips = held.clips.drop(columns="gain", errors="ignore")
    exam = Exam(replace(held, store=store, clips=clips), 0.25, 4, crops=30)
    heard = [np.unique(exam.batch(step)).tolist() for step in range(len(exam))]
    turns = len(exam) // len(names)
    assert sorted(heard) == sorted([[code + 1.0] for code in range(len(names))] * turns)


def test_clips_without_some_groups(corpus):
    groups = set(corpus.clips["group"].unique()[:2])
    rest = without(corpus, groups)
    assert not groups & set(rest.clips["group"]) and len(rest) < len(corpus)
    assert without(corpus, ()).digest == corpus.digest


def test_shortened_clips_begin_alike_and_keep_their_labels(corpus):
    short = shortened(corpus, 0.3)
    assert short.clips["samples"].max() <= 4800 and short.digest != corpus.digest
    assert short.tasks.equals(corpus.tasks)
    for i in (0, len(corpus) // 2):
        assert np.array_equal(short.wave(i), corpus.wave(i)[:4800])
