"""``dasheng pretrain``: an encoder in a folder, or on with the one that is there."""

from __future__ import annotations

import argparse
from pathlib import Path

from dasheng_lib.errors import UserError
from dasheng_lib.model import PRESETS
from dasheng_lib.runs import RunConfig
from dasheng_lib.train import TrainConfig

EPILOG = """\
A run goes on by itself from what lies in --out: stop it at any time and give the same
command again. The folder gets config.json, log.csv (a row a step), step-N.safetensors (kept
steps) and, at the end, final.safetensors, which other commands take as dasheng:PATH.

example:
  dasheng pretrain --preset nano --corpus pocket --steps 1200 --out runs/first
"""


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that determine a run; others that train share them."""
    usual = RunConfig()

    def option(name: str, kind: type, value: object, what: str) -> None:
        parser.add_argument(name, type=kind, default=value, help=f"{what} ({value})")

    option("--preset", str, usual.preset, f"size: {', '.join(PRESETS)}")
    option("--steps", int, usual.train.steps, "optimizer steps")
    option("--batch", int, usual.batch, "crops in a step")
    option("--clip-seconds", float, usual.clip_seconds, "length of a crop")
    option("--mask-ratio", float, usual.mask_ratio, "share of the tokens that is hidden")
    option("--group", int, usual.group, "neighbouring tokens hidden together")
    option("--lr", float, usual.train.lr, "peak learning rate")
    option("--precision", str, usual.train.precision, "float32, or bfloat16 for the blocks")


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


def run_config(args: argparse.Namespace, seed: int) -> RunConfig:
    """The configuration that the options of :func:`add_run_arguments` describe.

    Raises:
        UserError: a value is impossible.
    """
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
