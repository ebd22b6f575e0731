"""Properties of the masks."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dasheng_lib.masking import group_mask, kept_tokens, span_mask, span_places


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_paper_s_numbers():
    keep, mask = group_mask(3, 250, generator=generator())
    assert keep.shape == (3, 62) and keep.dtype == torch.int64
    assert mask.shape == (3, 250) and mask.dtype == torch.bool
    assert (mask.sum(1) == 188).all()


@given(
    T=st.integers(1, 300),
    ratio=st.floats(0, 0.999),
    group=st.integers(1, 7),
    seed=st.integers(0, 9),
)
def test_keep_and_mask_are_complements_in_whole_groups(T, ratio, group, seed):
    keep, mask = group_mask(4, T, ratio, group, generator(seed))
    assert keep.shape[1] == kept_tokens(T, ratio, group) >= 1
    rebuilt = torch.ones(4, T, dtype=torch.bool).scatter(1, keep, False)
    assert torch.equal(rebuilt, mask)
    assert (keep.diff(dim=1) > 0).all()
    size = min(group, T)
    whole = mask[:, : T // size * size].view(4, -1, size)
    assert (whole.all(-1) | ~whole.any(-1)).all()
    # Never more than one group away from the ratio asked for.
    assert abs(mask.sum(1) - ratio * T).max() < 2 * size


def test_same_seed_same_mask_and_clips_differ():
    first, again, other = (group_mask(8, 50, generator=generator(s))[1] for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(first.unique(dim=0)) > 1


def test_every_token_is_masked_about_as_often():
    _, mask = group_mask(4000, 50, generator=generator())
    share = mask.float().mean(0)
    assert (share - 0.76).abs().max() < 0.04  # 38 of 50; five deviations


def test_lowest_noise_is_kept():
    noise = torch.tensor([[0.9, 0.1, 0.5, 0.2]])
    keep, mask = group_mask(1, 8, ratio=0.5, noise=noise)
    assert keep.tolist() == [[2, 3, 6, 7]]
    assert mask.tolist() == [[True, True, False, False, True, True, False, False]]


def test_nothing_is_masked_at_ratio_zero():
    keep, mask = group_mask(2, 7, ratio=0.0)
    assert keep.tolist() == [list(range(7))] * 2 and not mask.any()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"ratio": 1.0}, "ratio"),
        ({"ratio": 1.5}, "ratio"),
        ({"ratio": -0.1}, "ratio"),
        ({"group": 0}, "group"),
        ({"noise": torch.rand(1, 3)}, "noise"),
    ],
)
def test_impossible_values_are_named(arguments, word):
    with pytest.raises(ValueError, match=word):
        group_mask(1, 50, **arguments)


@given(
    T=st.integers(2, 80),
    length=st.integers(1, 79),
    ratio=st.floats(0.01, 0.99),
    seed=st.integers(0, 9),
)
def test_spans_are_whole_and_as_many_as_asked_for(T, length, ratio, seed):
    if length >= T:
        with pytest.raises(ValueError, match="use longer clips"):
            span_places(T, length)
        return
    S = span_places(T, length)
    noise = torch.rand(3, S + 1, generator=generator(seed))
    for draws, mask in zip(noise.tolist(), span_mask(noise, ratio, length), strict=True):
        count = min(max(math.floor(ratio * T / length + draws[-1]), 1), S)
        starts = sorted(range(S), key=lambda place: draws[place])[:count]
        hidden = {start + t for start in starts for t in range(length)}
        assert mask.nonzero()[:, 0].tolist() == sorted(hidden)
