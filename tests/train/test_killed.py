"""SIGKILL at any moment, as often as one likes: the run ends with the bits of one left alone."""

import shutil
import subprocess
import sys

import pytest
import torch
from killed import CONFIG, train
from smoke_book import ROOT

from dasheng_lib.common.cache import need_space
from dasheng_lib.common.errors import UserError
from dasheng_lib.train.folder import RunFolder
from dasheng_lib.train.run import Run, new_model

# The touches of the disk at which the process dies, one life after another.
LIVES = [1, 2, 5, 9, 11, 13, 8, 14, 7]


@pytest.fixture(scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_killed_again_and_again(tmp_path, one_thread):
    train(tmp_path / "whole")
    done = subprocess.run(
        [sys.executable, "tests/support/killed.py", str(tmp_path / "cut"), *map(str, LIVES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    ends = list(map(int, done.stdout.split()))
    assert ends.count(-9) >= 6, f"it died too seldom: {ends}"
    assert set(ends) <= {-9, 0}
    train(tmp_path / "cut")  # to the end, if no life reached it
    whole, cut = Run(tmp_path / "whole"), Run(tmp_path / "cut")
    for step in (None, *whole.steps):
        ours, theirs = (run.autoencoder(step).state_dict() for run in (whole, cut))
        assert all(torch.equal(ours[name], theirs[name]) for name in ours), step
    columns = ["step", "loss", "lr", "grad_norm"]
    assert whole.log[columns].equals(cut.log[columns])
    assert cut.log["seconds"].is_monotonic_increasing
    left = {path.name for path in cut.folder.iterdir()}
    assert left == {path.name for path in whole.folder.iterdir()}


def test_a_full_disk_is_known_before_the_first_step(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9e9, 9e9, 1e6))
    with pytest.raises(UserError, match=r"1 MB free and \d+ MB are needed"):
        train(tmp_path / "run")
    assert not list((tmp_path / "run").glob("*.safetensors"))


def test_a_disk_that_fills_up_costs_no_checkpoint(tmp_path, monkeypatch):
    files = RunFolder(tmp_path)
    model = new_model(CONFIG)
    files.keep(model.state_dict(), {}, 3, 1.0)
    before = files.checkpoint.read_bytes()

    def full(state, path):
        with open(path, "wb") as file:
            file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(UserError, match="disk is full"):
        files.keep(model.state_dict(), {}, 4, 2.0)
    assert files.checkpoint.read_bytes() == before
    assert [p.name for p in tmp_path.glob(".*.part")] == []


def test_a_folder_that_cannot_be_written_is_known_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"Cannot write in .* choose another folder"):
        train(tmp_path / "file" / "run")


def test_two_processes_do_not_share_a_folder(tmp_path):
    files = RunFolder(tmp_path)
    with (
        files.claimed(CONFIG, {"corpus": "a"}),
        pytest.raises(UserError, match="Another process"),
        RunFolder(tmp_path).claimed(CONFIG, {"corpus": "a"}),
    ):
        pass


def test_room_is_asked_for_where_the_folder_will_be(tmp_path):
    need_space(tmp_path / "not" / "yet", 1)
