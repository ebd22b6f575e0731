"""A whitening behind an encoder: what it must give, and what it must leave alone."""

import numpy as np
import pytest
import torch

from dasheng_lib import hear_api
from dasheng_lib.checkpoint import load_autoencoder
from dasheng_lib.checkpoint.weights import facts_in, save_weights
from dasheng_lib.cli import main
from dasheng_lib.commands import whiten as command_of_it
from dasheng_lib.corpora.trim import prepare
from dasheng_lib.encoders import WEIGHTS, DashengEncoder, load_encoder
from dasheng_lib.encoders.layers import every_layer
from dasheng_lib.encoders.whitening import POWER, unwhitened, whiten
from dasheng_lib.evaluation.pocket import embed_corpus
from dasheng_lib.mae import MAEConfig, MaskedAutoencoder
from dasheng_lib.model import Encoder, EncoderConfig


@pytest.fixture
def model():
    torch.manual_seed(0)
    return MaskedAutoencoder(
        Encoder(EncoderConfig(dim=16, depth=2, heads=2)), MAEConfig(16, 1, 2)
    ).eval()


@pytest.fixture
def wave_BN():
    """Noises of many colours: alike, they would have few directions."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(64, 12_800, generator=generator)
    colour = torch.rand(64, 6_401, generator=generator) ** torch.linspace(0, 9, 64)[:, None]
    return torch.fft.irfft(torch.fft.rfft(noise) * colour, 12_800)


def test_clips_have_covariance_1_and_mean_0_and_tokens_their_mean(model, wave_BN):
    plain = DashengEncoder(model.encoder, "plain").clips(wave_BN).numpy()
    white = DashengEncoder(whiten(model.encoder, plain, 1.0), "white")
    got = white.clips(wave_BN).numpy().astype(np.float64)
    assert np.abs(got.mean(0)).max() < 1e-3
    # The last layer norm leaves no mean over the columns, so one direction is empty before.
    assert np.linalg.eigvalsh(np.cov(got.T, bias=True)) == pytest.approx([0, *[1] * 15], abs=5e-3)
    np.testing.assert_allclose(white.frames(wave_BN).mean(1), got, atol=1e-4)


def test_of_a_batch_of_unequal_clips_each_is_as_if_alone(model, wave_BN):
    rows = DashengEncoder(model.encoder, "plain").clips(wave_BN).numpy()
    white = DashengEncoder(whiten(model.encoder, rows), "white")
    lengths = torch.tensor([12_800, 6_400])
    alone = torch.cat([white.clips(wave_BN[i : i + 1, :n]) for i, n in enumerate(lengths)])
    torch.testing.assert_close(white.clips(wave_BN[:2], lengths), alone, atol=1e-3, rtol=1e-3)
    assert not white.frames(wave_BN[:2], lengths)[1, 10:].any()


@pytest.mark.parametrize("power", [0.0, 0.5, POWER])
def test_deviations_are_raised_to_what_the_power_leaves(model, wave_BN, power):
    plain = DashengEncoder(model.encoder, "plain").clips(wave_BN).numpy().astype(np.float64)
    white = DashengEncoder(whiten(model.encoder, plain, power), "white")
    before, after = (
        np.linalg.eigvalsh(np.cov(rows.T, bias=True))[1:] ** 0.5
        for rows in (plain, white.clips(wave_BN).numpy().astype(np.float64))
    )
    assert after == pytest.approx(before ** (1 - power), rel=0.02)


def test_the_pretext_task_is_what_it_was(model, wave_BN):
    def loss():
        with torch.no_grad():
            return model(wave_BN, torch.Generator().manual_seed(0)).loss

    before = loss()
    whiten(model.encoder, DashengEncoder(model.encoder, "plain").clips(wave_BN).numpy())
    assert loss() == before


def test_from_a_file_with_it_without_it_through_hear_and_layer_by_layer(model, wave_BN, tmp_path):
    plain = DashengEncoder(model.encoder, "plain").clips(wave_BN)
    whiten(model.encoder, plain.numpy())
    save_weights(model, tmp_path / "white.safetensors", steps="7", whitened_on="clips")
    assert facts_in(tmp_path / "white.safetensors") == {"steps": "7", "whitened_on": "clips"}
    white = load_encoder(f"dasheng:{tmp_path}/white.safetensors")
    expected = DashengEncoder(model.encoder, "white").clips(wave_BN)
    assert torch.equal(white.clips(wave_BN), expected) and not torch.equal(plain, expected)
    without = load_encoder(f"plain:{tmp_path}/white.safetensors")
    assert torch.equal(without.clips(wave_BN), plain)
    assert without.fingerprint != white.fingerprint
    heard = hear_api.load_model(str(tmp_path / "white.safetensors"))
    scenes = hear_api.get_scene_embeddings(wave_BN, heard)
    torch.testing.assert_close(scenes, expected, atol=1e-4, rtol=1e-4)
    layers = every_layer(white)
    assert layers.dim == 32
    torch.testing.assert_close(layers.clips(wave_BN)[:, 16:], expected, atol=1e-5, rtol=1e-5)


def test_what_it_cannot_be_fitted_on(model):
    with pytest.raises(ValueError, match="16 wide"):
        whiten(model.encoder, np.ones((5, 3)))
    rows = np.random.default_rng(0).standard_normal((50, 16))
    whiten(model.encoder, rows)
    with pytest.raises(ValueError, match="already"):
        whiten(model.encoder, rows)
    assert isinstance(unwhitened(model.encoder).whiten, torch.nn.Identity)


def test_the_command_writes_a_whitened_file_and_refuses_to_do_it_twice(
    model, synthetic, tmp_path, capsys
):
    save_weights(model, tmp_path / "final.safetensors", steps="7")
    out = tmp_path / "white.safetensors"
    command = ["whiten", str(tmp_path / "final.safetensors"), "--corpus", "synthetic"]
    command += ["--power", "1"]
    assert main([*command, "--out", str(out)]) == 0
    assert "RankMe of 352 clips" in capsys.readouterr().out
    corpus = prepare(synthetic)
    assert facts_in(out) == {"steps": "7", "whitened_on": corpus.digest, "whitened_by": "1"}
    Z_ND = embed_corpus(load_encoder(f"dasheng:{out}"), corpus)
    assert np.linalg.eigvalsh(np.cov(Z_ND.T, bias=True)) == pytest.approx([0, *[1] * 15], abs=0.02)
    assert load_autoencoder(out).encoder.config.whitened
    for words, said in ((["--power", "2"], "from 0 to 1"), ([], "whitened already")):
        again = ["whiten", str(out), "--corpus", "synthetic", "--out", str(tmp_path / "x")]
        assert main([*again, *words]) == 2 and said in capsys.readouterr().err


def test_the_nano_comes_whitened():
    assert load_encoder("dasheng:nano").encoder.config.whitened
    assert not load_encoder("plain:nano").encoder.config.whitened
    assert facts_in(WEIGHTS["nano"])["whitened_by"] == f"{POWER:g}"
    assert command_of_it.POWER == POWER
