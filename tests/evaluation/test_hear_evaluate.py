"""Encoders on made-up HEAR tasks, from wav files to scores."""

import json
import random
import shutil
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from hear_fakes import fake
from hear_folder import edit, make_task
from hear_folder import folds as fold_names
from plain_probe import plain_probe
from same_start import same_start
from short_probes import shorten

from dasheng_lib.cli import main
from dasheng_lib.commands import scores
from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import LogMelStatistics, load_encoder
from dasheng_lib.evaluation import by_mlps
from dasheng_lib.evaluation.averages import summary
from dasheng_lib.evaluation.by_mlps import schedule_of
from dasheng_lib.evaluation.evaluate import embed_task, evaluate
from dasheng_lib.evaluation.probes import PROBES
from dasheng_lib.evaluation.probes.mlp.probe import GRID, SCHEDULE, Split
from dasheng_lib.evaluation.rows import rows_of
from dasheng_lib.evaluation.scoring import score_of
from dasheng_lib.metrics.events import Event
from dasheng_lib.results import read_results
from dasheng_lib.tasks.hear.read import read_hear_task

# Trained for so many steps and no more, which are few here; `test_recordings.py` has them.
FIXED = [n for n in PROBES if n.startswith(("arch", "hares")) and n != "hares-svm"]


@pytest.fixture(autouse=True)
def short(monkeypatch, tmp_path):
    """A schedule of seconds, and a cache of its own."""
    shorten(monkeypatch, max_epochs=30, patience=4, hidden=64)
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))


def evaluated(task, probe="mlp", **options):
    return evaluate(load_encoder("logmel"), task, probe, progress=False, **options)


class Scaled(LogMelStatistics):
    """Log-mel of about unit size: rounding then stays rounding for some dozens of steps."""

    fingerprint = "logmel-scaled"

    def frames(self, wave_BN, lengths=None):
        return super().frames(wave_BN, lengths) / 20 + 2


@pytest.mark.parametrize("prediction", ["multiclass", "multilabel"])
@pytest.mark.parametrize("probe", [n for n, p in PROBES.items() if p.reads and n not in FIXED])
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
def test_scores_are_those_of_one_plain_network_at_a_time(monkeypatch, tmp_path, made):
    # Few epochs: without dropout losses soon vanish, and Adam then follows rounding alone.
    schedule = replace(by_mlps.SCHEDULE, dropout=0.0, max_epochs=12)
    monkeypatch.setattr(by_mlps, "SCHEDULE", schedule)
    task = read_hear_task(make_task(tmp_path, **made))
    encoder = Scaled()
    table = evaluate(encoder, task, "mlp", progress=False)
    embedded = embed_task(encoder, task, False)
    rows = {name: rows_of(task, embedded, name) for name in task.clips}
    parts = {name: by_mlps._part(task, value) for name, value in rows.items()}
    splits = [
        Split(tuple(parts[n] for n in f.train), parts[f.valid[0]], parts[f.test[0]])
        for f in task.folds
    ]
    begin = same_start(splits, schedule)
    _, _, won, predictions = plain_probe(splits, task.prediction, schedule, GRID, begin)
    for fold, scores_NC, run in zip(task.folds, predictions, won, strict=True):
        for metric in task.metrics:
            expected = score_of(task, rows[fold.test[0]], scores_NC, metric, run.choice)
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
    embedded = embed_task(Ticks(), task, False)
    targets_NC = rows_of(task, embedded, "train").targets_NC
    # 150 is the middle of frame 1 and 450 that of frame 4; heareval's end is inclusive
    assert np.flatnonzero(targets_NC[:, 1]).tolist() == [1, 2, 3, 4]
    assert not targets_NC[:, [0, 2]].any()


def test_where_nothing_is_predicted_the_f_measure_is_nan(tmp_path):
    task = read_hear_task(make_task(tmp_path, embedding="event", clips=2))
    rows = rows_of(task, embed_task(load_encoder("logmel"), task, False), "valid")
    part = by_mlps._part(task, rows)
    nothing = np.zeros_like(rows.targets_NC)
    assert np.isnan(part.score(nothing)[0])
    best, choice = part.score(rows.targets_NC)
    assert best > 0.9 and choice in task.event_grid


def test_what_cannot_be_asked_is_said(tmp_path):
    events = read_hear_task(make_task(tmp_path, embedding="event", clips=1))
    with pytest.raises(UserError, match="its probe is mlp"):
        evaluated(events, "knn")
    with pytest.raises(UserError, match="choose linear, knn"):
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


def test_faults_of_the_command_show_before_any_work(tmp_path, capfd):
    folder, twin = (make_task(tmp_path / place, clips=6) for place in ("a", "b"))
    assert folder.name == twin.name
    both = ["evaluate", "hear", "--task", str(folder), "--task", str(twin)]
    assert main(both) == 2
    assert f"2 of the tasks are in folders named {folder.name}" in capfd.readouterr().err
    (tmp_path / "file").write_text("")
    for command in (both, ["pretrain", "--out", "x"], ["sweep", "x.yml"], ["bench", "knn"]):
        assert main([*command, "--record", str(tmp_path / "file" / "kept")]) == 2
        assert "is no place for files" in capfd.readouterr().err


class Asked(Exception):
    """What reached the MLPs."""


def asked(monkeypatch, encoder, task):
    """Splits and schedule that heareval's probe is given; nothing is trained."""

    def stop(splits, prediction, schedule, **options):
        raise Asked(splits, schedule)

    monkeypatch.setattr(by_mlps, "probe", stop)
    with pytest.raises(Asked) as caught:
        evaluate(encoder, task, "mlp", progress=False)
    return caught.value.args


def test_clips_are_shuffled_once_split_after_split(tmp_path):
    folder = make_task(tmp_path, clips=12, splits=fold_names(3))
    generator, expected = random.Random(0), {}
    for split in fold_names(3):
        expected[split] = sorted(json.loads((folder / f"{split}.json").read_text()))
        generator.shuffle(expected[split])
        edit(folder / f"{split}.json", reverse)
    clips = read_hear_task(folder).clips
    assert {split: [clip.name for clip in part] for split, part in clips.items()} == expected
    assert expected["fold00"] != sorted(expected["fold00"])
    assert [file[7:] for file in expected["fold00"]] != [file[7:] for file in expected["fold01"]]


def reverse(content):
    for key in list(content)[::-1]:
        content[key] = content.pop(key)


@pytest.mark.parametrize(
    "made", [{"splits": fold_names(4), "clips": 5}, {"embedding": "event", "clips": 2}]
)
def test_what_trains_is_what_the_files_say(tmp_path, monkeypatch, made):
    """Rows, targets and folds, from the files alone."""
    folder, encoder = make_task(tmp_path, **made), load_encoder("logmel")
    splits, _ = asked(monkeypatch, encoder, read_hear_task(folder))
    names = made.get("splits", ("train", "valid", "test"))
    generator, parts = random.Random(0), {}
    for name in names:
        entries = json.loads((folder / f"{name}.json").read_text())
        files = sorted(entries)
        generator.shuffle(files)
        rows = [from_file(folder / "16000" / name / f, entries[f], encoder) for f in files]
        parts[name] = [np.concatenate(column) for column in zip(*rows, strict=True)]
    if len(names) == 3:
        turns = [(["train"], "valid", "test")]
    else:
        turns = [
            (["fold02", "fold03"], "fold01", "fold00"),
            (["fold00", "fold03"], "fold02", "fold01"),
            (["fold00", "fold01"], "fold03", "fold02"),
            (["fold01", "fold02"], "fold00", "fold03"),
        ]
    for split, (train, valid, test) in zip(splits, turns, strict=True):
        given = [*split.train, split.valid, split.test]
        for part, name in zip(given, [*train, valid, test], strict=True):
            np.testing.assert_allclose(part.features_ND, parts[name][0], atol=1e-3)
            np.testing.assert_array_equal(part.targets_NC, parts[name][1])


def from_file(path, labels, encoder):
    wave_BN = torch.from_numpy(soundfile.read(path, dtype="float32")[0])[None]
    if not labels or isinstance(labels[0], str):
        target = [[float(f"tone {i}" in labels) for i in range(3)]]
        return encoder.clips(wave_BN).numpy(), np.array(target)
    x_TD = encoder.frames(wave_BN)[0].numpy()
    y_TC = np.zeros((len(x_TD), 3))
    for k in range(len(x_TD)):
        time = encoder.first_ms + k * encoder.hop_ms
        for event in labels:
            if event["start"] <= time <= event["end"]:
                y_TC[k, int(event["label"][-1])] = 1
    return x_TD, y_TC


def test_modes_of_a_task_stay_apart(tmp_path):
    made = [make_task(tmp_path, name="nsynth_pitch", mode=mode, clips=3) for mode in ("5h", "50h")]
    tables = [evaluated(read_hear_task(folder), "knn", k=1) for folder in made]
    reported = summary(pd.concat(tables))
    assert list(reported["task"]) == ["nsynth_pitch-v1-5h", "nsynth_pitch-v1-50h"]


@pytest.mark.parametrize(
    ("name", "said", "expected"),
    [
        ("made_up", {}, (500, 3, False)),
        ("dcase2016_task2", {}, (500, 10, False)),
        ("dcase2016_task2", {"check_val_every_n_epoch": [5]}, (500, 5, False)),
        ("maestro", {"max_epochs": [50], "check_val_every_n_epoch": [1]}, (50, 1, True)),
    ],
)
def test_the_schedule_is_what_the_metadata_say(tmp_path, monkeypatch, name, said, expected):
    monkeypatch.setattr(by_mlps, "SCHEDULE", SCHEDULE)
    params = {"task_specific_param_grid": said} if said else {}
    task = read_hear_task(
        make_task(
            tmp_path,
            name=name,
            clips=3,
            use_scoring_for_early_stopping=not expected[2],
            evaluation_params=params,
        )
    )
    _, schedule = asked(monkeypatch, load_encoder("logmel"), task)
    assert (schedule.max_epochs, schedule.every, schedule.by_loss) == expected
    with pytest.raises(UserError, match="validates every"):
        schedule_of(replace(task, max_epochs=2, validate_every=3))


@pytest.mark.parametrize(
    ("scores", "wins"),
    [
        ([0.5, 0.5, 0.4], (250, 250)),
        ([float("nan"), 0.2, 0.1], (250, 250)),
        ([float("nan"), 0.0, float("nan")], (500, 10)),
        ([float("nan"), float("nan"), 0.1], (500, 10)),
        ([0.3, float("nan"), 0.2], (250, 125)),
    ],
)
def test_of_equal_settings_the_largest_win(tmp_path, monkeypatch, scores, wins):
    grid = ((250.0, 125.0), (250.0, 250.0), (500.0, 10.0))
    task = replace(read_hear_task(make_task(tmp_path, embedding="event", clips=1)), event_grid=grid)
    rows = rows_of(task, embed_task(load_encoder("logmel"), task, False), "valid")
    given = dict(zip(grid, scores, strict=True))
    monkeypatch.setattr(by_mlps, "score_of", lambda t, r, s, m, choice: given[choice])
    assert by_mlps._part(task, rows).score(rows.targets_NC)[1] == wins


def test_weights_of_votes_and_seeds_of_mlps_count(tmp_path):
    task = read_hear_task(make_task(tmp_path, clips=20, noise=3.0))
    plain, soft = (evaluated(task, probe)["score"] for probe in ("knn", "knn-softmax"))
    assert not np.allclose(plain, soft)
    valid = [evaluated(task, seed=seed)["valid"].iloc[0] for seed in range(3)]
    assert len(set(valid)) > 1


def never(*args, **options):
    raise AssertionError("training began")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--probes", "mlp", "knn", "-k", "0"], "argument -k: it is a whole number, at least 1"),
        (["--seeds", "0", "-1"], "argument --seeds: it is a whole number, at least 0"),
        (["--device", "bogus"], "there is no 'bogus' here"),
        (["--encoder", "hear:fake_hear"], r"hear:fake_hear: .*embeddings [2, 6]"),
        (["--task", "EVENTS", "--probes", "mlp", "knn"], "its probe is mlp, not knn"),
    ],
)
def test_faults_show_before_any_training(tmp_path, monkeypatch, capsys, options, said):
    monkeypatch.setattr(by_mlps, "probe", never)
    wide = fake(get_scene_embeddings=lambda a, m: torch.cat([m(a).mean(1)] * 2, 1))
    wide.__file__ = __file__
    monkeypatch.setitem(sys.modules, "fake_hear", wide)
    first = make_task(tmp_path / "first", clips=3)
    events = make_task(tmp_path / "events", embedding="event", clips=1, name="events")
    options = [str(events) if option == "EVENTS" else option for option in options]
    command = ["evaluate", "hear", "--task", str(first), "--encoder", "logmel", *options]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert all(part in error for part in said.split(".*"))


def test_a_later_embedding_that_fails_is_said_first_and_what_came_before_is_scored(
    tmp_path, monkeypatch, capsys
):
    def score(*asked):
        assert "not finite for" in (said := capsys.readouterr()).err and not said.out
        return evaluate(*asked)

    monkeypatch.setattr(scores, "evaluate", score)
    module = fake(get_scene_embeddings=lambda a, m: m(a).mean(1) / (0 if a.shape[1] == 7000 else 1))
    module.__file__ = __file__
    monkeypatch.setitem(sys.modules, "fake_hear", module)
    tasks = [make_task(tmp_path, clips=3), make_task(tmp_path, name="b", seconds=0.4375, clips=3)]
    command = ["evaluate", "hear", "--encoder", "hear:fake_hear", "--probes", "knn", "-k", "1"]
    assert main([*command, *(part for task in tasks for part in ("--task", str(task)))]) == 2
    said = capsys.readouterr()
    assert "not finite for" in said.err and said.out.startswith("until here, of what was asked for")
    (row,) = said.out.splitlines()[2:]
    assert row.split()[:4] == ["made_up-v1-full", "hear:fake_hear", "knn", "top1_acc"]
    first, second = ("--task", str(tasks[0])), ("--task", str(tasks[1]))
    assert main([*command, *second, *first]) == 2  # the first fails: there is nothing to show
    said = capsys.readouterr()
    assert not said.out and said.err.count("not finite for") == 1


def test_duplicates_are_refused_unless_they_are_to_be_kept(tmp_path, capsys):
    folder = make_task(tmp_path)
    shutil.copy(folder / "16000/train/train-003.wav", folder / "16000/test/test-001.wav")
    command = ["evaluate", "hear", "--task", str(folder), "--probes", "knn", "-k", "1"]
    assert main(command) == 2
    assert "--keep-duplicates" in capsys.readouterr().err
    assert main([*command, "--keep-duplicates"]) == 0
    assert "They are kept" in capsys.readouterr().err


def test_what_draws_nothing_runs_once_and_a_folder_above_will_do(tmp_path):
    make_task(tmp_path / "root", clips=3)
    command = ["evaluate", "hear", "--task", str(tmp_path / "root"), "--seeds", "3", "4", "-k", "1"]
    command += ["--probes", "knn", "arch", "--record", str(tmp_path / "kept")]
    assert main(command) == 0
    kept = read_results("kept", tmp_path).query("metric == 'top1_acc'")
    pairs = list(zip(kept["probe"], kept["seed"], strict=True))
    assert pairs == [("knn", 3), ("arch", 3), ("arch", 4)]


def test_a_path_that_holds_no_task_is_said(tmp_path, capsys):
    assert main(["evaluate", "hear", "--task", str(tmp_path)]) == 2
    assert "holds no task_metadata.json" in capsys.readouterr().err


def test_one_class_in_training_leaves_nothing_to_choose(tmp_path):
    task = read_hear_task(make_task(tmp_path, clips=6, labels=1))
    assert evaluated(task, "linear")["score"].iloc[0] == 1.0
