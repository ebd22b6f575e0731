"""Broken audio of every format: refused, or all samples that libsndfile finds and no others."""

import io

import numpy as np
import pytest
import soundfile
from audio_seeds import seeds
from mutations import HEAD, cut, flipped, mutated

from dasheng_lib import audio
from dasheng_lib.commands.embed import clips_of
from dasheng_lib.encoders import load_encoder
from dasheng_lib.evaluation.embed import compute_embeddings

NAMES = list(seeds())
SUMMED = [name for name in NAMES if name.startswith(("FLAC", "OGG"))]  # sums in every frame or page
# What tells nowhere how long it is, so that what is left of a cut file is whole.
UNTOLD = ("NIST", "VOC", "SVX", "PAF", "IRCAM", "AVR")


def as_libsndfile(data, found):
    """ "" if ``found`` is what libsndfile decodes, or more, where it stops too early."""
    try:
        wave, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, ValueError, MemoryError):
        return ""
    wave = wave.mean(1, dtype=np.float32)
    if len(found) < len(wave):
        return f"{len(found)} samples, and libsndfile finds {len(wave)}"
    if len(found) > len(wave) and (data[:3] == b"ID3" or data[:1] == b"\xff"):
        return ""  # mp3s in one, of which libsndfile reads the first
    # mp3 is computed in floats, in another order where it is read in other blocks.
    return "" if np.allclose(found[: len(wave)], wave, 0, 1e-6) else "other samples than its own"


def sane(found):
    wave, rate, channels = found
    if wave.dtype != np.float32 or wave.ndim != 1 or not 1000 <= rate <= 1_000_000 or channels < 1:
        return f"{wave.dtype} {wave.shape} at {rate} Hz"
    return "" if not len(wave) or abs(wave).max() <= 100 else "not numbers, or too loud"


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_file_is_read(name):
    data, wave = seeds()[name]
    assert np.allclose(audio.read(data)[0], wave, 0, 1e-6)
    assert audio.length(data)[0] == len(wave)


def test_any_damage(attacked):
    def one(rng):
        name = NAMES[rng.integers(len(NAMES))]
        what, data = mutated(seeds()[name][0], rng)

        def right(found, told):
            return sane(found) or as_libsndfile(data, found[0])

        return f"{name}, {what}", lambda: audio.read(data, name="it"), right

    attacked("audio: read", 130, one)


def test_what_lost_its_end_is_noticed_or_whole(attacked):
    telling = [name for name in NAMES if not name.startswith(UNTOLD)]

    def one(rng):
        name = telling[rng.integers(len(telling))]
        data, wave = seeds()[name]

        def right(found, told):
            return f"{len(found[0])} of {len(wave)} samples" * (len(found[0]) < len(wave))

        return name, lambda: audio.read(cut(data, rng), name="it"), right

    attacked("audio: cut", 60, one)


def test_a_bit_of_what_has_sums_is_noticed(attacked):
    def one(rng):
        name = SUMMED[rng.integers(len(SUMMED))]
        data, wave = seeds()[name]
        bad = flipped(data, rng, first=HEAD)

        def right(found, told):
            same = len(found[0]) == len(wave) and np.array_equal(found[0], wave)
            return "" if same else "other samples"

        return name, lambda: audio.read(bad, name="it"), right

    attacked("audio: summed", 40, one)


def test_length_and_samples_agree(attacked):
    def one(rng):
        name = NAMES[rng.integers(len(NAMES))]
        what, data = mutated(seeds()[name][0], rng)

        def call():
            told = audio.length(data, name="it")
            return told, audio.read(data, name="it")

        def right(found, told):
            (samples, rate), (wave, same, _) = found
            return "" if (samples, rate) == (len(wave), same) else f"{samples} and {len(wave)}"

        return f"{name}, {what}", call, right

    attacked("audio: length", 50, one)


def test_decoding_to_another_rate(attacked):
    def one(rng):
        name = NAMES[rng.integers(len(NAMES))]
        what, data = mutated(seeds()[name][0], rng)
        rate = int(rng.choice([8000, 16000, 44100]))

        def right(found, told):
            return "" if found.dtype == np.float32 and np.isfinite(found).all() else "no numbers"

        return f"{name}, {what}", lambda: audio.decode(data, name="it", rate=rate), right

    attacked("audio: decode", 50, one)


def test_a_file_that_is_embedded(attacked, watch):
    encoder = load_encoder("logmel")

    def one(rng):
        name = NAMES[rng.integers(len(NAMES))]
        what, data = mutated(seeds()[name][0], rng)
        path = watch.work / f"x{rng.integers(1000)}.wav"
        path.write_bytes(data)

        def call():
            _, clips = clips_of([str(path)])
            return compute_embeddings(encoder, clips), clips

        def right(found, told):
            rows, clips = found
            if rows.shape != (1, encoder.dim) or not np.isfinite(rows).all():
                return f"{rows.shape}"
            return as_libsndfile(data, clips[0].wave())

        return f"{name}, {what}", call, right

    attacked("audio: embedded", 25, one)
