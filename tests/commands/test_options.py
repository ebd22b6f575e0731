"""Options are checked as they are read, for every verb by the same checks."""

import sys
from argparse import ArgumentTypeError

import pytest

from dasheng_lib import cli
from dasheng_lib.commands import options

HERE = "--corpus", "synthetic"


@pytest.mark.parametrize(
    "argv",
    [
        ["evaluate", "pocket", *HERE, "-k", "0"],
        ["evaluate", "pocket", *HERE, "--seeds", "-1"],
        ["evaluate", "pocket", *HERE, "--seeds", "0", "4294967296"],
        ["evaluate", "pocket", *HERE, "--pretrain", "--weight-decay", "nan"],
        ["evaluate", "hear", "--device", "x"],
        ["hear-check", "dasheng_lib.hear_api", "--device", "x"],
        ["pretrain", *HERE, "--out", "OUT", "--seed", "-1"],
        ["pretrain", *HERE, "--out", "OUT", "--weight-decay", "nan"],
        ["pretrain", *HERE, "--out", "OUT", "--weight-decay", "-1"],
        ["pretrain", *HERE, "--out", "OUT", "--lr", "nan"],
        ["pretrain", *HERE, "--out", "OUT", "--clip-seconds", "inf"],
        ["pretrain", *HERE, "--out", "OUT", "--family", "ssast", "--group", "999"],
        ["pretrain", *HERE, "--out", "OUT", "--family", "dasheng", "--group", "999"],
        ["pretrain", *HERE, "--out", "OUT", "--checkpoint-every", "0"],
        ["pretrain", *HERE, "--out", "OUT", "--decode-threads", "0"],
        ["pretrain", *HERE, "--out", "FILE"],
        ["pretrain", *HERE, "--out", "OUT", "--record", "."],
        ["pretrain", *HERE, "--out", "OUT", "--record", ""],
        ["pretrain", *HERE, "--out", "OUT", "--record", "/proc/x"],
        ["pretrain", *HERE, "--out", "OUT", "--record", "TAKEN"],
        ["power", "--noise", "x.csv", "--seed", "-1"],
        ["power", "--noise", "x.csv", "--arm", "1", "2", "--arms", "0"],
        ["interventions", "--seed", "-1"],
        ["sweep", "x.yml", "--out", "FILE"],
        ["sweep", "x.yml", "--out", "OUT", "--jobs", "-1"],
        ["shards", "pack", "synthetic", "--out", "FILE"],
        ["shards", "pack", "synthetic", "--out", "OUT", "--workers", "0"],
        ["embed", "x.wav", "--out", "TAKEN.csv"],
        ["embed", "x.wav", "--out", "OUT.npz", "--device", "x"],
    ],
    ids=" ".join,
)
def test_a_wrong_option_is_said_and_nothing_is_written(argv, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    (tmp_path / "taken.csv").mkdir()
    names = {"OUT": "out", "FILE": "file", "TAKEN": "taken", "TAKEN.csv": "taken.csv"}
    argv = [str(tmp_path / names[word]) if word in names else word for word in argv]
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(sys, "argv", ["dasheng", *argv])
    assert cli.main(argv) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("dasheng")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("text", ["", "x", "1.5", "-1", "9" * 5000, "²", "1_000"])
def test_a_seed_is_a_whole_number_that_every_generator_takes(text):
    with pytest.raises(ArgumentTypeError):
        options.seed(text)
    assert options.seed("0") == 0 and options.seed(str(2**32 - 1)) == 2**32 - 1


def test_home_is_expanded_and_an_unknown_one_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert options.path("~/x") == tmp_path / "x"
    assert options.folder("~/x") == tmp_path / "x" and options.recordable("~/x") == tmp_path / "x"
    with pytest.raises(ArgumentTypeError, match="home folder of ~nosuchuser/x is not known"):
        options.path("~nosuchuser/x")


def test_what_can_be_written_is_left_as_it_was(tmp_path):
    assert options.writable(str(tmp_path / "deep/x.npz")) == tmp_path / "deep/x.npz"
    assert list(tmp_path.iterdir()) == []


def test_each_once_in_the_order_of_the_first():
    assert options.once(["b", "a", "b", "a", "c"]) == ["b", "a", "c"]


def test_what_is_named_twice_is_asked_once(monkeypatch):
    from dasheng_lib.commands import evaluate

    asked = []
    monkeypatch.setattr(evaluate, "run_pocket", lambda args: asked.append(args) or 0)
    line = "evaluate pocket --encoder logmel --encoder random:nano --encoder logmel --seeds 0 0 1 "
    line += "--probes knn linear knn --also esc10 esc10"
    assert cli.main(line.split()) == 0
    (args,) = asked
    assert args.encoder == ["logmel", "random:nano"] and args.seeds == [0, 1]
    assert args.probes == ["knn", "linear"] and args.also == ["esc10"]
