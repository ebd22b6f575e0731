"""``dasheng evaluate arch`` and ``dasheng corpus … arch``, from folders to rows."""

import json

import hares_sets
import numpy as np
import pandas as pd
import pytest
from official_folders import SETS

from dasheng_lib.cli import main
from dasheng_lib.common import places
from dasheng_lib.metrics.intervals import wilson_interval


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Miniatures of four sets, and nothing else anywhere."""
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DASHENG_DATA", raising=False)
    monkeypatch.setattr(places, "ROOT", tmp_path / "nowhere" / "checkout")
    for name in ("emovo", "fsd50k", "ravdess"):
        SETS[name](tmp_path / "data" / name)
    return tmp_path / "data"


def test_a_task_ends_with_a_row_a_fold_that_says_what_it_is_of(data, tmp_path, capsys):
    command = ["evaluate", "arch", "--task", "EMOVO", "--encoder", "logmel", "--from", str(data)]
    assert main([*command, "--record", str(tmp_path / "rows")]) == 0
    said = capsys.readouterr()
    (line,) = [line for line in said.out.splitlines() if line.lstrip().startswith("emovo")]
    assert "36 of 588 clips; copies as .ogg" in line and "arch" in line
    assert "36/36" in said.err or "embed 36 clips" in said.err
    rows = pd.read_csv(tmp_path / "rows.csv")
    folds = ["f1", "f2", "f3", "m1", "m2", "m3"]
    assert list(rows["fold"]) == [*np.repeat(folds, 2), "all"]
    assert list(rows["metric"]) == ["top1_acc", "macro_f1"] * 6 + ["accuracy"]
    low, high = rows.loc[rows["metric"] == "accuracy", ["low", "high"]].to_numpy()[0]
    assert (low, high) == pytest.approx(wilson_interval(36, 36), abs=1e-6)
    assert f"{100 * low:.2f}" in line and line.split()[5:9] == ["100.0", "0.0", "100.0", "90.36"]
    assert set(rows["part"]) == {"36 of 588 clips; copies as .ogg"}
    assert set(rows["probe"]) == {"arch"} and (rows["score"] == 1).all()  # two pitches
    facts = json.loads((tmp_path / "rows.json").read_text())
    assert list(facts["corpora"]) == ["emovo"] and facts["parameters"]["suite"] == "arch"


def test_all_that_is_here_is_evaluated_and_averaged(data, tmp_path, capsys):
    assert main(["evaluate", "arch", "--from", str(data), "--probes", "knn", "-k", "1"]) == 0
    said = capsys.readouterr()
    assert [line.split()[:2] for line in said.out.splitlines()[1:4]] == [
        ["fsd50k", "mAP"], ["ravdess", "top1_acc"], ["emovo", "top1_acc"]
    ]  # fmt: skip
    assert "of 3 of 12 tasks" in said.out
    assert {"macro_f1", "weighted_mAP", "low", "high"} <= set(said.out.splitlines()[0].split())
    assert "1 of the 11 clips that its lists name are not there" in said.err


def test_a_set_that_nobody_named_and_nobody_can_read_is_passed_by(data, capsys):
    for path in (data / "ravdess").rglob("*.wav"):
        path.unlink()
    assert main(["evaluate", "arch", "--from", str(data), "--probes", "knn", "-k", "1"]) == 0
    said = capsys.readouterr()
    assert "ravdess" not in said.out and "of 2 of 12 tasks" in said.out
    assert "ravdess holds no audio" in said.err and "It is passed by." in said.err


def test_a_class_that_never_trains_leaves_no_interval(data, tmp_path, capsys):
    for path in (data / "emovo").rglob("*-*"):
        if (path.stem[:3] == "dis") == (path.parent.name in ("f1", "f2", "f3")):
            path.unlink()
    for speaker in ("f2", "f3", "m2", "m3"):
        for path in (data / "emovo" / speaker).glob("*-*"):
            path.unlink()
    command = ["evaluate", "arch", "--task", "emovo", "--from", str(data), "--probes", "knn"]
    assert main([*command, "-k", "1", "--record", str(tmp_path / "rows")]) == 0
    rows = pd.read_csv(tmp_path / "rows.csv")
    assert set(rows["metric"]) == {"top1_acc", "macro_f1"} and (rows["score"] == 0).all()


def test_clips_may_keep_their_length(data, tmp_path):
    command = ["evaluate", "arch", "--task", "emovo", "--from", str(data), "--probes", "knn"]
    assert main([*command, "--unpadded", "--record", str(tmp_path / "rows")]) == 0
    assert pd.read_csv(tmp_path / "rows.csv")["part"].str.endswith("; not padded").all()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--task", "us8k"], "us8k is not here: run `dasheng corpus fetch arch --task us8k`"),
        (["--task", "slurp"], "slurp is not here: unpack slurp_real.tar.gz"),
        (["--task", "gtzan"], "There is no ARCH task 'gtzan'"),
        (
            ["--task", "emovo", "--probes", "mlp", "--seeds", "-1"],
            "argument --seeds: it is a whole number, at least 0",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_one_sentence(data, capsys, words, reason):
    assert main(["evaluate", "arch", "--from", str(data), *words]) == 2
    said = capsys.readouterr().err
    assert reason in said.splitlines()[-1]


def test_nothing_here_is_one_sentence(data, capsys):
    assert main(["evaluate", "arch"]) == 2
    assert "No data set of arch is in $DASHENG_DATA: `dasheng corpus list arch`" in (
        capsys.readouterr().err
    )


def test_corpus_lists_checks_and_fetches(data, capsys):
    def said(*words, code=0):
        assert main(["corpus", *words]) == code
        streams = capsys.readouterr()
        return streams.out + streams.err

    listed = said("list", "arch", "--from", str(data))
    assert sum(" yes " in line for line in listed.splitlines()) == 3
    assert "so that FOLDER/irmas holds" in said("list", "arch", "--task", "irmas")
    checked = said("check", "arch", "--from", str(data))
    assert "36 clips, 2 classes, published are 588 clips and 7 classes" in checked
    assert f"emovo: {data / 'emovo'}" in said(
        "fetch", "arch", "--task", "emovo", "--from", str(data)
    )
    assert "say which" in said("fetch", "arch", code=2)
    assert "clone https://github.com" in said("fetch", "arch", "--task", "audio_mnist", code=2)
    assert "us8k is not here" in said("check", "arch", "--task", "us8k", code=2)
    for path in (data / "ravdess").rglob("*.wav"):
        path.unlink()
    assert "holds no audio with a name such as" in said(
        "check", "arch", "--from", str(data), code=1
    )


def test_a_check_counts_recordings_not_their_pieces_and_intents_not_their_slots(data, capsys):
    hares_sets.fluent_speech_commands(data / "fluent_speech_commands")
    assert main(["corpus", "check", "hares", "--task", "Fluent", "--from", str(data)]) == 0
    said = capsys.readouterr().out
    assert "is sound; 6 clips, 2 classes, published are 26925 clips and 31 classes" in said
    assert "(6 of 26925 clips)" in said
