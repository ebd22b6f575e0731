"""k-nearest neighbours beside scikit-learn's brute force: time, the same answers, peak memory.

Rows are drawn around a centre for each class. Peak memory is of a process of its own for each
case, and the row "nothing" is one that only draws the rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from common import OURS, Case, add_timing_arguments, beside, keep, prepare, run_script, timed_rounds
from memory import peak_bytes
from sklearn.neighbors import KNeighborsClassifier

from dasheng_lib.common.errors import UserError
from dasheng_lib.knn import knn_predict

SCIKIT = "scikit-learn"
METRICS = ("cosine", "euclidean")
CLASSES = 50


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_timing_arguments(parser, repeats=3)
    parser.add_argument("--train", type=int, default=100_000, help="rows to vote (100000)")
    parser.add_argument("--test", type=int, default=2_000, help="rows to classify (2000)")
    parser.add_argument("--dim", type=int, default=768, help="(768)")
    parser.add_argument("--k", type=int, default=10, help="neighbours that vote (10)")
    parser.add_argument("--metric", nargs="+", default=METRICS, choices=METRICS)
    parser.add_argument("--no-peak", action="store_true", help="leave memory out")
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    prepare(args)
    if args.device != "cpu":
        raise UserError("Neighbours are looked for on the CPU: leave out --device.")
    train_ND, train_y, test_MD = draw(args)
    if args.only:
        who, metric = args.only
        if who != "nothing":
            predict(who, metric, train_ND, train_y, test_MD, args.k)
        print(json.dumps(peak_bytes("cpu")))
        return

    tables = []
    for metric in args.metric:
        answers = {}

        def act(who, metric=metric, answers=answers):
            answers[who] = predict(who, metric, train_ND, train_y, test_MD, args.k)

        cases = [Case(who, "float32", lambda who=who: act(who), 0) for who in (OURS, SCIKIT)]
        result = beside(cases, timed_rounds(cases, args), SCIKIT)
        result.insert(0, "metric", metric)
        result["same"] = np.mean(answers[OURS] == answers[SCIKIT])
        if not args.no_peak:
            result["peak_MB"] = [peak_of(who, metric, args) / 1e6 for who in result["who"]]
        tables.append(result)
    result = pd.concat(tables)
    print(result.to_string(index=False, float_format="{:.4g}".format))
    if not args.no_peak:
        print(f"drawing the rows alone: {peak_of('nothing', 'cosine', args) / 1e6:.0f} MB")
    keep(result, args)


def draw(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training rows, their classes, and test rows."""
    generator = torch.Generator().manual_seed(args.seed)
    centres = torch.randn(CLASSES, args.dim, generator=generator)
    rows = []
    for n in (args.train, args.test):
        labels = torch.randint(CLASSES, (n,), generator=generator)
        noise_ND = torch.randn(n, args.dim, generator=generator).mul_(6)
        for first in range(0, n, 4096):  # no second copy, which would hide the peak
            noise_ND[first : first + 4096] += centres[labels[first : first + 4096]]
        rows.append((noise_ND.numpy(), labels.numpy()))
    return rows[0][0], rows[0][1], rows[1][0]


def predict(who, metric, train_ND, train_y, test_MD, k) -> np.ndarray:
    if who == OURS:
        return knn_predict(train_ND, train_y, test_MD, k, metric)
    return (
        KNeighborsClassifier(k, metric=metric, algorithm="brute")
        .fit(train_ND, train_y)
        .predict(test_MD)
    )


def peak_of(who: str, metric: str, args: argparse.Namespace) -> int:
    """Peak bytes of one case, from a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--only", who, metric]
    for name in ("train", "test", "dim", "k", "seed"):
        command += [f"--{name}", str(getattr(args, name))]
    if args.threads:
        command += ["--threads", str(args.threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"{who} failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    run_script(main)
