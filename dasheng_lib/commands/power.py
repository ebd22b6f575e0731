"""``dasheng power``: what a sweep could tell, by simulation, before it is run."""

from __future__ import annotations

import argparse

from dasheng_lib.commands.options import at_least, path, seed
from dasheng_lib.commands.record import add_record, keep
from dasheng_lib.common.errors import UserError

EPILOG = """\
DESIGN is a CSV file with a row a setting (setting, factor, rank, seeds, of), NOISE one with a row a
measure (measure, seed_sd, setting_sd, rank_sd, shared); data_manifests/sweeps has one of each, and
the rules by which the simulated sweeps are judged.

examples:
  dasheng power data_manifests/sweeps/desk_design.csv --noise data_manifests/sweeps/desk_noise.csv
  dasheng power --noise data_manifests/sweeps/desk_noise.csv --arm 1.5 3
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("design", nargs="?", type=path, help="CSV file")
    parser.add_argument("--noise", type=path, required=True, help="CSV file")
    parser.add_argument(
        "--sweeps", type=at_least(1), default=1000, help="simulated for each truth (1000)"
    )
    parser.add_argument("--seed", type=seed, default=0, help="(0)")
    parser.add_argument(
        "--arm",
        nargs=2,
        type=float,
        metavar=("DOUBLINGS", "POINTS"),
        help="say instead how many seeds an arm needs whose rank spans so many doublings, if "
        "quality rises by so many points for each",
    )
    parser.add_argument("--arms", type=at_least(1), default=1, help="such arms asked together (1)")
    add_record(parser)


def run(args: argparse.Namespace) -> int:
    from dasheng_lib.scaling.design import read_design, read_noise
    from dasheng_lib.scaling.rules import PATH, read_rules
    from dasheng_lib.scaling.simulate import power

    if (args.design is None) == (args.arm is None):
        raise UserError("Name a design, or ask for one arm with --arm.")
    noise = read_noise(args.noise)
    if args.arm:
        table = _arms(noise, args)
        print(table.to_string(index=False, float_format="{:.0f}".format))
        said = {}
    else:
        design = read_design(args.design)
        table = power(design, noise, read_rules(), sweeps=args.sweeps, seed=args.seed)
        said = {"design": args.design.read_text(), "runs": int(design["run"].nunique())}
        for scope, rows in table.groupby("scope", sort=False):
            wide = rows.pivot_table("probability", ["truth", "measure"], "word", sort=False)
            print(f"{scope}\n{wide.to_string(float_format='{:.2f}'.format)}\n")
    keep(
        args.record,
        table,
        noise=args.noise.read_text(),
        rules=PATH.read_text(),
        seed=args.seed,
        **said,
    )
    return 0


def _arms(noise, args: argparse.Namespace):
    import pandas as pd

    from dasheng_lib.scaling.arm_power import Arms, arms_needed

    together = len(noise.measures) if args.arms > 1 else 1  # an arm alone has no Holm
    tables = []
    for measure, *luck in zip(noise.measures, noise.seed, noise.setting, strict=True):
        what = Arms(*args.arm, *luck, args.arms, together)
        tables.append(arms_needed(what, seed=args.seed).assign(measure=measure))
    return pd.concat(tables, ignore_index=True)
