"""Two processes give what one gives, however the model is spread."""

import subprocess
import sys

import pandas as pd
import pytest
import torch
from smoke_book import ROOT
from two_processes import CONFIG, run

from dasheng_lib.common import distributed
from dasheng_lib.common.distributed import World
from dasheng_lib.common.errors import UserError
from dasheng_lib.model.input_norm import InputNorm


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Runs in one process and, through torchrun, in two."""
    out = tmp_path_factory.mktemp("runs")
    alone = run(out / "alone")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*torchrun, "--nproc-per-node", "2", "tests/support/two_processes.py", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    run(out / "cut-fsdp")  # begun by two processes, ended by one
    return out, alone


@pytest.mark.parametrize("way", ["ddp", "fsdp", "cut-ddp", "cut-fsdp"])
def test_two_processes_give_the_result_of_one(trained, way):
    out, alone = trained
    spread = type(alone)(out / way)
    ours, theirs = alone.autoencoder().state_dict(), spread.autoencoder().state_dict()
    start = alone.autoencoder(0).state_dict()
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-3, atol=2e-5, msg=name)
    moved = max((value - start[name]).abs().max() for name, value in ours.items())
    assert moved > 1e-3  # far above the tolerance
    columns = ["step", "loss", "lr", "grad_norm"]
    pd.testing.assert_frame_equal(alone.log[columns], spread.log[columns], rtol=1e-4)
    health = ["step", "loss", "explained", "rankme", "rankme_centred", "crops", "hours"]
    pd.testing.assert_frame_equal(alone.validation[health], spread.validation[health], rtol=1e-3)


def test_sharded_blocks_in_bfloat16_train_and_validate(trained):
    out, alone = trained
    half = type(alone)(out / "half")
    assert abs(half.log["loss"].iloc[0] - alone.log["loss"].iloc[0]) < 0.02
    assert list(half.validation["step"]) == [0, 2]


def test_rows_are_dealt_without_gaps():
    parts = [World(rank, 4).rows(12) for rank in range(4)]
    assert [i for part in parts for i in range(12)[part]] == list(range(12))
    with pytest.raises(UserError, match="multiple of 5"):
        World(0, 5).rows(CONFIG.batch)


def test_the_synchronised_norm_is_that_of_the_whole_batch(monkeypatch):
    """Two halves, one after the other, each told what the other would send."""
    torch.manual_seed(0)
    mel = torch.randn(6, 64, 50) * 20 - 40
    whole, halves = torch.nn.BatchNorm1d(64, momentum=0.01), InputNorm(64, momentum=0.01)
    expected = whole(mel)
    norm = halves.train()
    sums = []
    monkeypatch.setattr(distributed.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed.dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(distributed.dist, "all_reduce", lambda value: sums.append(value.clone()))
    for half in mel.chunk(2):
        norm(half)
    total = sum(sums)
    norm = InputNorm(64, momentum=0.01).train()
    monkeypatch.setattr(distributed.dist, "all_reduce", lambda value: value.copy_(total))
    result = norm(mel[:3])
    torch.testing.assert_close(result, expected[:3], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(norm.running_mean, whole.running_mean)
    torch.testing.assert_close(norm.running_var, whole.running_var)
    result.square().sum().backward()
    assert norm.weight.grad.abs().sum() > 0


def test_a_failure_of_the_first_process_is_one_sentence():
    def fail():
        raise UserError("The folder is taken.")

    with pytest.raises(UserError, match="taken"):
        distributed.on_first_rank(World(), fail)
