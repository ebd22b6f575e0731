"""A small sweep inside a chapter: computed now, or taken from the cache where it was before."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch

from dasheng_lib.common.cache import artefact
from dasheng_lib.common.places import SWEEPS as FOLDER
from dasheng_lib.corpora import load_corpus
from dasheng_lib.sweep.baselines import baselines
from dasheng_lib.sweep.engine import work
from dasheng_lib.sweep.grid import read_grid
from dasheng_lib.sweep.judge import Judge

VERSION = 6  # raise it when the same grid would give another table


def live(grid: str, progress: bool = True) -> pd.DataFrame:
    """The rows of ``data_manifests/sweeps/GRID.yml``; interrupted, it goes on where it stopped.

    Raises:
        UserError: there is no such grid.
    """
    path = FOLDER / f"{grid}.yml"
    asked = read_grid(path)
    names = {*asked.protocol.corpora, *(trial.corpus for trial in asked.trials)}
    recipe = {
        "grid": path.read_text(),
        "corpora": {name: load_corpus(name).digest for name in sorted(names)},
        "version": VERSION,
        "torch": torch.__version__.split("+")[0],
        "device": "cuda" if torch.cuda.is_available() else "cpu",
    }
    folder = artefact(
        "sweep",
        recipe,
        lambda place: work(asked, Path(place), progress=progress),
        resumable=True,
    )
    return pd.read_csv(folder / "sweep.csv")


def live_baselines(grid: str) -> pd.DataFrame:
    """What costs nothing under the protocol of a grid: see :mod:`dasheng_lib.sweep.baselines`.

    Raises:
        UserError: there is no such grid.
    """
    return baselines(Judge(read_grid(FOLDER / f"{grid}.yml").protocol))[0].set_index("baseline")
