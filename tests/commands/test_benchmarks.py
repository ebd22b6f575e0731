"""The benchmarks run; what they say is not tested here, for that depends on the machine."""

import importlib
import json
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from dasheng_lib import cli
from dasheng_lib.commands import bench
from dasheng_lib.common.errors import UserError

SMALL = ["--size", "nano", "--repeats", "1", "--clips", "2", "--precision", "float32"]
SHORT = {
    "embed_10s": ["--seconds", "1"],
    "embed_mixed": ["--shortest", "0.5", "--longest", "1"],
    "train_step": ["--seconds", "1"],
}


@pytest.fixture(autouse=True)
def from_the_folder(monkeypatch):
    monkeypatch.syspath_prepend(bench.FOLDER)
    shortest = importlib.import_module("common").SHORTEST_PRODUCT
    monkeypatch.setitem(shortest, "cpu", 0.0)


@pytest.mark.parametrize("name", SHORT)
def test_a_benchmark_alone_gives_a_table_and_keeps_it(name, tmp_path, capsys):
    argv = [*SMALL, *SHORT[name], "--no-peer", "--record", str(tmp_path / "kept")]
    importlib.import_module(name).main(argv)
    assert "this library" in capsys.readouterr().out
    kept = pd.read_csv(tmp_path / "kept.csv")
    assert set(kept["who"]) == {"this library", "matrix product"} and (kept["seconds"] > 0).all()
    facts = json.loads((tmp_path / "kept.json").read_text())
    assert facts["command"].startswith("python benchmarks/") and facts["parameters"]["clips"] == 2


def test_encoders_are_timed_beside_the_nano(tmp_path):
    argv = ["--encoders", "logmel", "--clips", "1", "--repeats", "1"]
    importlib.import_module("encoders").main([*argv, "--record", str(tmp_path / "kept")])
    kept = pd.read_csv(tmp_path / "kept.csv", index_col="encoder")
    assert kept.at["dasheng:nano", "times_rival"] == 1 and kept.at["logmel", "seconds"] > 0
    assert kept["numbers"].tolist() == [192, 128]
    assert kept.at["dasheng:nano", "parameters"] == pytest.approx(1.9e6, rel=0.02)


@pytest.mark.parametrize("name", ["embed_10s", "embed_mixed"])
def test_a_benchmark_beside_the_peer(name, capsys):
    pytest.importorskip("dasheng", reason="the package `dasheng` is not installed")
    importlib.import_module(name).main([*SMALL, *SHORT[name]])
    said = capsys.readouterr().out
    assert "lowest cosine 1.000000" in said and "times_peer" in said


def test_without_the_peer_it_says_how_to_get_it(monkeypatch, capsys):
    for name in ("dasheng", "dasheng.pretrained.pretrained"):
        monkeypatch.setitem(sys.modules, name, None)
    importlib.import_module("embed_10s").main([*SMALL, "--seconds", "1"])
    assert "pip install --no-deps dasheng==0.0.9" in capsys.readouterr().out


def test_memory_of_an_embedding(capsys):
    argv = ["--size", "nano", "--clips", "1", "--precision", "float32", "--no-peer"]
    importlib.import_module("memory").main([*argv, "--tasks", "10 s clips"])
    assert "nothing" in capsys.readouterr().out


GRID = ["--rows", "10", "--dim", "8", "--hidden", "16", "--max-epochs", "6", "--spread", "0.1"]
ROWS = ["--train", "300", "--test", "20", "--dim", "8"]


@pytest.mark.parametrize(("name", "options"), [("hear_grid", GRID), ("knn", [*ROWS, "--no-peak"])])
def test_a_benchmark_beside_its_rival(name, options, tmp_path, capsys):
    argv = [*options, "--repeats", "1", "--record", str(tmp_path / "kept")]
    importlib.import_module(name).main(argv)
    assert "this library" in capsys.readouterr().out
    kept = pd.read_csv(tmp_path / "kept.csv")
    assert (kept["seconds"] > 0).all()
    who = {"hear_grid": {"plain PyTorch", "the products alone"}, "knn": {"scikit-learn"}}[name]
    assert set(kept["who"]) == {"this library", *who}
    rivals = kept["who"].isin(["plain PyTorch", "scikit-learn"])
    assert (kept.loc[rivals, "times_rival"] == 1).all()
    if name == "knn":
        assert (kept["same"] == 1).all()
    else:
        assert kept["epochs"].between(8, 48).all() and kept["best_score"].between(0, 1).all()


@pytest.mark.parametrize("who", ["this library", "scikit-learn", "nothing"])
def test_peak_memory_of_neighbours(who, capsys):
    importlib.import_module("knn").main([*ROWS, "--only", who, "cosine"])
    assert int(capsys.readouterr().out) > 10e6


RANK = ["--rows", "300", "--dim", "8", "--repeats", "1"]


def test_rankme_beside_svds(tmp_path, capsys):
    argv = [*RANK, "--no-peak", "--record", str(tmp_path / "kept")]
    importlib.import_module("rankme").main(argv)
    kept = pd.read_csv(tmp_path / "kept.csv")
    assert len(kept) == 5 and (kept["seconds"] > 0).all() and (kept["apart"] < 1e-6).all()


@pytest.mark.parametrize("who", ["this library", "torch SVD", "nothing"])
def test_peak_memory_of_rankme(who, capsys):
    importlib.import_module("rankme").main([*RANK, "--only", who])
    assert int(capsys.readouterr().out) > 10e6


def test_what_shards_cost(tmp_path, monkeypatch):
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
    argv = ["--corpus", "synthetic", "--clips", "4", "--per-shard", "2", "--repeats", "1"]
    small = ["--size", "nano", "--shards", "9", "--record", str(tmp_path / "kept")]
    importlib.import_module("shards").main([*argv, *small])
    kept = pd.read_csv(tmp_path / "kept.csv").set_index("what")["value"]
    assert len(kept) == 10 and (kept > 0).all()
    assert kept["stored"] < 32_000 < 1000 * kept["decoded"], "FLAC is smaller than 16-bit samples"
    told = 11 + 8 + 6 * 8  # key, kind and numbers
    assert kept["index"] == told


def test_ratios_are_taken_within_rounds():
    """A machine twice as slow in one round: the quartiles of the ratios stay on one value."""
    common = importlib.import_module("common")
    slow = np.array([1.0, 2.0, 1.0])
    cases = [common.Case(who, "float32", None, 10**9) for who in (common.OURS, common.PEER)]
    seconds = {
        (common.OURS, "float32"): slow,
        (common.PEER, "float32"): 3 * slow,
        (common.PRODUCT, "float32"): 8 * slow,
    }
    ours = common.table(cases, seconds, "cpu", 20.0).iloc[0]
    assert ours["times_peer_low"] == ours["times_peer_high"] == 3
    assert ours["of_product_low"] == ours["of_product_high"] == 8 * 10**9 / (2 * 2048**3)
    assert ours["audio_per_second"] == 20 and ours["seconds_high"] == 1.5


def test_ratios_to_a_rival_are_taken_within_rounds():
    common = importlib.import_module("common")
    slow = np.array([1.0, 2.0, 1.0])
    cases = [common.Case(who, "float32", None, 0) for who in ("ours", "rival")]
    seconds = {("ours", "float32"): slow, ("rival", "float32"): 3 * slow}
    table = common.beside(cases, seconds, "rival")
    assert table["times_rival_low"].tolist() == table["times_rival_high"].tolist() == [3, 1]


def test_different_embeddings_are_not_timed():
    common = importlib.import_module("common")
    one, other = common.torch.eye(2), common.torch.eye(2).flip(0)
    with pytest.raises(UserError, match="not comparable"):
        common.agreement("one and other", one, other)


def test_the_verb_lists_and_runs_them(capsys, monkeypatch):
    assert cli.main(["bench"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in (*SHORT, "memory", "hear_grid", "knn"))
    ran = []
    done = subprocess.CompletedProcess([], 0)
    monkeypatch.setattr(bench.subprocess, "run", lambda command: ran.append(command) or done)
    assert cli.main(["bench", "embed_10s", "--repeats", "3"]) == 0
    assert ran == [[sys.executable, bench.FOLDER / "embed_10s.py", "--repeats", "3"]]
    assert cli.main(["bench", "embed_9s"]) == 2
    assert "embed_10s" in capsys.readouterr().err


def test_outside_a_checkout_the_verb_says_what_to_do(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(bench.benchmarks, "__defaults__", (tmp_path,))
    assert cli.main(["bench", "--help"]) == 0
    assert cli.main(["bench", "embed_10s"]) == 2
    assert "clone the repository" in capsys.readouterr().err


def test_what_packing_costs_is_told_by_pairs():
    paired = importlib.import_module("packed_audio").paired
    before, after = (
        np.array([1, 1, 1, 0, 0, 0, 1, 0], bool),
        np.array([1, 1, 0, 1, 1, 0, 1, 1], bool),
    )
    found = paired(before, after)
    assert (found["won"], found["lost"], found["difference"]) == (3, 1, 0.25)
    # The mean of +1, -1 and 0 with its standard error.
    change = after.astype(float) - before
    assert found["high"] - 0.25 == pytest.approx(1.96 * change.std() / 8**0.5)
    assert paired(before, before)["low"] == paired(before, before)["high"] == 0


def test_a_call_for_a_card_leaves_what_it_found_and_says_what_it_left(tmp_path, capsys):
    gpu = importlib.import_module("gpu")
    gpu.main(["pack", str(tmp_path / "audio"), "synthetic:0.5"])
    call = ["run", str(tmp_path / "audio"), "--device", "cpu", "--out", str(tmp_path)]
    call += ["--place", str(tmp_path / "place"), "--steps", "check", "sweep"]
    gpu.main([*call, "--minutes", "5"])
    said = capsys.readouterr().out
    assert "'wav2vec2': 'ok'" in said and "lacks emovo, esc10, esc50_4, fsdd" in said
    with zipfile.ZipFile(tmp_path / "results.zip") as archive:
        assert json.loads(archive.read("check.json"))["families"]["dasheng"] == "ok"
    gpu.main([*call, "--minutes", "0"])
    assert "sweep: no time left" in capsys.readouterr().out
