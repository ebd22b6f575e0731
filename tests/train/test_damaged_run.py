"""What lies in a run's folder is made good from its checkpoint, or refused in one sentence."""

import json
import shutil

import pytest
import torch

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.synthetic.corpus import synthetic_corpus
from dasheng_lib.train import TrainConfig
from dasheng_lib.train.batches import batches_of
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.folder import RunFolder
from dasheng_lib.train.run import Execution, pretrain_into

CONFIG = RunConfig(
    preset="32x2x2", batch=4, clip_seconds=0.3, hold_out=0.25, epoch=2, train=TrainConfig(steps=6)
)


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def train():
    data = batches_of(synthetic_corpus(), CONFIG)

    def go(folder):
        return pretrain_into(
            folder, *data, CONFIG, None, Execution(checkpoint_every=4, progress=False)
        )

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield go
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(train, tmp_path_factory):
    """A run that was stopped behind its checkpoint at step 4, and the same run to its end."""
    root = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFolder, "skipped", lambda self, bad: None)
        keep = RunFolder.keep

        def stop(self, weights, optimizer, step, seconds):
            keep(self, weights, optimizer, step, seconds)
            if step == 4:
                raise Stopped

        patch.setattr(RunFolder, "keep", stop)
        with pytest.raises(Stopped):
            train(root / "stopped")
    train(root / "whole")
    return root


@pytest.fixture
def stopped(made, tmp_path):
    return shutil.copytree(made / "stopped", tmp_path / "run")


def facts(folder):
    """What may not differ between two runs: all but the clock."""
    tables = RunFolder(folder).path
    log, held = ((tables / name).read_text().splitlines() for name in ("log.csv", "validation.csv"))
    return (
        [line.rsplit(",", 1)[0] for line in log],
        [line.split(",")[:6] for line in held],
        (folder / "final.safetensors").read_bytes(),
    )


def write(name, change):
    def damage(folder):
        path = folder / name
        path.write_bytes(change(path.read_bytes() if path.exists() else b""))

    return damage


TABLE = {
    "empty": lambda b: b"",
    "a row more": lambda b: b + b.splitlines(keepends=True)[-1].replace(b"4,", b"5,", 1),
    "another digit": lambda b: b.replace(b"1", b"2"),
    "no text": lambda b: b"\xff\x00" * 9,
}


def both(change):
    def damage(folder):
        for name in ("log.csv", "validation.csv"):
            write(name, change)(folder)

    return damage


HEALED = {f"the tables: {what}": both(change) for what, change in TABLE.items()}
HEALED |= {
    "final.safetensors is cut": lambda folder: write(
        "final.safetensors", lambda b: (folder / "step-1.safetensors").read_bytes()[:-9]
    )(folder),
    "a part": write(".checkpoint.pt.0.part", lambda b: b"half"),
}


@pytest.mark.parametrize("what", HEALED)
def test_what_the_checkpoint_knows_is_made_good(train, made, stopped, what):
    HEALED[what](stopped)
    train(stopped)
    assert facts(stopped) == facts(made / "whole")
    assert not (stopped / "checkpoint.pt").exists() and not list(stopped.glob(".*.part"))


def test_an_empty_table_without_a_checkpoint_is_no_obstacle(train, made, stopped):
    """As a full disk or a kill leaves it at the first write."""
    (stopped / "checkpoint.pt").unlink()
    (stopped / "log.csv").write_text("")
    (stopped / "validation.csv").write_text("")
    train(stopped)
    assert facts(stopped) == facts(made / "whole")


def state(change):
    def damage(folder):
        path = folder / "checkpoint.pt"
        found = torch.load(path, weights_only=True)
        change(found)
        torch.save(found, path)

    return damage


WEIGHT = "encoder.blocks.0.norm1.weight"
REFUSED = {
    f"config.json is {what}": write("config.json", lambda b, to=to: to)
    for what, to in {"empty": b"", "bytes": b"\xff", "list": b"[1]"}.items()
}
REFUSED |= {
    "config.json is gone": lambda folder: (folder / "config.json").unlink(),
    "checkpoint.pt is empty": write("checkpoint.pt", lambda b: b""),
    "checkpoint.pt is cut": write("checkpoint.pt", lambda b: b[:-5000]),
    "a bit": write("checkpoint.pt", lambda b: b[:9999] + bytes([b[9999] ^ 1]) + b[10_000:]),
    "no weight": state(lambda s: s["weights"].pop(WEIGHT)),
    "another shape": state(lambda s: s["weights"].update({WEIGHT: torch.zeros(1)})),
    "not a number": state(lambda s: s["weights"][WEIGHT].fill_(torch.nan)),
    "no moments": state(lambda s: s["optimizer"]["state"].clear()),
    "step 2": state(lambda s: s.update(step=2)),
    "step 99": state(lambda s: s.update(step=99)),
    "step 4, but text": state(lambda s: s.update(step="4")),
    "no tables": state(lambda s: s.update(tables={"log.csv": 3})),
    "a list": lambda folder: torch.save([1], folder / "checkpoint.pt"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_made_good_is_one_sentence(train, stopped, what):
    REFUSED[what](stopped)
    before = {path.name: path.read_bytes() for path in stopped.iterdir()}
    with pytest.raises(UserError, match=r"(config\.json|checkpoint\.pt) .*: restore it, or"):
        train(stopped)
    assert {path.name: path.read_bytes() for path in stopped.iterdir()} == before


@pytest.mark.parametrize("name", ["final.safetensors", "log.csv", "validation.csv", "sums.json"])
def test_a_finished_run_that_was_changed_is_not_taken(train, made, tmp_path, name):
    run = shutil.copytree(made / "whole", tmp_path / "run")
    train(run)
    write(name, lambda b: b[:-1] + bytes([b[-1] ^ 1]))(run)
    with pytest.raises(UserError, match=f"{name} is damaged or has changed since the run ended"):
        train(run)


def test_runs_from_before_sums_and_tables_were_kept_go_on(train, made, stopped, tmp_path):
    state(lambda s: s.pop("tables"))(stopped)
    (stopped / "log.csv").open("a").write("5,1.0")
    train(stopped)
    assert facts(stopped) == facts(made / "whole")
    (stopped / "sums.json").unlink()
    train(stopped)
    assert set(json.loads((stopped / "sums.json").read_text())) == {
        "config.json",
        "final.safetensors",
        "log.csv",
        "validation.csv",
    }
