"""The folder of a run: room is asked for first, nothing half-written stays, one process at a time.

What becomes of a run that is killed is in tests/faults/test_kills.py.
"""

import shutil

import pytest
import torch

from dasheng_lib.common.cache import need_space
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.synthetic.corpus import synthetic_corpus
from dasheng_lib.train.batches import batches_of
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.folder import RunFolder
from dasheng_lib.train.run import Execution, new_model, pretrain_into
from dasheng_lib.train.schedule import TrainConfig

CONFIG = RunConfig(preset="48x2x2", batch=4, clip_seconds=0.5, train=TrainConfig(steps=6))


def train(folder):
    parts = batches_of(synthetic_corpus(), CONFIG)
    return pretrain_into(folder, *parts, CONFIG, None, Execution(progress=False))


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
