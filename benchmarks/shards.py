"""Audio from shards: bytes, packing, indexing, decoding, and what grows with their number.

Clips of ten seconds, cut from a corpus laid end to end, are packed into shards and read again, one
thread at a time. What is read lies in memory already, so these are times of the processor, not of
a disk; only the checkpoint, weights with both moments, is written through to the disk.
"""

from __future__ import annotations

import argparse
import os
import pickle
import shutil
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from common import add_timing_arguments, keep, prepare, run_script

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora import load_corpus
from dasheng_lib.corpora.trim import prepare as trimmed
from dasheng_lib.mae import MaskedAutoencoder
from dasheng_lib.model import PRESETS
from dasheng_lib.shards import Clip, ShardCrops, find_shards, shard_index, write_shards
from dasheng_lib.shards.order import Order
from dasheng_lib.train import TrainConfig, make_optimizer
from dasheng_lib.train.folder import RunFolder

RATE, SECONDS, BATCH = 16_000, 10, 32
Row = tuple[str, str, str, Sequence[float]]  # corpus, what, unit, values of the rounds


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_timing_arguments(parser, repeats=5)
    parser.add_argument("--corpus", nargs="+", default=["pocket", "esc10"], help="(pocket esc10)")
    parser.add_argument("--clips", type=int, default=200, help="at most, of a corpus (200)")
    parser.add_argument("--per-shard", type=int, default=10, help="clips in a shard (10)")
    parser.add_argument(
        "--shards", type=int, default=98_049, help="in the order that is timed (98049)"
    )
    parser.add_argument("--size", default="base", choices=PRESETS, help="of the checkpoint (base)")
    args = parser.parse_args(argv)
    prepare(args)
    if args.device != "cpu":
        raise UserError("Shards are read by the processor: leave out --device.")
    with TemporaryDirectory() as folder:
        rows = list(measured(args, Path(folder)))
    result = pd.DataFrame([row_of(*row) for row in rows])
    print(result.to_string(index=False, float_format="{:.4g}".format))
    keep(result, args, audio={name: load_corpus(name).digest for name in args.corpus})


def row_of(corpus: str, what: str, unit: str, values: Sequence[float]) -> dict[str, object]:
    low, middle, high = np.percentile(values, [25, 50, 75])
    facts = {"corpus": corpus, "what": what, "unit": unit}
    return {**facts, "value": middle, "value_low": low, "value_high": high}


def measured(args: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Every row; each time is that of one thread."""
    clock = time.process_time if args.processor_time else time.perf_counter

    def rates(count: float, act: Callable[[], object]) -> list[float]:
        """``count`` over the seconds of each round; the first warms up."""
        found = []
        for _ in range(args.repeats + 1):
            began = clock()
            act()
            found.append(count / (clock() - began))
        return found[1:]

    for name in args.corpus:
        # Another cache: an index that is found there must not pass for one that is made.
        cut = clips(name, args.clips)
        os.environ["DASHENG_CACHE"] = str(folder / "cache")
        shards = folder / name

        def pack(shards=shards, cut=cut):
            shutil.rmtree(shards, ignore_errors=True)
            write_shards(shards, cut, args.per_shard, progress=False)

        seconds = len(cut) * SECONDS
        yield name, "packed", "s of audio/s", rates(seconds, pack)
        paths = find_shards(shards)
        size = sum(path.stat().st_size for path in paths)
        yield name, "stored", "byte/s of audio", [size / seconds]

        def index(paths=paths):
            shutil.rmtree(folder / "cache", ignore_errors=True)
            return [shard_index(path) for path in paths]

        yield name, "indexed", "clips/s", rates(len(cut), index)
        begin = partial(ShardCrops, shards, SECONDS, BATCH, workers=0)
        yield name, "opened", "shards/s", rates(len(paths), begin)
        members = shard_index(paths[0]).members
        yield name, "index", "byte/clip", [members.nbytes / len(members)]
        crops = begin()
        steps = iter(range(10**9))
        decode = rates(4 * BATCH, lambda c=crops, s=steps: [c.batch(next(s)) for _ in range(4)])
        yield name, "decoded", "crops/s", decode
        del os.environ["DASHENG_CACHE"]
    order = Order(np.full(args.shards, 1000), 256, 8, 512, args.seed)
    steps = iter(range(0, 10**9, 997))  # far apart: no window is met twice
    yield "", "placed", "crops/s", rates(256, lambda: places(order, next(steps)))
    yield "", "shard in memory", "byte/shard", [bytes_of_an_index(paths)]
    left_out = {(f"shard-{n:06d}.tar", f"{n:011d}"): "damaged" for n in range(10_000)}
    yield "", "left-out clip, told", "byte/clip", [len(pickle.dumps(left_out)) / len(left_out)]
    yield "", "checkpoint", "byte/s", checkpoints(args, folder)


def places(order: Order, step: int) -> None:
    for row in range(order.batch):
        order.place(step, row)


def clips(name: str, most: int) -> list[Clip]:
    """Ten-second pieces of a corpus laid end to end."""
    corpus = trimmed(load_corpus(name))
    waves, have = [], 0
    for number in range(len(corpus)):
        waves.append(corpus.wave(number))
        have += len(waves[-1])
        if have >= most * SECONDS * RATE:
            break
    wave = np.concatenate(waves)
    whole = len(wave) // (SECONDS * RATE)
    pieces = wave[: whole * SECONDS * RATE].reshape(whole, -1)[:most]
    return [Clip(f"{n:011d}", lambda w=w: w, {"id": n}) for n, w in enumerate(pieces)]


def bytes_of_an_index(paths: Sequence[Path]) -> float:
    """Memory that a shard's index takes while its members are not looked at."""
    tracemalloc.start()
    kept = [shard_index(path) for path in paths]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / len(kept)


def checkpoints(args: argparse.Namespace, folder: Path) -> list[float]:
    """Bytes a second of wall-clock time, of a checkpoint with both moments."""
    model = MaskedAutoencoder.preset(args.size)
    optimizer = make_optimizer(model, TrainConfig())
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    files = RunFolder(folder / "run")
    files.path.mkdir()
    found = []
    for _ in range(args.repeats):
        began = time.perf_counter()
        files.keep(model.state_dict(), optimizer.state_dict(), 1, 0.0)
        found.append(files.checkpoint.stat().st_size / (time.perf_counter() - began))
    return found


if __name__ == "__main__":
    run_script(main)
