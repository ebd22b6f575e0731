"""``dasheng bench``: the benchmarks of the checkout, each side by side with a rival."""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from pathlib import Path

from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import BENCHMARKS as FOLDER

HELPERS = ("card_crops", "card_steps", "card_sweep", "common", "packed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _epilog()
    parser.add_argument("name", nargs="?", help="which benchmark; without it they are listed")
    parser.add_argument(
        "options", nargs=argparse.REMAINDER, help="of the benchmark: `dasheng bench NAME --help`"
    )


def run(args: argparse.Namespace) -> int:
    scripts = benchmarks()
    if not scripts:
        raise UserError(
            "The benchmarks are not part of the installed package: clone the repository and run "
            "`make env` there."
        )
    if args.name is None:
        print(_listed(scripts))
        return 0
    if args.name not in scripts:
        raise UserError(f"There is no benchmark {args.name!r}: choose {', '.join(scripts)}.")
    # A process of its own: nothing that this one did may weigh on the times.
    return subprocess.run([sys.executable, scripts[args.name], *args.options]).returncode


def benchmarks(folder: Path = FOLDER) -> dict[str, Path]:
    """The scripts of a checkout by name; none outside of one."""
    scripts = sorted(folder.glob("*.py"))
    return {path.stem: path for path in scripts if path.stem not in HELPERS}


def _listed(scripts: dict[str, Path]) -> str:
    width = max(map(len, scripts))
    said = {name: ast.get_docstring(ast.parse(p.read_text())) for name, p in scripts.items()}
    return "\n".join(f"  {name:{width}}  {said[name].splitlines()[0]}" for name in scripts)


def _epilog() -> str:
    scripts = benchmarks()
    return f"""\
benchmarks:
{_listed(scripts) if scripts else "  none: they lie in the repository, not in the package"}

hear_grid compares with plain PyTorch, knn with scikit-learn and rankme with float64 SVDs, in one
run; shards has no rival. The others compare with the package `dasheng` 0.0.9 of the model's authors
on the same weights and audio, and with what a large matrix product reaches on this machine; without
that package they time this library alone. To have both, in an environment of its own:
  pip install --no-deps dasheng==0.0.9 einops

examples:
  dasheng bench embed_10s
  dasheng bench embed_mixed --clips 20 --precision bfloat16
  dasheng bench hear_grid --encoder dasheng:nano
  dasheng bench train_step --device cuda --clips 64 --record book/results/train_step_gpu
"""
