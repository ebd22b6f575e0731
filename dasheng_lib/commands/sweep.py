"""``dasheng sweep``: all runs of a grid, as a table."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict

from dasheng_lib.commands.options import at_least, folder, path, recordable
from dasheng_lib.commands.record import add_record, keep
from dasheng_lib.common.errors import UserError

EPILOG = """\
A grid is a YAML file: a base point and arms that leave it, see data_manifests/sweeps.
--out gets sweep.csv (a row a judged step), runs.csv (a row a run: what it cost, what it was made
with) and a folder for each run. Stop it at any time, also hard, and give the same command again;
several of these commands may work on one folder.

examples:
  dasheng sweep data_manifests/sweeps/desk.yml --dry-run
  dasheng sweep data_manifests/sweeps/desk.yml --out runs/desk --workers 2
  dasheng sweep data_manifests/sweeps/desk.yml --out runs/desk --only 'base*' 'seed*'
  dasheng sweep data_manifests/sweeps/first.yml --baselines book/results/first_sweep_baselines
  dasheng sweep data_manifests/sweeps/desk.yml --out runs/desk --jobs 16 \\
      --slurm slurm_partition=gpu gpus_per_node=1 timeout_min=240
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("grid", type=path, help="YAML file")
    parser.add_argument("--out", type=folder, help="folder of the sweep")
    parser.add_argument("--only", nargs="+", help="names of runs, or patterns such as 'mask*'")
    parser.add_argument(
        "--workers",
        type=at_least(1),
        default=1,
        help="processes; they share the cores, or the GPU if there is one (1)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="time a few steps of each kind, and stop there"
    )
    parser.add_argument(
        "--keep-weights", action="store_true", help="keep weights and embeddings of judged steps"
    )
    add_record(parser)
    parser.add_argument(
        "--baselines",
        type=recordable,
        metavar="FILE",
        help="train nothing: score log-mel statistics, the commonest class and chance as the grid "
        "judges, and keep that as FILE.csv",
    )
    parser.add_argument(
        "--jobs", type=at_least(1), help="submit this many jobs through submitit instead"
    )
    parser.add_argument(
        "--slurm", nargs="*", default=[], metavar="OPTION=VALUE", help="options for submitit"
    )


def run(args: argparse.Namespace) -> int:
    from dasheng_lib.sweep.engine import chosen, work, work_in_parallel, work_on_cluster
    from dasheng_lib.sweep.grid import read_grid
    from dasheng_lib.sweep.table import SweepTable

    grid = read_grid(args.grid)
    names = chosen(grid, args.only)
    if args.baselines:
        return _baselines(args, grid)
    if args.out is None and not args.dry_run:
        raise UserError("Name a folder for the sweep with --out, or ask with --dry-run.")
    table = args.out and SweepTable(args.out, grid.trials)
    left = [t for t in grid.trials if t.run in names and not (table and t.run in table.done())]
    if args.dry_run:
        print(_said(left, len(names), args.workers))
        return 0
    if args.jobs:
        options = _options(args.slurm)
        for job in work_on_cluster(args.grid, args.out, names, args.jobs, **options):
            print(f"submitted {job.job_id}")
        return 0
    if left:
        print(_said(left, len(names), args.workers), file=sys.stderr)
    if args.workers > 1:
        work_in_parallel(args.grid, args.out, names, args.workers, not args.keep_weights)
    elif busy := work(grid, args.out, names, tidy=not args.keep_weights):
        print(f"in other hands: {', '.join(busy)}", file=sys.stderr)
    print(table.rows_path)
    if args.record:
        _record(args, table)
    return 0


def _said(left: list, asked: int, workers: int) -> str:
    from dasheng_lib.sweep.cost import estimate

    if not left:
        return f"all {asked} runs are done"
    cost = estimate(left)
    train, judge = cost["train_seconds"].sum() / 3600, cost["judge_seconds"].sum() / 3600
    return (
        f"{len(left)} of {asked} runs are left: about {train:.1f} h of training and "
        f"{judge:.1f} h of judging, as timed just now with the threads of one process; "
        f"{(train + judge) / workers:.1f} h if {workers} processes do not slow each other"
    )


def _options(pairs: list[str]) -> dict[str, object]:
    options: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"--slurm takes OPTION=VALUE, such as timeout_min=240, not {pair!r}.")
        options[name] = int(value) if value.isdigit() else value
    return options


def _baselines(args: argparse.Namespace, grid) -> int:
    from dasheng_lib.sweep.baselines import AVERAGES, baselines
    from dasheng_lib.sweep.judge import Judge

    began = time.perf_counter()
    judge = Judge(grid.protocol)
    table, clips, classes = baselines(judge)
    print((100 * table.set_index("baseline")[list(AVERAGES)]).round(1).to_string())
    keep(
        args.baselines,
        table,
        protocol=asdict(grid.protocol),
        corpora={corpus.name: corpus.digest for corpus in judge.corpora},
        clips=clips,
        classes=classes,
        device="cpu",
        seconds=round(time.perf_counter() - began),
    )
    return 0


def _record(args: argparse.Namespace, table) -> None:
    keep(args.record, table.rows(), grid=args.grid.read_text(), **table.origin())
    table.keep_runs(args.record)
