"""``dasheng pretrain``: an encoder in a folder, or on with the one that is there."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import get_args, get_origin, get_type_hints

from dasheng_lib.commands.options import at_least, folder, seed
from dasheng_lib.commands.record import add_record, keep
from dasheng_lib.common.distributed import STRATEGIES
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.settings import settings
from dasheng_lib.objectives.family import FAMILIES
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.recipes import RECIPES, family_defaults
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
  dasheng pretrain --family hubert --steps 400 --hold-out 0.03 --out runs/hubert-1
  dasheng pretrain --family hubert --steps 800 --hold-out 0.03 --out runs/hubert-2 \\
      --teacher runs/hubert-1/final.safetensors
  dasheng pretrain --recipe simclr --preset sfnfnet-16 --steps 1200 --out runs/simclr
  dasheng pretrain --recipe supervised --labels event --steps 400 --out runs/events
  dasheng pretrain --only-domain music --hold-out 0.03 --steps 1200 --out runs/music
  dasheng pretrain --steps 20000 --hold-out 0.03 --epoch 1000 --out runs/longer
  torchrun --nproc-per-node 8 -m dasheng_lib.train --recipe paper:base \\
      --shards audio/train --held-shards audio/valid --out runs/base
"""


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that determine a run, made of the fields of its configurations.

    Others that train share them.
    """
    usual = RECIPES["quick"]
    parser.add_argument(
        "--recipe",
        help=f"where the defaults come from (--family; of shards dasheng): {', '.join(RECIPES)}",
    )
    parser.add_argument("--family", help=f"pretext task: {', '.join(FAMILIES)} ({usual.family})")
    for config in (usual, usual.train):
        for name, field in settings(config).items():
            default = getattr(config, name)
            about = field.metadata["about"] + (f" ({default})" if default not in ((), "") else "")
            _option(parser, type(config), name, about)
    for name, families in _task_settings().items():
        defaults = {family: getattr(family_defaults(family).task, name) for family in families}
        of = ", ".join(f if v in (None, ()) else f"{f} {v}" for f, v in defaults.items())
        config = FAMILIES[families[0]].config
        _option(parser, config, name, f"{settings(config)[name].metadata['about']} ({of})")


def _task_settings() -> dict[str, list[str]]:
    """The families that have each setting of a pretext task."""
    found: dict[str, list[str]] = {}
    for name, family in FAMILIES.items():
        for field in settings(family.config):
            found.setdefault(field, []).append(name)
    return found


def _option(parser: argparse.ArgumentParser, config: type, name: str, about: str) -> None:
    """An option for a field of a configuration, of its type: of ``int | None`` that is int."""
    kind = get_type_hints(config)[name]
    plain = [part for part in (kind, *get_args(kind)) if part in (int, float, str)]
    parser.add_argument(
        _dashed(name),
        type=plain[0] if plain else str,
        nargs="+" if get_origin(kind) is tuple else None,
        help=about,
    )


def _dashed(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=folder, required=True, help="folder of the run")
    audio = parser.add_argument_group("audio")
    audio.add_argument("--corpus", default="pocket", help="which recordings (pocket)")
    audio.add_argument("--shards", nargs="+", help="tar shards instead: files, folders, patterns")
    audio.add_argument("--held-shards", nargs="+", help="shards to validate on")
    run = parser.add_argument_group(
        "the run (in brackets: what the quick recipe says, or a family)"
    )
    add_run_arguments(run)
    run.add_argument("--seed", type=seed, default=0, help="of weights, crops and masks (0)")
    add_record(parser, "curve")
    how = parser.add_argument_group("how it is computed")
    how.add_argument(
        "--checkpoint-every", type=at_least(1), default=200, help="steps between checkpoints (200)"
    )
    how.add_argument(
        "--decode-threads",
        type=at_least(1),
        default=2,
        help="that read shards, in each process (2)",
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
    from dasheng_lib.common.distributed import start_processes, stop_processes
    from dasheng_lib.train.run import Execution, pretrain_into

    config = config_from_args(args, args.seed)
    world = start_processes()
    try:
        execution = Execution(
            strategy=args.strategy,
            recompute=args.recompute,
            compile=args.compile,
            checkpoint_every=args.checkpoint_every,
        )
        data, held = _audio(args, config)
        finished = pretrain_into(args.out, data, held, config, world, execution)
    finally:
        stop_processes()
    if world.first:
        log = finished.log
        print(f"loss {log['loss'].iloc[0]:.3f} -> {log['loss'].tail(50).mean():.3f}")
        print(finished.folder / "final.safetensors")
        if args.record:
            keep(
                args.record,
                finished.curve(),
                command=_command(),
                corpora={data.name: data.digest},
                parameters=config.record(),
                seconds=round(log["seconds"].iloc[-1]),
                processes=world.size,
                device=world.device.type,
            )
    return 0


def config_from_args(args: argparse.Namespace, seed: int) -> RunConfig:
    """The configuration that the options of :func:`add_run_arguments` describe.

    Raises:
        UserError: there is no such recipe, the family has no such option, or a value is impossible.
    """
    if args.recipe not in (None, *RECIPES):
        raise UserError(f"There is no recipe {args.recipe!r}: choose {', '.join(RECIPES)}.")
    every_run = {**settings(RunConfig), **settings(TrainConfig)}
    of_tasks = _task_settings()
    said = {
        name: tuple(value) if isinstance(value, list) else value
        for name in (*every_run, *of_tasks)
        if (value := getattr(args, name)) is not None
    }
    try:
        # Shards are streamed as they are, and the quick recipe varies what it hears.
        usual = "dasheng" if getattr(args, "shards", None) else "quick"
        by_family = args.family and not args.recipe
        recipe = family_defaults(args.family) if by_family else RECIPES[args.recipe or usual]
        family = recipe.family
        if args.family not in (None, family):
            raise UserError(f"The recipe {args.recipe} is of {family}, not of {args.family}.")
        for name in said:
            if name in of_tasks and family not in of_tasks[name]:
                own = ", ".join(
                    _dashed(n) for n, families in of_tasks.items() if family in families
                )
                raise UserError(f"{family} has no {_dashed(name)}: its own options are {own}.")
        return recipe.changed({**said, "seed": seed})
    except ValueError as error:
        raise UserError(f"{error}.") from error


def _audio(args: argparse.Namespace, config: RunConfig):
    from dasheng_lib.corpora import load_corpus
    from dasheng_lib.corpora.trim import prepare
    from dasheng_lib.shards import ShardCrops
    from dasheng_lib.train.batches import batches_of

    if not args.shards:
        return batches_of(prepare(load_corpus(args.corpus)), config)
    if config.speed != 1.0 or config.mix or config.only_domain:
        raise UserError(
            "--speed, --mix and --only-domain are for a corpus: shards are streamed as they are."
        )
    return tuple(
        shards
        and ShardCrops(
            shards,
            config.clip_seconds,
            config.batch,
            seed,
            streams=config.streams,
            short=config.short,
            workers=args.decode_threads,
            progress=True,
        )
        for shards, seed in ((args.shards, config.train.seed), (args.held_shards, 0))
    )


def _command() -> str:
    """This command as one would give it; torchrun's has no verb of its own."""
    return shlex.join(["dasheng", "pretrain", *sys.argv[1 + (sys.argv[1:2] == ["pretrain"]) :]])
