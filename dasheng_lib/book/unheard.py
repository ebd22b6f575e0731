"""Scores on sets that no encoder of this book has heard: recorded over seeds, and just now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pandas as pd

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora import load_corpus, prepare
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.metrics.intervals import paired_bootstrap, t_interval
from dasheng_lib.tasks import Declared, never_heard

if TYPE_CHECKING:
    from dasheng_lib.evaluation.folds import Score

RIVALS = ("log-mel statistics", "untrained")
PROBES = {"linear": "linear", "knn": "k-NN"}
Scores = Mapping[tuple[Declared, str, str], "Score"]  # by task, probe and encoder


def judges_here() -> dict[str, Corpus]:
    """Those of the sets that are on this machine, prepared, by name."""
    found = {}
    for name in never_heard():
        with suppress(UserError):
            found[name] = prepare(load_corpus(name, fetch=False))
    return found


def longer_trained(recorded: pd.DataFrame) -> dict[str, list[int]]:
    """Where the bundled encoder leads each rival on these sets, by linear probe and k-NN.

    Args:
        recorded: ``task, probe, encoder, accuracy, low, high`` of encoders that stand recorded.

    Returns:
        By rival, 1 or -1 for each comparison whose 95 % intervals do not meet, else 0.
    """
    if recorded.empty:
        return {}
    names = {"untrained": "untrained nano", "log-mel statistics": "log-mel statistics"}
    sets = recorded[recorded["task"].isin(list(never_heard())) & recorded["probe"].isin([*PROBES])]
    wide = sets.set_index(["task", "probe", "encoder"])[["low", "high"]].unstack("encoder")
    ours = wide.xs("dasheng:nano", axis=1, level="encoder")
    ways = {}
    for rival, name in names.items():
        theirs = wide.xs(name, axis=1, level="encoder")
        ahead, behind = ours["low"] > theirs["high"], ours["high"] < theirs["low"]
        ways[rival] = (ahead.astype(int) - behind.astype(int)).tolist()
    return ways


def led(ways: Mapping[str, Sequence[int]]) -> str:
    """In how many comparisons an encoder is ahead of itself untrained and of log-mel statistics."""
    names = {"untrained": "itself untrained", "log-mel statistics": "128 log-mel numbers"}
    return "; ".join(
        f"ahead of {names[rival]} in {of.count(1)} of {len(of)} comparisons and behind in "
        f"{of.count(-1)}"
        for rival, of in ways.items()
    )


def accuracies(tasks: Sequence[Declared], recorded: pd.DataFrame, now: Scores) -> pd.DataFrame:
    """Accuracy in percent of each encoder and probe on each task.

    Args:
        recorded: ``task, probe, encoder, seed, accuracy``.
        now: of this build, where the set is there.

    Returns:
        Rows ``set, probe, encoder``; columns ``recorded``, ``interval over seeds`` and
        ``just now``, those that nothing fills left out.
    """
    rows = []
    for task, (probe, title) in ((t, p) for t in tasks for p in PROBES.items()):
        for encoder in (*RIVALS, "pretrained"):
            past = _by_seed(recorded, task, probe, encoder)
            row = {"set": task.title, "probe": title, "encoder": encoder, "recorded": past.mean()}
            if len(past) > 1:
                row["interval over seeds"] = "{:.1f} … {:.1f}".format(*t_interval(past))
            if (task, probe, encoder) in now:
                row["just now"] = 100 * now[task, probe, encoder].accuracy
            rows.append(row)
    columns = ["recorded", "interval over seeds", "just now"]
    return _table(rows, ["set", "probe", "encoder"], columns)


def leads(
    tasks: Sequence[Declared], recorded: pd.DataFrame, now: Scores
) -> tuple[pd.DataFrame, dict[tuple[str, str], dict[str, float]], dict[tuple[str, str], list[int]]]:
    """By how many points the pretrained encoder leads each rival on each task.

    Args:
        tasks, recorded, now: as of :func:`accuracies`.

    Returns:
        Rows ``set, probe, pretrained less`` with the recorded lead, its interval over seeds
        (Student's), how many those are, the lead just now, and its interval over groups (clips of
        whole groups drawn again); the leads alone, by source and rival, then by set and probe; and
        for each of these 1, -1 or 0, as its interval lies above zero, below it, or holds it.
    """
    rows, found, ways = [], {}, {}
    for task, (probe, title) in ((t, p) for t in tasks for p in PROBES.items()):
        for rival in RIVALS:
            row = {"set": task.title, "probe": title, "pretrained less": rival}
            ends = {}
            after = _by_seed(recorded, task, probe, "pretrained")
            before = _by_seed(recorded, task, probe, rival)
            if len(after) > 1:
                lead = after - (before if len(before) > 1 else before.mean())
                row["recorded"], row["seeds"] = lead.mean(), str(len(lead))
                ends["recorded"] = t_interval(lead)
                row["over seeds"] = "{:+.1f} … {:+.1f}".format(*ends["recorded"])
            if (task, probe, rival) in now:
                after, before = now[task, probe, "pretrained"], now[task, probe, rival]
                low, high = paired_bootstrap(after.correct, before.correct, after.groups)
                ends["just now"] = 100 * low, 100 * high
                row["just now"] = 100 * (after.accuracy - before.accuracy)
                row["over groups"] = "{:+.1f} … {:+.1f}".format(*ends["just now"])
            rows.append(row)
            for source, (low, high) in ends.items():
                found.setdefault((source, rival), {})[f"{task.corpus} {title}"] = row[source]
                ways.setdefault((source, rival), []).append(int(low > 0) - int(high < 0))
    columns = ["recorded", "over seeds", "seeds", "just now", "over groups"]
    return _table(rows, ["set", "probe", "pretrained less"], columns), found, ways


def word(of_untrained: Sequence[int], of_log_mel: Sequence[int]) -> str:
    """What comparisons beyond their intervals, 1 or -1, say of a claim that pretraining carries
    over to unheard recordings, as a verdict.

    ``"supported"``: ahead of both in each. ``"partly"``: ahead of itself untrained more often than
    behind; ``"not"``: behind more often; else ``"cannot tell"``.
    """
    if of_untrained and min(*of_untrained, *of_log_mel) == 1:
        return "supported"
    balance = sum(of_untrained)
    return "partly" if balance > 0 else "not" if balance < 0 else "cannot tell"


def _by_seed(recorded: pd.DataFrame, task: Declared, probe: str, encoder: str) -> pd.Series:
    """Percent by seed; log-mel statistics, which have none, have one."""
    asked = {"task": task.name, "probe": probe, "encoder": encoder}
    rows = recorded[recorded[list(asked)].eq(pd.Series(asked)).all(axis=1)]
    return 100 * rows.set_index("seed")["accuracy"]


def _table(rows: list[dict[str, Any]], keys: list[str], columns: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(rows).set_index(keys).reindex(columns=columns)
    table = table.dropna(axis="columns", how="all")
    return table.apply(lambda c: c if c.dtype.kind == "f" else c.fillna(""))
