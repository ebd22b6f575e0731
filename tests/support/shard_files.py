"""Shards for tests: clips that tell where they come from, tars made by hand, every fault."""

import io
import tarfile

import numpy as np
import pytest
import soundfile

from dasheng_lib.shards import Clip, ShardCrops, write_shards


def ramp(number, samples):
    """A wave that tells which clip it is and where in it each sample lies; 16 bit exactly."""
    steps = (number + 1) * 500 + np.arange(samples) // 100 % 400
    return (steps / 32768).astype(np.float32)


def clip(number, samples, **meta):
    return Clip(f"clip{number:03d}", lambda: ramp(number, samples), {"number": number, **meta})


def audio(wave, rate=16000, kind="FLAC", subtype=None):
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind, subtype=subtype)
    return file.getvalue()


def tar_of(path, members, types=None):
    """A tar in webdataset's layout, made by hand: [(name, bytes)]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        for name, kind, target in types or []:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            tar.addfile(entry)
    return path


LENGTHS = [16000 * n // 10 for n in (3, 10, 25, 31, 4, 10, 20, 7, 18, 10, 40, 5, 10)]


@pytest.fixture(scope="session")
def shards(tmp_path_factory):
    """13 clips in 4 shards: 20 crops of one second."""
    folder = tmp_path_factory.mktemp("shards")
    write_shards(folder, [clip(i, n) for i, n in enumerate(LENGTHS)], 4, progress=False)
    return folder


def crops(shards, batch=4, **options):
    return ShardCrops(shards, 1.0, batch, **{"workers": 0, "streams": 2, "window": 4, **options})


def epoch(source):
    return np.concatenate([source.batch(step) for step in range(len(source))])[: len(source)]


def broken_flac():
    data = bytearray(audio(np.random.default_rng(0).uniform(-0.3, 0.3, 16000)))
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


def float_wav(value, at=slice(None)):
    wave = ramp(50, 16000)
    wave[at] = value
    return audio(wave, 16000, "WAV", "FLOAT")


def lying_flac():
    """Half a second whose header tells of a whole one."""
    data = bytearray(audio(ramp(51, 8000)))
    assert int.from_bytes(data[22:26], "big") == 8000
    data[22:26] = (16000).to_bytes(4, "big")
    return bytes(data)


CUT = "shorter than its header says"
BAD = {
    "half.mp3": (audio(ramp(52, 16000), kind="MP3")[:1500], CUT),
    "lost.wav": (audio(ramp(53, 16000), kind="WAV")[:20000], CUT),
    "loud.wav": (float_wav(1e25, 3), "too loud"),
    "lying.flac": (lying_flac(), "damaged"),
    "corrupt.flac": (broken_flac(), "damaged"),
    "headless.flac": (b"fLaC" + bytes(500), "damaged"),
    "nothing.wav": (b"", "damaged"),
    "cut.flac": (audio(np.random.default_rng(0).uniform(-0.3, 0.3, 16000))[:9000], "damaged"),
    "nan.wav": (float_wav(np.nan, 7000), "not numbers"),
    "inf.wav": (float_wav(-np.inf, 15999), "not numbers"),
    "zeros.flac": (audio(np.zeros(16000)), "silent"),
    "hush.wav": (float_wav(1e-5), "silent"),
    "fast.flac": (audio(ramp(60, 44100), 44100), "wrong rate"),
    "short.flac": (audio(ramp(61, 479)), "too short"),
    "empty.wav": (audio(np.zeros(0), 16000, "WAV"), "too short"),
    "good1.wav": (audio(ramp(62, 16000), 16000, "WAV"), "duplicate key"),
}


@pytest.fixture(scope="session")
def faulty_shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faulty")
    good = [(f"good{i}.flac", audio(ramp(i, 16000))) for i in range(4)]
    bad = [(name, data) for name, (data, _) in BAD.items()]
    tar_of(folder / "a.tar", [*good[:2], *bad[:8], good[2], *bad[8:], good[3]])
    tar_of(folder / "b.tar", [(f"fine{i}.flac", audio(ramp(10 + i, 16000))) for i in range(6)])
    return folder
