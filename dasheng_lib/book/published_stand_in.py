"""A small untrained file in the layout of the published ones, where those are not at hand."""

from __future__ import annotations

from pathlib import Path

import torch

from dasheng_lib.checkpoint.published import upstream_shape
from dasheng_lib.common.cache import artefact
from dasheng_lib.model import Encoder


def stand_in(size: str = "nano", seed: int = 0) -> Path:
    """A file of an untrained encoder, in the cache; names and shapes are those of the authors."""

    def make(folder: Path) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoder = Encoder.preset(size)
        weights = {}
        for name, value in encoder.state_dict().items():
            theirs, shape = upstream_shape(name, list(value.shape))
            weights[theirs] = (value.T if name == "time" else value).reshape(shape).clone()
        config = encoder.config
        options = {"embed_dim": config.dim, "depth": config.depth, "num_heads": config.heads}
        torch.save({"model": weights, "config": options}, folder / "stand_in.pt")

    return artefact("published_stand_in", {"size": size, "seed": seed}, make) / "stand_in.pt"
