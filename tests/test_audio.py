"""Decoding: every container and rate, and what is broken in them."""

import numpy as np
import pytest
from fake_packages import audio_bytes, tone

from dasheng_lib import audio
from dasheng_lib.audio import AudioError, decode
from dasheng_lib.audio.rates import _kernel


def spectrum_peak(wave):
    return np.abs(np.fft.rfft(wave * np.hanning(len(wave)))).argmax() * 16000 / len(wave)


@pytest.mark.parametrize(
    ("kind", "subtype", "rate"),
    [
        ("WAV", "PCM_16", 44100),
        ("WAV", "PCM_U8", 8000),
        ("WAV", "FLOAT", 96000),
        ("WAV", "PCM_24", 11025),
        ("FLAC", "PCM_16", 22050),
        ("OGG", "VORBIS", 32000),
        ("OGG", "OPUS", 48000),
        ("AIFF", "PCM_16", 16000),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_kind_comes_out_mono_at_16_khz(kind, subtype, rate, channels):
    wave = decode(audio_bytes(tone(1.0, rate, 1000, channels), rate, kind, subtype))
    assert wave.dtype == np.float32 and wave.shape == (16000,)
    assert abs(spectrum_peak(wave) - 1000) < 2
    assert 0.25 < np.abs(wave[2000:-2000]).max() < 0.35


def test_channels_are_averaged():
    left_right = np.stack([np.full(1600, 0.5), np.full(1600, -0.25)], axis=1)
    np.testing.assert_allclose(decode(audio_bytes(left_right, 16000)), 0.125, atol=1e-4)


@pytest.mark.parametrize("rate", [44099, 22505, 8363])
def test_a_crooked_rate_costs_no_memory(rate):
    wave = audio.resample(tone(1.0, rate, 1000)[:, 0], rate)
    assert abs(len(wave) - 16000) <= 1
    assert abs(spectrum_peak(wave) - 1000) < 2
    assert _kernel(rate, 16000).kernel.numel() < 10_000_000


def test_what_lies_above_8_khz_does_not_fold_down():
    wave = audio.resample(tone(1.0, 44100, 11000)[:, 0], 44100)
    assert np.abs(wave[200:-200]).max() < 0.01


def test_the_kernel_of_a_rate_is_made_once():
    assert _kernel(44100, 16000) is _kernel(44100, 16000)


@pytest.mark.parametrize(("kind", "subtype"), [("WAV", "PCM_16"), ("OGG", "VORBIS")])
def test_a_file_without_samples_gives_none(kind, subtype):
    wave = decode(audio_bytes(np.zeros((0, 1)), 44100, kind, subtype))
    assert wave.shape == (0,) and wave.dtype == np.float32


def test_seconds_reads_no_more(tmp_path):
    path = tmp_path / "long.wav"
    path.write_bytes(audio_bytes(tone(2.0, 8000), 8000))
    assert len(decode(path, seconds=0.5)) == 8000
    assert len(decode(str(path), seconds=9.0)) == 32000


@pytest.mark.parametrize("data", [b"", b"RIFF", b"OggS" + bytes(200), bytes(1000)])
def test_what_is_no_audio_is_named(data):
    with pytest.raises(AudioError, match=r"bird\.ogg (cannot be read as audio|is damaged)"):
        decode(data, name="bird.ogg")


def test_a_truncated_flac_is_named():
    data = audio_bytes(tone(2.0), 16000, "FLAC")
    with pytest.raises(AudioError, match=r"cut\.flac"):
        decode(data[: len(data) // 2], name="cut.flac")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AudioError, match=r"no\.wav"):
        decode(tmp_path / "no.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(value):
    samples = tone(0.1)
    samples[7] = value
    with pytest.raises(AudioError, match="not numbers"):
        decode(audio_bytes(samples, 16000, "WAV", "FLOAT"))
