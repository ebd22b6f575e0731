"""``dasheng pretrain``: an encoder in a folder, or on with the one that is there."""

from __future__ import annotations

import argparse
from pathlib import Path

from dasheng_lib.errors import UserError
from dasheng_lib.model import PRESETS

EPILOG = """\
A run goes on by itself from what lies in --out: stop it at any time and give the same
command again. The folder gets config.json, log.csv (a row a step), step-N.safetensors (kept
steps) and, at the end, final.safetensors, which other commands take as dasheng:PATH.

example:
  dasheng pretrain --preset nano --corpus pocket --steps 1000 --out runs/first
"""


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that determine a run; others that train share them."""
    parser.add_argument("--preset", default="nano", help=f"size: {', '.join(PRESETS)} (nano)")
    parser.add_argument("--steps", type=int, default=1000, help="optimizer steps (1000)")
    parser.add_argument("--batch", type=int, default=64, help="crops in a step (64)")
    parser.add_argument("--clip-seconds", type=float, default=2.0, help="length of a crop (2.0)")
    parser.add_argument("--mask-ratio", type=float, default=0.75, help="share hidden (0.75)")
    parser.add_argument("--group", type=int, default=2, help="tokens hidden together (2)")
    parser.add_argument("--lr", type=float, default=1e-3, help="peak learning rate (0.001)")
    parser.add_argument(
        "--precision", default="float32", help="float32, or bfloat16 for the blocks (float32)"
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_run_arguments(parser)
    parser.add_argument("--corpus", default="pocket", help="which recordings (pocket)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, crops and masks (0)")
    parser.add_argument(
        "--checkpoint-every", type=int, default=200, help="steps between checkpoints (200)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")


def run(args: argparse.Namespace) -> int:
    from dasheng_lib.corpora import load_corpus
    from dasheng_lib.corpora.prepared import prepare
    from dasheng_lib.runs import pretrain_into

    config = run_config(args, args.seed)
    if args.checkpoint_every < 1:
        raise UserError(f"--checkpoint-every is at least 1, not {args.checkpoint_every}.")
    corpus = prepare(load_corpus(args.corpus))
    finished = pretrain_into(args.out, corpus, config, args.checkpoint_every)
    log = finished.log
    print(f"loss {log['loss'].iloc[0]:.3f} -> {log['loss'].tail(50).mean():.3f}")
    print(finished.folder / "final.safetensors")
    return 0


def run_config(args: argparse.Namespace, seed: int):
    """The configuration that the options of :func:`add_run_arguments` describe.

    Raises:
        UserError: a value is impossible.
    """
    from dasheng_lib.runs import RunConfig
    from dasheng_lib.train import TrainConfig

    try:
        return RunConfig(
            preset=args.preset,
            mask_ratio=args.mask_ratio,
            group=args.group,
            batch=args.batch,
            clip_seconds=args.clip_seconds,
            train=TrainConfig(args.steps, args.lr, seed=seed, precision=args.precision),
        )
    except ValueError as error:
        raise UserError(f"{error}.") from error
