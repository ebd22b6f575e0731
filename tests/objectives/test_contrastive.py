"""SimCLR and BYOL: losses by hand, targets in closed form, collapse, and processes."""

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import logsumexp
from smoke_book import ROOT
from torch import nn
from torch.nn import functional as F
from two_halves import CASES, step

from dasheng_lib.common.distributed import World
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.crops import Crops
from dasheng_lib.encoders import load_encoder
from dasheng_lib.objectives.byol import BYOLConfig, across
from dasheng_lib.objectives.family import FAMILIES
from dasheng_lib.objectives.parts import mlp
from dasheng_lib.objectives.simclr import SimCLRConfig, nt_xent, reachable
from dasheng_lib.train import TrainConfig, make_optimizer, mask_noise, pretrain
from dasheng_lib.train.build import new_model
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.health import validate, verdict, warning
from dasheng_lib.train.recipes import RECIPES, family_defaults

BOTH = ("simclr", "byol")


def tiny(family, **changes):
    small = {"preset": "24x2x2", "batch": 8, "clip_seconds": 0.5, **changes}
    return replace(family_defaults(family), **small)


@pytest.fixture
def wave(synthetic):
    return torch.from_numpy(Crops(synthetic, 0.5, 8).batch(1))


def noise_of(model, wave, step=0):
    return mask_noise(model, *wave.shape, 0, step)


# SimCLR


def plain_nt_xent(z_N2d, temperature):
    """Equation 1 of the paper, view by view."""
    z_N2d = z_N2d.double().numpy()
    views = [z / np.linalg.norm(z) for pair in z_N2d for z in pair]
    losses = []
    for i, one in enumerate(views):
        other = i + 1 if i % 2 == 0 else i - 1
        scores = [one @ view / temperature for j, view in enumerate(views) if j != i]
        losses.append(logsumexp(scores) - one @ views[other] / temperature)
    return np.mean(losses)


@pytest.mark.parametrize("N, temperature", [(5, 0.1), (2, 1.0), (7, 10.0)])
def test_nt_xent_is_the_paper_s_equation(N, temperature):
    z = torch.randn(N, 2, 6, generator=torch.Generator().manual_seed(N)) * 3
    loss, right = nt_xent(z, temperature)
    assert float(loss) == pytest.approx(plain_nt_xent(z, temperature), rel=1e-5)
    flat = F.normalize(z.flatten(0, 1), dim=1)
    nearest = torch.cdist(flat, flat).fill_diagonal_(math.inf).argmin(1)
    assert torch.equal(right.flatten(), nearest == torch.arange(2 * N) ^ 1)


def test_nt_xent_in_closed_form():
    """All alike: chance. All clips at right angles: one right answer among 2 N - 2 at cosine 0."""
    N, temperature = 6, 0.2
    alike = torch.ones(N, 2, 8)
    assert float(nt_xent(alike, temperature)[0]) == pytest.approx(math.log(2 * N - 1))
    apart = torch.eye(N)[:, None].expand(N, 2, N)
    expected = math.log(1 + (2 * N - 2) * math.exp(-1 / temperature))
    loss, right = nt_xent(apart, temperature)
    assert float(loss) == pytest.approx(expected, rel=1e-5) and right.all()


def test_views_are_two_crops_mixed_with_another_clip(wave):
    model = new_model(tiny("simclr"))
    noise = noise_of(model, wave)
    view = model.views(wave, noise)
    mel = model.encoder.log_mel(wave)
    assert view.shape == (8, 2, 64, round(0.75 * mel.shape[2]))
    t = view.shape[3]
    for clip, number in ((0, 0), (5, 1)):
        other, start, *six = noise[clip, number].tolist()
        share = sorted(six)[4]
        first = int(start * (mel.shape[2] - t + 1))
        theirs = int(noise[int(other), number, 1] * (mel.shape[2] - t + 1))
        own, beside = mel[clip, :, first : first + t], mel[int(other), :, theirs : theirs + t]
        expected = share * own + (1 - share) * beside
        torch.testing.assert_close(view[clip, number], expected, rtol=1e-4, atol=1e-3)
    assert not torch.equal(view[:, 0], view[:, 1])


@pytest.mark.parametrize("family", BOTH)
def test_views_are_functions_of_audio_and_noise(family, wave):
    model = new_model(tiny(family))
    torch.manual_seed(1)
    first = model.views(wave, noise_of(model, wave))
    torch.manual_seed(2)
    assert torch.equal(first, model.views(wave, noise_of(model, wave)))
    assert not torch.equal(first, model.views(wave, noise_of(model, wave, step=1)))
    assert first.isfinite().all() and not first.requires_grad


def test_skipped_blocks_follow_the_noise(wave):
    """Stochastic depth would otherwise draw its own numbers, and no run could be resumed."""
    for family in (*BOTH, "supervised"):
        model = new_model(tiny(family, preset="sfnfnet-16")).train()
        noise = noise_of(model, wave)
        assert noise.shape[-1] >= model.encoder.drops > 0
        state = torch.get_rng_state()
        model(wave, noise=noise)
        assert torch.equal(state, torch.get_rng_state())


# BYOL


def test_the_loss_compares_each_guess_with_the_other_view():
    x, y = F.normalize(torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0)), dim=2)
    guess, target = torch.stack([x, y], 1), torch.stack([y, x], 1)
    assert float(across(guess, target)) == pytest.approx(0, abs=1e-6)
    assert float(across(guess, -target)) == pytest.approx(4, abs=1e-6)
    own = 2 - 2 * float((x * y).sum(1).mean())
    assert float(across(guess, guess)) == pytest.approx(own, rel=1e-5)
    assert float(across(guess.flip(1), target.flip(1))) == pytest.approx(0, abs=1e-6)
    # One way alone is half of it.
    half = torch.stack([x, -y], 1)
    assert float(across(half, target)) == pytest.approx(2, abs=1e-6)


def test_the_target_follows_in_closed_form():
    """Of weights that stay, the distance shrinks by the decay at every step."""
    model = new_model(tiny("byol", task=BYOLConfig(decay=0.9)))
    online = [*model.encoder.parameters(), *model.projector.parameters()]
    target = list(model.target.parameters())
    assert all(torch.equal(a, b) for a, b in zip(online, target, strict=True))
    before = [p.clone() for p in target]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in online:
            parameter += torch.randn(parameter.shape, generator=generator)
    for number in range(5):
        model.after_step((number + 1) / 5)
    for slow, start, fast in zip(target, before, online, strict=True):
        torch.testing.assert_close(slow, fast + 0.9**5 * (start - fast), rtol=1e-4, atol=1e-5)


def test_nothing_but_the_average_moves_the_target(synthetic):
    model = new_model(tiny("byol", task=BYOLConfig(decay=1.0)))
    model.calibrate([torch.from_numpy(Crops(synthetic, 0.5, 16).batch(0))])
    start = {name: p.clone() for name, p in model.named_parameters()}
    config = TrainConfig(steps=2, lr=1e-2)
    groups = make_optimizer(model, config).param_groups
    kept = {id(p) for group in groups for p in group["params"]}
    assert not any(id(p) in kept for p in model.target.parameters())
    list(pretrain(model, Crops(synthetic, 0.5, 8).batch, config))
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, start[name]) == name.startswith("target."), name
    for name, value in model.encoder.norm_in.named_buffers():
        assert torch.equal(value, model.target["encoder"].norm_in.get_buffer(name))


def test_an_answer_that_does_not_look_explains_nothing(wave):
    """The mean of all targets is the best such answer, of the clips that were added up."""
    model = new_model(tiny("byol")).eval()
    out = model(wave, noise_of(model, wave))
    mean = out.target_N2d.flatten(0, 1).mean(0)
    constant = F.normalize(mean, dim=0).expand_as(out.guess_N2d)
    error = across(constant, out.target_N2d)
    torch.testing.assert_close(out.baseline_loss, error, rtol=1e-4, atol=1e-6)
    health = model.health({**out.tally, "error": error * len(wave)})
    assert health["explained"] == pytest.approx(0, abs=1e-3)
    assert health["spread"] == pytest.approx(1 - float(mean.norm()), rel=1e-3)
    other = F.normalize(torch.randn_like(mean), dim=0).expand_as(out.guess_N2d)
    assert across(other, out.target_N2d) > error


# Processes


@pytest.fixture(scope="module")
def spread(tmp_path_factory):
    path = tmp_path_factory.mktemp("halves") / "found.pt"
    done = subprocess.run(
        [sys.executable, "tests/support/two_halves.py", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize("family, size", CASES)
def test_two_processes_give_loss_and_gradients_of_one(spread, synthetic, family, size):
    alone, halves = step(family, size, World(), synthetic), spread[f"{family} {size}"]
    assert alone.keys() == halves.keys()
    assert float(halves["loss"]) == pytest.approx(float(alone["loss"]), rel=1e-5)
    assert float(halves["norm"]) == pytest.approx(float(alone["norm"]), rel=1e-4)
    for name, value in alone.items():  # some gradients are 0 but for rounding
        near = 1e-4 * float(value.double().abs().max()) + 1e-7 * float(alone["norm"])
        torch.testing.assert_close(halves[name], value, rtol=1e-3, atol=near, msg=name)


# Networks and settings


@pytest.mark.parametrize("family", [*BOTH, "supervised"])
def test_a_size_s_name_chooses_the_network(family, tmp_path, wave):
    row = FAMILIES[family]
    assert [n.reads for n in row.networks] == ["log-mel", "log-mel"]
    for size, dim in (("24x2x2", 24), ("sfnfnet-16", 108)):
        config = tiny(family, preset=size)
        model = new_model(config)
        assert model.encoder.dim == dim and type(model.encoder.config) is type(row.size(size))
        assert model(wave, noise=noise_of(model, wave)).loss.isfinite()
    with pytest.raises(UserError, match=r"no size 'huge': choose nano.*; .*choose sfnfnet"):
        tiny(family, preset="huge")
    with pytest.raises(UserError, match="no size 'sfnfnet-16'"):
        RunConfig(preset="sfnfnet-16")


def test_a_trained_sfnfnet_is_read_back_by_family_and_by_network(synthetic, tmp_path):
    from dasheng_lib.train.batches import batches_of
    from dasheng_lib.train.run import Execution, pretrain_into

    config = tiny("simclr", preset="sfnfnet-16", batch=2, train=TrainConfig(steps=1))
    run = pretrain_into(
        tmp_path, *batches_of(synthetic, config), config, None, Execution(progress=False)
    )
    wave = torch.from_numpy(Crops(synthetic, 0.5, 2).batch(3))
    expected = run.encoder().clips(wave)
    for kind in ("simclr", "sfnfnet"):
        encoder = load_encoder(f"{kind}:{tmp_path}/final.safetensors")
        assert torch.equal(encoder.clips(wave), expected)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SimCLRConfig(view=0.0),
        lambda: SimCLRConfig(temperature=0.0),
        lambda: SimCLRConfig(hidden=0),
        lambda: new_model(tiny("simclr", task=SimCLRConfig(projector_norm="layer"))),
        lambda: BYOLConfig(decay=1.1),
        lambda: BYOLConfig(projected=0),
        lambda: BYOLConfig(least_height=0.0),
        lambda: tiny("simclr", task=SimCLRConfig(view=0.05), clip_seconds=0.2),
        lambda: tiny("byol", clip_seconds=10.1),
        lambda: tiny("byol", train=TrainConfig(accumulate=2)),
    ],
)
def test_impossible_settings_are_refused(make):
    with pytest.raises(ValueError):
        make()


def test_published_projectors_can_be_asked_for():
    published = SimCLRConfig(layers=3, hidden=4096)
    model = new_model(replace(RECIPES["simclr"], preset="24x1x2", task=published))
    shapes = [list(p.shape) for p in model.projector.parameters() if p.ndim > 1]
    assert shapes == [[4096, 24], [4096, 4096], [4096, 4096], [64, 4096]]
    assert sum(isinstance(part, nn.BatchNorm1d) for part in model.projector) == 3
    plain = new_model(replace(RECIPES["simclr"], preset="24x1x2", task=SimCLRConfig(layers=0)))
    assert [type(part) for part in plain.projector] == [nn.Linear]
    bare = replace(RECIPES["simclr"], preset="24x1x2", task=SimCLRConfig(projector_norm="none"))
    assert [type(part) for part in new_model(bare).projector] == [nn.Linear, nn.ReLU, nn.Linear]


@pytest.mark.parametrize("norm, norms", [("none", 0), ("hidden", 1), ("every", 2)])
def test_a_projector_is_normalised_where_it_is_asked_to_be(norm, norms):
    head = mlp([5, 7, 3], norm, bias=False)
    assert sum(isinstance(part, nn.BatchNorm1d) for part in head) == norms
    out = head(3 + torch.randn(64, 5, generator=torch.Generator().manual_seed(0)))
    even = out.mean(0).abs().max() < 1e-5 and (out.var(0, correction=0) - 1).abs().max() < 0.05
    assert bool(even) == (norm == "every")


# Health


def trained(synthetic, config, change=None, steps=60):
    """Validations of a run of 60 steps on crops of 1 s: before, half-way and after."""
    model = new_model(replace(config, preset="48x2x3"))
    crops = Crops(synthetic, 1.0, 16)
    model.calibrate([torch.from_numpy(crops.batch(1000 + step)) for step in range(2)])
    if change:
        change(model)
    exam = [Crops(synthetic, 1.0, 16, seed=5).batch(step) for step in range(6)]

    def validated(step):
        return validate(model, model, exam, World(), step=step, hours=0.0, speed=0.0).row()

    rows = [validated(0)]
    for record in pretrain(model, crops.batch, TrainConfig(steps=steps)):
        if record.step in (steps // 2, steps):
            rows.append(validated(record.step))
    return pd.DataFrame(rows)


def test_simclr_learns_and_at_temperature_10_is_asked_for_nothing(synthetic):
    usual, hot = (
        trained(synthetic, tiny("simclr", task=SimCLRConfig(temperature=t))) for t in (0.1, 10.0)
    )
    assert verdict(usual) == "healthy"
    assert usual["explained"].iloc[-1] > usual["explained"].iloc[0] + 0.05
    assert usual["accuracy"].iloc[-1] > usual["accuracy"].iloc[0]
    assert verdict(hot) == "collapsed"
    assert "lower the temperature" in warning(hot, steps=60)
    assert hot["explained"].max() < hot["reach"].iloc[0] < 0.031
    assert hot["accuracy"].iloc[-1] < usual["accuracy"].iloc[-1]


@pytest.mark.parametrize("N, temperature", [(2, 0.5), (16, 0.1), (64, 10.0)])
def test_no_answers_reach_more_than_the_corners_of_a_simplex(N, temperature):
    corners = torch.eye(N) - 1 / N
    reached = nt_xent(corners[:, None].expand(N, 2, N), temperature)[0]
    chance = math.log(2 * N - 1)
    assert reachable(N, temperature) == pytest.approx(1 - float(reached) / chance, rel=1e-4)
    moved = corners[:, None] + 0.1 * torch.randn(
        N, 2, N, generator=torch.Generator().manual_seed(0)
    )
    assert nt_xent(moved, temperature)[0] > reached


def test_byol_whose_target_is_itself_collapses(synthetic):
    """As published, without the moving average and the predictor. With the predictor it does not,
    in 60 steps: that is SimSiam. Nor does it where the projector's outputs are normalised: batch
    statistics compare clips."""

    def itself(model):
        model.predictor = nn.Identity()

    usual = trained(synthetic, tiny("byol", task=BYOLConfig()))
    assert verdict(usual) == "healthy" and usual["spread"].iloc[-1] > 0.2
    assert usual["explained"].iloc[-1] > 0.05
    fallen = trained(synthetic, tiny("byol", task=BYOLConfig(decay=0.0)), itself)
    assert verdict(fallen) == "collapsed" and fallen["spread"].iloc[-1] < 0.02
    assert "no information" in warning(fallen, steps=60)
    bare = fallen.assign(loss=0.1)  # a loss above the first rule's: the targets say it as well
    assert "one direction" in warning(bare, steps=60)
