"""heareval's probe: its whole grid on one fold, beside plain PyTorch, one model after the other.

The rival is what one would write down: nn.Sequential, autograd, torch.optim.Adam, rows already
on the device, the same grid, schedule, validation and early stopping. Features are drawn with
class structure, as many as ESC-10 has (--encoder takes the real ones); each --spread is another
draw, the greater the harder. Where classes lie apart, ours ends as soon as no later epoch can
change the outcome; --to-the-end denies it that.

The third line does as many epochs as ours of nothing but the matrix products of forward and
backward pass, models side by side: no float32 training of this grid on this machine is faster.
"""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from common import OURS, Case, add_timing_arguments, beside, keep, prepare, run_script, timed_rounds
from torch import nn
from torch.nn import functional as F

from dasheng_lib.evaluation.probes.mlp.probe import GRID, SCHEDULE, Part, Split, kfold, probe
from dasheng_lib.evaluation.probes.mlp.side_by_side import advance_all

PLAIN = "plain PyTorch"
PRODUCTS = "the products alone"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_timing_arguments(parser, repeats=3)
    parser.add_argument("--encoder", nargs="+", help="take ESC-10 and these, such as logmel")
    parser.add_argument("--spread", type=float, nargs="+", default=[4.0, 2.0], help="(4 2)")
    parser.add_argument("--dim", type=int, default=192, help="of drawn features (192)")
    parser.add_argument("--rows", type=int, default=80, help="drawn in each of 5 folds (80)")
    parser.add_argument("--hidden", type=int, default=SCHEDULE.hidden, help="(heareval's 1024)")
    parser.add_argument("--max-epochs", type=int, default=SCHEDULE.max_epochs, help="(500)")
    parser.add_argument("--to-the-end", action="store_true", help="no end but early stopping")
    args = parser.parse_args(argv)
    prepare(args)

    schedule = replace(SCHEDULE, max_epochs=args.max_epochs, hidden=args.hidden)
    if args.to_the_end:
        schedule = replace(schedule, best_possible=math.inf)
    if args.encoder:
        tasks = {f"ESC-10, {encoder}": esc10(encoder) for encoder in args.encoder}
    else:
        tasks = {f"drawn, spread {spread:g}": drawn(spread, args) for spread in args.spread}
    tables = []
    for name, split in tasks.items():
        results = {}

        def ours(split=split, results=results):
            grid = probe([split], "multiclass", schedule, seed=args.seed, device=args.device).grid
            results[OURS] = [(row.score, row.epochs) for row in grid]

        def theirs(split=split, results=results):
            results[PLAIN] = plain_grid(split, schedule, args.device)

        def products(split=split, results=results, ours=ours):
            if OURS not in results:  # rounds may begin with any
                ours()
            results[PRODUCTS] = results[OURS]
            epochs = [epochs for _, epochs in results[OURS]]
            jobs = [bare(*job, split, schedule) for job in zip(GRID, epochs, strict=True)]
            advance_all(jobs, torch.get_num_threads())

        cases = [Case(OURS, "float32", ours, 0), Case(PLAIN, "float32", theirs, 0)]
        if args.device == "cpu":
            cases.append(Case(PRODUCTS, "float32", products, 0))
        result = beside(cases, timed_rounds(cases, args), PLAIN)
        result.insert(0, "task", name)
        result["best_score"] = [max(score for score, _ in results[who]) for who in result["who"]]
        result["epochs"] = [sum(epochs for _, epochs in results[who]) for who in result["who"]]
        tables.append(result)
    result = pd.concat(tables)
    print(result.to_string(index=False, float_format="{:.3g}".format))
    keep(result, args)


def drawn(spread: float, args: argparse.Namespace) -> Split:
    """The first of five folds of ten classes, around centres of their own."""
    rng = np.random.default_rng(args.seed)
    centres = rng.normal(size=(10, args.dim))
    folds = []
    for _ in range(5):
        labels = np.arange(args.rows) % 10
        noise = spread * rng.normal(size=(args.rows, args.dim))
        folds.append(part((centres[labels] + noise).astype(np.float32), labels))
    return kfold(folds)[0]


def esc10(encoder: str) -> Split:
    """The first fold of ESC-10 as an encoder sees it."""
    from dasheng_lib.corpora import load_corpus
    from dasheng_lib.encoders import load_encoder
    from dasheng_lib.evaluation.embed import embed
    from dasheng_lib.tasks.of_corpus import corpus_clips

    corpus = load_corpus("esc10")
    rows = corpus.task("esc10")
    features = embed(load_encoder(encoder), corpus_clips(corpus)).features[rows["clip"].to_numpy()]
    labels = rows["label"].factorize(sort=True)[0]
    folds = rows["fold"].to_numpy()
    return kfold([part(features[folds == f], labels[folds == f]) for f in np.unique(folds)])[0]


def part(features_ND: np.ndarray, labels: np.ndarray) -> Part:
    targets = np.eye(10, dtype=np.float32)[labels]
    return Part(features_ND, targets, lambda p: (float(np.mean(p.argmax(1) == labels)), None))


def plain_grid(split: Split, schedule, device: str) -> list[tuple[float, int]]:
    """Best validation score and epochs of each grid point."""
    x = torch.from_numpy(np.concatenate([p.features_ND for p in split.train])).to(device)
    y = torch.from_numpy(np.concatenate([p.targets_NC for p in split.train])).argmax(1).to(device)
    x_valid = torch.from_numpy(split.valid.features_ND).to(device)
    return [plain(point, x, y, x_valid, split.valid.score, schedule) for point in GRID]


def bare(point, epochs: int, split: Split, schedule) -> Iterator[None]:
    """The products that as many epochs of a grid point need, in memory that is there already."""
    N, D = sum(len(p.features_ND) for p in split.train), split.valid.features_ND.shape[1]
    C = split.valid.targets_NC.shape[1]
    widths = [D, *[schedule.hidden] * point.layers, C]
    rows = [torch.randn(min(N, schedule.batch), width) for width in widths]
    weights = [torch.randn(after, before) for before, after in pairwise(widths)]
    gradients = [torch.empty_like(weight) for weight in weights]
    out = [torch.empty_like(row) for row in rows]
    for epoch in range(1, epochs + 1):
        for _ in range(math.ceil(N / schedule.batch)):
            for layer, weight in enumerate(weights):
                torch.mm(rows[layer], weight.T, out=out[layer + 1])
                torch.mm(rows[layer + 1].T, rows[layer], out=gradients[layer])
                if layer:
                    torch.mm(rows[layer + 1], weight, out=out[layer])
        if epoch % schedule.every == 0:
            yield


def plain(point, x, y, x_valid, judge, schedule) -> tuple[float, int]:
    layers, width = [], x.shape[1]
    for _ in range(point.layers):
        layers += [nn.Linear(width, schedule.hidden), nn.BatchNorm1d(schedule.hidden)]
        layers += [nn.Dropout(schedule.dropout), nn.ReLU()]
        width = schedule.hidden
    model = nn.Sequential(*layers, nn.Linear(width, 10))
    linears = [module for module in model if isinstance(module, nn.Linear)]
    for i, linear in enumerate(linears):
        getattr(nn.init, f"{point.init}_")(linear.weight, gain=2**0.5 if i else 1.0)
    model.to(x.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=point.lr)
    best, waited, state = -math.inf, 0, None
    for epoch in range(1, schedule.max_epochs + 1):
        model.train()
        for x_B, y_B in zip(x.split(schedule.batch), y.split(schedule.batch), strict=True):
            optimizer.zero_grad()
            F.cross_entropy(model(x_B), y_B).backward()
            optimizer.step()
        if epoch % schedule.every:
            continue
        with torch.no_grad():
            score, _ = judge(model.eval()(x_valid).softmax(1).cpu().numpy())
        if score > best:
            best, waited, state = score, 0, copy.deepcopy(model.state_dict())
        else:
            waited += 1
        if waited == schedule.patience:
            break
    model.load_state_dict(state)
    return best, epoch


if __name__ == "__main__":
    run_script(main)
