"""Run by torchrun in two processes (see test_distributed.py): train, each way, and say nothing."""

import contextlib
import sys
from dataclasses import replace
from pathlib import Path

import torch

from dasheng_lib.common.distributed import start_processes, stop_processes
from dasheng_lib.corpora.synthetic.corpus import synthetic_corpus
from dasheng_lib.train import TrainConfig, batches
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.run import Execution, pretrain_into

CONFIG = RunConfig(
    preset="48x2x2", batch=8, clip_seconds=0.5, hold_out=0.1, train=TrainConfig(steps=6)
)


batches.VALIDATION_CROPS = 24


class Stops(Exception):
    pass


def run(folder: Path, stop: int | None = None, config: RunConfig = CONFIG, **execution):
    """Train in ``folder``; with ``stop``, raise when that step has been read."""
    data, held = batches.batches_of(synthetic_corpus(), config)
    if stop is not None:
        read = data.batch

        def batch(step, rows=None):
            if step == stop:
                raise Stops
            return read(step, rows)

        data.batch = batch
    how = Execution(checkpoint_every=2, progress=False, **execution)
    return pretrain_into(folder, data, held, config, start_processes(), how)


if __name__ == "__main__":
    out = Path(sys.argv[1])
    torch.set_num_threads(1)
    run(out / "ddp")
    run(out / "fsdp", strategy="fsdp", recompute=True)
    for strategy in ("ddp", "fsdp"):
        with contextlib.suppress(Stops):
            run(out / f"cut-{strategy}", stop=5, strategy=strategy)
    run(out / "cut-ddp", strategy="fsdp")  # half by the one, half by the other
    half = replace(CONFIG, train=replace(CONFIG.train, steps=2, precision="bfloat16"))
    run(out / "half", config=half, strategy="fsdp")
    stop_processes()
