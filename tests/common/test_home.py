"""``~`` is a home folder wherever a path is read."""

import numpy as np
import pandas as pd
import pytest
from official_folders import SETS
from shard_files import audio, clip, ramp

from dasheng_lib.audio import decode
from dasheng_lib.common.places import LIBRARY
from dasheng_lib.corpora.official_sets import benchmark_task, find_set
from dasheng_lib.encoders.pinned import local_file
from dasheng_lib.results.recorded import write_results
from dasheng_lib.shards import extract, find_shards, write_shards
from dasheng_lib.tasks.arch import arch_task
from dasheng_lib.tasks.hear.fetch import find_hear
from dasheng_lib.train.folder import RunFolder


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DASHENG_CACHE", "~/cache")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")  # where a folder ~ would be made
    yield tmp_path
    assert not list((tmp_path / "here").iterdir())


def test_audio(home):
    (home / "a.flac").write_bytes(audio(ramp(1, 999)))
    assert len(decode("~/a.flac")) == 999


def test_shards_and_their_files(home):
    write_shards("~/shards", [clip(1, 999)], progress=False)
    assert find_shards("~/shards") == list((home / "shards").glob("*.tar"))
    assert extract("~/shards/*.tar", "~/files") == (1, {})
    assert [p.name for p in (home / "files").glob("*.flac")] == ["clip001.flac"]


def test_data_sets_of_benchmarks(home, monkeypatch):
    SETS["emovo"](home / "data" / "emovo")
    assert find_set(benchmark_task("arch", "emovo"), "~/data") == home / "data" / "emovo"
    named, whole = (arch_task("emovo", f"{p}/data/emovo", progress=False) for p in ("~", home))
    clips = [[c.identity for part in task.clips.values() for c in part] for task in (named, whole)]
    assert clips[0] == clips[1]
    assert find_hear("esc50", "~/data") is None


def test_runs_records_and_weights(home, monkeypatch):
    assert RunFolder("~/run").path == home / "run"
    write_results("~/kept", pd.DataFrame({"a": np.arange(2)}), "a test")
    assert (home / "kept.csv").is_file()
    (home / "data" / "weights").mkdir(parents=True)
    (home / "data" / "weights" / "x.pt").write_bytes(b"")
    monkeypatch.setenv("DASHENG_DATA", "~/data")
    assert local_file("weights", "x.pt") == home / "data" / "weights" / "x.pt"


def test_one_function_expands(home):
    asking = {p.name for p in LIBRARY.rglob("*.py") if "expanduser" in p.read_text("utf-8")}
    assert asking == {"places.py"}
