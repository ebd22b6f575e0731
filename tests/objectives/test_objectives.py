"""Pretext tasks: losses by hand and against the library, masks, gradients, parts of a batch."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from torch.nn import functional as F

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.crops import Crops
from dasheng_lib.corpora.split import labelled
from dasheng_lib.masking import span_mask, span_places
from dasheng_lib.model import encoder_config
from dasheng_lib.model.waveform import (
    WaveformConfig,
    WaveformEncoder,
    frame_count,
    standardised,
    waveform_config,
)
from dasheng_lib.objectives import recompute, wav2vec2
from dasheng_lib.objectives.family import FAMILIES
from dasheng_lib.objectives.hubert import Hubert, HubertConfig, kmeans
from dasheng_lib.objectives.mfcc import MFCC
from dasheng_lib.objectives.parts import damp_gradient, hidden_weights, perplexity
from dasheng_lib.objectives.ssast import SSASTConfig
from dasheng_lib.objectives.wav2vec2 import (
    Quantiser,
    Wav2Vec2Config,
    contrast,
    diversity_loss,
    gumbel_temperature,
    negatives,
)
from dasheng_lib.train import TrainConfig, loop, mask_noise, pretrain
from dasheng_lib.train.build import new_model
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.flops import counted_training_flops, step_flops, training_flops
from dasheng_lib.train.recipes import family_defaults

OTHERS = list(FAMILIES)[1:]


def tiny(family, **changes):
    small = {"preset": "24x2x2", "batch": 8, "clip_seconds": 0.5, **changes}
    return replace(family_defaults(family), **small)


SECOND = {"task": HubertConfig(teacher="first.safetensors")}  # HuBERT's second iteration


def model_of(family, synthetic, **changes):
    model = new_model(tiny(family, **changes))
    model.calibrate([torch.from_numpy(Crops(synthetic, 0.5, 32).batch(0))])
    return model.train()


def step_of(model, wave_BN, step=0, progress=0.0):
    labels = (torch.arange(len(wave_BN)) % 3,) if FAMILIES[model.family].labelled else ()
    return model(wave_BN, *labels, noise=mask_noise(model, *wave_BN.shape, 0, step, progress))


def batch_of(family, synthetic, rows):
    """Crops, and the labels that a family learns: of each clip the same one every time."""
    if not FAMILIES[family].labelled:
        return Crops(synthetic, 0.5, rows).batch
    crops = Crops(labelled(synthetic, ["syn_place"]), 0.5, rows, short="pad")
    return lambda step: (crops.batch(step), crops.labels(step))


@pytest.fixture
def wave(synthetic):
    return torch.from_numpy(Crops(synthetic, 0.5, 8).batch(1))


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return WaveformEncoder(WaveformConfig(24, 2, 2, 16)).eval()


# Masks


@pytest.mark.parametrize("T, ratio, low, high", [(99, 0.65, 0.48, 0.52), (499, 0.65, 0.47, 0.52)])
def test_spans_hide_about_half(T, ratio, low, high):
    """Of nominally 65 %, as the paper says (49 %)."""
    noise = torch.rand(4000, span_places(T, 10) + 1, generator=torch.Generator().manual_seed(0))
    mask = span_mask(noise, ratio, 10)
    assert mask.shape == (4000, T) and low < mask.float().mean() < high


def test_each_clip_counts_alike_so_that_parts_add_up():
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [0, 1, 0, 0], [1, 0, 1, 1]], dtype=torch.bool)
    value = torch.arange(16.0).view(4, 4)
    whole = (hidden_weights(mask) * value).sum()
    assert whole == pytest.approx(np.mean([0.5, 5.5, 9, (12 + 14 + 15) / 3]))
    parts = [
        (hidden_weights(m) * v).sum() for m, v in zip(mask.split(2), value.split(2), strict=True)
    ]
    assert whole == pytest.approx(float(sum(parts) / 2))


def test_perplexity_counts_codes():
    assert perplexity(torch.ones(7)) == pytest.approx(7)
    assert perplexity(torch.tensor([0.0, 3.0, 0.0])) == pytest.approx(1)
    assert perplexity(torch.tensor([2.0, 1, 1])) == pytest.approx(2**1.5)
    share = torch.tensor([1.0, 0.0], requires_grad=True)
    perplexity(share).backward()
    assert share.grad.isfinite().all()


def test_gradients_come_back_damped():
    x = torch.ones(3, requires_grad=True)
    (damp_gradient(x * 2, 0.1) * 5).sum().backward()
    torch.testing.assert_close(x.grad, torch.full((3,), 1.0))


# The waveform network


def test_the_network_is_the_library_s(encoder):
    from transformers import HubertConfig as LibraryConfig
    from transformers import HubertModel

    wave = torch.randn(2, 9_000)
    with torch.no_grad():
        ours = encoder(wave)
        theirs = encoder.net(standardised(wave)).last_hidden_state
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
        settings = encoder.net.config.to_dict()
        hubert = HubertModel(LibraryConfig(**{k: v for k, v in settings.items() if k[0] != "_"}))
        assert not any(hubert.load_state_dict(encoder.net.state_dict()))
        hubert = hubert.eval()(standardised(wave)).last_hidden_state
        torch.testing.assert_close(ours, hubert, rtol=1e-4, atol=1e-5)


def test_frames_are_counted_without_computing_them(encoder):
    with torch.no_grad():
        for samples in (400, 719, 720, 1_039, 8_000, 16_000):
            assert encoder(torch.randn(1, samples)).shape[1] == frame_count(samples), samples
    assert frame_count(32_000) == 99 and frame_count(399) == frame_count(10) == 0
    with pytest.raises(ValueError, match="at least 400"):
        encoder(torch.randn(1, 399))


def test_sizes_follow_those_of_dasheng():
    assert waveform_config("nano") == WaveformConfig(192, 4, 3, 64)
    assert waveform_config("base") == WaveformConfig(768, 12, 12, 512)


def test_loudness_does_not_matter_and_silence_is_no_nan(encoder):
    wave = torch.randn(2, 4_000)
    with torch.no_grad():
        torch.testing.assert_close(encoder(wave), encoder(wave * 0.01), rtol=1e-2, atol=1e-3)
        assert encoder(torch.zeros(1, 4_000)).isfinite().all()


# SSAST


def test_ssast_targets_are_half_of_standard_and_outside_what_is_learned(synthetic):
    model = model_of("ssast", synthetic)
    waves = torch.from_numpy(Crops(synthetic, 0.5, 32).batch(0))
    mel = model.encoder.log_mel(waves)
    assert float(model.mean) == pytest.approx(float(mel.mean()), rel=1e-4)
    assert float(model.deviation) == pytest.approx(float(mel.std()), rel=1e-2)
    before = step_of(model, waves).target_BMP
    assert 0.45 < float(before.std()) < 0.55
    with torch.no_grad():
        model.encoder.norm_in.weight.mul_(3)
    torch.testing.assert_close(step_of(model, waves).target_BMP, before)


def test_ssast_compares_with_the_clip_s_own_patches(synthetic, wave):
    model = model_of("ssast", synthetic).eval()
    one, all_ = (step_of(model, part) for part in (wave[:1], wave))
    noise = mask_noise(model, *wave.shape, 0, 0)
    alone = model(wave[:1], noise=noise[:1])
    torch.testing.assert_close(alone.score_BMM[0], all_.score_BMM[0], rtol=1e-4, atol=1e-4)
    assert one.score_BMM.shape == alone.score_BMM.shape


# HuBERT


def test_hubert_loss_by_hand(synthetic, wave):
    model = model_of("hubert", synthetic)
    with torch.no_grad():
        out = step_of(model, wave)
    each = []
    for clip, mask in enumerate(out.mask_BT):
        frames = [
            float(out.score_BTV[clip, t].exp().sum().log() - out.score_BTV[clip, t, label])
            for t, label in enumerate(out.label_BT[clip])
            if mask[t]
        ]
        each.append(np.mean(frames))
    penalty = float(model.encoder.features(wave).square().mean())
    assert float(out.task_loss) == pytest.approx(np.mean(each), rel=1e-4)
    assert float(out.loss) == pytest.approx(np.mean(each) + 10 * penalty, rel=1e-4)
    assert out.score_BTV.abs().max() <= 10.0001  # cosine / 0.1
    shares = np.mean(
        [
            np.bincount(y[m], minlength=100) / int(m.sum())
            for y, m in zip(out.label_BT, out.mask_BT, strict=True)
        ],
        axis=0,
    )
    assert float(out.baseline_loss) == pytest.approx(entropy(shares), rel=1e-4)


def test_hubert_labels_are_the_nearest_centroids(synthetic, wave):
    model = model_of("hubert", synthetic)
    rows = model.teacher(wave)
    distances = torch.cdist(rows, model.centroids.expand(len(rows), -1, -1))
    nearest = distances.gather(2, model.labels(wave)[..., None])
    torch.testing.assert_close(nearest[..., 0], distances.amin(2), rtol=1e-4, atol=1e-4)


def test_the_second_iteration_learns_from_the_middle_of_the_first(synthetic, wave):
    first = model_of("hubert", synthetic)
    second = new_model(tiny("hubert", **SECOND))
    second.learn_from(first.state_dict())
    with torch.no_grad():
        hidden = []
        layer = first.encoder.net.encoder.layers[0]  # of two
        layer.register_forward_hook(lambda *call: hidden.append(call[-1]))
        first.encoder(wave)
        torch.testing.assert_close(second.teacher(wave), hidden[0])
    assert not torch.equal(second.encoder.mask_token, first.encoder.mask_token)  # new weights
    second.calibrate([wave])
    before = {name: value.clone() for name, value in second.teacher.state_dict().items()}
    list(pretrain(second.train(), lambda step: wave.numpy(), TrainConfig(steps=2)))
    assert all(torch.equal(before[k], v) for k, v in second.teacher.state_dict().items())


def test_clusters_are_found_and_the_same_ones_again():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(8, 5)).astype(np.float32) * 20
    rows = (centres[:, None] + rng.normal(size=(8, 40, 5)) * 0.1).astype(np.float32).reshape(-1, 5)
    found = kmeans(rows, 8)
    distances = np.linalg.norm(found[:, None] - centres, axis=2)
    assert sorted(distances.argmin(1)) == list(range(8)) and distances.min(1).max() < 0.1
    np.testing.assert_array_equal(found, kmeans(rows, 8))
    with pytest.raises(UserError, match="7 frames are too few for 8 clusters"):
        kmeans(rows[:7], 8)


def test_mfcc_are_as_many_as_frames_and_know_no_level(wave):
    mfcc = MFCC()
    for samples in (4_000, 8_000, 7_999, 31_999, 32_000):
        assert mfcc(torch.randn(1, samples)).shape == (1, frame_count(samples), 39)
    rows = mfcc(wave)
    torch.testing.assert_close(rows[2:3], mfcc(wave[2:3]), rtol=1e-3, atol=1e-3)  # clip by clip
    torch.testing.assert_close(rows, mfcc(wave * 0.5), rtol=1e-3, atol=1e-2)
    # A sound that starts over every 10 ms sounds alike in all windows: no slopes, no bends.
    steady = mfcc(torch.randn(160).repeat(100)[None])[0]
    assert steady[:, 13:].abs().max() < 1e-2 < steady[:, 0].abs().max()


# Wav2Vec2


def test_wav2vec2_loss_is_the_library_s(wave):
    """Contrastive and diversity loss, of one clip after another, in evaluation."""
    from transformers import Wav2Vec2ForPreTraining

    torch.manual_seed(0)
    model = new_model(tiny("wav2vec2")).eval()
    config = model.config
    settings = model.encoder.net.config
    settings.update(
        {
            "codevector_dim": config.dim,
            "proj_codevector_dim": config.dim,
            "num_codevector_groups": config.groups,
            "num_codevectors_per_group": config.codes,
            "contrastive_logits_temperature": 0.1,
        }
    )
    library = Wav2Vec2ForPreTraining(settings).eval()
    library.wav2vec2.load_state_dict(model.encoder.net.state_dict())
    library.quantizer.weight_proj.load_state_dict(model.quantiser.choose.state_dict())
    library.quantizer.codevectors.data = model.quantiser.vectors.data.view(
        library.quantizer.codevectors.shape
    )
    library.project_q.load_state_dict(model.target.state_dict())
    library.project_hid.load_state_dict(model.guess.state_dict())
    noise = mask_noise(model, *wave.shape, 0, 0)
    T = frame_count(wave.shape[1])
    for clip in range(3):
        row, chance = wave[clip : clip + 1], noise[clip : clip + 1]
        with torch.no_grad():
            out = model(row, noise=chance)
            width = span_places(T, 10) + 1
            other = negatives(
                chance[:, 1 + width :][:, : T * config.negatives].view(1, T, -1), out.mask_BT
            )
            theirs = library(
                standardised(row), mask_time_indices=out.mask_BT, sampled_negative_indices=other
            )
        hidden = int(out.mask_BT.sum())
        assert float(out.task_loss) == pytest.approx(
            float(theirs.contrastive_loss) / hidden, rel=1e-4
        )
        assert float(out.diversity) == pytest.approx(
            float(theirs.diversity_loss) / hidden, rel=1e-4
        )
        used = model.health(out.tally)["perplexity"]
        assert used == pytest.approx(float(theirs.codevector_perplexity), rel=1e-4)
        penalty = float(model.encoder.features(row).square().mean())
        ours = float(out.task_loss) + 0.1 * float(out.diversity) + 10 * penalty
        assert float(out.loss) == pytest.approx(ours, rel=1e-5)


def test_scores_are_those_of_infonce_and_equal_codes_are_no_negatives():
    guess, target = torch.randn(2, 1, 3, 4)
    code = torch.tensor([[[0, 0], [0, 1], [0, 0]]])
    score = contrast(guess, target, code, torch.tensor([[[1, 2], [0, 2], [0, 1]]]))[0]
    for t, others in enumerate([(1, 2), (0, 2), (0, 1)]):
        assert float(score[t, 0]) == pytest.approx(
            float(F.cosine_similarity(guess[0, t], target[0, t], 0)) / 0.1, rel=1e-4
        )
        for k, other in enumerate(others, 1):
            same = {t, other} == {0, 2}
            cosine = float(F.cosine_similarity(guess[0, t], target[0, other], 0))
            assert float(score[t, k]) == (
                -math.inf if same else pytest.approx(cosine / 0.1, rel=1e-4)
            )


def test_negatives_are_other_hidden_frames_of_the_clip_all_alike():
    mask = torch.zeros(2, 30, dtype=torch.bool)
    mask[0, [3, 4, 5, 20]] = True
    mask[1, 10:25] = True
    chance = torch.rand(2, 30, 6_000, generator=torch.Generator().manual_seed(0))
    chance[0, 3, 0] = 1 - 2**-24  # the largest float below 1
    other = negatives(chance, mask)
    for row, frame in mask.nonzero().tolist():
        counts = torch.bincount(other[row, frame], minlength=30)
        allowed = mask[row].clone()
        allowed[frame] = False
        assert (counts[~allowed] == 0).all()
        shares = counts[allowed] / 6_000
        assert (shares - 1 / int(allowed.sum())).abs().max() < 0.03


def test_who_never_looks_is_right_where_the_target_is_common():
    code = torch.tensor([[[0, 0], [0, 1], [0, 0], [1, 0], [1, 0], [1, 0]]])
    other = torch.tensor([[[1, 1, 2], [2, 2, 2], [0, 1, 3], [4, 1, 0], [4, 4, 5], [0, 1, 3]]])
    mask = torch.tensor([[True, True, True, True, True, False]])  # 2 of 00, 1 of 01, 2 of 10
    found = wav2vec2.without_looking(code, other, mask, 2)
    assert found[mask].tolist() == [1.0, 0.0, 0.5, 0.5, 1.0]


def test_codes_are_drawn_as_their_softmax_says_and_gradients_go_through_it():
    config = Wav2Vec2Config(groups=1, codes=3, dim=2)
    quantiser = Quantiser(1, config)
    quantiser.choose.weight.data = torch.tensor([[0.0], [1.0], [-1.0]])
    x = torch.ones(1, 20_000, 1)
    uniform = torch.rand(1, 20_000, 1, 3, generator=torch.Generator().manual_seed(0))
    gumbel = -(-uniform.log()).log()
    out, code, share = quantiser(x, gumbel, torch.tensor(0.7))
    expected = torch.tensor([0.0, 1.0, -1.0]).softmax(0)
    drawn = torch.bincount(code.flatten(), minlength=3) / 20_000
    assert (drawn - expected).abs().max() < 0.01
    torch.testing.assert_close(share[0, 0, 0], expected)
    torch.testing.assert_close(out[0], quantiser.vectors[0][code[0, :, 0]])  # hard
    (slope,) = torch.autograd.grad(out.sum(), quantiser.choose.bias, retain_graph=True)
    soft = ((torch.tensor([0.0, 1.0, -1.0]) + gumbel) / 0.7).softmax(3)
    bias = quantiser.choose.bias
    soft = ((quantiser.choose(x).unflatten(2, (1, 3)) + gumbel) / 0.7).softmax(3)
    (expected_slope,) = torch.autograd.grad((soft @ quantiser.vectors[0]).sum(), bias)
    torch.testing.assert_close(slope, expected_slope, rtol=1e-3, atol=1e-2)
    assert quantiser(x[:, :5], None, torch.tensor(1.0))[1].unique().tolist() == [1]


def test_the_gumbel_temperature_falls_with_the_share_of_the_run():
    assert float(gumbel_temperature(torch.tensor(0.0))) == 2.0
    quarter = float(gumbel_temperature(torch.tensor(0.25)))
    assert quarter == pytest.approx(2 * 0.999995**100_000, rel=1e-4)
    assert float(gumbel_temperature(torch.tensor(0.7))) == 0.5


def test_the_share_of_the_run_reaches_the_model(synthetic, monkeypatch):
    seen = []

    def temperature(progress):
        seen.append(float(progress))
        return torch.tensor(1.0)

    monkeypatch.setattr(wav2vec2, "gumbel_temperature", temperature)
    model = model_of("wav2vec2", synthetic)
    list(pretrain(model, Crops(synthetic, 0.5, 4).batch, TrainConfig(steps=4)))
    assert seen == [0.0, 0.25, 0.5, 0.75]


def test_diversity_is_of_all_processes_and_its_gradient_too(monkeypatch):
    """Two shares of a batch: the mean of their gradients is the gradient of the whole."""
    shares = torch.rand(2, 2, 5).softmax(2).requires_grad_()
    whole = diversity_loss(shares.mean(0))
    assert float(diversity_loss(torch.full((2, 5), 0.2))) == pytest.approx(0, abs=1e-6)
    assert float(diversity_loss(torch.eye(5)[:2])) == pytest.approx(1 - 2 / 10)
    (expected,) = torch.autograd.grad(whole, shares)
    monkeypatch.setattr(wav2vec2, "mean_over", lambda share: shares.detach().mean(0))
    for rank in range(2):
        part = diversity_loss(shares[rank])
        torch.testing.assert_close(part, whole)
        (slope,) = torch.autograd.grad(part, shares)
        torch.testing.assert_close(slope[rank] / 2, expected[rank])


# What all have in common


@pytest.mark.parametrize("family, changes", [*((f, {}) for f in FAMILIES), ("hubert", SECOND)])
def test_gradients_reach_every_parameter_and_no_teacher(synthetic, wave, family, changes):
    model = model_of(family, synthetic, **changes)
    step_of(model, wave, progress=0.3).loss.backward()
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            assert name.startswith(("teacher.", "target.")) and parameter.grad is None, name
        else:
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("family", OTHERS)
def test_a_step_is_a_function_of_its_noise(synthetic, wave, family):
    model = model_of(family, synthetic)
    torch.manual_seed(1)
    first = step_of(model, wave).loss
    torch.manual_seed(2)
    assert torch.equal(first, step_of(model, wave).loss)
    noise = mask_noise(model, *wave.shape, 0, 0)
    assert not noise.numel() or not torch.equal(first, step_of(model, wave, step=1).loss)


@pytest.mark.parametrize("family", [f for f in OTHERS if not FAMILIES[f].whole_batch])
def test_parts_of_a_batch_have_its_gradient(synthetic, family):
    """Input norm and code usage are of a part: one is held still, the other taken out."""

    def losses(parts):
        model = model_of(family, synthetic)
        if family in ("ssast", "supervised"):
            norm = model.encoder.norm_in.eval()
            norm.train = lambda mode=True: norm
        config = TrainConfig(steps=2, accumulate=parts)
        records = pretrain(model, batch_of(family, synthetic, 8), config)
        return [(r.loss, r.grad_norm) for r in records]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wav2vec2, "DIVERSITY", 0.0)
        np.testing.assert_allclose(losses(4), losses(1), rtol=2e-3)


@pytest.mark.parametrize(
    "family, fall",
    [("ssast", 0.9), ("hubert", 0.9), ("wav2vec2", 0.95), ("simclr", 0.9), ("supervised", 0.9)],
)
def test_training_lowers_the_loss(synthetic, family, fall):
    model = model_of(family, synthetic)
    config = TrainConfig(steps=40, lr=3e-3)
    losses = [r.loss for r in pretrain(model, batch_of(family, synthetic, 8), config)]
    assert np.mean(losses[-8:]) < fall * np.mean(losses[:4])


def test_recomputed_blocks_give_the_same_gradients(synthetic):
    def losses(again):
        model = model_of("hubert", synthetic)
        if again:
            recompute(model.blocks)
        steps = pretrain(model, Crops(synthetic, 0.5, 8).batch, TrainConfig(steps=2))
        return [(r.loss, r.grad_norm) for r in steps]

    np.testing.assert_allclose(losses(True), losses(False), rtol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SSASTConfig(mask_ratio=1.0),
        lambda: HubertConfig(layer=0),
        lambda: Wav2Vec2Config(span=1),
        lambda: Wav2Vec2Config(dim=63),
        lambda: WaveformConfig(24, 1, 5),
        lambda: RunConfig(task="cpc"),
        lambda: RunConfig(task=HubertConfig(span=200)),
        lambda: RunConfig(clip_seconds=10.1),
        lambda: family_defaults("cpc"),
    ],
)
def test_impossible_settings_are_named(make):
    with pytest.raises(ValueError):
        make()


def test_operations_are_counted_for_all_families():
    """Of a masked autoencoder as its shapes say; a teacher is more work."""
    model = new_model(family_defaults("dasheng"))
    counted = counted_training_flops(model, 32_000)
    formula = training_flops(encoder_config("nano"), model.config, 32_000)
    assert counted == pytest.approx(formula, rel=0.04) and step_flops(model, 32_000) == formula
    first, second = (
        counted_training_flops(new_model(replace(family_defaults("hubert"), **changes)), 32_000)
        for changes in ({}, SECOND)
    )
    assert 1.1 * first < second < 1.4 * first
    assert first > 3 * counted  # twice the frames, nothing dropped, and convolutions


def test_the_optimizer_has_what_is_trained(synthetic):
    model = new_model(tiny("hubert", **SECOND))
    assert isinstance(model, Hubert)
    (group,) = loop.make_optimizer(model, TrainConfig()).param_groups
    frozen = set(map(id, model.teacher.parameters()))
    assert len(group["params"]) == sum(id(p) not in frozen for p in model.parameters())
