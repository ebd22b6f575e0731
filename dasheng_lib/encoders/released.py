"""Weights that authors released as one file: fetched at the first call, verified, read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dasheng_lib.common.cache import cache_dir
from dasheng_lib.common.places import MANIFESTS
from dasheng_lib.corpora.fetch.download import DownloadError, Remote, download
from dasheng_lib.encoders.pinned import local_file, read_pins, verify

MANIFEST = MANIFESTS / "weights.yml"


def read_state(name: str) -> dict[str, Tensor]:
    """The tensors of a file of the manifest, on the CPU; it is fetched if it is not here yet.

    Raises:
        UserError: it cannot be had (the sentence says where to put it by hand), or what is there
            is not the pinned file.
    """
    wanted = read_pins(MANIFEST)[name]
    path = local_weights(name) or _fetch(wanted)
    verify(path, wanted)
    return torch.load(path, map_location="cpu", weights_only=True)


def local_weights(name: str) -> Path | None:
    """The file in ``$DASHENG_DATA/weights`` or in the cache; None if it is in neither."""
    return local_file("weights", read_pins(MANIFEST)[name]["file"])


def _fetch(wanted: dict[str, Any]) -> Path:
    """The file, from the first of its addresses that gives the pinned bytes."""
    destination = cache_dir("downloads", "weights", wanted["file"])
    instead = f"get the file from {wanted['source']} by hand and put it at {destination}"
    *others, last = [
        Remote(url, wanted["sha256"], wanted["bytes"], instead=instead) for url in wanted["urls"]
    ]
    for remote in others:
        try:
            return download(remote, destination)
        except DownloadError:
            continue
    return download(last, destination)
