"""One table of families: a new one is a module and a row, and everything else follows from it."""

import argparse
import json
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from torch import nn

from dasheng_lib.checkpoint import load_autoencoder, load_objective, save_weights
from dasheng_lib.commands.pretrain import add_run_arguments, config_from_args
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.settings import setting
from dasheng_lib.corpora.crops import Crops
from dasheng_lib.encoders import load_encoder
from dasheng_lib.encoders.of_network import FEATURES
from dasheng_lib.mae import MAEConfig, MaskedAutoencoder, decoder_config
from dasheng_lib.model import Encoder, encoder_config
from dasheng_lib.objectives.family import FAMILIES, LOG_MEL, Family, Network
from dasheng_lib.sweep.grid import OF_THE_AUDIO, read_grid
from dasheng_lib.train import TrainConfig, pretrain
from dasheng_lib.train.batches import batches_of
from dasheng_lib.train.build import new_model
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.recipes import RECIPES, family_defaults
from dasheng_lib.train.run import Execution, pretrain_into


@dataclass(frozen=True)
class LevelConfig:
    temperature: float = setting(0.5, "what the levels are divided by")


@dataclass(frozen=True)
class LevelOutput:
    loss: torch.Tensor
    task_loss: torch.Tensor
    baseline_loss: torch.Tensor
    tally: dict


class Level(nn.Module):
    """Say how loud a clip is: a task of few lines, with a network of its own kind of sizes."""

    family = "level"

    def __init__(self, encoder, config):
        super().__init__()
        self.encoder, self.config, self.blocks = encoder, config, []
        self.head = nn.Linear(encoder.dim, 1)
        self.seen = []

    def calibrate(self, waves):
        pass

    def draw_noise(self, B, N, generator, progress=1.0):
        return torch.zeros(B, 1)

    def forward(self, wave_BN, noise):
        level_B = wave_BN.square().mean(1) / self.config.temperature
        loss = (self.head(self.encoder(wave_BN).mean(1))[:, 0] - level_B).square().mean()
        return LevelOutput(loss, loss, level_B.square().mean(), {})

    def after_step(self, progress):
        self.seen.append((progress, self.head.weight.detach().clone()))

    def health(self, tally):
        return {}


@dataclass(frozen=True)
class PlainConfig:
    dim: int = 4


class Plain(nn.Module):
    hop_ms = 10.0

    def __init__(self, config):
        super().__init__()
        self.config, self.dim = config, config.dim
        self.net = nn.Linear(160, config.dim)

    def forward(self, wave_BN):
        return self.net(wave_BN.unfold(1, 160, 160))


def plain_size(name):
    if name != "plain-f0":
        raise ValueError(f"There is no size {name!r}: choose plain-f0")
    return PlainConfig()


@pytest.fixture
def level(monkeypatch):
    """A family and a network that the library does not have, by one row in each table."""
    network = Network("waveform", Plain, PlainConfig, plain_size)
    row = Family(network, Level, LevelConfig, lambda *_: None, whole_batch=True)
    monkeypatch.setitem(FAMILIES, "level", row)
    monkeypatch.setitem(RECIPES, "level", RunConfig(task=LevelConfig(), preset="plain-f0"))
    monkeypatch.setitem(FEATURES, Plain, lambda network, name, **_: (name, network))
    return family_defaults("level")


def asked(*words):
    parser = argparse.ArgumentParser()
    add_run_arguments(parser)
    return config_from_args(parser.parse_args(words), seed=0)


def test_a_new_family_is_a_row(level, synthetic, tmp_path):
    config = replace(level, batch=4, clip_seconds=0.5, train=TrainConfig(steps=2))
    assert config.family == "level" and config.record()["temperature"] == 0.5
    data, held = batches_of(synthetic, config)
    run = pretrain_into(tmp_path, data, held, config, None, Execution(progress=False))
    assert run.config["family"] == "level" and type(run.model()) is Level
    name, network = load_encoder(f"level:{tmp_path}/final.safetensors")
    assert name.startswith("level:") and torch.equal(
        network.net.weight, run.model().encoder.net.weight
    )
    assert asked("--family", "level", "--temperature", "0.1").task == LevelConfig(0.1)
    with pytest.raises(UserError, match="level has no --span: its own options are --temperature"):
        asked("--family", "level", "--span", "3")
    with pytest.raises(UserError, match="choose plain-f0"):
        asked("--family", "level", "--preset", "nano")
    grid = tmp_path / "grid.yml"
    grid.write_text("base: {family: level, preset: plain-f0, temperature: 0.2}")
    assert read_grid(grid).trials[0].config.task == LevelConfig(0.2)


def test_what_compares_the_whole_batch_is_not_taken_in_parts(level):
    with pytest.raises(ValueError, match="level compares all clips of a batch: accumulate is 1"):
        replace(level, train=TrainConfig(accumulate=2))


@pytest.mark.parametrize("start", [0, 2])
def test_after_step_comes_once_a_step_behind_the_optimizer(level, synthetic, start):
    model = new_model(level)
    batch, config = Crops(synthetic, 0.5, 4).batch, TrainConfig(steps=4)
    before = model.head.weight.detach().clone()
    for record in pretrain(model, batch, config, start=start):
        progress, weight = model.seen[-1]
        assert len(model.seen) == record.step - start and progress == record.step / 4
        assert torch.equal(weight, model.head.weight) and not torch.equal(weight, before)
        before = weight
    assert model.seen[-1][0] == 1.0


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_says_which_options_it_has(family):
    usual = asked("--family", family)
    assert usual == family_defaults(family) and usual.family == family
    other = "--span" if family in ("dasheng", "ssast") else "--group"
    with pytest.raises(UserError, match=f"{family} has no {other}: its own options are --"):
        asked("--family", family, other, "3")


def test_a_recipe_has_one_family():
    assert asked("--recipe", "paper:base", "--family", "dasheng") == RECIPES["paper:base"]
    with pytest.raises(UserError, match="paper:base is of dasheng, not of ssast"):
        asked("--recipe", "paper:base", "--family", "ssast")


def test_no_two_settings_have_one_name():
    """Options, grids and files name them side by side."""
    run = {f.name for part in (RunConfig, TrainConfig) for f in fields(part)} | set(OF_THE_AUDIO)
    tasks = {f.name for family in FAMILIES.values() for f in fields(family.config)}
    assert not run & tasks and len(run) == len(fields(RunConfig)) + len(fields(TrainConfig)) + 2
    assert len({family.config for family in FAMILIES.values()}) == len(FAMILIES)


@pytest.mark.parametrize("size", ["nano", "small", "base", "1536x24x24", "48x2x3", "8x1x2"])
def test_a_decoder_is_that_of_the_size_unless_it_is_named(size):
    encoder = encoder_config(size)
    model = MaskedAutoencoder.preset(size) if encoder.dim <= 200 else None
    assert model is None or model.config == decoder_config(size)
    config = RunConfig(task=MAEConfig(mask_ratio=0.5), preset=size)
    assert "decoder_dim" not in config.record() and config.record()["mask_ratio"] == 0.5
    named = MaskedAutoencoder(Encoder(encoder_config("8x1x2")), MAEConfig(decoder_depth=3))
    assert asdict(named.config) == asdict(MAEConfig(8, 3, 4))


def test_files_from_before_there_were_families_are_read(tmp_path):
    """Their metadata say ``mae`` and no family."""
    model = new_model(RunConfig(preset="24x1x2"))
    path, old = tmp_path / "new.safetensors", tmp_path / "old.safetensors"
    save_weights(model, path)
    with safetensors.safe_open(path, "pt") as file:
        metadata = dict(file.metadata())
    assert json.loads(metadata["task"])["decoder_dim"] == 24
    settings = {"mae": metadata["task"], "encoder": metadata["encoder"]}
    safetensors.torch.save_file(safetensors.torch.load_file(path), old, metadata=settings)
    for read in (load_objective, load_autoencoder):
        assert read(old).config == model.config
    wave = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 8000)).astype(np.float32))
    assert load_encoder(f"dasheng:{old}").clips(wave).shape == (1, 24)
    assert FAMILIES["dasheng"].network is LOG_MEL
