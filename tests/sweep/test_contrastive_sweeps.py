"""Sweeps over objectives: of views, of labels, on a network of convolutions, of one domain."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from few_clips import few_clips
from safetensors.torch import load_file

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.crops import Exam
from dasheng_lib.corpora.split import hold_out, of_domain
from dasheng_lib.corpora.trim import prepare
from dasheng_lib.encoders.of_network import features_of
from dasheng_lib.objectives.simclr import SimCLRConfig
from dasheng_lib.sweep import cost
from dasheng_lib.sweep.engine import work
from dasheng_lib.sweep.grid import read_grid
from dasheng_lib.sweep.judge import Judge, in_pieces
from dasheng_lib.sweep.protocol import Protocol
from dasheng_lib.sweep.trial import audio_of, trained_run
from dasheng_lib.train import pretrain
from dasheng_lib.train.batches import batches_of, crops_of
from dasheng_lib.train.build import new_model
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.recipes import family_defaults
from dasheng_lib.train.run import Execution

GRID = """
base: {family: simclr, preset: 12x2x2, corpus: synthetic, steps: 4, batch: 4, clip_seconds: 0.5}
arms:
  labels: {family: supervised, labels: [[syn_vowel, syn_event]]}
  convolutions: {family: byol, preset: sfnfnet-16}
judged_at: [1]
protocol: {corpora: [synthetic], tasks: [syn_vowel], seconds: 0.1, few: 2, layers: true,
  exam_crops: 32}
"""


def grid_of(tmp_path, text):
    path = tmp_path / "grid.yml"
    path.write_text(text)
    return read_grid(path)


def test_every_objective_s_runs_are_judged_killed_or_not(tmp_path, monkeypatch):
    """Each killed at a step, they go on to the weights of runs that nothing stopped."""
    from dasheng_lib.sweep import judge
    from dasheng_lib.train import run as runs

    grid = grid_of(tmp_path, GRID)
    lives = [trial.run for trial in grid.trials]

    def dying(model, *arguments):
        for record in pretrain(model, *arguments):
            yield record
            if record.step == 3 and lives:
                lives.pop()
                raise KeyboardInterrupt

    monkeypatch.setattr(runs, "pretrain", dying)
    monkeypatch.setattr(judge, "VIEWED", 8)
    while lives:
        with pytest.raises(KeyboardInterrupt):
            work(grid, tmp_path / "cut", progress=False, load=few_clips)
    work(grid, tmp_path / "cut", progress=False, load=few_clips)
    held = Judge(grid.protocol, few_clips).held
    for trial in grid.trials:
        crops = crops_of(audio_of(trial, held, few_clips), trial.config)
        trained_run(trial, tmp_path / "whole" / trial.run, crops, Execution(progress=False))
        names = tmp_path / "cut" / "runs" / trial.run, tmp_path / "whole" / trial.run
        cut, whole = (load_file(name / "final.safetensors") for name in names)
        assert all(torch.equal(cut[name], value) for name, value in whole.items())
    rows = pd.read_csv(tmp_path / "cut" / "sweep.csv")
    assert list(rows["step"]) == [0, 4] * 3 and (rows["hours_seen"][1::2] > 0).all()
    by_family = rows.groupby("family").last()
    assert by_family["own_loss"].min() > 0.02 and by_family["explained"].notna().all()
    assert by_family["accuracy"].notna().to_dict() == {
        "byol": False,
        "simclr": True,
        "supervised": True,
    }
    assert by_family["width"].to_dict() == {"byol": 108, "simclr": 12, "supervised": 12}
    assert (rows["flops"][1::2] > 0).all() and by_family["depth"].isna().to_dict()["byol"]
    # Of a SlowFast NFNet, whose stages differ in width, only the last layer is known.
    assert rows.groupby("family")["layer1:rankme"].count().to_dict() == {
        "byol": 0,
        "simclr": 2,
        "supervised": 2,
    }


def test_an_exam_of_labels_is_of_the_same_held_out_groups(synthetic):
    config = replace(family_defaults("supervised"), preset="12x1x2", clip_seconds=0.5)
    judge = Judge(Protocol(corpora=("synthetic",), hold_out=0.1), lambda _: synthetic)
    batches = judge._exam(config)
    plain = judge._exam(replace(family_defaults("simclr"), clip_seconds=0.5))
    assert len(batches) == len(plain) and all(isinstance(batch, tuple) for batch in batches)
    assert all(isinstance(batch, np.ndarray) for batch in plain)
    labels = np.concatenate([label for _, label in batches])
    assert labels.min() >= 0 and len(set(labels)) > 3


def test_an_exam_is_cut_once_for_all_checkpoints_that_are_asked_it(synthetic, monkeypatch):
    cuts = []

    def counted(*arguments):
        cuts.append(arguments[1])
        return Exam(*arguments)

    monkeypatch.setattr("dasheng_lib.sweep.judge.Exam", counted)
    judge = Judge(Protocol(corpora=("synthetic",), hold_out=0.1), lambda _: synthetic)
    mae = replace(family_defaults("dasheng"), preset="8x1x1", clip_seconds=0.5)
    model = new_model(mae)
    first, again = (judge._losses(model, mae) for _ in range(2))
    assert cuts == [0.5, 2.0], "its own exam and the common one"
    assert first["loss"] == again["loss"] and first["own_loss"] == again["own_loss"]
    judge._exam(mae.changed({"lr": 1e-4, "seed": 1, "mask_ratio": 0.25, "preset": "12x1x2"}))
    assert len(cuts) == 2, "none of these changes a crop"
    for other in (
        mae.changed({"clip_seconds": 0.3}),
        mae.changed({"short": "pad"}),
        replace(family_defaults("supervised"), clip_seconds=0.5),
        family_defaults("supervised").changed({"labels": ("syn_vowel",), "clip_seconds": 0.5}),
    ):
        before, exam = len(cuts), judge._exam(other)
        assert len(cuts) == before + 1 and judge._exam(other) is exam
    assert len(judge.exams) == 2, "old ones are let go"


@pytest.mark.parametrize("view", [0.3, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("seconds", [0.5, 0.96, 1.0])
def test_no_position_is_judged_that_no_view_has_trained(view, seconds):
    config = replace(
        family_defaults("simclr"),
        preset="12x1x2",
        clip_seconds=seconds,
        task=SimCLRConfig(view=view),
    )
    model = new_model(config)
    wave = torch.randn(2, round(seconds * 16_000), generator=torch.Generator().manual_seed(0))
    noise = model.draw_noise(2, wave.shape[1], torch.Generator().manual_seed(0))
    model(wave, noise).loss.backward()
    trained = model.encoder.time.grad.abs().sum(1) > 0
    judged = in_pieces(features_of(model, "judged"), config.seen_seconds)
    assert judged.encoder.config.positions == int(trained.sum()) == trained.nonzero().max() + 1


@pytest.mark.parametrize("family", ["dasheng", "hubert", "byol", "supervised"])
def test_others_see_whole_crops(family):
    assert replace(family_defaults(family), clip_seconds=0.96).seen_seconds == 0.96


def test_labels_of_another_corpus_are_refused(tmp_path):
    text = "base: {family: supervised, corpus: pocket-large}\nprotocol: {corpora: [pocket]}"
    with pytest.raises(UserError, match="supervised is examined by the labels of pocket: pocket-l"):
        grid_of(tmp_path, text)
    grid_of(tmp_path, text.replace("supervised", "simclr"))


def test_what_a_rate_or_a_seed_or_a_domain_changes_is_timed_once(tmp_path, monkeypatch):
    timed = []
    monkeypatch.setattr(cost, "_timed", lambda config: timed.append(config) or (2.0, 3.0))
    arms = "a: {lr: [0.1, 0.2], seed: [0, 1], only_domain: [speech, music]}"
    size = "b: {preset: sfnfnet-16}"
    text = f"base: {{family: byol, preset: 12x1x2, steps: 10}}\narms: {{{arms}, {size}}}"
    table = cost.estimate(grid_of(tmp_path, text).trials)
    assert len(timed) == 2 and len(table) == 10 and (table["train_seconds"] == 20).all()


# One domain


def test_a_run_hears_one_domain_and_is_examined_in_all(synthetic, tmp_path):
    config = RunConfig(preset="12x1x2", clip_seconds=0.5, batch=4, hold_out=0.1)
    one = replace(config, only_domain="speech")
    (all_data, exam), (data, same) = batches_of(synthetic, config), batches_of(synthetic, one)
    assert set(data.corpus.clips["domain"]) == {"speech"} and data.digest != all_data.digest
    heard = all_data.corpus.clips
    assert list(data.corpus.clips["sha256"]) == list(heard["sha256"][heard["domain"] == "speech"])
    assert exam.digest == same.digest and len(exam) == len(same)
    assert set(batches_of(synthetic, replace(one, hold_out=0.0))[0].corpus.clips["domain"]) == {
        "speech"
    }
    with pytest.raises(UserError, match="no domain 'noise': it has environment, music, speech"):
        batches_of(synthetic, replace(config, only_domain="noise"))
    assert of_domain(synthetic, "") is synthetic
    # Runs from before there was a choice have no such word in their folder, and go on.
    assert "only_domain" not in config.record() and one.record()["only_domain"] == "speech"


def test_a_point_hears_one_domain_or_a_share_of_it(synthetic, tmp_path):
    grid = grid_of(
        tmp_path,
        """
base: {preset: 12x1x2, corpus: synthetic, only_domain: music}
arms: {less: {data: 0.5}, all: {only_domain: ""}}
protocol: {corpora: [synthetic]}
""",
    )
    held = hold_out(prepare(synthetic), 0.1)[1]
    whole, half, every = (audio_of(trial, held, lambda _: synthetic) for trial in grid.trials)
    assert set(whole.clips["domain"]) == set(half.clips["domain"]) == {"music"}
    assert 0.3 < half.hours() / whole.hours() < 0.7
    assert len(set(every.clips["domain"])) == 3 and not set(held.clips["group"]) & set(
        every.clips["group"]
    )
