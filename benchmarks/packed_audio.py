"""What packing audio into one small file costs in score: the same clips before and after.

Each clip's first two seconds go to an encoder as they are and as they come out of the file of
`python benchmarks/gpu.py pack`; probes of both are scored on the same folds. `apart` counts test
clips that only the packed (`won`) or only the original audio (`lost`) gets right, and the interval
of the difference is of these pairs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from common import run_script, script_command
from packed import load_packed, packed_head

from dasheng_lib.common.places import expanded
from dasheng_lib.corpora import load_corpus
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.split import shortened
from dasheng_lib.corpora.trim import prepare
from dasheng_lib.encoders import load_encoder
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.evaluation.embed import embed
from dasheng_lib.evaluation.folds import evaluate_folds
from dasheng_lib.evaluation.probes import classifier
from dasheng_lib.results import recordable, write_results
from dasheng_lib.tasks import suite
from dasheng_lib.tasks.of_corpus import corpus_clips

SECONDS = 2.0
PROBES = {name: classifier(name) for name in ("linear", "knn")}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("file", type=expanded, help="packed corpora")
    parser.add_argument("--encoder", nargs="+", default=["logmel", "dasheng:nano"])
    parser.add_argument(
        "--record", type=recordable, help="keep the table as FILE.csv and FILE.json"
    )
    args = parser.parse_args(argv)
    head, rows, corpora = packed_head(args.file), [], {}
    encoders = {name: load_encoder(name) for name in args.encoder}
    for name in head["corpora"]:
        pair = [
            shortened(prepare(corpus), SECONDS)
            for corpus in (load_corpus(name), load_packed(args.file, name))
        ]
        corpora[name] = pair[0].digest
        for encoder_name, encoder in encoders.items():
            for row in compared(encoder, *pair):
                rows.append({"corpus": name, "encoder": encoder_name, **row})
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format="{:.4f}".format))
    if args.record:
        facts = {"kbps": head["kbps"], "codec": head["codec"], "bytes": args.file.stat().st_size}
        facts |= {"seconds": SECONDS, "seed": 0, "threads": torch.get_num_threads()}
        facts |= {"device": "cpu", "corpora": corpora}
        write_results(args.record, table, command=script_command(), **facts)
        print(f"kept as {args.record}.csv")


def compared(encoder: AudioEncoder, original: Corpus, coded: Corpus) -> Iterator[dict[str, object]]:
    """A row a headline task and probe: accuracies, clips won and lost, difference and interval."""
    before_ND, after_ND = (embed(encoder, corpus_clips(c)).features for c in (original, coded))
    for task in suite(original.name, headline=True):
        labels, coded_labels = original.task(task.name), coded.task(task.name)
        for probe, predict in PROBES.items():
            before = evaluate_folds(before_ND, labels, predict)
            after = evaluate_folds(after_ND, coded_labels, predict)
            yield {"task": task.name, "probe": probe, **paired(before.correct, after.correct)}


def paired(before_N: np.ndarray, after_N: np.ndarray) -> dict[str, float]:
    """Accuracies of the same N clips, and their difference with a 95 % interval of the pairs."""
    won, lost, N = (after_N & ~before_N).sum(), (before_N & ~after_N).sum(), len(before_N)
    difference = (won - lost) / N
    half = 1.96 * np.sqrt(max(won + lost - (won - lost) ** 2 / N, 0)) / N
    return {
        "clips": N,
        "original": before_N.mean(),
        "packed": after_N.mean(),
        "won": int(won),
        "lost": int(lost),
        "difference": difference,
        "low": difference - half,
        "high": difference + half,
    }


if __name__ == "__main__":
    run_script(main)
