"""Many files by several processes: each is embedded once, and all end with the whole."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from embedding import Windows
from hear_folder import write_wav
from hypothesis import given
from hypothesis import strategies as st
from smoke_book import ROOT

from dasheng_lib.cli import main
from dasheng_lib.commands.embed import clips_of
from dasheng_lib.common.cache import claimed
from dasheng_lib.evaluation import embed_shares
from dasheng_lib.evaluation.embed import embed
from dasheng_lib.evaluation.embed_shares import deal, embed_in_shares
from dasheng_lib.tasks.clip import Clip


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(embed_shares, "LEAST", 0.5)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "calls"
    (place / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(12):
        name = f"{'more/' if number % 2 else ''}{number:02d}.wav"
        write_wav(place / name, rng.uniform(-0.5, 0.5, 3000 + 700 * (number % 5)), 16_000)
    (place / "notes.txt").write_text("none")
    (place / ".hidden.wav").write_text("none")
    return place


@given(st.lists(st.integers(0, 500_000), min_size=1, max_size=60))
def test_every_clip_is_in_one_share(samples):
    clips = [Clip(str(i), n, 16_000, "", None) for i, n in enumerate(samples)]
    shares = deal(clips)
    assert sorted(np.concatenate(shares)) == list(range(len(clips)))
    lengths = np.array(samples)[np.concatenate(shares)]
    assert (np.diff(lengths) <= 0).all() and all(len(share) for share in shares)


def test_the_last_shares_are_small_and_none_is_large():
    """Two processes: who is done waits for the other no longer than for a small share."""
    clips = [Clip(str(i), 80_000, 16_000, "", None) for i in range(400)]
    seconds = np.array([5.0 * len(share) for share in deal(clips)])
    assert (np.diff(seconds) <= 5).all() and seconds.max() <= 70 and seconds[-1] == 5
    assert len(deal([Clip("a", 10**10, 16_000, "", None)])) == 1


@pytest.mark.parametrize("kind", ["clips", "frames"])
def test_shares_give_what_one_piece_gives(folder, kind):
    _, clips = clips_of([str(folder)])
    assert len(deal(clips)) > 3
    whole = embed(Windows(), clips, kind, progress=False)
    found = embed_in_shares(Windows(), clips, kind, progress=False)
    np.testing.assert_array_equal(found.starts, whole.starts)
    np.testing.assert_allclose(found.features, whole.features, rtol=1e-6)
    if kind == "frames":
        np.testing.assert_array_equal(found.timestamps_ms, whole.timestamps_ms)


def test_what_another_process_holds_is_left_to_it(folder, monkeypatch, tmp_path):
    _, clips = clips_of([str(folder)])
    asked = []

    def spy(encoder, some, kind, progress):
        asked.append([clip.name for clip in some])
        return embed(encoder, some, kind, progress)

    monkeypatch.setattr(embed_shares, "embed", spy)
    embed_in_shares(Windows(), clips, progress=False)
    order, first = list(asked), next((tmp_path / "cache" / "locks").rglob("0.lock"))
    asked.clear()
    with claimed(first) as mine:
        assert mine
        embed_in_shares(Windows(), clips, progress=False)
    assert asked == [*order[1:], order[0]]


def test_two_processes_end_with_the_same_file(folder, tmp_path):
    command = [sys.executable, "-m", "dasheng_lib.cli", "embed", str(folder), "--encoder", "logmel"]
    outs = [tmp_path / "a.npz", tmp_path / "b.npz"]
    running = [subprocess.Popen([*command, "--out", out], cwd=ROOT) for out in outs]
    assert [process.wait() for process in running] == [0, 0]
    a, b = (np.load(out) for out in outs)
    assert all(np.array_equal(a[name], b[name]) for name in a.files)
    shares = list((tmp_path / "cache/artefacts/embedded").glob("[0-9a-f]*[0-9a-f]"))
    rows = [np.load(share / "starts.npy")[-1] for share in shares]
    assert sum(rows) == 12


def test_the_file_holds_a_row_a_clip_or_a_frame(folder, tmp_path):
    table = tmp_path / "calls.csv"
    table.write_text("path,label\ncalls/00.wav,a\ncalls/more/01.wav,b\n")
    assert main(["embed", str(table), "--encoder", "logmel", "--out", str(tmp_path / "t.npz")]) == 0
    kept = np.load(tmp_path / "t.npz", allow_pickle=False)
    assert list(kept["path"]) == ["calls/00.wav", "calls/more/01.wav"]
    assert kept["embedding"].shape == (2, 128) and kept["embedding"].dtype == np.float32
    command = ["embed", str(folder / "00.wav"), str(folder), "--encoder", "logmel", "--frames"]
    assert main([*command, "--out", str(tmp_path / "f.npz")]) == 0
    kept = np.load(tmp_path / "f.npz", allow_pickle=False)
    assert len(kept["path"]) == 13 and kept["start"][-1] == len(kept["embedding"]) == len(
        kept["ms"]
    )
    pytest.importorskip("pyarrow")
    assert main([*command, "--out", str(tmp_path / "f.parquet")]) == 0
    rows = pd.read_parquet(tmp_path / "f.parquet")
    np.testing.assert_array_equal(np.stack(rows["embedding"]), kept["embedding"])
    assert list(rows["ms"]) == list(kept["ms"])
    assert list(rows["path"].unique()) == list(dict.fromkeys(kept["path"]))


@pytest.mark.parametrize(
    ("inputs", "out", "said"),
    [
        (["calls"], "x.csv", "FILE.npz or FILE.parquet"),
        (["none.wav"], "x.npz", r"1 file is missing \(none.wav\)"),
        (["calls/notes.txt"], "x.npz", r"1 file cannot be read as audio \(calls/notes.txt\)"),
        (["empty"], "x.npz", "empty holds no audio"),
        (["none.csv"], "x.npz", "none.csv cannot be read"),
        (["odd.csv"], "x.npz", "odd.csv has no column path"),
    ],
)
def test_what_cannot_be_embedded_is_said(folder, tmp_path, monkeypatch, capsys, inputs, out, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd.csv").write_text("file\na.wav\n")
    assert main(["embed", *inputs, "--encoder", "logmel", "--out", out]) == 2
    assert re.search(said, capsys.readouterr().err)
    assert not (tmp_path / out).exists()


def test_what_is_passed_over_is_said_and_linked_folders_are_read(folder, tmp_path, capsys):
    (tmp_path / "apart").mkdir()
    for path in (folder / "more").iterdir():
        path.rename(tmp_path / "apart" / path.name)
    (folder / "more").rmdir()
    (folder / "linked").symlink_to(tmp_path / "apart")
    (folder / "talk.m4a").write_text("of another kind")
    (folder / "._00.wav").write_text("a fork")
    out = tmp_path / "x.npz"
    assert main(["embed", str(folder), "--encoder", "logmel", "--out", str(out)]) == 0
    assert len(np.load(out)["path"]) == 12
    said = r"2 files are hidden or of a kind .*passed over \(\S+hidden.wav, \S+talk.m4a\)"
    assert re.search(said, capsys.readouterr().err)
