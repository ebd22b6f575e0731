"""Weights that authors released as one file: fetched at the first call, verified, read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dasheng_lib.common.cache import cache_dir
from dasheng_lib.common.places import MANIFESTS
from dasheng_lib.corpora.fetch.download import DownloadError, Remote, download_shown
from dasheng_lib.corpora.fetch.zenodo import stored_record, zenodo_remote
from dasheng_lib.encoders.pinned import local_file, read_pins, verify

MANIFEST = MANIFESTS / "weights.yml"
PUBLISHED = ("base", "0.6B", "1.2B", "audioset")  # files of Dasheng's authors that are fetched


def read_state(name: str) -> dict[str, Tensor]:
    """The tensors of a file of the manifest, on the CPU; see :func:`released_file`."""
    return torch.load(released_file(name), map_location="cpu", weights_only=True)


def released_file(name: str) -> Path:
    """A file of the manifest; it is fetched if it is not here yet.

    One that was put here by hand is compared with the sum that the manifest states, or that its
    record at Zenodo stated when it was last asked.

    Raises:
        UserError: it cannot be had (the sentence says where to put it by hand), or what is there
            is not the pinned file.
    """
    wanted, path = read_pins(MANIFEST)[name], local_weights(name)
    stated = "zenodo" not in wanted or stored_record(wanted["zenodo"]).is_file()
    remotes = _remotes(wanted) if stated or path is None else []
    path = path or _fetch(remotes, _cached(wanted))
    if remotes:
        verify(path, {"md5": remotes[0].md5} | wanted)
    return path


def published_file(name: str) -> Path | str:
    """A file of Dasheng's authors: one of :data:`PUBLISHED` by its name, any other by its path.

    Raises:
        UserError: as :func:`released_file`.
    """
    return released_file(f"published:{name}") if name in PUBLISHED else name


def local_weights(name: str) -> Path | None:
    """The file in ``$DASHENG_DATA/weights`` or in the cache; None if it is in neither."""
    return local_file("weights", read_pins(MANIFEST)[name]["file"])


def _cached(wanted: dict[str, Any]) -> Path:
    return cache_dir("downloads", "weights", wanted["file"])


def _remotes(wanted: dict[str, Any]) -> list[Remote]:
    """Addresses that a file may come from, each with its size and sum."""
    then = f"put it at {_cached(wanted)}"
    if "zenodo" in wanted:
        return [zenodo_remote(wanted["file"], [wanted["zenodo"]], then=then)]
    instead = f"get the file from {wanted['source']} by hand and {then}"
    return [
        Remote(url, wanted["sha256"], wanted["bytes"], instead=instead) for url in wanted["urls"]
    ]


def _fetch(remotes: list[Remote], destination: Path) -> Path:
    """The file, from the first of its addresses that gives the pinned bytes."""
    *others, last = remotes
    shown = sys.stderr is not None and sys.stderr.isatty()
    for remote in others:
        try:
            return download_shown(remote, destination, shown)
        except DownloadError:
            continue
    return download_shown(last, destination, shown)
