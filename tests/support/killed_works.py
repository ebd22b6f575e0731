"""Run by test_kills.py: every kind of work that lasts or writes, killed (see killing.py).

``python killed_works.py DEATHS [KIND...]`` prints what was found as JSON. It is a process of its
own, for what is imported once is there in every life, and no thread runs when it forks.
"""

from __future__ import annotations

import gc
import hashlib
import itertools
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from threading import RLock
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
import torch._dynamo  # as the first optimizer does: once, before the forks
import torch.distributed.checkpoint.state_dict
from careless_works import CARELESS
from fake_packages import audio_bytes, serving, zip_bytes
from killed_book import TELLS_WHEN, a_book, built, built_twice
from killing import Work, kill
from tqdm import tqdm

from dasheng_lib.cli import main
from dasheng_lib.commands import evaluate as evaluate_command
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora import decoded
from dasheng_lib.corpora.fetch import official
from dasheng_lib.corpora.fetch.download import Remote, download
from dasheng_lib.corpora.manifest import Manifest
from dasheng_lib.corpora.official_sets import benchmark_task
from dasheng_lib.corpora.source import Source
from dasheng_lib.corpora.synthetic import corpus as synthetic
from dasheng_lib.evaluation import embed
from dasheng_lib.results.recorded import read_results, write_results
from dasheng_lib.shards import clips_of, write_shards
from dasheng_lib.sweep import engine, judge, trial
from dasheng_lib.sweep.grid import read_grid
from dasheng_lib.train import batches, loop
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.run import Execution, pretrain_into
from dasheng_lib.train.schedule import TrainConfig

for name in ("commands.embed", "commands.shards", "evaluation.pocket", "train.run"):
    import_module(f"dasheng_lib.{name}")  # what a command would, in every life
execute = import_module("dasheng_lib.book.driver.execute")  # not the function of that name
KIND_OF_RUN = RunConfig(
    preset="12x1x2",
    batch=4,
    clip_seconds=0.3,
    hold_out=0.25,
    epoch=2,
    keep=(1,),
    train=TrainConfig(steps=4),
)
GRID = """
base: {preset: 8x1x1, corpus: synthetic, steps: 2, batch: 4, clip_seconds: 0.3}
arms: {mask: {mask_ratio: [0.25]}}
judged_at: [1]
protocol: {corpora: [synthetic], tasks: [syn_event], seconds: 0.3, few: 2, exam_crops: 12}
"""
NOISE = np.random.default_rng(0)
SOUNDS = {
    f"{n}.wav": audio_bytes(NOISE.uniform(-0.1, 0.1, 4000 + 900 * n), 16_000) for n in range(6)
}
FILE = NOISE.bytes(8 << 20)


def tiny_corpus() -> None:
    """The synthetic corpus with a few of its clips, all tasks and all domains."""
    for name, count in (("TALKERS", 4), ("NOTES", 2), ("BUILDS", 3), ("PLACES", 3)):
        setattr(synthetic, name, getattr(synthetic, name)[:count])
    for name in ("VOWELS", "CONTOURS"):
        setattr(synthetic, name, dict(list(getattr(synthetic, name).items())[:2]))
    synthetic.synthetic_corpus()


def even_clock() -> None:
    """Where a result says how long it took: each look at the clock is a second later."""
    clock = itertools.count().__next__
    even = SimpleNamespace(perf_counter=lambda: float(clock()), monotonic=lambda: float(clock()))
    for module in (loop, trial, evaluate_command, execute):
        module.time = even


def pretrained() -> None:
    how = Execution(checkpoint_every=2, progress=False)
    parts = batches.batches_of(synthetic.synthetic_corpus(), KIND_OF_RUN)
    pretrain_into(Path("run"), *parts, KIND_OF_RUN, None, how)


def swept() -> None:
    """Its checkpoints are judged by what is quick, of the same embeddings and weights."""

    def scores(_, features_C, *__, **___):
        return {"quality": float(features_C[0].std())}

    def losses(_, model, *__):
        mean = float(torch.cat([p.detach().flatten() for p in model.parameters()]).mean())
        return {"loss": mean, "own_loss": mean, "explained": mean} | dict.fromkeys(
            judge.HEALTH, mean
        )

    judge.Judge.scores, judge.Judge._losses = scores, losses
    engine.work(read_grid(Path("grid.yml")), Path("swept"), progress=False)


def command(*words: str) -> int:
    sys.argv = ["dasheng", *words]
    return main(words)


def in_batches(seconds: float, *words: str) -> int:
    """A command that embeds, in several batches."""
    embed.BATCH_SECONDS = seconds
    return command(*words)


def make_inputs(place: Path) -> None:
    """A folder of sounds and one of shards, which no life changes."""
    (place / "audio").mkdir()
    for name, data in SOUNDS.items():
        (place / "audio" / name).write_bytes(data)
    write_shards(place / "shards", clips_of(place / "audio"), per_shard=3, progress=False)


def a_manifest() -> Manifest:
    clips = [
        {"package": "p", "member": name, "sha256": Source(name, data).sha256(), "seconds": 0.5,
         "domain": "music", "group": name, "licence": "free"}
        for name, data in SOUNDS.items()
    ]  # fmt: skip
    tasks = pd.DataFrame([], columns=["task", "package", "member", "label", "fold"])
    return Manifest("made", {}, pd.DataFrame(clips), tasks)


def decode() -> None:
    decoded.build(a_manifest(), [Source(*item) for item in SOUNDS.items()], progress=False)


def downloaded(url: str) -> None:
    remote = Remote(f"{url}/file", hashlib.sha256(FILE).hexdigest(), len(FILE))
    download(remote, Path("file"), pause=0)


@cache
def a_set() -> bytes:
    return zip_bytes(
        {f"VIVAE/full_set/S0{n}_anger_low_01.wav": data for n, data in enumerate(SOUNDS.values())}
    )


def fetched(url: str) -> None:
    data = a_set()
    remote = Remote(f"{url}/VIVAE.zip", size=len(data), md5=hashlib.md5(data).hexdigest())
    official.zenodo_remote = lambda *_: remote
    official.fetch_set(benchmark_task("arch", "vivae"), progress=False)


def recorded(value: float) -> None:
    write_results(Path("kept"), pd.DataFrame({"accuracy": [value] * 40}), "dasheng")


def old_or_new() -> None:
    """The table is the old one or the new one, or it is refused."""
    try:
        table = read_results("kept", Path())
    except UserError:
        return
    assert len(table) in (0, 40)


def works(url: str, place: Path) -> dict[str, Work]:
    """Every kind, by name."""
    audio, shards = str(place / "audio"), str(place / "shards")
    evaluated = ("evaluate", "pocket", "--corpus", "synthetic", "--probes", "knn")
    embedded = ("embed", audio, "--encoder", "logmel", "--out", "out.npz")
    pack = ("shards", "pack", audio, "--out", "shards", "--per-shard", "2", "--quiet")
    extract = ("shards", "extract", shards, "--out", "again")
    return {
        "pretraining": Work(pretrained, share=1.5),
        "sweep": Work(swept, {"grid.yml": GRID.encode()}, share=0.5),
        "evaluation": Work(partial(in_batches, 10.0, *evaluated, "--record", "kept")),
        "embedding": Work(partial(in_batches, 0.5, *embedded)),
        "decoding": Work(decode),
        "download": Work(partial(downloaded, url)),
        "fetching a set": Work(partial(fetched, url)),
        "packing": Work(partial(command, *pack)),
        "extracting": Work(partial(command, *extract)),
        "record": Work(lambda: [recorded(v) for v in (0.25, 0.5)], look=old_or_new),
        "book": Work(built_twice, a_book()),
        "book for real": Work(
            partial(built, True), a_book(), share=0.2, alike=TELLS_WHEN, starts=True
        ),
    }


MANY = 100  # deaths, from which on half of them come by the clock, and slow work is killed too


@contextmanager
def serving_apart(files: dict[str, bytes]) -> Iterator[str]:
    """The address of a web server in a process of its own, which has threads."""
    reader, writer = os.pipe()
    ends, ending = os.pipe()
    if os.fork() == 0:
        os.close(ending)
        with serving(files) as server:
            os.write(writer, server.url.encode())
            os.read(ends, 1)  # until nobody is there who could write
        os._exit(0)
    yield os.read(reader, 100).decode()
    os.close(ending)
    os.wait()


def main_of(deaths: int, asked: list[str]) -> dict[str, dict]:
    """What became of each kind."""
    torch.set_num_threads(1)
    tqdm.set_lock(RLock())  # its own is shared by forks: whoever dies holding it stops all others
    tqdm.monitor_interval = 0  # else it starts a thread
    tiny_corpus()
    even_clock()
    batches.VALIDATION_CROPS = 8
    many, found = deaths >= MANY, {}
    with (
        serving_apart({"file": FILE, "VIVAE.zip": a_set()}) as url,
        tempfile.TemporaryDirectory(prefix="kills-") as name,
    ):
        place = Path(name)
        make_inputs(place)
        gc.freeze()
        every = {**works(url, place), **CARELESS}
        names = asked or [name for name, work in every.items() if many or not work.starts]
        each = deaths / sum(every[name].share for name in names if name not in CARELESS)
        for name in names:
            found[name] = kill(every[name], place, math.ceil(each * every[name].share), many)
    return found


if __name__ == "__main__":
    print(json.dumps(main_of(int(sys.argv[1]), sys.argv[2:]), indent=1))
