"""What a header says and what is there: lost ends, lengths that lie or are not told, bounds."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from dasheng_lib import audio
from dasheng_lib.audio import AudioError, decode, length, mp3
from dasheng_lib.audio.rates import BLOCK, joined, ratio, resampled
from dasheng_lib.audio.reading import TooLoudError
from dasheng_lib.audio.whole import lost

NOISE = np.random.default_rng(0).uniform(-0.3, 0.3, 32000).astype(np.float32)


def encoded(wave=NOISE, rate=16000, kind="WAV", subtype=None, **how):
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind, subtype=subtype, **how)
    return file.getvalue()


def flac_that_tells(samples):
    data = bytearray(encoded(kind="FLAC"))
    data[21] = data[21] & 0xF0 | samples >> 32
    data[22:26] = (samples & 0xFFFFFFFF).to_bytes(4, "big")
    return bytes(data)


def wav_that_tells(size, data=None):
    data = bytearray(data or encoded())
    data[40:44] = size.to_bytes(4, "little")
    return bytes(data)


def mp3_frames(loud, level):
    """Frames of a constant bit rate without the first, which tells their number."""
    data = encoded(NOISE * loud, kind="MP3", bitrate_mode="CONSTANT", compression_level=level)
    first = mp3.start(data)
    skip = mp3._frame(data, first).size if mp3.told(data, first) is not None else 0
    return data[first + skip :]


KINDS = [
    ("WAV", "PCM_16"),
    ("WAV", "MS_ADPCM"),
    ("WAVEX", "FLOAT"),
    ("RF64", "PCM_16"),
    ("AIFF", "PCM_16"),
    ("SVX", "PCM_16"),
    ("AU", "PCM_16"),
    ("W64", "PCM_16"),
    ("CAF", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", None),
]


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_a_file_that_lost_its_end_is_named_and_a_whole_one_is_not(kind, subtype):
    data = encoded(kind=kind, subtype=subtype)
    assert length(data)[0] == len(decode(data, rate=length(data)[1]))
    assert abs(len(decode(data)) - 32000) <= 1152 + 384 * (subtype == "MS_ADPCM")
    for share in (0.3, 0.5, 0.9, 0.99):
        for look in (decode, length):
            with pytest.raises(AudioError, match=r"cut\.x"):
                look(data[: int(share * len(data))], name="cut.x")


@pytest.mark.parametrize("size", [0x7FFFF000, 0x80000000, 0xFFFFFFFF])
def test_a_wav_from_a_pipe_is_read_to_its_end(size):
    np.testing.assert_array_equal(decode(wav_that_tells(size)), decode(encoded()))


def test_a_wav_whose_header_was_never_finished_is_no_empty_clip():
    with pytest.raises(AudioError, match="never finished"):
        length(wav_that_tells(0))
    empty = wav_that_tells(0, encoded(np.zeros(0)))
    assert len(decode(empty)) == 0 == len(decode(empty + b"LIST" + (4).to_bytes(4, "little") * 2))


def test_no_number_of_chunks_costs_more_than_a_thousand():
    assert lost(io.BytesIO(b"RIFF" + bytes(8) + bytes(8 << 20))) == ""


def test_a_flac_of_unknown_length_is_read_and_one_that_lies_is_named():
    whole = decode(encoded(kind="FLAC"))
    np.testing.assert_array_equal(decode(flac_that_tells(0)), whole)
    assert length(flac_that_tells(0)) == (32000, 16000)
    for samples in (32001, 2**31, 2**35):
        for look in (decode, length):
            with pytest.raises(AudioError, match="the audio"):
                look(flac_that_tells(samples))


def test_an_mp3_of_any_bit_rates_is_as_long_as_its_frames():
    loud, soft = mp3_frames(1.0, 0.0), mp3_frames(0.001, 0.99)
    for parts in ((loud, soft), (soft, loud), (loud, loud)):
        data = b"".join(parts)
        frames, _ = mp3.count(data, 0)
        assert mp3.told(data, 0) is None and frames > 100
        # A tag of the song's title behind it is no sound.
        for more in (b"", b"TAG" + bytes(125)):
            samples, rate = length(data + more)
            assert rate == 16000 and 576 * frames - samples in (0, 529)  # the decoder's delay
            assert len(decode(data + more)) == samples
    constant = decode(loud)
    with soundfile.SoundFile(io.BytesIO(loud)) as stream:
        np.testing.assert_array_equal(constant, stream.read(dtype="float32"))


def test_bytes_that_look_like_frames_are_given_up():
    assert mp3.count(mp3_frames(1.0, 0.0) + b"\xff" * (1 << 20), 0)[0] > 0


@pytest.mark.parametrize("at", ["one", "all"])
def test_loud_samples_are_named(at):
    wave = NOISE.copy()
    wave[7 if at == "one" else slice(None)] = 1e25
    for loud in (wave, np.stack([wave, -wave], 1), np.full((9, 2), 3e38)):
        with pytest.raises(TooLoudError, match=r"loud\.wav has a sample of"):
            decode(encoded(loud, subtype="FLOAT"), name="loud.wav")
    assert np.abs(decode(encoded(NOISE * 300, subtype="FLOAT"))).max() > 50


@pytest.mark.parametrize("rate", [1, 900, 64_000_001, 100_000_000, 2**31 - 1])
def test_a_rate_of_no_sound_is_named(rate):
    data = bytearray(encoded())
    data[24:28] = rate.to_bytes(4, "little")
    for look in (decode, length):
        with pytest.raises(AudioError, match=f"{rate} Hz"):
            look(bytes(data))


@pytest.mark.parametrize("rate", [1000, 1001, 3999, 999_983, 1_000_000])
def test_every_rate_of_sound_has_a_small_kernel_and_keeps_the_pitch(rate):
    up, down = ratio(rate, 16000)
    assert abs(up / down * rate / 16000 - 1) < 3e-4 and up * down < 17e6
    tone = np.sin(2 * np.pi * 100 * np.arange(2 * rate) / rate)
    wave = audio.resample(tone, rate)
    assert len(wave) == -(-2 * rate * up // down)
    assert abs(np.abs(np.fft.rfft(wave[:32000] * np.hanning(32000))).argmax() / 2 - 100) < 1


@pytest.mark.parametrize("rate", [8000, 11025, 15999, 22050, 44100, 48000])
def test_a_wave_in_parts_is_resampled_as_in_one_piece(rate):
    whole = audio.resample(NOISE, rate)
    for cut in (1, 17, 7000, 31999):
        parts = [NOISE[:cut], NOISE[cut : cut + 1], NOISE[cut + 1 :]]
        found = joined(resampled(parts, rate, 16000))
        np.testing.assert_allclose(found, whole, atol=1e-6)
    assert len(NOISE) < BLOCK


def test_names_say_nothing(tmp_path):
    data = encoded()
    for name in ("a.txt", "a.mp3", os.fsdecode(b"latin\xe9.wav"), "._x", "a.flac"):
        path = tmp_path / name
        path.write_bytes(data)
        (tmp_path / f"._{name}").write_bytes(b"\0\5\x16\7" + bytes(99))  # macOS leaves these
        np.testing.assert_array_equal(decode(path), NOISE.round(20) * 0 + decode(data))
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "pipe.wav", tmp_path, tmp_path / "nul\0.wav"):
        with pytest.raises(AudioError, match="cannot be read as audio"):
            decode(path)


def test_what_lasts_for_days_is_refused_and_many_channels_cost_no_memory(tmp_path):
    """A hundred channels of a million samples, and one channel for five hours."""
    sizes = {"wide.wav": (16000, 100, 1_000_000), "long.wav": (1000, 1, 18_000_000)}
    for name, (rate, channels, frames) in sizes.items():
        data = bytearray(encoded(np.zeros((1, channels)), rate, subtype="PCM_U8"))
        at = data.index(b"data") + 4
        data[at : at + 4] = (channels * frames).to_bytes(4, "little")
        (tmp_path / name).write_bytes(data[: at + 4])
        os.truncate(tmp_path / name, at + 4 + channels * frames)
    code = (
        "import resource, sys; from dasheng_lib.audio import AudioError, decode\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert len(decode(sys.argv[1])) == 1_000_000\n"
        "try: decode(sys.argv[2])\n"
        "except AudioError as error: assert 'more than 4 hours' in str(error)\n"
        "else: sys.exit('taken')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    paths = [str(tmp_path / name) for name in sizes]
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * (1 if sys.platform == "darwin" else 1024) < 250e6


def ogg(coding):
    """1.5 s in several pages, and where each of them begins."""
    noise = 0.1 * np.random.default_rng(0).normal(size=48_000 * 3 // 2)
    file = io.BytesIO()
    soundfile.write(file, noise, 48_000, format="OGG", subtype=coding)
    data = file.getvalue()
    return data, [at for at in range(len(data)) if data[at : at + 4] == b"OggS"]


@pytest.mark.parametrize("coding", ["VORBIS", "OPUS"])
def test_every_page_of_an_ogg_is_there_and_as_it_was(coding):
    """A page with a wrong bit is dropped by libogg, and a last one with it is not missed."""
    data, pages = ogg(coding)
    assert len(audio.read(data)[0]) == audio.length(data)[0] == 72_000
    for at in pages[2:]:
        for bad, said in (
            (data[:at], "its end is missing"),
            (data[: at + 40], "its last page is cut"),
            (data[: at + 99] + bytes([data[at + 99] ^ 1]) + data[at + 100 :], "has changed"),
        ):
            for read in (audio.read, audio.length):
                with pytest.raises(AudioError, match=said):
                    read(bad)
    with pytest.raises(AudioError, match="one of its pages is missing"):
        audio.read(data[: pages[-2]] + data[pages[-1] :])
    assert len(audio.read(data + b"TAG" + bytes(125))[0]) == 72_000


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "W64"])
def test_gsm_is_read_from_any_place_though_it_cannot_be_sought(kind):
    file = io.BytesIO()
    noise = 0.1 * np.random.default_rng(0).normal(size=32_000)
    soundfile.write(file, noise, 8000, format=kind, subtype="GSM610")
    wave = audio.read(file.getvalue())[0]
    assert audio.length(file.getvalue()) == (len(wave), 8000) and len(wave) >= 32_000
    for at in (0, 1, 320, 31_000):
        with audio.opened(file.getvalue()) as stream:
            stream.seek(at)
            assert np.array_equal(stream.read(900, dtype="float32"), wave[at : at + 900])
