"""ARCH and HARES in the chapters: tasks as they are declared, published scores, recorded rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import pandas as pd

from dasheng_lib.book.over_folds import interval
from dasheng_lib.corpora.official.files import Recording
from dasheng_lib.corpora.official_sets import benchmark_tasks
from dasheng_lib.metrics.intervals import t_interval
from dasheng_lib.results.agreement import grid
from dasheng_lib.results.published import read_table
from dasheng_lib.tasks.arch import ARCH, SEED
from dasheng_lib.tasks.hares import HARES
from dasheng_lib.tasks.parts import Parts

DOMAINS = ("environment", "music", "speech")
EVERY, NONE, MEAN = "all", "none", "mean"  # parameters: all domains, no task, sort by the mean
MEASURES = {"top1_acc": "accuracy", "mAP": "mAP", "all_slots": "all slots right"}
HEADS = {
    "arch": "linear",
    "hares": "linear",
    "hares-mtt": "linear",
    "hares-mlp": "512 hidden units",
    "hares-svm": "SVM",
}
SHORT = {"openwakeword speech_embedding": "openwakeword"}


def declared(benchmark: str) -> pd.DataFrame:
    """A row a task by its column: ``title, domain, clips, hours, classes, measure, how``.

    ``hours`` is what ARCH's probe hears, clips times the length they are cut or filled to; NaN for
    HARES, whose clips have no declared length. ``how`` is, in words, how a task's clips are split
    (ARCH), or what is scored by which probe (HARES).
    """
    rows = {}
    for name, task in benchmark_tasks(benchmark).items():
        own = ARCH[name] if benchmark == "arch" else HARES[name]
        seconds = own.seconds if benchmark == "arch" else float("nan")
        rows[task.column] = {
            "title": task.title,
            "domain": task.domain,
            "clips": task.clips,
            "hours": task.clips * seconds / 3600,
            "classes": task.classes,
            "measure": MEASURES[task.metric],
            "how": splits(own.part) if benchmark == "arch" else scored(own.test, own.probe),
        }
    return pd.DataFrame(rows).T.infer_objects()


def splits(part: Callable[[Sequence[Recording], int], list[Parts]]) -> str:
    """How a rule parts clips, in words: asked of the rule itself, with made-up recordings.

    There are two official splits and five groups of them, so that two folds are splits in turn and
    five are groups.
    """
    made = [
        Recording(Path(str(row)), ("label",), split, group)
        for row, (split, group, _) in enumerate(product(("train", "test"), "abcde", range(4)))
    ]
    folds = part(made, SEED)
    if len(folds) > 1:
        return "official folds in turn" if len(folds) == 2 else "speakers in turn"
    if {made[row].split for row in folds[0].test} == {"test"}:
        return "official split"
    return f"split at random, {len(folds[0].test) / len(made):.0%} test"


def scored(cut: Callable, probe: str) -> str:
    """What of a clip HARES scores, and by which head."""
    if not isinstance(cut, partial):
        return f"whole clips, {HEADS[probe]}"
    count = cut.keywords.get("count")
    pieces = f"{count} crops" if count else "pieces"
    return f"{pieces} of {cut.keywords['seconds']:g} s, {HEADS[probe]}"


def published(benchmark: str) -> pd.DataFrame:
    """Models by tasks, in percent, as printed: rows with a score on each, columns as declared."""
    columns = [task.column for task in benchmark_tasks(benchmark).values()]
    return grid(read_table(benchmark))[columns].dropna()


def domains_of(benchmark: str) -> dict[str, str]:
    """From each task's column to its domain."""
    return {task.column: task.domain for task in benchmark_tasks(benchmark).values()}


def chosen(benchmark: str, domain: str = EVERY, drop: str = NONE) -> list[str]:
    """Columns of one domain, or of all, without one task."""
    found = domains_of(benchmark).items()
    return [column for column, of in found if domain in (EVERY, of) and column != drop]


def explored(scores: pd.DataFrame, columns: Sequence[str], sort_by: str = MEAN) -> pd.DataFrame:
    """The table to read: the mean over the columns, computed, then these as published, sorted."""
    means = scores[list(columns)].mean(axis=1)
    order = (means if sort_by == MEAN else scores[sort_by]).sort_values(ascending=False).index
    table = pd.concat(
        {
            "just now": means.rename(f"mean of {len(columns)}").to_frame(),
            "published": scores[list(columns)],
        },
        axis=1,
    )
    return table.loc[order].rename_axis(index=None, columns=[None, None])


def recorded_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Percent of each encoder on one task: its mean, and two intervals of it.

    Args:
        table: of ``dasheng evaluate``, one task and probe: ``encoder, seed, fold, score``.

    Returns:
        The best first: ``score, low, high`` (Student's 95 % over folds, seeds averaged), ``folds``
        and ``seeds`` (the same intervals in words; "" where there is one).
    """
    lines = {}
    for name, rows in table.groupby("encoder", sort=False):
        by_fold = 100 * rows.groupby("fold")["score"].mean()
        by_seed = 100 * rows.groupby("seed")["score"].mean()
        low, high = _interval(by_fold)
        lines[SHORT.get(name, name)] = {
            "score": by_fold.mean(),
            "low": low,
            "high": high,
            "folds": interval(by_fold),
            "seeds": interval(by_seed),
        }
    found = pd.DataFrame(lines).T.infer_objects()
    return found.sort_values("score", ascending=False)


def beside_printed(
    benchmark: str, printed: pd.DataFrame, row: str, recorded: pd.DataFrame
) -> pd.DataFrame:
    """Recorded scores of several tasks, and what one published model has on each.

    Args:
        printed: the published table.
        row: the model.
        recorded: rows of ``dasheng evaluate``.
    """
    tasks, found = benchmark_tasks(benchmark), {}
    for (task, probe), rows in recorded.groupby(["task", "probe"], sort=False):
        for encoder, line in recorded_scores(rows).iterrows():
            found[tasks[task].column, encoder, probe] = {
                ("published", row): printed.at[row, tasks[task].column],
                ("recorded", "score"): line["score"],
                ("recorded", "over folds"): line["folds"],
                ("recorded", "over seeds"): line["seeds"],
            }
    return pd.DataFrame(found).T.infer_objects()


def _interval(values: pd.Series) -> tuple[float, float]:
    return t_interval(values.to_numpy()) if len(values) > 1 else (float("nan"), float("nan"))
