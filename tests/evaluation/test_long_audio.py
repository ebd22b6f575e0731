"""Hours of audio: in parts as in one piece, and in memory that no part makes grow."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch

from dasheng_lib import features
from dasheng_lib.encoders import load_encoder, logmel
from dasheng_lib.model import encoder as encoders

WAVE = torch.from_numpy(
    np.random.default_rng(0).uniform(-0.3, 0.3, (1, 16000 * 33 + 77)).astype(np.float32)
)


@pytest.fixture
def short_parts(monkeypatch):
    def use(frames):
        monkeypatch.setattr(features, "LONG_FRAMES", frames)
        for module in (encoders, logmel):
            monkeypatch.setattr(module, "PART_FRAMES", frames)

    return use


@pytest.mark.parametrize("frames", [1, 2, 3, 100, 3300, 3301, 9999])
@pytest.mark.parametrize("cut", [0, 77, 78, 79, 237])
def test_log_mel_in_parts_is_log_mel(frames, cut):
    wave = WAVE[:, : 16000 * 33 + 77 - cut] if frames > 3 else WAVE[:, : 1600 + cut]
    log_mel = features.LogMel("clip", top_db=20.0)
    parts = list(log_mel.in_parts(wave, frames))
    assert {part.shape[2] for part in parts[:-1]} <= {frames}
    torch.testing.assert_close(torch.cat(parts, 2), log_mel(wave), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["clips", "frames"])
@pytest.mark.parametrize("name", ["logmel", "random:nano"])
@pytest.mark.parametrize("samples", [16000 * 33 + 77, 1008 * 160 * 2 + 320, 1008 * 160 + 160])
def test_a_long_clip_is_embedded_as_in_one_piece(short_parts, name, kind, samples):
    wave, lengths = WAVE[:, :samples], torch.tensor([samples])
    encoder = load_encoder(name)
    whole = getattr(encoder, kind)(wave, lengths)
    assert not features.is_long(wave)
    short_parts(1008)
    assert features.is_long(wave, lengths) and not features.is_long(wave, lengths - 1)
    for how in ((wave, lengths), (wave,)):
        found = getattr(encoder, kind)(*how)
        torch.testing.assert_close(found, whole, atol=1e-3, rtol=1e-4)


def test_twelve_minutes_in_two_channels_cost_little_more_than_their_samples(tmp_path):
    """46 MB of float32; all channels, or the spectrum of it all, would be hundreds more."""
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 16000, 2, "PCM_16") as file:
        for _ in range(12):
            file.write(np.random.default_rng(0).integers(-99, 99, (960_000, 2), np.int16))
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from dasheng_lib.encoders import load_encoder\n"
        "from dasheng_lib.evaluation.embed import compute_embeddings\n"
        "from dasheng_lib.tasks.own_files import clips_at\n"
        "encoder, path = load_encoder('logmel'), Path(sys.argv[1])\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "assert compute_embeddings(encoder, clips_at([path], ['x'], 'x')).shape == (1, 128)\n"
        "print(peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * (1 if sys.platform == "darwin" else 1024) < 220e6
