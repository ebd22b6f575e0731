"""RankMe from streamed sums beside float64 SVDs: time, the same number, memory as rows grow.

All get the same float32 rows, and one of ours gets them in small batches, as from an encoder; the
rival of the column is torch's SVD. Peak memory is of a process of its own for each case, at N rows
and at four times as many; there ours gets its rows batch by batch, while an SVD needs them all at
once. The row "nothing" draws the batches and forgets them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from common import OURS, Case, add_timing_arguments, beside, keep, prepare, run_script, timed_rounds
from memory import peak_bytes
from threadpoolctl import threadpool_limits
from torch import Tensor

from dasheng_lib.common.errors import UserError
from dasheng_lib.rank import RankMe, effective_rank

STREAMED = f"{OURS}, in batches of 512"
ALL = f"{OURS}, centred and corrected too"
TORCH, NUMPY, NOTHING = "torch SVD", "NumPy SVD", "nothing"
WHO = (OURS, STREAMED, ALL, TORCH, NUMPY)
BATCH, GROWN = 1024, 4


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_timing_arguments(parser, repeats=5)
    parser.add_argument("--rows", type=int, default=25_600, help="N (25600)")
    parser.add_argument("--dim", type=int, default=768, help="D (768)")
    parser.add_argument("--power", type=float, default=1.0, help="variances fall as j^-POWER (1)")
    parser.add_argument("--no-peak", action="store_true", help="leave memory out")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    prepare(args)
    if args.threads:
        threadpool_limits(args.threads)  # NumPy's too
    if min(args.rows, args.dim) < 1:
        raise UserError("--rows and --dim are at least 1.")
    if args.only:
        alone(args)
        return

    rows_ND = torch.cat([*batches(args)])
    answers = {}

    def act(who):
        answers[who] = rank(who, rows_ND, args.device)

    cases = [Case(who, "float32", lambda who=who: act(who), 0) for who in WHO]
    seconds = timed_rounds(cases, args)
    result = beside(cases, seconds, TORCH)
    result["times_numpy"] = beside(cases, seconds, NUMPY)["times_rival"]
    result["rankme"] = [answers[who] for who in WHO]
    result["apart"] = (result["rankme"] / answers[TORCH] - 1).abs()
    if not args.no_peak:
        result = pd.concat([result, pd.DataFrame([{"who": NOTHING}])], ignore_index=True)
        for name, rows in (("peak_MB", args.rows), (f"peak_MB_{GROWN}N", GROWN * args.rows)):
            result[name] = [peak_of(who, rows, args) / 1e6 for who in result["who"]]
    print(result.to_string(index=False, float_format="{:.4g}".format, na_rep=""))
    keep(result, args)


def batches(args: argparse.Namespace) -> Iterator[Tensor]:
    """Float32 rows, drawn batch by batch: normal, with a mean of the length of one deviation."""
    generator = torch.Generator().manual_seed(args.seed)
    scale_D = torch.arange(1, args.dim + 1) ** (-args.power / 2)
    mean_D = torch.randn(args.dim, generator=generator)
    mean_D *= scale_D.norm() / mean_D.norm()
    for first in range(0, args.rows, BATCH):
        n = min(BATCH, args.rows - first)
        part_ND = torch.randn(n, args.dim, generator=generator) * scale_D + mean_D
        yield part_ND.to(args.device)


def rank(who: str, rows_ND: Tensor, device: str) -> float:
    if who == TORCH:
        return effective_rank(torch.linalg.svdvals(rows_ND.double()))
    if who == NUMPY:
        values = np.linalg.svd(rows_ND.cpu().numpy().astype(np.float64), compute_uv=False)
        return effective_rank(torch.from_numpy(values))
    ranks = RankMe(rows_ND.shape[1], device)
    for part_ND in rows_ND.split(512) if who == STREAMED else [rows_ND]:
        ranks.update(part_ND)
    return told(who, ranks)


def told(who: str, ranks: RankMe) -> float:
    if who == ALL:
        for centred in (False, True):
            ranks.corrected(centred)
        ranks.compute(centred=True)
    return ranks.compute()


def alone(args: argparse.Namespace) -> None:
    """One case in this process, and the most memory that it took."""
    if args.only in (TORCH, NUMPY):
        rows_ND = torch.empty(args.rows, args.dim, device=args.device)
        for number, part_ND in enumerate(batches(args)):  # no second copy, which would count
            rows_ND[number * BATCH : number * BATCH + len(part_ND)] = part_ND
        rank(args.only, rows_ND, args.device)
    else:
        ranks = RankMe(args.dim, args.device)
        for part_ND in batches(args):
            if args.only != NOTHING:
                ranks.update(part_ND)
        if args.only != NOTHING:
            told(args.only, ranks)
    print(json.dumps(peak_bytes(args.device)))


def peak_of(who: str, rows: int, args: argparse.Namespace) -> int:
    """Peak bytes of one case, from a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--only", who, "--rows", str(rows)]
    for name in ("dim", "power", "seed", "device"):
        command += [f"--{name}", str(getattr(args, name))]
    if args.threads:
        command += ["--threads", str(args.threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"{who} failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    run_script(main)
