"""Trimmed and scaled clips."""

from dataclasses import replace

import numpy as np
import pytest

from dasheng_lib.corpora.trim import prepare, sounding


def test_bounds_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    wave = np.concatenate([np.zeros(3000), 0.2 * rng.normal(size=5000), np.zeros(4000)])
    wave[500] = 1e-4  # 60 dB down: not sound
    start, stop, peak = sounding(wave.astype(np.float32))
    power = np.array([np.square(wave[max(i - 200, 0) : i + 201]).sum() for i in range(len(wave))])
    loud = np.flatnonzero(power >= power.max() * 1e-4)
    assert (start, stop) == (loud[0], loud[-1] + 1)
    assert peak == pytest.approx(np.abs(wave).max(), rel=1e-6)
    assert start > 2500 and stop < 8500


@pytest.mark.parametrize("wave", [np.zeros(0), np.zeros(100)])
def test_silence_stays_as_it_is(wave):
    assert sounding(wave.astype(np.float32)) == (0, len(wave), 0.0)


def test_level_and_padding_no_longer_matter(synthetic):
    prepared = prepare(synthetic)
    assert prepared.digest != synthetic.digest and len(prepared) == len(synthetic)
    for i in (0, 100, 200):
        raw, wave = synthetic.wave(i), prepared.wave(i)
        assert np.abs(wave).max() == pytest.approx(1.0, rel=1e-5)
        assert wave.dtype == np.float32 and 0 < len(wave) <= len(raw)
    louder = replace(synthetic, store=synthetic.store * np.float32(0.25), digest="quieter")
    np.testing.assert_allclose(prepare(louder).wave(7), prepared.wave(7), atol=1e-6)
