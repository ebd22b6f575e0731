"""Properties of the encoder and the autoencoder."""

from dataclasses import replace

import pytest
import torch

from dasheng_lib.features import LogMel, frame_count
from dasheng_lib.mae import MAEConfig, MaskedAutoencoder, masked_mse, standardise
from dasheng_lib.model.encoder import PRESETS, Encoder, EncoderConfig, patches, token_count

SMALL = EncoderConfig(dim=32, depth=2, heads=2)


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    encoder = Encoder(SMALL)
    encoder.norm_in(torch.randn(4, 64, 500) * 20 - 40)
    return encoder.eval()


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.1


@pytest.mark.parametrize(
    ("seconds", "frames", "tokens"),
    [(1, 101, 25), (5, 501, 125), (10, 1001, 250), (10.07, 1008, 252), (18.64, 1865, 466)],
)
def test_frames_and_tokens_of_a_clip(encoder, seconds, frames, tokens):
    samples = round(seconds * 16000)
    assert (frame_count(samples), token_count(samples)) == (frames, tokens)
    assert LogMel()(noise(1, samples)).shape == (1, 64, frames)
    with torch.no_grad():
        assert encoder(noise(1, samples)).shape == (1, tokens, 32)


@pytest.mark.parametrize(
    ("name", "millions"), [("base", 85.447808), ("0.6B", 630.33), ("1.2B", 1134.05)]
)
def test_published_sizes(name, millions):
    with torch.device("meta"):
        model = MaskedAutoencoder.preset(name)
    count = sum(p.numel() for p in model.encoder.parameters()) / 1e6
    decoder = sum(p.numel() for p in model.decoder.parameters()) / 1e6
    # The table of the sheet counts the 130 numbers of the input norm's state as well as it may;
    # 0.01 M is its rounding.
    assert count == pytest.approx(millions, abs=0.01)
    assert decoder == pytest.approx({"base": 25.9, "0.6B": 26.2, "1.2B": 58.3}[name], abs=0.1)


@pytest.mark.parametrize("long_audio", ["short", "pad", "cut"])
def test_a_clip_does_not_depend_on_its_neighbours(encoder, long_audio):
    """Alone, or padded beside a loud long clip: the same tokens, and 0 behind the end."""
    choosy = Encoder(replace(SMALL, long_audio=long_audio)).eval()
    choosy.load_state_dict(encoder.state_dict())
    lengths = torch.tensor([480, 16000, 16480, 170_000, 200_000])
    wave = noise(5, 200_000)
    wave[4] *= 50
    wave[0] *= 1e-4
    with torch.no_grad():
        together = choosy(wave, lengths)
        for row, n in enumerate(lengths.tolist()):
            alone = choosy(wave[row : row + 1, :n])[0]
            assert torch.allclose(together[row, : len(alone)], alone, atol=2e-5)
            assert not together[row, len(alone) :].any()


def test_reference_padding_does_depend_on_what_follows(encoder):
    published = Encoder(SMALL.as_published()).eval()
    published.load_state_dict(encoder.state_dict())
    wave, lengths = noise(1, 32000), torch.tensor([16000])
    with torch.no_grad():
        assert not torch.allclose(published(wave, lengths)[0, :25], encoder(wave[:, :16000])[0])


def test_patches_are_bin_first():
    mel = torch.arange(64)[:, None] * 100.0 + torch.arange(9)
    first, second = patches(mel[None])[0]
    assert first[:5].tolist() == [0, 1, 2, 3, 100] and second[4].item() == 104


def test_front_end_is_float32_under_autocast(encoder):
    wave = noise(1, 16000)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(encoder.log_mel(wave), LogMel("clip")(wave))


@pytest.mark.parametrize(
    ("wave", "word"),
    [
        (torch.zeros(16000), "clips, samples"),
        (torch.zeros(1, 479), "479 samples"),
        (torch.zeros(1, 16000, dtype=torch.int16), "float"),
    ],
)
def test_bad_waves_are_named(encoder, wave, word):
    with pytest.raises(ValueError, match=word):
        encoder(wave)


def test_impossible_configurations_are_named():
    with pytest.raises(ValueError, match="heads"):
        EncoderConfig(dim=30, heads=4)
    with pytest.raises(ValueError, match="ratio"):
        MAEConfig(mask_ratio=1.5)
    assert "nano" in PRESETS
    with pytest.raises(ValueError, match="nano"):
        Encoder.preset("giant")


def test_a_size_can_be_spelt_out():
    config = Encoder.preset("48x2x3").config
    assert (config.dim, config.depth, config.heads) == (48, 2, 3)
    assert MaskedAutoencoder.preset("192x4x3").config == MaskedAutoencoder.preset("nano").config
    for wrong in ("48x2", "0x2x1", "48x2x3x4", "48x2x-3"):
        with pytest.raises(ValueError, match="WIDTHxDEPTHxHEADS"):
            Encoder.preset(wrong)
    with pytest.raises(ValueError, match="divide"):
        Encoder.preset("50x2x3")


def autoencoder():
    torch.manual_seed(0)
    return MaskedAutoencoder(Encoder(SMALL), MAEConfig(16, 1, 2))


def test_visible_patches_do_not_count():
    target = torch.randn(2, 10, 256)
    mask = torch.zeros(2, 10, dtype=torch.bool)
    mask[:, 3:] = True
    prediction = target.clone()
    prediction[:, :3] += 5
    assert masked_mse(prediction, target, mask) == 0
    prediction[0, 3] += 1
    assert masked_mse(prediction, target, mask).item() == pytest.approx(1 / 14, rel=1e-5)


def test_a_zero_prediction_costs_255_of_256():
    target, _, _ = standardise(torch.randn(4, 50, 256) * 7 - 30)
    mask = torch.ones(4, 50, dtype=torch.bool)
    assert masked_mse(torch.zeros_like(target), target, mask).item() == pytest.approx(255 / 256)


def test_silence_has_the_target_zero():
    target, _, _ = standardise(torch.full((1, 2, 256), -100.0))
    assert not target.any()


def test_kept_tokens_alone_reach_the_encoder():
    """What was removed cannot leak: changing it leaves the encoder's output as it is."""
    model = autoencoder().eval()
    wave = noise(1, 32000)
    out = model(wave, torch.Generator().manual_seed(1))
    gone = int(out.mask_BT[0].nonzero()[10])
    changed = wave.clone()
    changed[0, gone * 640 + 300 : gone * 640 + 340] *= 30
    again = model(changed, torch.Generator().manual_seed(1))
    assert torch.equal(out.keep_BK, again.keep_BK)
    visible_same = torch.equal(
        out.mel_BFT[:, :, out.keep_BK[0] * 4], again.mel_BFT[:, :, again.keep_BK[0] * 4]
    )
    assert visible_same and torch.equal(out.prediction_BTP, again.prediction_BTP)
    assert not torch.equal(out.target_BTP, again.target_BTP)


def test_the_decoder_puts_tokens_back_in_their_places():
    """With identity-like pieces, token k of the output comes from token k of the input."""
    model = autoencoder().eval()
    decoder = model.decoder
    decoder.blocks = torch.nn.ModuleList()
    keep = torch.tensor([[1, 4]])
    z = torch.randn(1, 2, 32)
    out = decoder(z, keep, 6)
    alone = decoder(z[:, 1:], torch.tensor([[4]]), 6)
    assert torch.allclose(out[:, 4], alone[:, 4])
    assert torch.allclose(out[:, 0], out[:, 2]) and not torch.allclose(out[:, 0], out[:, 1])


def test_too_long_for_pretraining_is_named():
    with pytest.raises(ValueError, match="252 positions"):
        autoencoder()(noise(1, 200_000))
