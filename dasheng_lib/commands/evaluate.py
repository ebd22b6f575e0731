"""``dasheng evaluate``: encoders on tasks, as a table to read or a result to keep."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

import pandas as pd

from dasheng_lib.commands.details import chance_of, details, so_far
from dasheng_lib.commands.options import at_least, device, once, path, seed
from dasheng_lib.commands.pretrain import add_run_arguments, config_from_args
from dasheng_lib.commands.record import add_record, keep, parameters
from dasheng_lib.corpora import OPENSETS
from dasheng_lib.evaluation.probes import PROBES
from dasheng_lib.tasks.benchmarks import BENCHMARKS
from dasheng_lib.train.config import RunConfig

EPILOG = """\
examples:
  dasheng evaluate pocket --encoder logmel --encoder random:nano
  dasheng evaluate pocket --encoder dasheng:runs/first/final.safetensors --also fsdd esc10
  dasheng evaluate pocket --pretrain --seeds 0 1 2 --also fsdd esc10 --record book/results/probes
  dasheng evaluate hear --task esc50 --encoder dasheng:nano --encoder hear:my.module
  dasheng evaluate hear --task esc50 --encoder published:base --probes knn
  dasheng evaluate hear --task spoken_digit --probes mlp knn linear --seeds 0 1 2
  dasheng evaluate arch --task emovo --from ~/data --encoder logmel
  dasheng evaluate hares --task nsynth_pitch --task esc50 --from ~/data --encoder dasheng:nano
  dasheng evaluate csv birds.csv --encoder logmel --encoder dasheng:nano --confusion
"""


NAMES = (
    "logmel, random:SIZE, dasheng:nano, dasheng:FILE and its like by family, "
    "published:base|0.6B|1.2B|audioset|FILE, wheel:NAME, efficientat:mn04, musicnn:mtat|jamendo, "
    "hear:MODULE; repeat it for several"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "suite",
        choices=["pocket", "hear", "csv", *BENCHMARKS],
        help="tasks that come with clips, HEAR's folders, a table of your own clips, or a "
        "benchmark of data sets in their authors' layouts",
    )
    parser.add_argument(
        "file",
        nargs="?",
        type=path,
        help="csv: a table with columns path,label and optionally fold or group; paths are "
        "relative to it, without folds stratified ones are drawn from the seed",
    )
    parser.add_argument("--encoder", action="append", default=[], help=NAMES)
    parser.add_argument(
        "--probes",
        nargs="+",
        choices=list(PROBES),
        help="by default linear and knn, mlp for hear, and a benchmark's own: "
        + "; ".join(f"{name} is {probe.about}" for name, probe in PROBES.items()),
    )
    parser.add_argument("-k", type=at_least(1), default=10, help="neighbours of k-NN (10)")
    parser.add_argument("--seeds", nargs="+", type=seed, default=[0], help="seeds (0)")
    parser.add_argument(
        "--details",
        action="store_true",
        help="print each task by itself, with its 95 %% interval and chance (csv always does)",
    )
    add_record(parser)
    pocket = parser.add_argument_group("pocket")
    pocket.add_argument(
        "--corpus", default="pocket", help="pocket, pocket-full, pocket-large or synthetic"
    )
    pocket.add_argument(
        "--also", nargs="*", default=[], help=f"further sets: {', '.join(OPENSETS)}"
    )
    hear = parser.add_argument_group(", ".join(("hear", *BENCHMARKS)))
    hear.add_argument(
        "--task",
        action="append",
        default=[],
        help="name or column of the paper's table, of hear also a folder on disk; repeat it (by "
        "default all that are here)",
    )
    hear.add_argument(
        "--from",
        dest="place",
        type=path,
        help="where the folders lie, or archives of hear; a benchmark's set is FOLDER/NAME, or "
        "known by what it holds",
    )
    hear.add_argument(
        "--keep-duplicates",
        action="store_true",
        help="hear: score a published split as it is, even if a recording is in two parts",
    )
    hear.add_argument(
        "--unpadded",
        action="store_true",
        help="arch: leave clips as short as they are, so that the mean is over their own frames",
    )
    parser.add_argument(
        "--device", type=device, default="cpu", help="that MLPs train on: cpu or cuda (cpu)"
    )
    own = parser.add_argument_group("csv")
    own.add_argument(
        "--confusion", action="store_true", help="print which class was taken for which"
    )
    trained = parser.add_argument_group("pocket: pretraining before evaluating")
    trained.add_argument(
        "--pretrain",
        action="store_true",
        help="pretrain on --corpus with each of --seeds, and evaluate before and after",
    )
    add_run_arguments(trained)


def run(args: argparse.Namespace) -> int:
    for name in ("encoder", "probes", "seeds", "also", "task"):
        setattr(args, name, once(getattr(args, name) or ()))
    if args.suite == "hear":
        from dasheng_lib.commands.evaluate_hear import run_hear

        return run_hear(args)
    if args.suite == "csv":
        from dasheng_lib.commands.evaluate_csv import run_csv

        return run_csv(args)
    if args.suite in BENCHMARKS:
        from dasheng_lib.commands.evaluate_benchmark import run_benchmark

        return run_benchmark(args)
    return run_pocket(args)


def _parameters(args: argparse.Namespace, runs: Mapping[int, RunConfig]) -> dict[str, Any]:
    """The options, and what those of a run that is pretrained first come to."""
    said = {name: value for name, value in parameters(args).items() if value is not None}
    for config in runs.values():
        said |= config.record()
    if runs:
        del said["train"]["seed"]  # `seeds` has them
    return said


def run_pocket(args: argparse.Namespace) -> int:
    from dasheng_lib.corpora import load_corpus, origin_of
    from dasheng_lib.corpora.trim import prepare
    from dasheng_lib.encoders import load_encoder
    from dasheng_lib.evaluation.ahead import tell_ahead
    from dasheng_lib.evaluation.pocket import accuracy_by_domain, evaluate_corpus
    from dasheng_lib.tasks.of_corpus import corpus_clips
    from dasheng_lib.train.run import pretrained

    began = time.perf_counter()
    runs = {own: config_from_args(args, own) for own in args.seeds if args.pretrain}
    names = args.encoder + ["logmel"] * (args.pretrain or not args.encoder)
    sets = once([args.corpus, *args.also])
    for name in sets:
        if name != "synthetic":
            origin_of(name)  # a name that is none shows now; one that cannot be had, in its turn
    corpus = prepare(load_corpus(args.corpus))
    encoders = [(None, load_encoder(name)) for name in once(names)]
    pretraining = {}  # seconds, which a run from the cache does not cost again
    for own, config in runs.items():
        finished = pretrained(corpus, config)
        pretraining[own] = round(finished.log["seconds"].iloc[-1])
        encoders += [(own, finished.encoder(0)), (own, finished.encoder())]
    # Of a pretrained encoder the seed is that of its pretraining, and its probe takes the same.
    # An encoder without a seed is probed with each where the probe draws anything, else once.
    digests, chance = {}, {}
    with so_far(chance) as tables:
        for name in sets:
            judge = corpus if name == args.corpus else prepare(load_corpus(name))
            digests[judge.name] = judge.digest
            if args.details:
                commonest = evaluate_corpus(encoders[0][1], judge, "majority", progress=False)
                for _, row in commonest.groupby("task"):
                    chance |= chance_of(row, row["classes"].iloc[0])
            tell_ahead((encoder, corpus_clips(judge), "clips") for _, encoder in encoders)
            for own, encoder in encoders:
                for probe in args.probes or ("linear", "knn"):
                    for drawn in args.seeds if own is None and PROBES[probe].draws else [own]:
                        rows = evaluate_corpus(encoder, judge, probe, args.k, seed=drawn or 0)
                        tables.append(rows.assign(seed=drawn))
    table = pd.concat(tables, ignore_index=True)
    if args.details:
        print(f"{details(table, chance)}\n")
    print((100 * accuracy_by_domain(table)).round(1).to_string())
    keep(
        args.record,
        table,
        corpora=digests,
        parameters=_parameters(args, runs),
        seconds=round(time.perf_counter() - began),
        pretraining_seconds=pretraining,
    )
    return 0
