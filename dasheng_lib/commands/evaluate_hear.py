"""``dasheng evaluate hear``: encoders on tasks in HEAR's format."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

from dasheng_lib.commands.scores import keep_scores, score_pairs
from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import load_encoder
from dasheng_lib.evaluation.averages import summary
from dasheng_lib.tasks.hear.fetch import fetch_hear, find_hear, hear_sources
from dasheng_lib.tasks.hear.files import METADATA, task_folder
from dasheng_lib.tasks.hear.read import read_hear_task


def run_hear(args: argparse.Namespace) -> int:
    """Read every task, embed all of them, and only then train, evaluate and print; 0."""
    began = time.perf_counter()
    places = folders(args.task, args.place)
    check_names(places)
    encoders = [load_encoder(name) for name in args.encoder or ["logmel"]]
    rates = {encoder.sample_rate for encoder in encoders}
    duplicates = "keep" if args.keep_duplicates else "refuse"
    tasks = {rate: [read_hear_task(place, rate, duplicates) for place in places] for rate in rates}
    pairs = [(encoder, task) for encoder in encoders for task in tasks[encoder.sample_rate]]
    table = score_pairs(args, pairs)
    scores = summary(table).groupby(["task", "metric", "encoder", "probe"], sort=False)["score"]
    print(scores.agg(score="mean", seeds="size").round(4).to_string())
    keep_scores(args, table, [task for same in tasks.values() for task in same], began)
    return 0


def folders(names: list[str], place: Path | None) -> list[Path]:
    """Where the named tasks lie: folders as they are, others by name; by default all that are here.

    Raises:
        UserError: a task is not here, or none is.
    """
    found: list[Path] = []
    for name in names or [n for n in hear_sources() if find_hear(n, place)]:
        if _is_path(name):
            found.append(task_folder(Path(name)))
            continue
        here = find_hear(name, place) or (fetch_hear(name, place) if place else None)
        if not here:
            raise UserError(
                f"The task {name} is not here: `dasheng corpus fetch hear --task {name}` gets it; "
                "or name its folder, or with --from a folder that holds it."
            )
        found += here
    if not found:
        raise UserError(
            "No HEAR task is here: `dasheng corpus fetch hear --task NAME` gets one; "
            "`dasheng corpus list hear` names them."
        )
    return found


def check_names(places: list[Path]) -> None:
    """Two folders of one name would share their rows.

    Raises:
        UserError: there are two.
    """
    for name, count in Counter(place.absolute().name for place in places).items():
        if count > 1:
            raise UserError(
                f"{count} of the tasks are in folders named {name}, and their rows could not be "
                "told apart: evaluate them one by one, or rename a folder."
            )


def _is_path(name: str) -> bool:
    """A folder that is here, or what can only be one; an official name is a name."""
    path = Path(name)
    official = {
        known.lower() for s in hear_sources().values() for known in (s.name, s.column, *s.folders)
    }
    if (path / METADATA).is_file() or len(path.parts) != 1:
        return True
    return path.is_dir() and name.lower() not in official
