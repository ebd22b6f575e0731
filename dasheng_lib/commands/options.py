"""Kinds of options, checked as they are read: a fault shows before anything is written.

Each is a ``type=`` for argparse, or makes one.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import expanded
from dasheng_lib.results.recorded import recordable, writable

__all__ = ["at_least", "device", "folder", "once", "path", "recordable", "seed", "writable"]
MOST = 2**32 - 1  # what NumPy takes as a seed
Value = TypeVar("Value")


def at_least(low: int, high: float = float("inf")) -> Callable[[str], int]:
    """Whole numbers from ``low`` to ``high``."""

    def whole(text: str) -> int:
        if not text.lstrip("+-").isdecimal() or not low <= int(text[:20]) <= high:
            limit = "" if high == float("inf") else f" and at most {high}"
            raise ArgumentTypeError(f"it is a whole number, at least {low}{limit}, not {text!r}")
        return int(text)

    return whole


seed = at_least(0, MOST)


def path(text: str) -> Path:
    """A path, with ``~`` expanded."""
    try:
        return expanded(text)
    except UserError as error:
        raise ArgumentTypeError(str(error)) from error


def folder(text: str) -> Path:
    """A folder to write in, which need not be there."""
    return writable(str(path(text) / "x")).parent


def device(name: str) -> str:
    """A device that is here, by torch's name."""
    import torch

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ArgumentTypeError(f"there is no {name!r} here: choose cpu, or cuda") from error
    return name


def once(values: Iterable[Value]) -> list[Value]:
    """Each value once, in the order of the first."""
    return list(dict.fromkeys(values))
