"""What commands share that can keep their table: the option ``--record``, and the keeping."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from dasheng_lib.commands.options import recordable
from dasheng_lib.results.recorded import write_results


def add_record(parser: argparse.ArgumentParser, what: str = "table") -> None:
    """Add the option ``--record FILE``."""
    words = f"keep the {what} as FILE.csv, with its origin as FILE.json"
    parser.add_argument("--record", type=recordable, help=words)


def keep(path: Path | None, table: pd.DataFrame, **facts: Any) -> None:
    """Write the table and, beside it, ``facts`` and this command unless they say another;
    nothing without a path."""
    if path is not None:
        write_results(path, table, **{"command": shlex.join(["dasheng", *sys.argv[1:]]), **facts})
        print(f"kept as {path}.csv")


def parameters(args: argparse.Namespace) -> dict[str, Any]:
    """The options that a result depends on."""
    return {name: value for name, value in vars(args).items() if name not in ("record", "verb")}
