"""Run by test_contrastive.py: two processes, and the gradients of one step."""

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import torch

from dasheng_lib.common.distributed import (
    World,
    mean_over,
    parallelise,
    start_processes,
    stop_processes,
)
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.crops import Crops
from dasheng_lib.corpora.synthetic.corpus import synthetic_corpus
from dasheng_lib.train import TrainConfig, mask_noise
from dasheng_lib.train.build import new_model
from dasheng_lib.train.loop import gradients
from dasheng_lib.train.recipes import family_defaults

CASES = [("simclr", "24x2x2"), ("simclr", "sfnfnet-16"), ("byol", "24x2x2")]
BATCH, SECONDS = 6, 0.3


def step(family: str, size: str, world: World, corpus: Corpus) -> dict[str, torch.Tensor]:
    """Loss, gradient norm and gradients of a step of this process's rows; and all buffers."""
    train = TrainConfig(clip_norm=0.0)
    config = replace(family_defaults(family), preset=size, batch=BATCH, train=train)
    model = new_model(config)
    torch.manual_seed(0)
    with torch.no_grad():  # skip gains begin at 0, where blocks have no gradient
        for name, parameter in model.named_parameters():
            if name.endswith("gain") and parameter.ndim == 0:
                parameter.fill_(0.5)
    rows = world.rows(BATCH)
    crops = Crops(corpus, SECONDS, BATCH)
    wave_BN = torch.from_numpy(crops.batch(1, rows))
    noise = mask_noise(model, BATCH, wave_BN.shape[1], 0, 0)[rows]
    parallel = parallelise(model.train(), model.blocks, world, "ddp")
    loss, norm = gradients(model, parallel, train, noise, wave_BN)
    slopes = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    state = {f"buffer {name}": value for name, value in model.named_buffers()}
    return {"loss": mean_over(loss), "norm": norm, **slopes, **state}


if __name__ == "__main__":
    torch.set_num_threads(1)
    corpus = synthetic_corpus()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    child = os.fork()  # rather than torchrun, which would load torch three times
    os.environ["RANK"] = "1" if child == 0 else "0"
    world = start_processes()
    found = {f"{family} {size}": step(family, size, world, corpus) for family, size in CASES}
    if world.first:
        torch.save(found, Path(sys.argv[1]))
    stop_processes()
    if child == 0:
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
