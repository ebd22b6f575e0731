"""Clips cut: what is kept, what is padded, and what each piece is called."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dasheng_lib.tasks.clip import Clip
from dasheng_lib.tasks.cut import at_most, fixed, pieces, spread


def clip(samples, rate=10):
    wave = np.arange(1, samples + 1, dtype=np.float32)
    return Clip("a", samples, rate, "id", lambda: wave, ("x",))


def test_a_fixed_length_pads_behind_and_cuts_the_end():
    assert fixed(clip(3), 0.5).wave().tolist() == [1, 2, 3, 0, 0]
    assert fixed(clip(9), 0.5).wave().tolist() == [1, 2, 3, 4, 5]
    assert at_most(clip(3), 0.5).wave().tolist() == [1, 2, 3]
    assert at_most(clip(9), 0.5).wave().tolist() == [1, 2, 3, 4, 5]


@given(st.integers(1, 200), st.integers(1, 30), st.integers(2, 12))
def test_pieces_lie_in_their_clip_and_say_whose_they_are(samples, tenths, count):
    own = clip(samples)
    consecutive, apart = pieces(own, tenths / 10), spread(own, tenths / 10, count)
    assert len(consecutive) == max(samples // tenths, 1) and len(apart) == count
    for part in (*consecutive, *apart):
        wave = part.wave()
        assert len(wave) == part.samples == tenths
        assert part.part_of == "a" and part.labels == ("x",)
    joined = np.concatenate([part.wave() for part in consecutive])
    expected = np.pad(own.wave(), (0, max(0, tenths - samples)))[: len(joined)]
    assert joined.tolist() == expected.tolist()
    if samples >= tenths:
        assert apart[0].wave()[0] == 1 and apart[-1].wave()[-1] == samples


def test_pieces_that_hold_other_samples_have_other_identities():
    parts = pieces(clip(20), 0.5)
    assert len({part.identity for part in parts}) == len({part.name for part in parts}) == 4
    assert fixed(clip(5), 0.5).identity == "id"
