"""Words for numbers, so that a sentence turns when the number beside it does."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Literal


def complete(*texts: str) -> None:
    """Let no sentence go to a page in which a number is missing.

    Raises:
        ValueError: the word ``nan`` stands in one.
    """
    for text in texts:
        if found := re.search(r".{0,60}(?<![\w:/])nan(?![\w:/]).{0,30}", text):
            raise ValueError(f"a number is missing in {found[0]!r}")


def listed(names: Iterable[str], none: str = "none") -> str:
    """``"a, b and c"``; ``none`` where there is nothing to list."""
    names = list(names)
    if not names:
        return none
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def change(before: float, after: float, digits: int = 1) -> str:
    """``"rises from 1.0 to 2.0"``, ``"falls …"``, or ``"stays at 1.0"`` where no digit differs."""
    was, now = f"{before:.{digits}f}", f"{after:.{digits}f}"
    if was == now:
        return f"stays at {now}"
    return f"{'rises' if after > before else 'falls'} from {was} to {now}"


def standing(
    value: float, rival: float, better: Literal["higher", "lower"] = "higher", digits: int = 1
) -> str:
    """Where ``value`` stands: ``"ahead of"``, ``"behind"`` or, as printed, ``"level with"``.

    Args:
        better: which of two values wins; a loss is better if it is lower.

    Raises:
        ValueError: ``better`` is neither.
    """
    if better not in ("higher", "lower"):
        raise ValueError(f"better is 'higher' or 'lower', not {better!r}")
    if f"{value:.{digits}f}" == f"{rival:.{digits}f}":
        return "level with"
    return "ahead of" if (value > rival) == (better == "higher") else "behind"


def tally(gaps: Mapping[str, float], digits: int = 1) -> str:
    """How often one is ahead, and by how much: both signs, the more frequent first.

    ``"behind in 2 of 3 (a -1.0, b -0.5), ahead in 1 (c +2.0)"``. What prints as 0 is ``level``.

    Args:
        gaps: a difference for each comparison, by what was compared; NaN is not counted.
    """
    gaps = {name: gap for name, gap in gaps.items() if not math.isnan(gap)}
    sides: dict[str, list[str]] = {"behind": [], "ahead": [], "level": []}
    for name, gap in gaps.items():
        level = round(abs(gap), digits) == 0
        side = "level" if level else "ahead" if gap > 0 else "behind"
        sides[side].append(name if level else f"{name} {gap:+.{digits}f}")
    order = sorted((side for side in sides if sides[side]), key=lambda side: -len(sides[side]))
    parts = [f"{side} in {len(sides[side])} ({', '.join(sides[side])})" for side in order]
    if not parts:
        return "not compared"
    return ", ".join([parts[0].replace(" (", f" of {len(gaps)} (", 1), *parts[1:]])
