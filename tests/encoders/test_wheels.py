"""Encoders out of wheels: the code with made-up weights, the published numbers where a wheel is."""

import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import load_encoder
from dasheng_lib.encoders.wheels import WHEELS, fetch
from dasheng_lib.encoders.wheels.aisfx import Cnn9, aisfx, log_mel
from dasheng_lib.encoders.wheels.openwakeword import speech_embedding
from dasheng_lib.encoders.wheels.resemblyzer import (
    SpeakerLstm,
    mel,
    raised,
    resemblyzer,
    window_starts,
)


def here(name: str) -> Path | None:
    """The wheel of whoever runs the tests; asked before the tests get a cache of their own."""
    try:
        return fetch.local_wheel(name)
    except UserError:
        return None


USERS = {name: here(name) for name in WHEELS}


def made_up(name):
    torch.manual_seed(0)
    if name == "aisfx":
        return aisfx(Cnn9((4, 8, 16, 512)))
    if name == "resemblyzer":
        return resemblyzer(SpeakerLstm())
    rng = np.random.default_rng(0)
    to_mel, to_vector = rng.normal(size=(512, 32)), rng.normal(size=(76 * 32, 96))

    def mel(x):
        frames = np.lib.stride_tricks.sliding_window_view(x[0], 512)[::160]
        return (np.abs(frames @ to_mel) ** 0.1).astype(np.float32)[None, None]

    def embed(x):
        assert x.dtype == np.float32 and x.shape[1:] == (76, 32, 1)
        return (x.reshape(len(x), -1) @ to_vector).astype(np.float32)[:, None, None]

    return speech_embedding(mel, embed, "made up")


@pytest.fixture(scope="module", params=WHEELS)
def encoder(request):
    return made_up(request.param)


def test_a_clip_is_as_if_alone(encoder):
    rate = encoder.sample_rate
    lengths = torch.tensor([1, rate // 10, 3 * rate, rate + 77, 2 * rate])
    wave = torch.randn(5, 3 * rate, generator=torch.Generator().manual_seed(1)) * 0.1
    clips, frames = encoder.clips(wave, lengths), encoder.frames(wave, lengths)
    assert clips.shape == (5, encoder.dim) and clips.dtype == torch.float32
    assert clips.isfinite().all()
    for row, n in enumerate(lengths.tolist()):
        alone = wave[row : row + 1, :n]
        torch.testing.assert_close(clips[row], encoder.clips(alone)[0], rtol=1e-4, atol=1e-4)
        own = encoder.frames(alone)[0]
        torch.testing.assert_close(frames[row, : len(own)], own, rtol=1e-4, atol=1e-4)
        assert not frames[row, len(own) :].any()


def test_silence_is_finite_and_level_does_not_matter(encoder):
    assert encoder.clips(torch.zeros(1, 20_000)).isfinite().all()
    wave = torch.randn(1, encoder.sample_rate, generator=torch.Generator().manual_seed(2)) * 0.02
    torch.testing.assert_close(
        encoder.clips(wave), encoder.clips(wave * 0.25), rtol=1e-3, atol=1e-3
    )


def test_frames_are_where_they_say(encoder):
    seconds = 6
    T = encoder.frames(torch.randn(1, seconds * encoder.sample_rate)).shape[1]
    last = encoder.first_ms + (T - 1) * encoder.hop_ms
    assert encoder.first_ms < last < 1000 * seconds
    assert last + encoder.hop_ms + encoder.first_ms > 1000 * seconds - 50


def test_weights_change_the_fingerprint():
    first, again = made_up("aisfx"), made_up("aisfx")
    assert first.fingerprint == again.fingerprint
    again.network.conv_block1.bn1.running_mean[0] += 1e-6
    assert aisfx(again.network).fingerprint != first.fingerprint


def test_the_last_window_of_a_voice_is_kept_from_three_quarters_on():
    assert window_starts(1) == window_starts(25_600) == [0]
    assert window_starts(77 * 160 + 19_199) == [0]
    assert window_starts(77 * 160 + 19_200) == [0, 77]
    assert window_starts(160_000) == list(range(0, 850, 77))


def test_quiet_voices_are_raised_and_loud_ones_left():
    loud, quiet = torch.full((100,), 0.5), torch.full((100,), 0.001)
    assert torch.equal(raised(loud), loud)
    assert raised(quiet).square().mean().sqrt() == pytest.approx(10**-1.5)
    assert not raised(torch.zeros(100)).any()


def test_a_tone_is_in_the_bin_that_the_scale_says():
    t = torch.arange(44_100) / 44_100
    spec = log_mel(0.01 * torch.sin(2 * torch.pi * 1000 * t))
    # HTK: 1000 of 3923.3 mel in 97 steps is 24.7, next to the 25th triangle. At a peak of 1 the
    # tone has a power of 512² (times 1.5 over the bins around it), of which the triangle, about
    # 3 bins to each side, takes a quarter.
    assert spec.shape == (44, 96) and spec[20].argmax() == 24
    assert 10 ** (9.4578 * spec[20].max()) / 1e4 == pytest.approx(1.5 * 512**2 / 4, rel=0.2)
    t = torch.arange(16_000) / 16_000
    spec = mel(torch.sin(2 * torch.pi * 1000 * t))
    # Slaney: 15 of 45.2 mel in 41 steps is 13.6, next to the 14th triangle.
    assert spec.shape == (101, 40) and spec[50].argmax() == 13


def chirp(rate: int) -> torch.Tensor:
    """A rising tone that fades, 3 s, [1, samples]."""
    t = torch.arange(3 * rate, dtype=torch.float64) / rate
    return (0.5 * torch.sin(2 * torch.pi * (200 * t + 300 * t * t)) * torch.exp(-t)).float()[None]


# What the published weights give for the chirp; front ends and networks were compared with the
# packages' own code (largest difference 2e-5 of the largest value).
GOLDEN = {
    "aisfx": [2.10212, 1.3145, 0.54223, 0.29476, 0.54, 1.53141, 1.6325, 0.454],
    "resemblyzer": [0.0, 0.0, 0.0, 0.0, 0.02335, 0.0, 0.03913, 0.05882],
    "openwakeword": [-13.48735, 21.97141, 3.63836, -6.21605, 9.95641, 16.17563, 14.15625, -9.58642],
}


@pytest.mark.parametrize("name", WHEELS)
def test_published_weights_give_their_numbers(name, monkeypatch):
    if USERS[name] is None:
        pytest.skip(
            f"the wheel {name} is not in the cache: load_encoder('wheel:{name}') fetches it"
        )
    if name == "openwakeword" and not importlib.util.find_spec("onnxruntime"):
        pytest.skip("onnxruntime is not installed: it is in the extra wheels")
    monkeypatch.setattr(fetch, "local_wheel", USERS.get)
    encoder = load_encoder(f"wheel:{name}")
    vector = encoder.clips(chirp(encoder.sample_rate))[0]
    np.testing.assert_allclose(vector[:8], GOLDEN[name], atol=2e-3 * float(vector.abs().max()))


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A manifest of one made-up wheel, and a pip that brings what lies in a folder."""
    offered = tmp_path / "offered"
    offered.mkdir()
    file = offered / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tiny/weights.bin", b"the weights")
        archive.writestr("tiny/__init__.py", "raise SystemExit('imported')")
        archive.writestr("../escaped", b"")
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest = {
        "tiny": {
            "requirement": "tiny==1.0",
            "file": file.name,
            "bytes": file.stat().st_size,
            "sha256": sha256,
            "members": ["tiny/weights.bin"],
            "licence": "none",
        }
    }
    (tmp_path / "wheels.yml").write_text(yaml.safe_dump(manifest))
    monkeypatch.setattr(fetch, "MANIFEST", tmp_path / "wheels.yml")
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DASHENG_DATA", raising=False)
    calls = []

    def run(command, **_):
        calls.append(command)
        found = offered / f"{command[-1].replace('==', '-')}-py3-none-any.whl"
        if found.exists():
            (Path(command[command.index("--dest") + 1]) / found.name).write_bytes(
                found.read_bytes()
            )
            return subprocess.CompletedProcess(command, 0, "", "")
        return subprocess.CompletedProcess(command, 1, "", "WARNING: x\nERROR: No matching found\n")

    monkeypatch.setattr(fetch.subprocess, "run", run)
    return tmp_path, file, calls


def test_a_wheel_is_fetched_once_by_pip_without_dependencies(index):
    folder, _, calls = index
    assert fetch.read_weights("tiny") == [b"the weights"] == fetch.read_weights("tiny")[:1]
    (command,) = calls
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert "--no-deps" in command and command[-1] == "tiny==1.0"
    names = {path.name for path in (folder / "cache").rglob("*") if path.is_file()}
    assert names - {"tiny-1.0-py3-none-any.whl.lock"} == {"tiny-1.0-py3-none-any.whl"}
    assert not (folder / "escaped").exists() and "tiny" not in sys.modules


def test_another_file_than_the_pinned_one_is_refused(index):
    _, file, _ = index
    good = file.read_bytes()
    file.write_bytes(good + b"x")
    with pytest.raises(UserError, match="SHA-256"):
        fetch.read_weights("tiny")
    assert fetch.local_wheel("tiny") is None
    file.write_bytes(good)
    fetch.read_weights("tiny")
    fetch.local_wheel("tiny").write_bytes(good[:-1])
    with pytest.raises(UserError, match="delete it and try again"):
        fetch.read_weights("tiny")


def test_without_a_network_the_place_for_the_file_is_named(index, monkeypatch):
    folder, file, calls = index
    (folder / "mine" / "wheels").mkdir(parents=True)
    file.rename(folder / "mine" / "wheels" / file.name)
    with pytest.raises(UserError, match=r"No matching found.*put the file into .*wheels"):
        fetch.read_weights("tiny")
    monkeypatch.setenv("DASHENG_DATA", str(folder / "mine"))
    assert fetch.read_weights("tiny") == [b"the weights"] and len(calls) == 1


def test_every_wheel_is_pinned_and_states_its_licence():
    manifest = fetch.wheel_manifest()
    assert tuple(manifest) == WHEELS
    for wheel in manifest.values():
        version = wheel["requirement"].split("==")[1]
        assert f"-{version}-" in wheel["file"] and wheel["licence"]
        assert len(wheel["sha256"]) == 64 and wheel["members"]


def test_unknown_wheels_and_a_missing_onnxruntime_are_named(monkeypatch):
    with pytest.raises(UserError, match="aisfx, resemblyzer, openwakeword"):
        load_encoder("wheel:yamnet")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"\.\[wheels\]"):
        load_encoder("wheel:openwakeword")
