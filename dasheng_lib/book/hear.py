"""HEAR in the chapters: its tasks, those that lie here, and whether a module follows its API."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

import pandas as pd

from dasheng_lib.book.over_folds import interval
from dasheng_lib.book.parameters import one_of
from dasheng_lib.encoders.hear.validator import check_hear
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.evaluation.evaluate import evaluate
from dasheng_lib.results.agreement import HEAR_DOMAINS
from dasheng_lib.tasks.hear.fetch import find_hear, hear_sources
from dasheng_lib.tasks.hear.read import read_hear_task

KNOWN = one_of(*hear_sources())
DOMAINS = {"Speech": "speech", "Music": "music", "Env": "environment"}
MEASURES = {
    "top1_acc": "accuracy",
    "pitch_acc": "accuracy",
    "mAP": "average precision",
    "aucroc": "area under curve",
    "event_onset_200ms_fms": "onset F, 200 ms",
    "event_onset_50ms_fms": "onset F, 50 ms",
}


def declared() -> pd.DataFrame:
    """A row a task of the benchmark, by its column in Dasheng's Table 2."""
    domains = {column: DOMAINS[d] for d, columns in HEAR_DOMAINS.items() for column in columns}
    rows = [
        {
            "column": task.column,
            "task": task.title,
            "domain": domains.get(task.column, "\u2013"),
            "clips": task.clips,
            "seconds": f"{task.shortest} to " * bool(task.shortest) + f"{task.seconds:g}",
            "classes": task.classes,
            "folds": task.folds or "\u2013",
            "measure": MEASURES[task.metric],
        }
        for task in hear_sources().values()
        if task.name != "spoken_digit"  # of HEAR's authors, but not of the benchmark
    ]
    return pd.DataFrame(rows).set_index("column")


def scores(names: Iterable[str], encoders: Sequence[AudioEncoder], seed: int) -> pd.DataFrame:
    """Rows of :func:`.evaluate` by HEAR's own probe, of the tasks whose official folders lie here.

    Of a task that lies nowhere it tells how to get it.
    """
    tables = [pd.DataFrame()]
    for name in names:
        folders = find_hear(name) or []
        if not folders:
            print(f"{name} is not here: `dasheng corpus fetch hear --task {name}` gets it.")
        for folder in folders:
            task = read_hear_task(folder, duplicates="keep", progress=False)
            tables += [evaluate(encoder, task, "mlp", seed, progress=False) for encoder in encoders]
    return pd.concat(tables)


def by_fold(table: pd.DataFrame) -> pd.DataFrame:
    """Percent of each task's own metric: mean over folds and seeds, and its interval over folds.

    Args:
        table: ``task, encoder, probe, fold, metric, score, seed``, the own metric first.
    """
    lines = {}
    for key, rows in table.groupby(["task", "encoder", "probe"], sort=False):
        own = rows[rows["metric"] == rows["metric"].iloc[0]]
        parts = 100 * own.groupby("fold")["score"].mean().to_numpy()
        seeds = str(own["seed"].nunique())
        lines[key] = {"score": parts.mean(), "interval": interval(parts), "seeds": seeds}
    return pd.DataFrame(lines).T.rename_axis(["task", "encoder", "probe"])


def check(module: str, weights: str = "") -> int:
    """Print what the validator finds, a line each; how much that is."""
    findings = check_hear(module, weights, device="cpu")
    for found in findings:
        print(textwrap.fill(f"{found.level}: {found.says}", 76))
    print(f"{module}: {len(findings) or 'no'} finding{'s' * (len(findings) != 1)}")
    return len(findings)
