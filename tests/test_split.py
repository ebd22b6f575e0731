"""Parts of a corpus: nested, complete, and alike on every machine."""

import itertools

import numpy as np
import pytest

from dasheng_lib.corpora.split import hold_out, portion, shortened
from dasheng_lib.corpora.synthetic import synthetic_corpus


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


def test_shortened_clips_begin_alike_and_keep_their_labels(corpus):
    short = shortened(corpus, 0.3)
    assert short.clips["samples"].max() <= 4800 and short.digest != corpus.digest
    assert short.tasks.equals(corpus.tasks)
    for i in (0, len(corpus) // 2):
        assert np.array_equal(short.wave(i), corpus.wave(i)[:4800])
