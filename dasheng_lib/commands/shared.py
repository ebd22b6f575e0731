"""What the verbs that score encoders share: probes with their seeds, and ``--record``."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import Any

import pandas as pd

from dasheng_lib.evaluation.probes import PROBES
from dasheng_lib.results.recorded import write_results


def record(args: argparse.Namespace, table: pd.DataFrame, **facts: Any) -> None:
    """Keep a table as ``FILE.csv`` with its origin as ``FILE.json``, if ``--record FILE`` asks."""
    if args.record:
        asked = {k: v for k, v in vars(args).items() if k not in ("record", "verb")}
        command = shlex.join(["dasheng", *sys.argv[1:]])
        write_results(args.record, table, command=command, parameters=asked, **facts)
        print(f"kept as {args.record}.csv")


def probe_seeds(
    args: argparse.Namespace, default: list[str], seeds: list[int], drawn: bool = False
) -> list[tuple[str, int]]:
    """Each probe with each of its seeds: what draws nothing runs once, under the first.

    Args:
        default: probes, where none is asked for.
        drawn: whether the folds too depend on the seed.
    """
    return [
        (probe, seed)
        for probe in args.probes or default
        for seed in (seeds if drawn or PROBES[probe].draws else seeds[:1])
    ]
