"""A reader's own clips: a table of paths and labels, from files to a row for each encoder."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from dasheng_lib.cli import main
from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import load_encoder
from dasheng_lib.evaluation.evaluate import evaluate, probe_folds
from dasheng_lib.evaluation.scoring import pooled
from dasheng_lib.tasks.table import read_table_task


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))


def made(folder, clips=8, labels=("high", "low"), **columns):
    """A table of tones in noise, a pitch for each label, in three formats."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    rows = []
    for number in range(clips):
        for c, label in enumerate(labels):
            ending = ("wav", "flac", "ogg")[number % 3]
            time = np.arange(6000 + 500 * number) / 16_000
            wave = 0.2 * np.sin(2 * np.pi * 300 * (c + 1) * time) + 0.02 * rng.normal(
                size=len(time)
            )
            soundfile.write(folder / f"{label}{number}.{ending}", wave, 16_000)
            rows.append({"path": f"{label}{number}.{ending}", "label": label})
    table = pd.DataFrame(rows).assign(**columns)
    table.to_csv(folder / "tones.csv", index=False)
    return folder / "tones.csv"


def folds_of(task):
    return {clip.name: name for name, part in task.clips.items() for clip in part}


def test_folds_are_drawn_from_the_seed_and_stratified(tmp_path):
    path = made(tmp_path, clips=10)
    task = read_table_task(path, seed=1)
    assert len(task.folds) == 5 and task.labels == ("high", "low")
    for part in task.clips.values():
        assert sorted(clip.labels[0] for clip in part) == ["high", "high", "low", "low"]
    assert folds_of(task) == folds_of(read_table_task(path, seed=1))
    assert folds_of(task) != folds_of(read_table_task(path, seed=2))
    pd.read_csv(path).iloc[::-1].to_csv(path, index=False)
    assert folds_of(task) == folds_of(read_table_task(path, seed=1)), "the order of lines counts"


def test_no_fold_splits_a_group_or_equal_recordings(tmp_path):
    talkers = [f"t{number // 2 % 4}" for number in range(24)]
    path = made(tmp_path / "grouped", clips=12, group=talkers)
    found = folds_of(read_table_task(path))
    table = pd.read_csv(path)
    assert (table["path"].map(found).groupby(table["group"]).nunique() == 1).all()
    assert len(set(found.values())) == 4
    path = made(tmp_path / "twice", clips=12)
    table = pd.read_csv(path)
    (path.parent / "again.wav").write_bytes((path.parent / "high0.wav").read_bytes())
    pd.concat([table, pd.DataFrame([{"path": "again.wav", "label": "high"}])]).to_csv(path)
    found = folds_of(read_table_task(path))
    assert found["again.wav"] == found["high0.wav"]


def test_folds_that_are_given_are_kept(tmp_path):
    path = made(tmp_path, fold=["x", "y"] * 8)
    task = read_table_task(path)
    assert {clip.name[:3] for clip in task.clips["x"]} == {"hig"}
    assert [fold.name for fold in task.folds] == ["x", "y"]
    with pytest.raises(UserError, match="no test clip's class"):
        evaluate(load_encoder("logmel"), task, "knn", progress=False)
    with pytest.raises(UserError, match="by which mlp selects"):
        evaluate(load_encoder("logmel"), task, "mlp", progress=False)


def test_the_pooled_score_is_the_mean_of_folds_of_one_size(tmp_path):
    task = read_table_task(made(tmp_path, clips=10))
    encoder = load_encoder("random:nano")
    rows = evaluate(encoder, task, "linear", progress=False)
    score = pooled(task, probe_folds(encoder, task, "linear", progress=False))
    assert rows[rows["metric"] == "top1_acc"]["score"].mean() == pytest.approx(score.accuracy)
    first = rows.iloc[0]
    assert (first["fold"], first["metric"], first["score"]) == ("all", "accuracy", score.accuracy)
    assert (first["low"], first["high"]) == score.interval and first["clips"] == 20
    assert sorted(score.clips) == sorted(folds_of(task))
    assert [folds_of(task)[name] for name in score.clips] == list(score.groups)


def test_a_row_for_each_encoder_and_probe(tmp_path, capsys):
    path = made(tmp_path, clips=6, labels=("a", "b", "c"))
    kept = tmp_path / "kept"
    command = ["evaluate", "csv", str(path), "--encoder", "logmel", "--encoder", "random:nano"]
    command += ["--seeds", "0", "1", "--probes", "linear", "knn", "-k", "3", "--confusion"]
    assert main([*command, "--record", str(kept)]) == 0
    table = pd.read_csv(tmp_path / "kept.csv")
    assert len(table) == 8 and set(table["encoder"]) == {"logmel", "random:nano"}
    assert (table["clips"] == 18).all() and (table["classes"] == 3).all()
    assert (table["low"] <= table["accuracy"]).all() and (table["accuracy"] <= table["high"]).all()
    assert table.set_index("encoder").loc["logmel", "accuracy"].min() > 0.9
    said = capsys.readouterr().out
    assert "the commonest class, a, is 33.3 % of the clips" in said and "taken for" in said


def test_a_class_of_one_clip_is_counted_and_left_out(tmp_path, capsys):
    path = made(tmp_path, clips=6)
    table = pd.read_csv(path)
    table.loc[0, "label"] = "alone"
    table.to_csv(path, index=False)
    assert main(["evaluate", "csv", str(path), "--encoder", "logmel", "--probes", "knn"]) == 0
    assert "1 of 12 clips are not tested" in capsys.readouterr().out


def change(**columns):
    def spoil(path):
        pd.read_csv(path).assign(**columns).to_csv(path, index=False)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "cannot be read .No such file"),
        (lambda path: path.write_text(""), "not a CSV table"),
        (lambda path: path.write_text("file,label\na,b\n"), "no column path"),
        (lambda path: (path.parent / "low1.flac").unlink(), r"1 file is missing \(low1.flac\)"),
        (
            lambda path: (path.parent / "low1.flac").write_text("x"),
            "1 file cannot be read as audio",
        ),
        (change(label="a"), "1 labels: to tell apart takes two"),
        (change(label=["", *"ab" * 7, "a"]), r"1 line has no label \(line 2\)"),
        (change(path="low0.wav"), r"1 path is named twice \(low0.wav\)"),
        (change(fold="x"), "one fold"),
        (change(fold=["", *"xy" * 7, "x"]), r"1 line has no fold \(line 2\)"),
        (lambda path: path.write_text("path,label\n"), "has no row"),
        (change(group="x"), "one group"),
        (change(fold=["x", "y"] * 8, group="x"), r"1 group is in two folds \(x\)"),
    ],
)
def test_a_table_that_cannot_be_used_is_said(tmp_path, capsys, spoil, said):
    path = made(tmp_path)
    spoil(path)
    with pytest.raises(UserError, match=said):
        read_table_task(path)
    assert main(["evaluate", "csv", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_equal_recordings_in_two_given_folds_are_told(tmp_path):
    path = made(tmp_path, fold=["x", "x", "y", "y"] * 4)
    (tmp_path / "high1.flac").write_bytes((tmp_path / "high0.wav").read_bytes())
    with pytest.warns(UserWarning, match="1 recording is in more than one fold"):
        read_table_task(path)
