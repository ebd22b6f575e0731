"""Foreign text on a page: as a value in Markdown, and as a word of a line for the shell."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from typing import Any

import yaml


def code(text: str) -> str:
    """Markdown that shows ``text`` as code, in a table too; nothing for nothing."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{cell(text)}{pad}{fence}" if text else ""


def cell(text: str) -> str:
    """Text of a cell of a Markdown table, on one line."""
    return " ".join(text.splitlines()).replace("|", "\\|")


def papermill_line(notebook: str, values: dict[str, Any]) -> str:
    """The command that runs a notebook with these values, of their very types."""
    words = ["papermill", notebook, "out.ipynb"]
    for name, value in values.items():
        if _said_plainly(value):
            words += ["-p", name, value if isinstance(value, str) else _yaml(value)]
        else:
            words += ["-y", f"{{{name}: {_yaml(value)}}}"]
    return shlex.join(words)


def _said_plainly(value: Any) -> bool:
    """Whether ``-p`` gives the value; it makes numbers of texts, and has no lists and no None."""
    if not isinstance(value, str):
        return isinstance(value, int) or (isinstance(value, float) and value - value == 0)
    if not value.isprintable() or value == "None":
        return False
    with suppress(ValueError):
        float(value)
        return False
    with suppress(Exception):  # PyYAML has a dozen kinds of errors
        return yaml.safe_load(value) == value
    return False


def _yaml(value: Any) -> str:
    """The value in YAML, on one line."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if isinstance(value, bool):
        return str(value)  # which papermill's -p knows, and YAML too
    quoted = '"' if isinstance(value, str) else None
    return yaml.safe_dump(value, default_style=quoted, width=float("inf")).split("\n")[0]
