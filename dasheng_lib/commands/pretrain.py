"""``dasheng pretrain``: an encoder in a folder, or on with the one that is there."""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

from dasheng_lib.common.distributed import STRATEGIES
from dasheng_lib.common.errors import UserError
from dasheng_lib.model.encoder import PRESETS
from dasheng_lib.objectives import FAMILIES
from dasheng_lib.results.recorded import recordable, write_results
from dasheng_lib.train.config import RECIPES, RunConfig, family_defaults
from dasheng_lib.train.schedule import TrainConfig

EPILOG = """\
A run goes on by itself from what lies in --out: stop it at any time, also hard, and give the
same command again. The folder gets config.json, log.csv (a row a step), validation.csv (a row
an epoch, if something is held out), step-N.safetensors (kept steps) and, at the end,
final.safetensors, which other commands take as FAMILY:PATH.

A recipe sets every option that the command does not; without one, --family says which. The
paper's and its code's differ:
  paper:base, paper:0.6B, paper:1.2B   batch 256; 1.2B with 2e-4 and no weight decay
  code:base, code:0.6B, code:1.2B      batch 2048; 3e-4 and weight decay 0.01 throughout;
                                       0.6B is 1536 wide and 24 blocks deep, not 1280 and 32

examples:
  dasheng pretrain --preset nano --corpus pocket --steps 1200 --out runs/first
  dasheng pretrain --family hubert --steps 1200 --hold-out 0.03 --out runs/hubert
  dasheng pretrain --steps 20000 --hold-out 0.03 --epoch 1000 --out runs/longer
  torchrun --nproc-per-node 8 -m dasheng_lib.train --recipe paper:base \\
      --shards audio/train --held-shards audio/valid --out runs/base
"""


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that determine a run; others that train share them."""
    usual = RunConfig()

    def option(name: str, kind: type, value: object, what: str) -> None:
        parser.add_argument(name, type=kind, help=f"{what} ({value})")

    parser.add_argument(
        "--recipe", help=f"where the defaults come from (--family): {', '.join(RECIPES)}"
    )
    option("--family", str, usual.family, f"pretext task: {', '.join(FAMILIES)}")
    option("--preset", str, usual.preset, f"size: {', '.join(PRESETS)}, or as in 96x4x3")
    option("--steps", int, usual.train.steps, "optimizer steps")
    option("--batch", int, usual.batch, "crops in a step, of all processes together")
    option("--clip-seconds", float, usual.clip_seconds, "length of a crop")
    option("--streams", int, usual.streams, "places in shards that are read at once")
    option("--short", str, usual.short, "crops of short clips: fill with more clips, or pad")
    option("--even", str, usual.even, "what counts alike: seconds, clips or domains")
    option("--speed", float, usual.speed, "clips are played up to this times faster or slower")
    option("--mix", float, usual.mix, "largest share of another crop that is mixed in")
    option("--mask-ratio", float, usual.mask_ratio, "share of the tokens that is hidden")
    option("--positions", str, usual.positions, "of the decoder at first: zeros, or sincos")
    option("--group", int, usual.group, "neighbouring tokens hidden together")
    option("--lr", float, usual.train.lr, "peak learning rate")
    option("--warmup", float, usual.train.warmup, "share of the steps to reach it")
    option("--weight-decay", float, usual.train.weight_decay, "of AdamW")
    option("--optimizer", str, usual.train.optimizer, "adamw, or adamw8bit (bitsandbytes)")
    option("--accumulate", int, usual.train.accumulate, "parts that a batch is taken in")
    option("--precision", str, usual.train.precision, "float32, or bfloat16 for the blocks")
    option("--hold-out", float, usual.hold_out, "share of the audio to validate on")
    option("--epoch", int, usual.epoch, "steps between validations, 0: at the end only")
    parser.add_argument(
        "--keep", type=int, nargs="+", help="steps to keep besides the last (its halvings)"
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    audio = parser.add_argument_group("audio")
    audio.add_argument("--corpus", default="pocket", help="which recordings (pocket)")
    audio.add_argument("--shards", nargs="+", help="tar shards instead: files, folders, patterns")
    audio.add_argument("--held-shards", nargs="+", help="shards to validate on")
    run = parser.add_argument_group("the run (in brackets: what the quick recipe says)")
    add_run_arguments(run)
    run.add_argument("--seed", type=int, default=0, help="of weights, crops and masks (0)")
    parser.add_argument(
        "--record", type=recordable, help="keep the curve as FILE.csv, with its origin as FILE.json"
    )
    how = parser.add_argument_group("how it is computed")
    how.add_argument(
        "--checkpoint-every", type=int, default=200, help="steps between checkpoints (200)"
    )
    how.add_argument(
        "--strategy",
        choices=STRATEGIES,
        default="ddp",
        help="of several processes: a copy of the model in each, or a part (ddp)",
    )
    how.add_argument("--recompute", action="store_true", help="less memory, a third more work")
    how.add_argument("--compile", action="store_true", help="let torch compile the blocks")


def run(args: argparse.Namespace) -> int:
    from dasheng_lib.common.distributed import join, leave
    from dasheng_lib.train.run import Execution, pretrain_into

    config = run_config(args, args.seed)
    if args.checkpoint_every < 1:
        raise UserError(f"--checkpoint-every is at least 1, not {args.checkpoint_every}.")
    world = join()
    try:
        execution = Execution(args.strategy, args.recompute, args.compile, args.checkpoint_every)
        data, held = _audio(args, config)
        finished = pretrain_into(args.out, data, held, config, world, execution)
    finally:
        leave()
    if world.first:
        log = finished.log
        print(f"loss {log['loss'].iloc[0]:.3f} -> {log['loss'].tail(50).mean():.3f}")
        print(finished.folder / "final.safetensors")
        if args.record:
            write_results(
                args.record,
                finished.curve(),
                command=_command(),
                corpora={data.name: data.digest},
                parameters=asdict(config),
                seconds=round(log["seconds"].iloc[-1]),
                processes=world.size,
                device=world.device.type,
            )
            print(f"kept as {args.record}.csv")
    return 0


def run_config(args: argparse.Namespace, seed: int) -> RunConfig:
    """The configuration that the options of :func:`add_run_arguments` describe.

    Raises:
        UserError: there is no such recipe, or a value is impossible.
    """
    if args.recipe not in (None, *RECIPES):
        raise UserError(f"There is no recipe {args.recipe!r}: choose {', '.join(RECIPES)}.")
    said = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(args).items()
        if value is not None
    }
    try:
        recipe = RECIPES[args.recipe] if args.recipe else family_defaults(args.family or "dasheng")
        train = replace(recipe.train, **_of(TrainConfig, said), seed=seed)
        return replace(recipe, **_of(RunConfig, said), train=train)
    except ValueError as error:
        raise UserError(f"{error}.") from error


def _of(kind: type, said: dict[str, object]) -> dict[str, object]:
    names = {field.name for field in fields(kind)} - {"seed", "train"}
    return {name: value for name, value in said.items() if name in names}


def _audio(args: argparse.Namespace, config: RunConfig):
    from dasheng_lib.corpora import load_corpus
    from dasheng_lib.corpora.trim import prepare
    from dasheng_lib.shards import ShardCrops
    from dasheng_lib.train.run import batches_of

    if not args.shards:
        return batches_of(prepare(load_corpus(args.corpus)), config)
    if config.speed != 1.0 or config.mix:
        raise UserError("--speed and --mix are for a corpus: shards are streamed as they are.")
    return tuple(
        shards
        and ShardCrops(
            shards,
            config.clip_seconds,
            config.batch,
            seed,
            streams=config.streams,
            short=config.short,
            progress=True,
        )
        for shards, seed in ((args.shards, config.train.seed), (args.held_shards, 0))
    )


def _command() -> str:
    """This command as one would give it; torchrun's has no verb of its own."""
    return shlex.join(["dasheng", "pretrain", *sys.argv[1 + (sys.argv[1:2] == ["pretrain"]) :]])
