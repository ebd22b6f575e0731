"""The published recipe, the options that change it, and whether a run is well."""

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from dasheng_lib.cli import main
from dasheng_lib.commands.pretrain import add_run_arguments, config_from_args
from dasheng_lib.common.distributed import World
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.crops import Crops
from dasheng_lib.corpora.split import hold_out
from dasheng_lib.mae import MAEConfig, MaskedAutoencoder, decoder_config
from dasheng_lib.model import PRESETS, Encoder, EncoderConfig, encoder_config
from dasheng_lib.objectives import recompute
from dasheng_lib.objectives.mae import with_decoder
from dasheng_lib.shards import ShardCrops
from dasheng_lib.train import TrainConfig, learning_rate, make_optimizer, pretrain
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.health import validate, warning
from dasheng_lib.train.recipes import RECIPES
from dasheng_lib.train.run import Execution, Run, new_model, pretrain_into

SMALL = RunConfig(batch=8, clip_seconds=0.5)


def test_the_schedule_of_the_published_code():
    """Measured on the reference: 0 at first, the peak at 44,999, 3.0599e-5 at the end."""
    train = RECIPES["code:base"].train
    assert learning_rate(0, train) == 0.0
    assert learning_rate(44_999, train) == pytest.approx(3e-4)
    assert max(learning_rate(s, train) for s in range(44_990, 45_010)) == pytest.approx(3e-4)
    assert learning_rate(1_499_999, train) == pytest.approx(3.0599e-5, abs=2e-9)


def test_where_paper_and_code_disagree_both_have_a_name():
    paper, code = RECIPES["paper:1.2B"], RECIPES["code:1.2B"]
    assert (paper.train.lr, paper.train.weight_decay, paper.batch) == (2e-4, 0.0, 256)
    assert (code.train.lr, code.train.weight_decay, code.batch) == (3e-4, 0.01, 2048)
    # 0.6B of the authors' training code is neither the checkpoint nor Table 3: 681 million.
    size = encoder_config(RECIPES["code:0.6B"].preset)
    decoder = with_decoder(RECIPES["code:0.6B"].task, size)
    assert (size.dim, size.depth, size.heads) == (1536, 24, 24)
    assert (decoder.decoder_dim, decoder.decoder_depth, decoder.decoder_heads) == (512, 8, 16)
    assert encoder_config(RECIPES["paper:0.6B"].preset).dim == 1280
    for name in ("paper:base", "code:base", "paper:0.6B", "code:0.6B"):
        train = RECIPES[name].train
        assert (train.lr, train.weight_decay, train.clip_norm) == (3e-4, 0.01, 0.0)
        assert (train.steps, RECIPES[name].epoch) == (100 * 15_000, 15_000)
        assert train.warmup * train.steps == 3 * 15_000
        assert train.optimizer == "adamw8bit" and train.betas == (0.9, 0.999)
        assert (RECIPES[name].task.mask_ratio, RECIPES[name].clip_seconds) == (0.75, 10.0)


def test_options_change_a_recipe_and_nothing_else():
    parser = argparse.ArgumentParser()
    add_run_arguments(parser)
    args = parser.parse_args(["--recipe", "paper:1.2B", "--steps", "10", "--batch", "32"])
    config = config_from_args(args, seed=4)
    recipe = RECIPES["paper:1.2B"]
    assert config == replace(recipe, batch=32, train=replace(recipe.train, steps=10, seed=4))
    with pytest.raises(UserError, match="paper:base"):
        config_from_args(parser.parse_args(["--recipe", "paper:2B"]), seed=0)
    with pytest.raises(UserError, match="mask ratio"):
        config_from_args(parser.parse_args(["--mask-ratio", "1.5"]), seed=0)


def test_parts_of_a_batch_give_the_gradient_of_the_whole(synthetic):
    """The norm sees each part alone, so it is kept out: its statistics are fixed."""
    data = Crops(synthetic, 0.5, 8)

    def losses(parts):
        model = new_model(SMALL)
        norm = model.encoder.norm_in.eval()
        norm.train = lambda mode=True: norm
        config = TrainConfig(steps=3, accumulate=parts)
        return [(r.loss, r.grad_norm) for r in pretrain(model, data.batch, config)]

    np.testing.assert_allclose(losses(4), losses(1), rtol=1e-4)
    with pytest.raises(UserError, match="8 rows do not divide into 3"):
        losses(3)


def test_recomputed_blocks_give_the_same_gradients(synthetic):
    def losses(again):
        model = new_model(SMALL)
        if again:
            recompute(model.blocks)
        return [
            (r.loss, r.grad_norm)
            for r in pretrain(model, Crops(synthetic, 0.5, 8).batch, TrainConfig(steps=2))
        ]

    np.testing.assert_allclose(losses(True), losses(False), rtol=1e-6)


def test_eight_bit_adamw_trains_or_says_what_to_install(synthetic, monkeypatch):
    config = TrainConfig(steps=20, lr=2e-3, optimizer="adamw8bit")
    with monkeypatch.context() as patch:
        patch.setitem(__import__("sys").modules, "bitsandbytes.optim", None)
        with pytest.raises(UserError, match="pip install bitsandbytes"):
            make_optimizer(new_model(SMALL), config)
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    records = list(pretrain(new_model(SMALL), Crops(synthetic, 0.5, 8).batch, config))
    assert np.mean([r.loss for r in records[-3:]]) < 0.95 * records[0].loss


@pytest.mark.parametrize("size", ["8x1x2", "12x2x3", "48x4x3", "100x2x4", "192x8x3", *PRESETS])
def test_a_decoder_is_no_wider_than_its_encoder(size):
    decoder = decoder_config(size)
    assert decoder.decoder_dim <= encoder_config(size).dim
    MaskedAutoencoder(Encoder(EncoderConfig(32, 1, 2)), decoder)  # its heads divide its width


def test_whole_groups_are_held_out(synthetic):
    rest, held = hold_out(synthetic, 0.2)
    assert len(rest) + len(held) == len(synthetic)
    assert not set(rest.clips["group"]) & set(held.clips["group"])
    assert 0.2 <= held.hours() / synthetic.hours() < 0.6
    assert rest.digest != held.digest != synthetic.digest
    again, _ = hold_out(synthetic, 0.2)
    assert again.digest == rest.digest
    np.testing.assert_array_equal(
        rest.wave(3),
        synthetic.wave(
            int(np.flatnonzero(synthetic.clips["offset"] == rest.clips["offset"][3])[0])
        ),
    )
    everything, nothing = hold_out(synthetic, 0.0)
    assert everything.digest == synthetic.digest and len(nothing) == 0


def test_validation_is_the_same_whenever_and_leaves_no_trace(synthetic):
    model = MaskedAutoencoder(Encoder(EncoderConfig(32, 1, 2)), MAEConfig(16, 1, 2))
    model.encoder.norm_in.running_mean += 3.0
    before = {k: v.clone() for k, v in model.state_dict().items()}
    crops = Crops(synthetic, 0.5, 16)
    exam = [crops.batch(0), crops.batch(1)]
    first, again = (
        validate(model, model, exam, World(), step=5, hours=1.0, speed=2.0) for _ in range(2)
    )
    assert first == again and model.training
    assert first.crops == 32 and 1 <= first.rankme <= 32
    assert abs(first.explained - (1 - first.loss / (255 / 256))) < 0.05
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


ROW = {"step": 100, "loss": 0.5, "explained": 0.5, "rankme": 20.0, "rankme_centred": 25.0}


@pytest.mark.parametrize(
    "change, said",
    [
        ({}, ""),
        ({"step": 4, "explained": 0.0}, ""),
        ({"loss": 0.01}, "no information"),
        ({"explained": 0.01}, "nothing is learned"),
        ({"rankme_centred": 1.4}, "collapse"),
        ({"explained": 0.3}, "fell from 0.50 to 0.30"),
    ],
)
def test_a_sick_run_is_told_from_a_healthy_one(change, said):
    found = warning(pd.DataFrame([{**ROW, "step": 50}, {**ROW, **change}]), steps=1000)
    assert said in found and bool(said) == bool(found)


def test_bad_audio_in_shards_is_named_and_training_goes_on(faulty_shards, tmp_path):
    config = RunConfig(batch=4, clip_seconds=0.5, short="pad", train=TrainConfig(steps=8))
    execution = Execution(checkpoint_every=4, progress=False)

    def train(folder):
        data = ShardCrops(faulty_shards, 0.5, 4, workers=2)
        return pretrain_into(folder, data, None, config, None, execution)

    run, again = train(tmp_path / "one"), train(tmp_path / "two")
    skipped = pd.read_csv(run.folder / "skipped.csv").fillna("")
    assert {"wrong rate", "too short", "damaged", "not numbers", "silent"} <= set(skipped["why"])
    assert set(skipped["where"]) == {"a.tar"}
    assert not skipped["what"].str.startswith("fine").any()
    assert np.isfinite(run.log["loss"]).all() and len(run.log) == 8
    ours, theirs = run.autoencoder().state_dict(), again.autoencoder().state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_positions_that_tell_hidden_tokens_apart_end_the_plateau(synthetic):
    """From zeros, all hidden tokens look alike and a small model waits long for its context."""
    losses = {}
    for positions in ("zeros", "sincos"):
        model = new_model(SMALL.changed({"positions": positions}))
        decoder = model.decoder
        same = torch.equal(decoder.time[0], decoder.time[40])
        assert same == (positions == "zeros") and decoder.time.requires_grad
        data = Crops(synthetic, 2.0, 8)
        losses[positions] = np.mean(
            [r.loss for r in pretrain(model, data.batch, TrainConfig(steps=60, lr=2e-3))][-10:]
        )
    assert losses["sincos"] < losses["zeros"]
    with pytest.raises(ValueError, match="'zeros' or 'sincos'"):
        MAEConfig(positions="ones")


def test_the_command_trains_on_shards_and_goes_on(shards, tmp_path, capsys):
    command = ["pretrain", "--shards", str(shards), "--held-shards", str(shards)]
    command += ["--decode-threads", "1"]
    command += ["--batch", "4", "--clip-seconds", "0.5", "--steps", "4", "--epoch", "2"]
    command += ["--preset", "24x2x2"]
    assert main([*command, "--out", str(tmp_path / "run")]) == 0
    assert "final.safetensors" in capsys.readouterr().out
    run = Run(tmp_path / "run")
    assert list(run.validation["step"]) == [0, 2, 4] and len(run.curve()) == 5
    assert main([*command, "--out", str(tmp_path / "run")]) == 0  # finished: nothing to do
    assert main([*command, "--lr", "0.1", "--out", str(tmp_path / "run")]) == 2
    assert "another train" in capsys.readouterr().err
    assert main(["pretrain", "--shards", "no/*.tar", "--out", str(tmp_path / "x")]) == 2
    assert "There are no shards at no/*.tar" in capsys.readouterr().err
