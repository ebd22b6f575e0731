"""SlowFast NFNet as frozen features: clips of any length, and files of weights."""

import pytest
import torch

from dasheng_lib.checkpoint import save_weights
from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import load_encoder
from dasheng_lib.encoders.protocol import first_ms
from dasheng_lib.encoders.sfnfnet import SlowFastFeatures, pieces
from dasheng_lib.model.encoder import Encoder, encoder_config
from dasheng_lib.model.slowfast_encoder import SlowFastEncoder, SlowFastLogMel, standardised
from dasheng_lib.model.slowfast_nfnet import SlowFastConfig


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.1


def awake(config=None, seed=0):
    """A network whose blocks say something, as after training."""
    torch.manual_seed(seed)
    encoder = SlowFastEncoder(config or SlowFastConfig(16))
    for block in encoder.blocks:
        block.skip_gain.data.fill_(0.5)
    return encoder


@pytest.fixture(scope="module")
def features():
    return SlowFastFeatures(awake(), "test")


def test_what_it_offers(features):
    assert (features.sample_rate, features.dim, features.hop_ms) == (16_000, 108, 40.0)
    assert first_ms(features) == 15.0 and features.min_samples == 1


@pytest.mark.parametrize(
    ("samples", "frames"), [(1, 1), (160, 1), (640, 1), (641, 2), (16_000, 25), (48_000, 75)]
)
def test_frames_of_a_clip(features, samples, frames):
    assert features.frames(noise(2, samples)).shape == (2, frames, 108)
    assert SlowFastLogMel()(noise(2, samples)).shape == (2, 80, -(-samples // 160))
    clips = features.clips(noise(2, samples))
    assert clips.shape == (2, 108) and clips.isfinite().all()


def test_a_clip_does_not_depend_on_its_neighbours(features):
    lengths = torch.tensor([1, 5000, 20_000, 5000])
    wave = noise(4, 20_000)
    wave[2] *= 30
    frames, clips = features.frames(wave, lengths), features.clips(wave, lengths)
    for i, n in enumerate(lengths.tolist()):
        alone = features.frames(wave[i : i + 1, :n])[0]
        torch.testing.assert_close(frames[i, : len(alone)], alone, rtol=1e-4, atol=1e-5)
        assert not frames[i, len(alone) :].any()
        torch.testing.assert_close(
            clips[i], features.clips(wave[i : i + 1, :n])[0], rtol=1e-4, atol=1e-5
        )


def test_clips_of_as_many_frames_are_read_together(features, monkeypatch):
    """Real clips end at any sample: one by one, short ones would take ten times as long."""
    wave, lengths, sizes = noise(4, 6000), torch.tensor([4961, 5120, 5121, 5000]), []
    alone = torch.cat([features.clips(w[None, :n]) for w, n in zip(wave, lengths, strict=True)])
    pooled = features.encoder.pooled
    monkeypatch.setattr(features.encoder, "pooled", lambda w: sizes.append(len(w)) or pooled(w))
    torch.testing.assert_close(features.clips(wave, lengths), alone, rtol=1e-4, atol=1e-5)
    assert sizes == [3, 1]


def test_a_long_clip_is_read_in_equal_pieces(features):
    wave = noise(1, 330_000)
    parts = pieces(wave)
    assert [p.shape[1] for p in parts] == [110_080, 110_080, 109_840]
    assert torch.equal(torch.cat(parts, 1), wave)
    assert [p.shape[1] for p in pieces(noise(1, 160_000))] == [160_000]
    assert [p.shape[1] for p in pieces(noise(1, 160_001))] == [80_640, 79_361]
    frames, clip = features.frames(wave), features.clips(wave)
    assert frames.shape == (1, 516, 108)
    torch.testing.assert_close(frames[:, 172:344], features.frames(parts[1]))
    torch.testing.assert_close(clip, sum(features.clips(p) for p in parts) * (172 / 516))
    fast = slice(96, None)  # whose frames are all full
    torch.testing.assert_close(clip[:, fast], frames.mean(1)[:, fast])


def test_loudness_does_not_count(features):
    wave = noise(1, 16_000)
    torch.testing.assert_close(
        features.clips(wave), features.clips(wave / 50), rtol=1e-3, atol=1e-4
    )


def test_the_floor_is_a_clip_s_own():
    wave = noise(2, 16_000)
    wave[:, 8000:] *= 1e-5  # -100 dB, to the louder clip's floor or not
    wave[1] *= 1000
    mel = SlowFastLogMel()(wave)
    for clip in mel:
        assert clip.max() - clip.min() == pytest.approx(80, abs=0.01)
    torch.testing.assert_close(mel[:1], SlowFastLogMel()(wave[:1]))


def test_silence_is_the_same_everywhere(features):
    mel = SlowFastLogMel()(torch.zeros(1, 8000))
    assert (mel == -100).all() and not standardised(mel).any()
    assert features.clips(torch.zeros(1, 8000)).isfinite().all()


def test_a_spectrogram_is_standardised_by_itself():
    mel = standardised(SlowFastLogMel()(noise(3, 16_000) * torch.tensor([[1.0], [0.1], [9.0]])))
    torch.testing.assert_close(mel.mean((1, 2)), torch.zeros(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(mel.std((1, 2), correction=0), torch.ones(3))


def test_a_tone_lands_in_its_bin():
    time = torch.arange(16_000) / 16_000
    for hertz in (300.0, 1000.0, 4000.0):
        mel = SlowFastLogMel()((2 * torch.pi * hertz * time).sin()[None])[0, :, 50]
        top = 2595 * torch.log10(torch.tensor(1 + 8000 / 700))
        place = 2595 * torch.log10(torch.tensor(1 + hertz / 700)) / top * 81 - 1
        assert abs(mel.argmax() - place) < 1
        assert mel.max() - mel.min() == pytest.approx(80, abs=0.01)  # the floor


def test_a_file_is_read_by_the_name_of_its_network(features, tmp_path):
    encoder = awake(SlowFastConfig(16, fast_stem="release", reduction="max-pool", mels=64))
    path = tmp_path / "small.safetensors"
    save_weights(encoder, path, steps="3")
    read = load_encoder(f"sfnfnet:{path}")
    wave = noise(2, 8000)
    assert read.encoder.config == encoder.config and read.name == f"sfnfnet:{path}"
    torch.testing.assert_close(read.frames(wave), SlowFastFeatures(encoder, "").frames(wave))
    with pytest.raises(UserError, match=f"holds another family: name it sfnfnet:{path}"):
        load_encoder(f"dasheng:{path}")
    save_weights(Encoder(encoder_config("8x1x2")), path)
    with pytest.raises(UserError, match=f"holds another family: name it dasheng:{path}"):
        load_encoder(f"sfnfnet:{path}")
    with pytest.raises(UserError, match="no checkpoint at"):
        load_encoder("sfnfnet:/nowhere")
    with pytest.raises(UserError, match=r"\|sfnfnet:PATH"):
        load_encoder("sfnfnet:")


def test_untrained():
    one, two = load_encoder("random:sfnfnet-16"), load_encoder("random:sfnfnet-16")
    assert one.fingerprint == two.fingerprint and one.dim == 108
    assert one.fingerprint != SlowFastFeatures.untrained("sfnfnet-16", 1).fingerprint
    with pytest.raises(UserError, match="choose sfnfnet"):
        load_encoder("random:sfnfnet-x")


def test_what_changes_features_changes_the_fingerprint():
    configs = [SlowFastConfig(16), SlowFastConfig(16, reduction="max-pool")]
    configs += [SlowFastConfig(16, mels=64), SlowFastConfig(16, fast_stem="release")]
    assert len({SlowFastFeatures(awake(c), "").fingerprint for c in configs}) == 4


def test_a_step_of_training_reaches_every_weight(features):
    encoder = awake().train()
    drop = torch.ones(2, encoder.drops)
    encoder(noise(2, 10_240), drop).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())
    mean = encoder(noise(2, 10_240), drop).mean(1)
    torch.testing.assert_close(mean, encoder.eval().pooled(noise(2, 10_240)))
