"""The loop, its data and its runs: repeatable, resumable, and never half-written."""

import argparse
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from smoke_book import ROOT

from dasheng_lib.audio import played
from dasheng_lib.book.driver.chapters import read_chapter
from dasheng_lib.commands.pretrain import add_run_arguments, config_from_args
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.crops import Crops, mixed
from dasheng_lib.train import TrainConfig, learning_rate, pretrain
from dasheng_lib.train import run as runs
from dasheng_lib.train.batches import batches_of
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.recipes import RECIPES, family_defaults
from dasheng_lib.train.run import Execution, Run, new_model, pretrain_into, pretrained

TINY = RunConfig(batch=4, clip_seconds=0.5, train=TrainConfig(steps=6))


def weights(run):
    return {k: v for k, v in run.autoencoder().state_dict().items()}


def train(folder, corpus, config=TINY, every=200):
    data, held = batches_of(corpus, config)
    return pretrain_into(folder, data, held, config, None, Execution(checkpoint_every=every))


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_one_epoch_shows_every_crop_once(synthetic):
    crops = Crops(synthetic, 0.5, 1)
    order = crops._shuffled(0)
    assert sorted(order) == list(range(len(crops)))
    assert not np.array_equal(order, crops._shuffled(1))


def test_a_batch_is_a_function_of_seed_and_step(synthetic):
    first = Crops(synthetic, 0.5, 8, seed=3)
    first.batch(0)
    again = Crops(synthetic, 0.5, 8, seed=3)
    np.testing.assert_array_equal(first.batch(7), again.batch(7))
    assert not np.array_equal(first.batch(7), first.batch(8))
    assert not np.array_equal(first.batch(7), Crops(synthetic, 0.5, 8, seed=4).batch(7))


def test_a_batch_says_which_clips_its_crops_begin_with(synthetic):
    crops = Crops(synthetic, 0.5, 8, seed=3)
    batch = crops.batch(5)
    for crop, clip in zip(batch, crops.clips(5), strict=True):
        wave = synthetic.wave(clip)
        known = min(len(wave), len(crop), 400)
        windows = np.lib.stride_tricks.sliding_window_view(wave, known)
        assert (windows == crop[:known]).all(1).any()


@pytest.mark.parametrize("even", ["seconds", "clips", "domains"])
def test_what_counts_alike(synthetic, even):
    clips = synthetic.clips.iloc[[0, 1, 2]].assign(
        domain=["speech", "speech", "music"], samples=[44_000, 4_000, 4_000], offset=0
    )
    crops = Crops(replace(synthetic, clips=clips), 0.5, 1, even=even)
    drawn = [crops.clips(step)[0] for step in range(len(crops))]
    # 44,000 samples hold five crops of 8,000
    expected = {"seconds": [5, 1, 1], "clips": [1, 1, 1], "domains": [1, 1, 2]}[even]
    assert np.bincount(drawn).tolist() == expected
    long = [step for step in range(8 * len(crops)) if crops.clips(step)[0] == 0]
    assert len({crops.batch(step).tobytes() for step in long}) > len(long) / 2  # random starts


def test_short_clips_are_filled_up_or_padded(synthetic):
    padded = Crops(synthetic, 4.0, 32, short="pad").batch(0)
    filled = Crops(synthetic, 4.0, 32).batch(0)
    assert (padded[:, -8000:] == 0).all(1).mean() > 0.9  # no clip is 3.5 s long
    assert (filled[:, -8000:] == 0).all(1).mean() < 0.1


def test_a_clip_played_faster_is_shorter_and_higher():
    tone = np.sin(2 * np.pi * 500 / 16_000 * np.arange(16_000)).astype(np.float32)
    fast, slow = played(tone, 1.25, 10**6), played(tone, 0.8, 10**6)
    assert len(fast) == 12_800 and len(slow) == 19_999
    assert [np.abs(np.fft.rfft(w[:12_800])).argmax() * 1.25 for w in (fast, slow)] == [625, 400]
    assert np.array_equal(played(tone, 1.0, 100), tone[:100])
    assert fast.dtype == np.float32 and len(played(tone[:1], 3.0, 5)) == 1


def test_speed_changes_what_is_heard_and_nothing_else_changes_it(synthetic):
    plain, varied = Crops(synthetic, 2.0, 16, seed=3), Crops(synthetic, 2.0, 16, seed=3, speed=1.5)
    assert np.array_equal(varied.batch(2), Crops(synthetic, 2.0, 16, seed=3, speed=1.5).batch(2))
    assert np.array_equal(plain.clips(2), varied.clips(2))
    assert not np.array_equal(plain.batch(2), varied.batch(2))
    assert (varied.batch(2) != 0).mean() > 0.9  # filled all the same
    for wrong in (0.5, 9.0):
        with pytest.raises(ValueError, match="speed"):
            Crops(synthetic, 2.0, 16, speed=wrong)


def test_crops_are_mixed_at_one_level_and_alike_in_every_process(synthetic):
    plain, varied = Crops(synthetic, 1.0, 8, seed=3), Crops(synthetic, 1.0, 8, seed=3, mix=0.5)
    whole = varied.batch(2)
    parts = [varied.batch(2, slice(i, i + 4)) for i in (0, 4)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert not np.array_equal(whole, plain.batch(2))
    # What is left of a crop is in what it became, at half its amplitude or more.
    for before, after in zip(plain.batch(2), whole, strict=True):
        assert before @ after > 0.4 * before @ before
    with pytest.raises(ValueError, match="mix"):
        Crops(synthetic, 1.0, 8, mix=1.5)


def test_mixing_keeps_the_level_and_leaves_silence_out():
    rng = np.random.default_rng(0)
    loud, faint = rng.standard_normal((2, 16_000)).astype(np.float32) * [[1.0], [1e-3]]
    both = mixed(faint.astype(np.float32), loud.astype(np.float32), 0.5)
    assert np.std(both) == pytest.approx(np.std(faint) * 0.5**0.5, rel=0.02)
    silence = np.zeros(16_000, np.float32)
    assert np.array_equal(mixed(silence, loud, 0.5), silence)
    assert np.array_equal(mixed(loud, silence, 0.5), loud)


def test_learning_rate_rises_then_falls_to_its_tenth():
    config = TrainConfig(steps=1000, lr=0.5, warmup=0.1)
    rates = [learning_rate(step, config) for step in range(1000)]
    assert rates[0] == pytest.approx(0.005) and max(rates) == pytest.approx(0.5)
    assert int(np.argmax(rates)) in (99, 100)
    assert rates[-1] == pytest.approx(0.05, abs=1e-4)
    assert all(np.diff(rates[:99]) > 0) and all(np.diff(rates[101:]) < 0)


def test_training_lowers_the_loss(synthetic):
    config = RunConfig(batch=16, clip_seconds=1.0, train=TrainConfig(steps=30, lr=2e-3))
    model = new_model(config)
    losses = [r.loss for r in pretrain(model, Crops(synthetic, 1.0, 16).batch, config.train)]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:3])


def test_same_seed_same_weights_other_seed_other_weights(synthetic, tmp_path):
    first = train(tmp_path / "a", synthetic, TINY)
    again = train(tmp_path / "b", synthetic, TINY)
    other = RunConfig(batch=4, clip_seconds=0.5, train=TrainConfig(steps=6, seed=1))
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(train(tmp_path / "c", synthetic, other)))


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_stopped_run_resumes_to_the_same_bits(synthetic, tmp_path, monkeypatch, stop):
    whole = train(tmp_path / "whole", synthetic, TINY, 2)

    def dying(*arguments):
        for record in pretrain(*arguments):
            yield record
            if record.step == stop:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs, "pretrain", dying)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "cut", synthetic, TINY, 2)
    assert not (tmp_path / "cut" / "final.safetensors").exists()
    resumed = train(tmp_path / "cut", synthetic, TINY, 2)
    assert same(weights(whole), weights(resumed))
    columns = ["step", "loss", "lr", "grad_norm"]
    assert whole.log[columns].equals(resumed.log[columns])
    assert list(resumed.log["step"]) == list(range(1, 7))
    assert resumed.steps == whole.steps


def test_a_run_that_dies_before_its_last_file_still_ends(synthetic, tmp_path, monkeypatch):
    def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs.RunFolder, "finish", dies)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, synthetic, TINY)
    run = train(tmp_path, synthetic, TINY)
    assert list(run.log["step"]) == list(range(1, 7))
    assert same(weights(run), run.autoencoder(6).state_dict())


def test_a_folder_of_another_run_is_refused(synthetic, tmp_path):
    train(tmp_path, synthetic, TINY)
    other = RunConfig(batch=5, clip_seconds=0.5, train=TrainConfig(steps=6))
    with pytest.raises(UserError, match="another batch"):
        train(tmp_path, synthetic, other)


def test_folders_from_before_tasks_had_settings_of_their_own(synthetic, tmp_path):
    """Dasheng's still fit to the letter; of other families the sentence says what to do."""
    old = {"family": "dasheng", "preset": "nano", "positions": "zeros", "mask_ratio": 0.5}
    old |= {"group": 2, "batch": 4, "clip_seconds": 0.5, "short": "fill", "even": "seconds"}
    old |= {"speed": 1.0, "mix": 0.0, "streams": 8, "hold_out": 0.0, "epoch": 0, "keep": []}
    old |= {"train": asdict(TINY.train), "corpus": synthetic.name}
    old["corpus_digest"] = synthetic.digest
    path = tmp_path / "config.json"
    path.write_text(json.dumps(old))
    assert len(train(tmp_path, synthetic, TINY).log) == 6
    config = replace(family_defaults("ssast"), batch=4, clip_seconds=0.5)
    path.write_text(json.dumps({**old, "family": "ssast"}))
    said = r"earlier version, in which ssast had other settings \(positions\): choose an empty"
    with pytest.raises(UserError, match=said):
        train(tmp_path, synthetic, config)
    path.write_text(json.dumps(old))
    with pytest.raises(UserError, match="another family and "):
        train(tmp_path, synthetic, config)


def test_a_run_is_made_once_and_read_back(synthetic, monkeypatch):
    run = pretrained(synthetic, TINY, progress=False)
    assert run.steps == [0, 1, 3, 6]
    assert json.loads((run.folder / "recipe.json").read_text())["corpus"] == synthetic.digest
    assert not same(run.encoder(0).encoder.state_dict(), run.encoder().encoder.state_dict())

    def never(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(runs, "pretrain_into", never)
    assert pretrained(synthetic, TINY, progress=False) == Run(run.folder)


def test_the_input_norm_knows_decibels_before_the_first_step(synthetic):
    run = pretrained(synthetic, TINY, progress=False)
    norm = run.encoder(0).encoder.norm_in
    mel = run.encoder(0).encoder.log_mel(torch.from_numpy(Crops(synthetic, 0.5, 64).batch(3)))
    assert (norm(mel).mean((0, 2)).abs() < 0.5).all()


def test_a_diverging_run_stops(synthetic):
    def broken(step):
        return np.full((2, 8000), np.nan, np.float32)

    with pytest.raises(FloatingPointError, match="step 1"):
        list(pretrain(new_model(TINY), broken, TINY.train))


@pytest.mark.parametrize(
    "make", [lambda: TrainConfig(steps=0), lambda: TrainConfig(precision="half")]
)
def test_impossible_settings_are_named(make):
    with pytest.raises(ValueError):
        make()
    with pytest.raises(UserError, match="nano"):
        RunConfig(preset="giant")


@pytest.mark.parametrize("chapter", ["03_pretraining", "05_knn", "07_rank"])
def test_library_command_and_chapters_ask_for_one_and_the_same_run(chapter):
    parser = argparse.ArgumentParser()
    add_run_arguments(parser)
    usual = config_from_args(parser.parse_args([]), seed=0)
    assert usual == RECIPES["quick"]
    declared = read_chapter(ROOT / "book" / f"{chapter}.ipynb").parameters
    for name in ("preset", "batch", "clip_seconds"):
        assert declared[name].default == getattr(usual, name), name
    for name in ("mask_ratio", "group"):
        assert declared[name].default == getattr(usual.task, name), name
    for name in ("steps", "lr", "seed"):
        assert declared[name].default == getattr(usual.train, name), name
