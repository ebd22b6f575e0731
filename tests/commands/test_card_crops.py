"""Crops that are cut on a device: distributed as the others, and cut to the same samples."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from card_crops import CardCrops, Pieces, cut, mixed_rows

from dasheng_lib.audio import played
from dasheng_lib.corpora.crops import Crops, mixed
from dasheng_lib.corpora.trim import prepare


@pytest.fixture(scope="module")
def corpus(synthetic):
    return prepare(synthetic)


@pytest.fixture
def few_at_once(monkeypatch):
    monkeypatch.setattr("card_crops.AT_ONCE", 64)


@pytest.mark.parametrize(("speed", "short"), [(1.0, "fill"), (1.5, "fill"), (1.5, "pad")])
def test_pieces_are_cut_as_the_plain_function_plays_them(corpus, few_at_once, speed, short):
    """The same addresses through numpy, piece by piece."""
    made = CardCrops(corpus, 1.5, 8, 3, short, "seconds", speed)
    pieces = made.drawn(0, np.random.default_rng((3, 3, 0)))
    got = made.batch(0).numpy()
    expected = np.zeros(made._rows() * made.samples, np.float32)
    offsets = corpus.clips["offset"].to_numpy()
    for place, count, offset, rate, gain in zip(*pieces, strict=True):
        if not count:
            continue
        clip = np.searchsorted(offsets, offset, side="right") - 1
        wave = corpus.store[offset : offsets[clip] + corpus.clips["samples"][clip]]
        expected[place : place + count] = played(wave, rate, 10**9)[:count] * np.float32(gain)
    expected = expected.reshape(-1, made.samples)[:8]
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6)
    assert np.ptp(pieces.speed_Q) > 0 if speed > 1 else (pieces.speed_Q == 1).all()


def test_an_epoch_shows_every_crop_once_in_the_order_of_the_others(corpus):
    made, plain = CardCrops(corpus, 0.5, 8, 5), Crops(corpus, 0.5, 8, 5)
    pieces = made.drawn(0, np.random.default_rng(0))
    first = pieces.place_Q % made.samples == 0
    offsets = corpus.clips["offset"].to_numpy()
    got = np.searchsorted(offsets, pieces.offset_Q[first], side="right") - 1
    expected = np.concatenate([plain.clips(step) for step in range(made._steps)])
    assert len(got) >= len(plain) and np.array_equal(got, expected)


def test_pieces_stay_within_their_clips_and_fill_the_crop(corpus):
    made = CardCrops(corpus, 2.0, 8, 1, "fill", "seconds", 1.5)
    pieces = made.drawn(2, np.random.default_rng(7))
    clips = corpus.clips
    clip = np.searchsorted(clips["offset"].to_numpy(), pieces.offset_Q, side="right") - 1
    last = pieces.offset_Q + np.floor((pieces.count_Q - 1) * pieces.speed_Q + 1e-9)
    assert (last < (clips["offset"] + clips["samples"]).to_numpy()[clip])[pieces.count_Q > 0].all()
    filled = np.bincount(pieces.place_Q // made.samples, pieces.count_Q)
    assert (filled >= made.samples - (pieces.count_Q == 0).sum()).all()
    rows = pieces.place_Q // made.samples
    domains = clips["domain"].to_numpy()[clip]
    assert all(len(set(domains[rows == row])) == 1 for row in range(20))


def test_every_start_and_speed_is_drawn_evenly(corpus):
    one = replace(corpus, clips=corpus.clips.iloc[[0]].assign(samples=7000, offset=100))
    made = CardCrops(one, 0.25, 64, 0, "pad", "clips", 2.0)
    drawn = [made.drawn(number, np.random.default_rng((0, number))) for number in range(4)]
    start = np.concatenate([pieces.offset_Q for pieces in drawn]) - 100
    assert start.min() < 15 and start.max() > 2985 and abs(start.mean() - 1500) < 60
    speed = np.log2(np.concatenate([pieces.speed_Q for pieces in drawn]))
    assert speed.min() < -0.99 and speed.max() > 0.99 and abs(speed.mean()) < 0.04


def test_rows_are_mixed_as_pairs_are():
    rng = np.random.default_rng(0)
    wave, other = (rng.standard_normal((4, 500)).astype(np.float32) for _ in range(2))
    wave[1] = 0
    other[2] *= 1e-3
    weight = rng.uniform(0, 1, 4)
    got = mixed_rows(*(torch.from_numpy(a) for a in (wave, other, weight))).numpy()
    expected = np.stack([mixed(*row) for row in zip(wave, other, weight, strict=True)])
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)


def test_partners_are_of_the_same_batch_each_once(corpus, few_at_once):
    plain, made = (
        CardCrops(corpus, 0.5, 8, 2),
        CardCrops(corpus, 0.5, 8, 2, "fill", "seconds", 1.0, 0.5),
    )
    for step in (0, 3):
        before, after = plain.batch(step), made.batch(step)
        # What was mixed in lies in the span of the batch, with one large coefficient.
        found = torch.linalg.lstsq(before.T.double(), after.T.double()).solution.T
        np.testing.assert_allclose((found @ before.double()), after, atol=1e-4)
        others = (found - torch.diag(found.diag())).abs()
        assert (others.gt(1e-6).sum(1) <= 1).all() and (others.gt(1e-6).sum(0) <= 1).all()
        assert (found.diag() > 0.49).all()


def test_a_batch_is_a_function_of_seed_and_step(corpus):
    made = CardCrops(corpus, 0.5, 600, 3, "fill", "seconds", 1.5, 0.5)  # a chunk a step
    late = made.batch(5)
    assert torch.equal(CardCrops(corpus, 0.5, 600, 3, "fill", "seconds", 1.5, 0.5).batch(5), late)
    assert not torch.equal(made.batch(4), late)
    assert torch.equal(made.batch(5, slice(2, 5)), late[2:5])
    assert not torch.equal(CardCrops(corpus, 0.5, 600, 4).batch(5), late)
    assert made.digest != corpus.digest


def test_silence_lies_where_no_piece_is():
    one = Pieces(*(np.array([value]) for value in (2, 3, 1, 1.0, 2.0)))
    got = cut(torch.arange(10.0), one, 1, 8)
    assert got.tolist() == [[0, 0, 2, 4, 6, 0, 0, 0]]
