"""A log-mel turned to sound and back is about the same log-mel."""

import numpy as np
import pytest
import torch

from dasheng_lib.book.mel_to_wave import mel_to_wave
from dasheng_lib.features import LogMel


def mel_of(wave):
    return LogMel("clip")(torch.from_numpy(np.asarray(wave, np.float32))[None])[0].numpy()


def test_there_and_back(synthetic):
    errors = []
    for clip in range(0, len(synthetic), 40):
        wave = synthetic.wave(clip)[:32000]
        if np.abs(wave).max() < 0.01:
            continue
        mel = mel_of(wave)
        back = mel_of(mel_to_wave(mel))
        loud = mel > mel.max() - 40  # what can be heard
        shift = (mel - back)[loud].mean()  # the level is free
        errors.append(np.abs(mel - back - shift)[loud].mean())
    assert len(errors) >= 4 and np.median(errors) < 3.0, errors


def test_a_tone_keeps_its_pitch():
    time = np.arange(16000) / 16000
    spectrum = np.abs(np.fft.rfft(mel_to_wave(mel_of(0.5 * np.sin(2 * np.pi * 440 * time)))))
    assert abs(np.argmax(spectrum) - 440) < 30


def test_silence_stays_silent_and_the_seed_decides():
    assert np.abs(mel_to_wave(np.full((64, 20), -100.0))).max() < 1e-3
    mel = mel_of(np.random.default_rng(0).normal(0, 0.1, 16000))
    np.testing.assert_array_equal(mel_to_wave(mel, seed=1), mel_to_wave(mel, seed=1))
    assert not np.array_equal(mel_to_wave(mel, seed=1), mel_to_wave(mel, seed=2))


@pytest.mark.parametrize("shape", [(63, 20), (64,), (64, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="64"):
        mel_to_wave(np.zeros(shape))
