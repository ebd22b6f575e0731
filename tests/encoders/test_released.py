"""Encoders out of released files: the code with made-up weights, what is said of the real ones."""

import hashlib
import io
import math
from pathlib import Path

import pytest
import torch
import yaml

from dasheng_lib.common.errors import UserError
from dasheng_lib.common.torchaudio import torchaudio
from dasheng_lib.corpora import manifest as corpus_manifest
from dasheng_lib.encoders import efficientat, load_encoder, released
from dasheng_lib.encoders.efficientat import EfficientAt, Mn04, log_mel, pieces, renamed
from dasheng_lib.encoders.musicnn import Musicnn, musicnn, windows
from dasheng_lib.encoders.pinned import read_pins

NAMES = ("efficientat:mn04", "musicnn:mtat", "musicnn:jamendo")


def here(name: str) -> Path | None:
    """The file of whoever runs the tests; asked before the tests get a cache of their own."""
    try:
        return released.local_weights(name)
    except UserError:
        return None


USERS = {name: here(name) for name in NAMES}


@pytest.fixture
def users_weights(monkeypatch):
    """The real encoder of a name; skips where its file is not here."""

    def load(name):
        if USERS[name] is None:
            pytest.skip(f"the weights are not in the cache: load_encoder({name!r}) fetches them")
        monkeypatch.setattr(released, "local_weights", USERS.get)
        return load_encoder(name)

    return load


def awake(network: torch.nn.Module) -> torch.nn.Module:
    """A made-up network whose norms do not shut its layers off: as if it had been trained."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.weight.data.uniform_(1, 3)
            module.bias.data.normal_(0, 0.3)
    return network.eval()


@pytest.fixture(scope="module")
def made_up():
    torch.manual_seed(0)
    return {
        "efficientat": EfficientAt(awake(Mn04()), "made up"),
        "musicnn": musicnn(awake(Musicnn()), "musicnn:made up"),
    }


@pytest.mark.parametrize("kind", ["efficientat", "musicnn"])
def test_a_clip_is_as_if_alone(made_up, kind):
    encoder = made_up[kind]
    rate = encoder.sample_rate
    lengths = torch.tensor([1, rate // 10, 4 * rate, rate + 77])
    wave = torch.randn(4, 4 * rate, generator=torch.Generator().manual_seed(1)) * 0.1
    clips, frames = encoder.clips(wave, lengths), encoder.frames(wave, lengths)
    assert clips.shape == (4, encoder.dim) and clips.dtype == torch.float32
    assert clips.isfinite().all() and clips[2].std() > 1e-3
    for row, n in enumerate(lengths.tolist()):
        alone = wave[row : row + 1, :n]
        torch.testing.assert_close(clips[row], encoder.clips(alone)[0], rtol=1e-4, atol=1e-4)
        own = encoder.frames(alone)[0]
        torch.testing.assert_close(frames[row, : len(own)], own, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(own.mean(0), clips[row], rtol=1e-4, atol=1e-4)
        assert not frames[row, len(own) :].any()


@pytest.mark.parametrize("kind", ["efficientat", "musicnn"])
def test_silence_is_finite_and_frames_lie_in_their_clip(made_up, kind):
    encoder, seconds = made_up[kind], 6
    frames = encoder.frames(torch.zeros(1, seconds * encoder.sample_rate))[0]
    assert frames.isfinite().all()
    last = encoder.first_ms + (len(frames) - 1) * encoder.hop_ms
    # The window of another frame would have its middle or its end behind the clip's end.
    assert last < 1000 * seconds <= last + encoder.hop_ms + encoder.first_ms


def test_tokens_of_mn04_stand_where_its_first_ms_says():
    network = awake(Mn04())
    for module in network.modules():  # filters that look ahead as far as back
        if isinstance(module, torch.nn.Conv2d):
            module.weight.data = (module.weight.data + module.weight.data.flip(3)) / 2
    encoder = EfficientAt(network, "made up")
    wave = torch.randn(1, 32_000 * 4, generator=torch.Generator().manual_seed(3)) * 0.05
    clicked, at_ms = wave.clone(), 7 * 320
    clicked[0, 32 * at_ms - 40 : 32 * at_ms + 40] += 1.0
    changed = (encoder.frames(wave) - encoder.frames(clicked))[0].square().sum(1).square()
    places_ms = encoder.first_ms + encoder.hop_ms * torch.arange(len(changed))
    assert (changed * places_ms).sum() / changed.sum() == pytest.approx(at_ms, abs=20)


def test_long_clips_go_in_pieces_of_whole_tokens(made_up):
    encoder = made_up["efficientat"]
    for samples in (1, 10_240, 320_000, 476_160, 476_161, 960_000):
        wave = torch.arange(samples, dtype=torch.float32)
        cut = pieces(wave)
        assert torch.equal(torch.cat(cut)[:samples], wave)
        assert all(len(piece) % 10_240 == 0 for piece in cut[:-1])
        assert len(cut) == 1 or 4.9 < len(cut[-1]) / 32_000 < 14.9
        tokens = sum(-(-(1 + (len(piece) - 1) // 320) // 32) for piece in cut)
        assert tokens == math.ceil(max(samples, 10_240) / 10_240)
    assert [len(piece) for piece in pieces(torch.zeros(640_000))] == [317_440, 322_560]
    wave = torch.randn(1, 640_000, generator=torch.Generator().manual_seed(4)) * 0.1
    frames, first = encoder.frames(wave), encoder.frames(wave[:, :317_440])
    torch.testing.assert_close(frames[:, :31], first, rtol=1e-4, atol=1e-4)
    assert frames.shape[1] == 63


def test_music_is_heard_every_second_and_a_half_and_short_clips_again():
    wave = torch.arange(16_000 * 7.4)
    assert windows(wave)[:, 0].tolist() == [0, 24_000, 48_000]
    assert torch.equal(windows(wave[:48_001]), wave[None, :48_000])
    assert torch.equal(windows(wave[:20_000])[0], wave[:20_000].repeat(3)[:48_000])
    assert not windows(torch.zeros(1)).any()


def test_the_mel_of_mn04_says_the_level_and_puts_a_tone_where_kaldi_does():
    t = torch.arange(32_000) / 32_000
    tone = 0.1 * torch.sin(2 * torch.pi * 1000 * t)
    mel = log_mel(tone)
    # Kaldi: 1000 of 3504 mel in 129 steps is 36.8, next to the 37th triangle.
    assert mel.shape == (128, 100) and (mel[:, 10:-10].argmax(0) == 36).all()
    # A tone's power at its peak is (amplitude / 2 · sum of the window)², of which the difference
    # x[n] - 0.97 x[n-1] passes |1 - 0.97 exp(-iw)|², and the triangle what it has at 1 kHz.
    passes = abs(1 - 0.97 * torch.exp(torch.tensor(-2j * torch.pi / 32))) ** 2
    step = 1127 * math.log(1 + 15_000 / 700) / 129
    height = 1 - abs(1127 * math.log(1 + 1000 / 700) / step - 37)
    peak = (0.05 * torch.hann_window(800, periodic=False).sum()) ** 2 * passes * height
    assert mel[36, 50] == pytest.approx((math.log(peak) + 4.5) / 5, abs=0.1)
    assert (log_mel(10 * tone) - mel)[36, 50] == pytest.approx(2 * math.log(10) / 5, abs=1e-3)
    silence = log_mel(torch.zeros(16_000))
    torch.testing.assert_close(silence, torch.full_like(silence, (math.log(1e-5) + 4.5) / 5))


def test_sound_of_16_khz_leaves_the_bins_that_the_docstring_says():
    filters, _ = torchaudio.compliance.kaldi.get_mel_banks(
        128, 1024, 32_000.0, 0.0, 15_000.0, 100.0, -500.0, 1.0
    )
    empty = int((filters[:, :257].sum(1) == 0).sum())
    assert f"leaves the upper {empty} of its 128" in " ".join(EfficientAt.__doc__.split())


def test_a_release_must_have_every_tensor_in_its_shape():
    state = Mn04().state_dict()
    lists = {name.replace(".fc", ".conc_se_layers.0.fc"): v for name, v in state.items()}
    assert any("conc_se" in name for name in lists)
    Mn04().load_state_dict(renamed(lists))
    wide = {**state, "features.4.block.2.fc1.weight": torch.zeros(16, 32)}
    for wrong in ({**state, "more": torch.zeros(1)}, dict(list(state.items())[1:]), wide):
        with pytest.raises(RuntimeError, match=r"Missing|Unexpected|size mismatch"):
            Mn04().load_state_dict(renamed(wrong))


def test_mn04_has_the_published_number_of_parameters():
    # The authors' table says 0.983 million. The same table at other widths: 1.43 at 0.5.
    assert sum(p.numel() for p in Mn04().parameters()) // 1000 == 983


def test_every_file_is_pinned_and_states_its_licence():
    pins = {name: pin for name, pin in read_pins(released.MANIFEST).items() if "zenodo" not in pin}
    assert tuple(pins) == NAMES
    for pin in pins.values():
        assert pin["licence"].startswith("MIT") and len(pin["sha256"]) == 64
        assert pin["bytes"] > 1 << 20 and pin["source"].startswith("https://")
        assert len(pin["urls"]) == 2 and all(url.startswith("https://") for url in pin["urls"])
        # An address that names no commit or release may give another file tomorrow.
        assert not any("/main/" in url or "/master/" in url for url in pin["urls"])


@pytest.mark.parametrize(
    "read", [lambda file: read_pins(file), lambda file: corpus_manifest.read_yml(file.stem)]
)
@pytest.mark.parametrize(
    ("data", "said"), [(None, "cannot be read"), (b"a: [", "is not YAML"), (b"\xff", "is not YAML")]
)
def test_a_manifest_that_cannot_be_read_is_named(tmp_path, monkeypatch, read, data, said):
    monkeypatch.setattr(corpus_manifest, "FOLDER", tmp_path)
    if data is not None:
        (tmp_path / "it.yml").write_bytes(data)
    with pytest.raises(UserError, match=rf"it.yml {said} .*: run from a checkout"):
        read(tmp_path / "it.yml")


@pytest.fixture
def manifest(tmp_path, monkeypatch):
    """A manifest of one made-up file, and the folder that serves it."""
    served = tmp_path / "served"
    served.mkdir()
    buffer = io.BytesIO()
    torch.save({"w": torch.arange(3.0)}, buffer)
    (served / "good.pt").write_bytes(buffer.getvalue())
    pin = {
        "file": "tiny.pt",
        "bytes": len(buffer.getvalue()),
        "sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        "urls": [(served / name).as_uri() for name in ("absent.pt", "good.pt")],
        "source": "https://somewhere.example",
        "licence": "MIT",
    }
    path = tmp_path / "weights.yml"
    path.write_text(yaml.safe_dump({"tiny": pin}))
    monkeypatch.setattr(released, "MANIFEST", path)
    monkeypatch.setattr("dasheng_lib.corpora.fetch.download.time.sleep", lambda _: None)
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DASHENG_DATA", raising=False)
    return served, tmp_path


def test_a_file_comes_from_the_first_address_that_has_it_and_once(manifest):
    served, _ = manifest
    assert released.read_state("tiny")["w"].tolist() == [0, 1, 2]
    (served / "good.pt").unlink()
    assert released.read_state("tiny")["w"].tolist() == [0, 1, 2]


def test_another_file_than_the_pinned_one_is_refused(manifest):
    served, folder = manifest
    good = (served / "good.pt").read_bytes()
    (served / "good.pt").write_bytes(good[:-1] + b"x")
    with pytest.raises(UserError, match="SHA-256"):
        released.read_state("tiny")
    (folder / "mine" / "weights").mkdir(parents=True)
    (folder / "mine" / "weights" / "tiny.pt").write_bytes(good[:-1] + b"x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DASHENG_DATA", str(folder / "mine"))
        with pytest.raises(UserError, match=r"tiny.pt is not the tiny.pt of the manifest"):
            released.read_state("tiny")


def test_without_a_network_the_place_for_the_file_is_named(manifest, monkeypatch):
    served, folder = manifest
    mine = folder / "mine" / "weights" / "tiny.pt"
    mine.parent.mkdir(parents=True)
    (served / "good.pt").rename(mine)
    with pytest.raises(UserError) as refused:
        released.read_state("tiny")
    place = folder / "cache" / "dasheng" / "downloads" / "weights" / "tiny.pt"
    said = f"get the file from https://somewhere.example by hand and put it at {place}"
    assert said.replace("/dasheng/downloads", "/downloads") in str(refused.value)
    monkeypatch.setenv("DASHENG_DATA", str(folder / "mine"))
    assert released.read_state("tiny")["w"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["efficientat:mn10", "musicnn:msd"])
def test_unknown_networks_are_named(name):
    with pytest.raises(UserError, match=r"choose mn04|choose mtat or jamendo"):
        load_encoder(name)


@pytest.mark.parametrize("name", NAMES)
def test_released_weights_load_and_hear(name, users_weights):
    encoder = users_weights(name)
    assert encoder.name == name
    rate = encoder.sample_rate
    t = torch.arange(4 * rate) / rate
    tone, noise = 0.2 * torch.sin(2 * torch.pi * 440 * t), 0.1 * torch.randn(4 * rate)
    a, b, quiet = encoder.clips(torch.stack([tone, noise, 0.9 * tone]))
    assert torch.isfinite(encoder.clips(torch.zeros(1, rate))).all()
    near = torch.nn.functional.cosine_similarity
    assert near(a, quiet, dim=0) > 0.98 and near(a, b, dim=0) < 0.9


def test_mn04_tells_a_tone_from_noise_in_the_words_of_audioset(users_weights):
    encoder = users_weights("efficientat:mn04")
    t = torch.arange(10 * 32_000) / 32_000
    wave = torch.stack([0.3 * torch.sin(2 * torch.pi * 1000 * t), 0.1 * torch.randn(len(t))])
    with torch.inference_mode():
        tags = encoder.network.classifier(encoder.clips(wave))
    sine_wave, white_noise = 501, 520  # rows of AudioSet's class_labels_indices.csv
    assert sine_wave in tags[0].topk(5).indices and white_noise in tags[1].topk(5).indices


@pytest.mark.parametrize("name", NAMES[1:])
def test_the_mel_of_musicnn_is_torchaudios(name, users_weights):
    network = users_weights(name).network
    filters = torchaudio.functional.melscale_fbanks(257, 0.0, 8000.0, 96, 16_000)
    torch.testing.assert_close(network.spec.mel_scale.fb, filters, rtol=0, atol=1e-4)
    torch.testing.assert_close(network.spec.spectrogram.window, torch.hann_window(512))


def test_all_files_of_weights_give_other_fingerprints(users_weights):
    assert len({users_weights(name).fingerprint for name in NAMES}) == len(NAMES)
    assert efficientat.VERSION == 1
