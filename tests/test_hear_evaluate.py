"""Encoders on made-up HEAR tasks, from wav files to scores."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hear_folder import folds as fold_names
from hear_folder import make_task
from plain_probe import plain_probe

from dasheng_lib import hear_evaluate
from dasheng_lib.cli import main
from dasheng_lib.corpora.hear import folds, read_hear_task
from dasheng_lib.encoders import LogMelStatistics, load_encoder
from dasheng_lib.errors import UserError
from dasheng_lib.events import Event
from dasheng_lib.hear_evaluate import PROBES, evaluate_hear, summary
from dasheng_lib.hear_probe import GRID, SCHEDULE, Split
from dasheng_lib.results import read_results


@pytest.fixture(autouse=True)
def short(monkeypatch, tmp_path):
    """A schedule of seconds, and a cache of its own."""
    schedule = replace(SCHEDULE, max_epochs=30, patience=4, hidden=64)
    monkeypatch.setattr(hear_evaluate, "SCHEDULE", schedule)
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))


def evaluated(task, probe="mlp", **options):
    return evaluate_hear(load_encoder("logmel"), task, probe, progress=False, **options)


class Scaled(LogMelStatistics):
    """Log-mel of about unit size: rounding then stays rounding for some dozens of steps."""

    fingerprint = "logmel-scaled"

    def frames(self, wave_BN, lengths=None):
        return super().frames(wave_BN, lengths) / 20 + 2


@pytest.mark.parametrize("prediction", ["multiclass", "multilabel"])
@pytest.mark.parametrize("probe", PROBES)
def test_tones_are_told_apart_and_noise_is_not(tmp_path, probe, prediction):
    clear = make_task(tmp_path / "clear", prediction=prediction, clips=12)
    table = evaluated(read_hear_task(clear), probe)
    task = read_hear_task(clear)
    assert list(table["metric"]) == list(task.metrics) and set(table["clips"]) == {12}
    assert table["score"].iloc[0] > 0.9
    drowned = make_task(tmp_path / "drowned", prediction=prediction, clips=12, noise=30.0)
    assert evaluated(read_hear_task(drowned), probe)["score"].iloc[0] < 0.8


@pytest.mark.parametrize(
    "made",
    [
        {"splits": fold_names(3), "clips": 7, "noise": 1.0},
        {"splits": fold_names(4), "clips": 6, "noise": 1.0, "without": ("fold01", 2)},
        {"splits": fold_names(3), "clips": 6, "noise": 1.0, "empty": "fold02"},
        {"prediction": "multilabel", "clips": 9, "noise": 1.0},
        {"embedding": "event", "clips": 2},
    ],
    ids=["folds", "a class missing in a fold", "an empty clip", "multilabel", "events"],
)
@pytest.mark.filterwarnings("ignore:.*empty")
def test_scores_are_those_of_one_plain_model_at_a_time(tmp_path, made):
    task = read_hear_task(make_task(tmp_path, **made))
    encoder = Scaled()
    table = evaluate_hear(encoder, task, progress=False)
    rows = {name: hear_evaluate._rows(encoder, task, name, False) for name in task.clips}
    parts = {name: hear_evaluate._part(task, value) for name, value in rows.items()}
    splits = [
        Split(tuple(parts[n] for n in f.train), parts[f.valid[0]], parts[f.test[0]])
        for f in folds(task)
    ]
    _, _, won, predictions = plain_probe(splits, task.prediction, hear_evaluate.SCHEDULE, GRID)
    for fold, scores_NC, (_, _, choice, _) in zip(folds(task), predictions, won, strict=True):
        for metric in task.metrics:
            expected = hear_evaluate._score(task, rows[fold.test[0]], scores_NC, metric, choice)
            got = table.query("fold == @fold.name and metric == @metric")["score"].item()
            np.testing.assert_allclose(got, expected, atol=1e-6, equal_nan=True)


def test_the_reported_number_is_the_mean_over_folds(tmp_path):
    task = read_hear_task(make_task(tmp_path, splits=fold_names(3), clips=6, noise=1.0))
    table = evaluated(task, "knn")
    assert list(table["fold"].unique()) == ["fold00", "fold01", "fold02"]
    own = table[table["metric"] == "top1_acc"]["score"]
    reported = summary(table)
    assert len(reported) == 1
    assert reported["score"].item() == pytest.approx(own.mean())
    assert reported["spread"].item() == pytest.approx(own.std())


def test_simple_probes_train_on_the_validation_split_too(tmp_path):
    """A label that occurs in the validation and test splits only can be found by neighbours."""
    task = read_hear_task(make_task(tmp_path, clips=9, without=("train", 2)))
    assert evaluated(task, "knn", k=1)["score"].iloc[0] == 1.0
    assert evaluated(task, "linear")["score"].iloc[0] == 1.0


class Ticks:
    """An encoder of one frame every 100 ms, the first at 50 ms; a frame says its number."""

    name, fingerprint = "ticks", "ticks-1"
    sample_rate, dim, hop_ms, min_samples = 16_000, 1, 100.0, 1600

    def frames(self, wave_BN, lengths=None):
        T = wave_BN.shape[1] // 1600
        return torch.arange(float(T))[None, :, None].expand(len(wave_BN), T, 1)


def test_a_frame_is_labelled_by_what_sounds_at_its_middle(tmp_path):
    task = read_hear_task(make_task(tmp_path, embedding="event", clips=1, seconds=1.0))
    label = task.labels[1]
    clip = replace(task.clips["train"][0], events=(Event(label, 150.0, 450.0),))
    task = replace(task, clips={**task.clips, "train": (clip,)})
    targets_NC = hear_evaluate._rows(Ticks(), task, "train", False).targets_NC
    # 150 is the middle of frame 1 and 450 that of frame 4; heareval's end is inclusive
    assert np.flatnonzero(targets_NC[:, 1]).tolist() == [1, 2, 3, 4]
    assert not targets_NC[:, [0, 2]].any()


def test_where_nothing_is_predicted_the_f_measure_is_nan(tmp_path):
    task = read_hear_task(make_task(tmp_path, embedding="event", clips=2))
    rows = hear_evaluate._rows(load_encoder("logmel"), task, "valid", False)
    part = hear_evaluate._part(task, rows)
    nothing = np.zeros_like(rows.targets_NC)
    assert np.isnan(part.score(nothing)[0])
    best, choice = part.score(rows.targets_NC)
    assert best > 0.9 and choice in task.event_grid


def test_what_cannot_be_asked_is_said(tmp_path):
    events = read_hear_task(make_task(tmp_path, embedding="event", clips=1))
    with pytest.raises(UserError, match="its probe is mlp"):
        evaluated(events, "knn")
    with pytest.raises(UserError, match="choose mlp, linear"):
        evaluated(events, "svm")


def test_the_command(tmp_path, capsys):
    folder = make_task(tmp_path, splits=fold_names(3), clips=6)
    command = ["evaluate", "hear", "--task", str(folder), "--encoder", "logmel"]
    command += ["--probes", "knn", "mlp", "--seeds", "0", "1", "--record", str(tmp_path / "kept")]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "log-mel statistics" in printed and "top1_acc" in printed
    kept = read_results("kept", tmp_path)
    assert set(kept["probe"]) == {"knn", "mlp"} and set(kept["seed"]) == {0, 1}
    origin = json.loads((tmp_path / "kept.json").read_text())
    assert origin["corpora"].keys() == {folder.name}
    assert main(["evaluate", "hear", "--task", "esc50", "--from", str(tmp_path / "no")]) == 2
    assert "esc50" in capsys.readouterr().err
