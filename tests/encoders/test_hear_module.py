"""Any HEAR module as an encoder: exact for every length, and known by its weights and code."""

import sys

import pytest
import torch
from hear_fakes import Model, fake, timed

from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import load_encoder
from dasheng_lib.encoders.hear.module import HearModule

CODE = """
import torch
from helper import scale
FACTOR = 1

class Model(torch.nn.Module):
    sample_rate, scene_embedding_size, timestamp_embedding_size = 22050, 2, 2
    def __init__(self, weights):
        super().__init__()
        self.weights = torch.nn.Parameter(weights)

def load_model(path="", factor=1.0):
    return Model(factor * (torch.load(path, weights_only=True) if path else torch.ones(2)))

def get_timestamp_embeddings(audio, model):
    x = audio.unfold(1, 1103, 1103).abs().mean(2)[..., None] * model.weights * scale
    return x, (25 + 1103 / 22.05 * torch.arange(x.shape[1])).expand(x.shape[:2])

def get_scene_embeddings(audio, model):
    return get_timestamp_embeddings(audio, model)[0].mean(1)
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A folder with a HEAR module ``mine`` and the file that it imports, never seen before."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine.py").write_text(CODE)
    (tmp_path / "helper.py").write_text("scale = 1.0\n")
    (tmp_path / "unrelated.py").write_text("x = 1\n")
    yield tmp_path
    for name in ("mine", "helper"):
        sys.modules.pop(name, None)


def loaded(name="hear:mine"):
    for module in ("mine", "helper"):
        sys.modules.pop(module, None)
    return load_encoder(name)


def test_it_says_what_the_module_says(written):
    encoder = loaded()
    assert (encoder.name, encoder.sample_rate, encoder.dim) == ("hear:mine", 22050, 2)
    assert encoder.first_ms == 25 and encoder.hop_ms == pytest.approx(1103 / 22.05, abs=1e-4)
    # 30 ms are shorter than its window, and give nothing but a mean of no numbers
    assert encoder.min_samples == 2205


def test_an_embedding_is_that_of_the_clip_alone(written):
    encoder = loaded()
    lengths = torch.tensor([2205, 9000, 4410, 9000, 3000])
    wave = torch.randn(5, 9000, generator=torch.Generator().manual_seed(0))
    clips, frames = encoder.clips(wave, lengths), encoder.frames(wave, lengths)
    assert frames.shape == (5, 8, 2)
    for row, n in enumerate(lengths.tolist()):
        alone = wave[row : row + 1, :n]
        torch.testing.assert_close(clips[row], encoder.clips(alone)[0])
        own = encoder.frames(alone)[0]
        torch.testing.assert_close(frames[row, : len(own)], own)
        assert not frames[row, len(own) :].any()


def test_clips_of_one_length_go_together_unless_the_module_mixes_them(monkeypatch):
    sizes = []

    def scenes(audio, model):
        sizes.append(len(audio))
        return model(audio).mean(1)

    def relative(audio, model):
        sizes.append(len(audio))
        x = model(audio).mean(1)
        return x / x.max()

    wave = torch.rand(4, 16_000)
    lengths = torch.tensor([16_000, 8000, 16_000, 16_000])
    for get, expected in ((scenes, [1, 3]), (relative, [1, 1, 1, 1])):
        module = fake(get_scene_embeddings=get)
        module.__file__ = __file__
        monkeypatch.setitem(sys.modules, "fake_hear", module)
        encoder = HearModule("fake_hear")
        sizes.clear()
        together = encoder.clips(wave, lengths)
        assert sizes == expected
        torch.testing.assert_close(together[3], encoder.clips(wave[3:])[0])


def test_the_fingerprint_follows_weights_options_and_code(written):
    weights = written / "weights.pt"
    torch.save(torch.ones(2), weights)
    prints = [loaded().fingerprint, loaded(f"hear:mine:{weights}").fingerprint]
    assert loaded().fingerprint == prints[0]
    assert loaded(f"hear:mine:{weights}").fingerprint == prints[1]
    torch.save(2 * torch.ones(2), weights)
    prints.append(loaded(f"hear:mine:{weights}").fingerprint)
    sys.modules.pop("mine")
    prints.append(HearModule("mine", factor=2.0).fingerprint)
    (written / "helper.py").write_text("scale = 1.00\n")
    prints.append(loaded().fingerprint)
    (written / "mine.py").write_text(CODE.replace("FACTOR = 1", "FACTOR = 2"))
    prints.append(loaded().fingerprint)
    assert len({*prints}) == len(prints) == 6
    (written / "unrelated.py").write_text("x = 2\n")
    assert loaded().fingerprint == prints[-1]


def test_of_a_package_all_code_counts(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    inner = tmp_path / "hear_package" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "hear_package" / "__init__.py").write_text("")
    (inner / "__init__.py").write_text("")
    (inner / "mine.py").write_text(CODE.replace("from helper import scale", "scale = 1"))
    (tmp_path / "hear_package" / "far.py").write_text("x = 1\n")
    first = load_encoder("hear:hear_package.inner.mine").fingerprint
    (tmp_path / "hear_package" / "far.py").write_text("x = 2\n")
    assert load_encoder("hear:hear_package.inner.mine").fingerprint != first


def test_our_own_module_by_its_api_is_the_encoder_itself():
    ours, api = load_encoder("random:nano"), load_encoder("hear:dasheng_lib.hear_api:random:nano")
    wave, lengths = torch.randn(3, 20_000) * 0.1, torch.tensor([20_000, 500, 9000])
    torch.testing.assert_close(
        api.clips(wave, lengths), ours.clips(wave, lengths), atol=1e-4, rtol=0
    )
    assert (api.hop_ms, api.first_ms, api.min_samples) == (40, 20, 480) and not api.alone


def broken(monkeypatch, **parts):
    module = fake(**parts)
    module.__file__ = __file__
    monkeypatch.setitem(sys.modules, "fake_hear", module)
    return HearModule("fake_hear")


def test_what_breaks_the_api_is_said(monkeypatch):
    with pytest.raises(UserError, match="no function load_model"):
        load_encoder("hear:json")
    with pytest.raises(UserError, match="cannot be found"):
        load_encoder("hear:no.such.module")
    with pytest.raises(UserError, match="in seconds"):
        broken(
            monkeypatch,
            get_timestamp_embeddings=lambda a, m: timed(m(a), 0.02, 0.04),
        )
    with pytest.raises(UserError, match=r"embeddings \[1, 3\]"):
        encoder = broken(
            monkeypatch, get_scene_embeddings=lambda a, m: m(a).mean(1).mean(0, keepdim=True)
        )
        encoder.alone = False
        encoder.clips(torch.rand(2, 16_000))
    with pytest.raises(UserError, match="one timestamp for 4 s"):
        broken(monkeypatch, get_timestamp_embeddings=lambda a, m: timed(m(a)[:, :1], 500))


def test_timestamps_that_follow_another_rule_for_another_length_are_refused(monkeypatch):
    def stretched(audio, model):
        x = model(audio)[:, ::10]
        return x, torch.linspace(0, audio.shape[1] / 16, x.shape[1]).expand(x.shape[:2])

    encoder = broken(monkeypatch, get_timestamp_embeddings=stretched)
    encoder.frames(torch.rand(1, 64_000))
    with pytest.raises(UserError, match="use one rule"):
        encoder.frames(torch.rand(1, 30_000))


def test_the_model_is_put_into_evaluation_mode(monkeypatch):
    assert Model().training and not broken(monkeypatch).model.training


def test_a_wrong_width_is_said_with_the_name(monkeypatch):
    with pytest.raises(UserError, match=r"hear:fake_hear: .* embeddings \[2, 6\]"):
        broken(
            monkeypatch,
            get_scene_embeddings=lambda a, m: torch.cat([m(a).mean(1)] * 2, 1),
        )


def test_a_model_that_cannot_be_loaded_is_said(monkeypatch):
    def load_model(path=""):
        raise FileNotFoundError("weights.pt")

    with pytest.raises(UserError, match=r"hear:fake_hear: load_model failed \(FileNotFound.*PATH"):
        broken(monkeypatch, load_model=load_model)


def test_weights_in_plain_attributes_count(monkeypatch):
    def scaled(value):
        def scenes(audio, model):
            return model(audio).mean(1) * value[0]

        return broken(monkeypatch, get_scene_embeddings=scenes).fingerprint

    value = [1.0]  # neither in the state nor in the source
    first = scaled(value)
    assert scaled(value) == first
    value[0] = 1.01
    assert scaled(value) != first
