"""Pretext tasks, part by part: from raw patches, against torchaudio, and hidden means hidden."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import gumbel_r
from torch.nn import functional as F

from dasheng_lib.common.torchaudio import torchaudio
from dasheng_lib.corpora.crops import Crops
from dasheng_lib.masking import span_places
from dasheng_lib.model.waveform import (
    WaveformConfig,
    WaveformEncoder,
    frame_count,
    standardised,
)
from dasheng_lib.objectives import hubert, wav2vec2
from dasheng_lib.objectives.mfcc import MFCC
from dasheng_lib.train import mask_noise
from dasheng_lib.train.build import new_model
from dasheng_lib.train.recipes import family_defaults

B, N = 4, 8_000


@pytest.fixture(scope="module")
def wave(synthetic):
    return torch.from_numpy(Crops(synthetic, N / 16_000, B).batch(1))


@pytest.fixture
def model_of(synthetic):
    def make(family):
        config = replace(family_defaults(family), preset="24x2x2", clip_seconds=N / 16_000)
        model = new_model(config)
        model.calibrate([torch.from_numpy(Crops(synthetic, N / 16_000, 32).batch(0))])
        return model.eval()

    return make


def caught(module):
    """A list that gets what ``module`` gives, call by call."""
    outputs = []
    module.register_forward_hook(lambda *call: outputs.append(call[-1]))
    return outputs


# SSAST


def on(mel_BFT, model, wave, step=0):
    """A step of ``model`` as if this were the spectrogram: what both heads say, and the output."""
    model.encoder.log_mel.forward = lambda *_: mel_BFT
    told, painted = caught(model.tell), caught(model.paint)
    with torch.no_grad():
        out = model(wave, mask_noise(model, *wave.shape, 0, step))
    return told[-1], painted[-1], out


def test_ssast_scores_and_errors_are_those_of_raw_patches(model_of, wave):
    """The head's vector times the patch itself, over the places of the head's own mask."""
    model = model_of("ssast")
    mel = model.encoder.log_mel(wave)
    told, painted, out = on(mel, model, wave)
    surprise, errors, blanks = [], [], []
    for clip in range(B):
        tell, paint = (
            [(mel[clip, :, 4 * t : 4 * t + 4] - model.mean) / (2 * model.deviation) for t in places]
            for places in (mask[clip].nonzero()[:, 0] for mask in out.mask_2BT)
        )
        scores = torch.stack(
            [(told[clip].view(-1, 64, 4) * patch).sum((1, 2)) for patch in tell], 1
        )
        torch.testing.assert_close(out.score_BMM[clip], scores, rtol=1e-4, atol=1e-4)
        surprise += [-row.log_softmax(0)[place] for place, row in enumerate(scores)]
        errors += [(painted[clip].view(-1, 64, 4) - torch.stack(paint)).square().mean()]
        blanks += [torch.stack(paint).square().mean()]
    loss = np.mean(surprise) + 10 * np.mean(errors)
    assert float(out.loss) == pytest.approx(loss, rel=1e-4)
    assert len(surprise) == 9 * B and (out.mask_2BT[0] != out.mask_2BT[1]).any()
    assert float(out.baseline_loss) == pytest.approx(np.log(9) + 10 * np.mean(blanks), rel=1e-4)


def test_ssast_hides_what_it_asks_for(model_of, wave):
    """Other sound at a head's hidden tokens changes nothing that it says; at one other, all."""
    model = model_of("ssast")
    mel = model.encoder.log_mel(wave)
    *before, out = on(mel, model, wave)
    for head, mask_BT in enumerate(out.mask_2BT):
        frame_BF = mask_BT.repeat_interleave(4, 1)
        frame_BF = F.pad(frame_BF, (0, mel.shape[2] - frame_BF.shape[1]))[:, None]
        other = torch.where(frame_BF, mel.flip(0) + 20, mel)
        assert torch.equal(on(other, model, wave)[head], before[head])
        assert not torch.equal(on(other, model, wave)[1 - head], before[1 - head])
        seen = (~mask_BT[0]).nonzero()[0, 0]
        other = mel.clone()
        other[0, :, 4 * seen : 4 * seen + 4] += 20
        moved = (on(other, model, wave)[head] - before[head]).abs().amax(2)
        assert (moved[0] > 1e-4).all() and not moved[1:].any()


def test_ssast_says_where_a_hidden_token_is(model_of, wave):
    """If hidden tokens look like all others, the encoder gives what it gives with none hidden."""
    model = model_of("ssast")
    mel = model.encoder.log_mel(wave)
    mel = mel[:1, :, :1].expand_as(mel)
    with torch.no_grad():
        patch = model.encoder.normalise(mel)[0, :, :4].reshape(-1)
        model.mask_token.copy_(model.encoder.patch(patch))
        told, painted, out = on(mel, model, wave)
        z_BTD = model.encoder(wave)
    heads = ((told, model.tell), (painted, model.paint))
    for (said, head), mask_BT in zip(heads, out.mask_2BT, strict=True):
        with torch.no_grad():
            expected = head(z_BTD[mask_BT]).view(said.shape)
        torch.testing.assert_close(said, expected, rtol=1e-4, atol=1e-5)
        assert said.std(1).max() > 1e-3  # one sound throughout: only its place is new


# HuBERT


def library_hubert(model, mask_BT):
    """torchaudio's HuBERT with the weights of ``model``, which hides what ``mask_BT`` says."""
    from torchaudio.models.wav2vec2.utils import import_huggingface_model

    config = model.encoder.config
    library = torchaudio.models.hubert_pretrain_model(
        extractor_mode="group_norm",
        extractor_conv_layer_config=[
            (config.channels, kernel, stride)
            for kernel, stride in ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))
        ],
        extractor_conv_bias=False,
        encoder_embed_dim=config.dim,
        encoder_projection_dropout=0.0,
        encoder_pos_conv_kernel=128,
        encoder_pos_conv_groups=8,  # of width 24
        encoder_num_layers=config.depth,
        encoder_num_heads=config.heads,
        encoder_attention_dropout=0.0,
        encoder_ff_interm_features=4 * config.dim,
        encoder_ff_interm_dropout=0.0,
        encoder_dropout=0.0,
        encoder_layer_norm_first=False,
        encoder_layer_drop=0.0,
        mask_prob=0.8,
        mask_selection="static",
        mask_other=0.0,
        mask_length=10,
        no_mask_overlap=False,
        mask_min_space=1,
        mask_channel_prob=0.0,
        mask_channel_selection="static",
        mask_channel_other=0.0,
        mask_channel_length=10,
        no_mask_channel_overlap=False,
        mask_channel_min_space=1,
        skip_masked=False,
        skip_nomask=True,
        num_classes=model.config.clusters,
        final_dim=256,
        feature_grad_mult=0.1,
    )
    library.wav2vec2.load_state_dict(import_huggingface_model(model.encoder.net).state_dict())
    library.logit_generator.final_proj.load_state_dict(model.project.state_dict())
    library.logit_generator.label_embeddings.data = model.codes.data.clone()

    class Given(torch.nn.Module):
        def forward(self, x_BTD, padding):
            return torch.where(mask_BT[..., None], model.encoder.mask_token.data, x_BTD), mask_BT

    library.mask_generator = Given()
    return library


def test_hubert_is_torchaudio_s_in_scores_loss_and_gradients(model_of, wave):
    model = model_of("hubert")
    for clip in range(B):
        row, noise = wave[clip : clip + 1], mask_noise(model, 1, N, 0, clip)
        model.zero_grad()
        out = model(row, noise)
        out.loss.backward()
        mask, label = out.mask_BT, out.label_BT
        library = library_hubert(model, mask)
        logits, _, penalty = library(standardised(row), label)
        # First comes the true cluster, then all, without the true one.
        own = F.one_hot(label[mask], model.config.clusters).bool()
        theirs = torch.where(own, logits[:, :1], logits[:, 1:])
        torch.testing.assert_close(out.score_BTV[mask], theirs, rtol=1e-4, atol=1e-4)
        loss = F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long)) + 10 * penalty
        assert out.loss.item() == pytest.approx(loss.item(), rel=1e-4)
        loss.backward()
        pairs = [
            (model.project, library.logit_generator.final_proj),
            (model.encoder.net.feature_projection, library.wav2vec2.encoder.feature_projection),
            (model.encoder.net.feature_extractor, library.wav2vec2.feature_extractor),
        ]
        for ours, others in pairs:
            gradients = {name: p.grad for name, p in ours.named_parameters()}
            assert gradients.keys() == dict(others.named_parameters()).keys()
            for name, other in others.named_parameters():
                torch.testing.assert_close(gradients[name], other.grad, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("family", ["hubert", "wav2vec2"])
def test_convolutions_learn_at_a_tenth(model_of, wave, monkeypatch, family):
    """Their gradient is a tenth of what it would be undamped; every other is as it was."""
    model = model_of(family)

    def gradients():
        model.zero_grad()
        model(wave, mask_noise(model, B, N, 0, 0)).loss.backward()
        return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}

    damped = gradients()
    module = {"hubert": hubert, "wav2vec2": wav2vec2}[family]
    monkeypatch.setattr(module, "damp_gradient", lambda x, factor: x)
    for name, whole in gradients().items():
        share = 0.1 if "feature_extractor" in name else 1.0
        torch.testing.assert_close(damped[name], whole * share, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("family, says", [("hubert", "project"), ("wav2vec2", "guess")])
def test_hidden_frames_are_hidden(model_of, wave, family, says):
    """Other features at hidden frames change nothing that the network says; at one other, all."""
    model = model_of(family)
    said, noise = caught(getattr(model, says)), mask_noise(model, B, N, 0, 0)

    def on_features(features):
        model.encoder.features = lambda _: features
        with torch.no_grad():
            return model(wave, noise), said[-1]

    features = model.encoder.features(wave).detach()
    out, before = on_features(features)
    hidden = out.mask_BT[..., None]
    other = torch.where(hidden, features.flip(0) * 3 + 1, features)
    assert torch.equal(on_features(other)[1], before)
    other = torch.where(hidden, features, features.flip(0) * 3 + 1)
    assert ((on_features(other)[1] - before).abs().amax(2) > 1e-4).all()


@pytest.mark.parametrize("sample", [3_200 + 200, 3_200 + 40])
def test_mfcc_and_network_hear_a_click_in_the_same_frames(sample):
    """Frame k hears samples 320 k to 320 k + 399. The click moves by 5 frames: nothing else does,
    not even the level, so cepstra and features differ where either of the two is heard."""
    clicks = torch.zeros(2, 1, N)
    clicks[0, 0, sample] = clicks[1, 0, sample + 5 * 320] = 1.0
    heard = [
        k
        for k in range(frame_count(N))
        if any(320 * k <= s < 320 * k + 400 for s in (sample, sample + 5 * 320))
    ]
    assert heard == ([10, 15] if sample % 320 == 200 else [9, 10, 14, 15])
    torch.manual_seed(0)
    network, mfcc = WaveformEncoder(WaveformConfig(24, 2, 2, 16)).eval(), MFCC()
    with torch.no_grad():
        for hear in (network.features, lambda wave: mfcc(wave)[..., :13]):
            first, second = map(hear, clicks)
            moved = (first - second).abs().amax(2)[0] > 1e-3
            assert moved.nonzero()[:, 0].tolist() == heard


# Wav2Vec2


def test_wav2vec2_draws_its_codes_in_training_and_chooses_them_in_evaluation(model_of, wave):
    """With Gumbel's noise, of the last numbers of the step's own, as scipy has it."""
    model = model_of("wav2vec2")
    config, logits = model.config, caught(model.quantiser.choose)
    noise = mask_noise(model, B, N, 0, 0)
    T = frame_count(N)
    assert noise.shape[1] == 1 + (span_places(T, config.span) + 1) + T * (25 + 2 * 64)
    gumbel = gumbel_r.ppf(noise[:, -T * 2 * 64 :].double().numpy()).reshape(B, T, 2, 64)
    with torch.no_grad():
        drawn = model.train()(wave, noise).code_BTG.numpy()
        chosen = model.eval()(wave, noise).code_BTG.numpy()
    logit_BTGV = logits[0].view(B, T, 2, 64).double().numpy()
    np.testing.assert_array_equal(chosen, logit_BTGV.argmax(3))
    np.testing.assert_array_equal(drawn, (logit_BTGV + gumbel).argmax(3))
    assert (drawn != chosen).mean() > 0.02
