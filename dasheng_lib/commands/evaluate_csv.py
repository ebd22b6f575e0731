"""``dasheng evaluate csv``: encoders on a table of a reader's own clips."""

from __future__ import annotations

import argparse
import time
from collections import Counter

import numpy as np
import pandas as pd

from dasheng_lib.commands.details import so_far
from dasheng_lib.commands.record import keep, parameters
from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import load_encoder
from dasheng_lib.evaluation.ahead import tell_ahead
from dasheng_lib.evaluation.evaluate import check_asked, probe_folds
from dasheng_lib.evaluation.folds import Score
from dasheng_lib.evaluation.probes import find_probe, probe_seeds
from dasheng_lib.evaluation.scoring import pooled
from dasheng_lib.tasks.table import read_table_task

ENCODERS = ["logmel", "random:nano", "dasheng:nano"]


def run_csv(args: argparse.Namespace) -> int:
    """Read the table, embed its clips, and only then probe, print and record; 0."""
    began = time.perf_counter()
    if args.file is None:
        raise UserError("Name the table: dasheng evaluate csv FILE, with columns path and label.")
    encoders = {name: load_encoder(name) for name in args.encoder or ENCODERS}
    tasks = {seed: read_table_task(args.file, seed) for seed in args.seeds}
    first = tasks[args.seeds[0]]
    drawn = any(task.clips != first.clips for task in tasks.values())
    ways = probe_seeds(args.probes or ["linear", "knn"], args.seeds, drawn)
    for probe, seed in ways:
        check_asked(tasks[seed], probe, seed, args.k, args.device)
    reads = {find_probe(probe).reads for probe, _ in ways} - {""}
    tell_ahead((encoder, first.embedded, kind) for encoder in encoders.values() for kind in reads)
    with so_far() as tables:
        for name, encoder in encoders.items():
            for probe, seed in ways:
                tested = probe_folds(encoder, tasks[seed], probe, seed, args.k, args.device)
                score = pooled(tasks[seed], tested)
                names = {"task": first.name, "encoder": name, "probe": probe, "seed": seed}
                tables.append(pd.DataFrame([names | score.row()]))
                if args.confusion:
                    print(f"\n{name}, {probe}, seed {seed}: a row for each true class")
                    print(confusion(score).to_string())
    table = pd.concat(tables, ignore_index=True)
    shown = table.assign(**{c: (100 * table[c]).round(1) for c in ("accuracy", "low", "high")})
    print(shown.to_string(index=False))
    labels = [clip.labels[0] for part in first.clips.values() for clip in part]
    label, count = Counter(labels).most_common(1)[0]
    print(f"\nthe commonest class, {label}, is {100 * count / len(labels):.1f} % of the clips")
    if left := len(labels) - table["clips"].min():
        print(f"{left} of {len(labels)} clips are not tested: their class is in one fold only")
    keep(
        args.record,
        table,
        audio=sorted(clip.identity for part in first.clips.values() for clip in part),
        parameters=parameters(args),
        seconds=round(time.perf_counter() - began),
    )
    return 0


def confusion(score: Score) -> pd.DataFrame:
    """How often each class (row) was taken for which (column)."""
    classes = np.unique([*score.labels, *score.guesses])
    table = pd.crosstab(score.labels, score.guesses, rownames=["true"], colnames=["taken for"])
    return table.reindex(index=np.unique(score.labels), columns=classes, fill_value=0)
